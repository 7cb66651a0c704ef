//! What the map side of a shuffle guarantees about where rows go.

use std::collections::HashMap;

use partita::shuffle::{MAX_PARTITIONS, Partitioner, ShuffleError, range_bounds, sample};
use polars::prelude::*;
use proptest::prelude::*;

type Row = (Option<i64>, Option<f64>, Option<String>);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let float = prop_oneof![
        4 => (-3..3).prop_map(f64::from).boxed(),
        1 => Just(f64::NAN).boxed(),
        1 => Just(-f64::NAN).boxed(),
        1 => Just(-0.0).boxed(),
        1 => Just(f64::NEG_INFINITY).boxed(),
    ];
    let row = (
        proptest::option::weighted(0.8, -4..4i64),
        proptest::option::weighted(0.8, float),
        proptest::option::weighted(0.8, "[abé]{0,2}"),
    );
    proptest::collection::vec(row, 0..120)
}

/// The rows in `chunks` chunks, with their number in `row`.
fn frame(rows: &[Row], chunks: usize) -> DataFrame {
    let categories = Categories::new("cat".into(), "test".into(), CategoricalPhysical::U32);
    let dtype = DataType::Categorical(categories.clone(), categories.mapping());
    let strings: Series = rows.iter().map(|row| row.2.clone()).collect();
    let df = df!(
        "row" => (0..rows.len() as u32).collect::<Vec<_>>(),
        "i" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        "f" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
        "cat" => strings.cast(&dtype).unwrap(),
        "s" => strings,
    )
    .unwrap();
    let size = rows.len().div_ceil(chunks).max(1);
    let pieces = (0..chunks).map(|chunk| df.slice((chunk * size) as i64, size));
    pieces.reduce(|all, next| all.vstack(&next).unwrap()).unwrap()
}

fn row_numbers(df: &DataFrame) -> Vec<u32> {
    df.column("row").unwrap().u32().unwrap().iter().flatten().collect()
}

/// Every row is in exactly one of `n` parts, and the parts keep the order and the schema.
fn assert_conserved(df: &DataFrame, pieces: &[DataFrame], n: usize) {
    assert_eq!(pieces.len(), n);
    let mut all = Vec::new();
    for piece in pieces {
        assert_eq!(piece.schema(), df.schema());
        let numbers = row_numbers(piece);
        assert!(numbers.is_sorted(), "order within a partition: {numbers:?}");
        let original = df.take(&IdxCa::from_vec("".into(), numbers.clone())).unwrap();
        assert!(piece.equals_missing(&original));
        all.extend(numbers);
    }
    all.sort_unstable();
    assert!(all.into_iter().eq(0..df.height() as u32));
}

/// The partition of each distinct key, by Polars' equality. Fails if a key is in two of them.
fn group_homes(pieces: &[DataFrame], keys: &[Expr]) -> usize {
    let tagged = pieces
        .iter()
        .enumerate()
        .map(|(i, piece)| piece.clone().lazy().with_column(lit(i as u32).alias("p")));
    let all = concat(tagged.collect::<Vec<_>>(), UnionArgs::default()).unwrap();
    let homes = all.group_by(keys).agg([col("p").n_unique()]).collect().unwrap();
    assert!(homes.column("p").unwrap().u32().unwrap().iter().all(|homes| homes == Some(1)), "{homes}");
    homes.height()
}

proptest! {
    #[test]
    fn hash_conserves_rows_and_brings_equal_keys_together(rows in rows(), n in 1..20usize, chunks in 1..4usize) {
        let df = frame(&rows, chunks);
        let choices = [vec!["i"], vec!["f"], vec!["s"], vec!["cat"], vec!["f", "s"], vec!["cat", "i", "f"]];
        let mut keys: Vec<Vec<Expr>> = choices.iter().map(|names| names.iter().map(|name| col(*name)).collect()).collect();
        keys.push(vec![as_struct(vec![col("f"), col("s")])]);
        keys.push(vec![col("i") % lit(2)]);
        for keys in keys {
            let pieces = Partitioner::Hash { keys: keys.clone(), n }.split(&df, 0).unwrap();
            assert_conserved(&df, &pieces, n);
            group_homes(&pieces, &keys);
        }
    }

    #[test]
    fn hash_finds_a_key_again_whatever_its_frame_and_representation(rows in rows(), n in 1..20usize) {
        let df = frame(&rows, 1);
        let reversed = df.reverse();
        let float = |dtype: DataType| col("f").cast(dtype);
        let same = [
            (col("i"), col("i")),
            (col("i"), col("i").cast(DataType::Int8)),
            (float(DataType::Float64), float(DataType::Float32)),
            (col("s"), col("cat")),
        ];
        for (left, right) in same {
            let homes = |df: &DataFrame, key: Expr| -> HashMap<u32, usize> {
                let pieces = Partitioner::Hash { keys: vec![key], n }.split(df, 7).unwrap();
                pieces.iter().enumerate().flat_map(|(i, piece)| row_numbers(piece).into_iter().map(move |row| (row, i))).collect()
            };
            prop_assert_eq!(homes(&df, left), homes(&reversed, right));
        }
    }

    #[test]
    fn sorted_ranges_one_after_the_other_are_the_sorted_whole(
        rows in rows(),
        cuts in proptest::collection::vec(0..120usize, 0..4),
        n in 1..12usize,
        descending in proptest::collection::vec(any::<bool>(), 3),
        nulls_last in any::<bool>(),
        size in 1..40usize,
    ) {
        let df = frame(&rows, 1);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(df.height())).chain([0, df.height()]).collect();
        cuts.sort_unstable();
        let inputs: Vec<DataFrame> =
            cuts.windows(2).map(|cut| df.slice(cut[0] as i64, cut[1] - cut[0])).collect();
        for names in [vec!["i"], vec!["f"], vec!["s"], vec!["cat"], vec!["f", "cat", "i"], vec!["i", "s"]] {
            let by: Vec<Expr> = names.iter().map(|name| col(*name)).collect();
            let descending = descending[..by.len()].to_vec();
            let samples = inputs.iter().enumerate().map(|(i, input)| sample(input, &by, size, i as u64).unwrap());
            let bounds = range_bounds(samples.collect(), &descending, nulls_last, n).unwrap();
            prop_assert!(bounds.height() < n);
            let partitioner = Partitioner::Range { by: by.clone(), descending: descending.clone(), nulls_last, bounds };
            prop_assert!(partitioner.partitions() <= n);

            let whole = partitioner.split(&df, 0).unwrap();
            assert_conserved(&df, &whole, partitioner.partitions());
            group_homes(&whole, &by);
            let options = SortMultipleOptions::default()
                .with_order_descending_multi(descending.clone())
                .with_nulls_last(nulls_last)
                .with_maintain_order(true);
            let sorted = whole.iter().map(|piece| piece.sort(names.clone(), options.clone()).unwrap());
            let sorted = sorted.reduce(|all, next| all.vstack(&next).unwrap()).unwrap();
            let expected = df.sort(names.clone(), options.clone()).unwrap();
            prop_assert!(sorted.equals_missing(&expected), "{names:?}: {sorted} instead of {expected}");
        }
    }

    #[test]
    fn round_robin_cuts_each_input_evenly(heights in proptest::collection::vec(0..50usize, 1..40), n in 1..20usize) {
        for (map_partition, height) in heights.iter().enumerate() {
            let df = frame(&vec![(None, None, None); *height], 1);
            let pieces = Partitioner::RoundRobin { n }.split(&df, map_partition).unwrap();
            assert_conserved(&df, &pieces, n);
            let sizes: Vec<usize> = pieces.iter().map(DataFrame::height).collect();
            prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{sizes:?}");
        }
    }

    #[test]
    fn an_expression_decides_the_partition(rows in rows(), n in 1..20usize) {
        let df = frame(&rows, 2);
        for dtype in [DataType::Int8, DataType::UInt8, DataType::Int32, DataType::UInt64] {
            let expr = (col("row") % lit(n as u32)).cast(dtype);
            let pieces = Partitioner::ByExpr { expr, n }.split(&df, 0).unwrap();
            assert_conserved(&df, &pieces, n);
            for (partition, piece) in pieces.iter().enumerate() {
                prop_assert!(row_numbers(piece).iter().all(|row| *row as usize % n == partition));
            }
        }
    }
}

#[test]
fn equal_small_inputs_fill_all_partitions_alike() {
    for n in 1..=33 {
        for height in [1, 2, n / 2, n + 1] {
            let df = frame(&vec![(None, None, None); height], 1);
            let mut totals = vec![0; n];
            for map_partition in 0..n {
                let pieces = Partitioner::RoundRobin { n }.split(&df, map_partition).unwrap();
                totals.iter_mut().zip(&pieces).for_each(|(total, piece)| *total += piece.height());
            }
            assert_eq!(totals, vec![height; n], "{n} inputs of {height} rows");
        }
    }
}

#[test]
fn hash_spreads_keys_evenly_also_over_powers_of_two_and_regular_keys() {
    let rows = 64_000;
    let count: Vec<i64> = (0..rows).collect();
    let even: Vec<i64> = count.iter().map(|i| i * 1024).collect();
    let high: Vec<u64> = count.iter().map(|i| *i as u64 | 1 << 63).collect();
    let floats: Vec<f64> = count.iter().map(|i| *i as f64).collect();
    let strings: Vec<String> = count.iter().map(|i| format!("key {i}")).collect();
    let df = df!("count" => &count, "even" => even, "high" => high, "f" => floats, "s" => strings, "same" => &count).unwrap();
    let keys = [
        vec!["count"],
        vec!["even"],
        vec!["high"],
        vec!["f"],
        vec!["s"],
        vec!["count", "same"],
        vec!["even", "s"],
    ];
    for n in [2, 7, 16, 64, 100] {
        for names in &keys {
            let keys = names.iter().map(|name| col(*name)).collect();
            let pieces = Partitioner::Hash { keys, n }.split(&df, 0).unwrap();
            let fair = rows as f64 / n as f64;
            for piece in &pieces {
                let off = (piece.height() as f64 - fair).abs();
                assert!(off < 6.0 * fair.sqrt(), "{names:?} over {n}: {} instead of {fair}", piece.height());
            }
        }
    }
}

#[test]
fn hash_is_the_same_in_every_process() {
    let df = df!(
        "row" => 0..8u32,
        "i" => [Some(0i64), Some(1), Some(2), Some(-1), Some(i64::MAX), Some(42), None, Some(7)],
        "f" => [Some(0.0), Some(-0.0), Some(1.5), Some(f64::NAN), Some(f64::INFINITY), Some(-1.0), None, Some(0.1)],
        "s" => [Some(""), Some("a"), Some("Zürich"), Some("a longer string than fits inline"), Some("b"), Some("B"), None, Some("7")],
        "b" => [Some(true), Some(false), None, Some(true), Some(true), Some(false), None, Some(true)],
    )
    .unwrap();
    let homes = |keys: &[&str]| {
        let keys = keys.iter().map(|name| col(*name)).collect();
        let pieces = Partitioner::Hash { keys, n: 1000 }.split(&df, 0).unwrap();
        let mut homes = [0; 8];
        for (partition, piece) in pieces.iter().enumerate() {
            row_numbers(piece).into_iter().for_each(|row| homes[row as usize] = partition);
        }
        homes
    };
    assert_eq!(homes(&["i"]), [907, 403, 395, 834, 770, 259, 348, 325]);
    assert_eq!(homes(&["f"]), [907, 907, 575, 143, 676, 275, 348, 520]);
    assert_eq!(homes(&["s"]), [964, 382, 448, 190, 160, 291, 348, 580]);
    assert_eq!(homes(&["b"]), [403, 907, 348, 403, 403, 907, 348, 403]);
    assert_eq!(homes(&["i", "s", "f"]), [847, 125, 22, 94, 20, 633, 290, 823]);
}

#[test]
fn range_bounds_weigh_each_sample_by_the_rows_behind_it() {
    let small = df!("v" => (0..1000i32).collect::<Vec<_>>()).unwrap();
    let large = df!("v" => (1000..100_000i32).collect::<Vec<_>>()).unwrap();
    let samples = [&small, &large].map(|df| sample(df, &[col("v")], 1000, 1).unwrap());
    let bounds = range_bounds(samples.to_vec(), &[false], false, 4).unwrap();
    let all = small.vstack(&large).unwrap();
    let partitioner =
        Partitioner::Range { by: vec![col("v")], descending: vec![false], nulls_last: false, bounds };
    let sizes: Vec<usize> = partitioner.split(&all, 0).unwrap().iter().map(DataFrame::height).collect();
    assert_eq!(sizes.len(), 4);
    assert!(sizes.iter().all(|size| (20_000..30_000).contains(size)), "{sizes:?}");
}

#[test]
fn a_heavy_key_takes_one_range_and_leaves_the_others_even() {
    let values: Vec<i32> = (0..10_000).map(|i| if i < 7000 { 5 } else { i }).collect();
    let df = df!("v" => values).unwrap();
    let samples = vec![sample(&df, &[col("v")], usize::MAX, 0).unwrap()];
    let bounds = range_bounds(samples, &[false], false, 4).unwrap();
    let partitioner =
        Partitioner::Range { by: vec![col("v")], descending: vec![false], nulls_last: false, bounds };
    let sizes: Vec<usize> = partitioner.split(&df, 0).unwrap().iter().map(DataFrame::height).collect();
    assert_eq!(sizes, [7000, 1000, 1000, 1000]);
}

#[test]
fn a_key_that_is_a_single_value_or_a_wildcard_for_one_column_is_a_key_all_the_same() {
    let df = df!("v" => [1, 2, 3]).unwrap();
    for key in [lit(1), all().as_expr()] {
        let pieces = Partitioner::Hash { keys: vec![key], n: 4 }.split(&df, 0).unwrap();
        assert_eq!(pieces.iter().map(DataFrame::height).sum::<usize>(), 3);
    }
}

#[test]
fn errors_name_what_is_wrong_and_the_remedy() {
    let df = df!("v" => [Some(1i64), Some(17), None, Some(-3)], "s" => ["a", "b", "c", "d"]).unwrap();
    let split = |partitioner: Partitioner| partitioner.split(&df, 0).unwrap_err();
    let by = |expr: Expr, n| Partitioner::ByExpr { expr, n };

    let error = split(by(col("v"), 16)).to_string();
    for part in ["col(\"v\")", "3 of 4 rows", "0..16", "gave 17", "modulo 16"] {
        assert!(error.contains(part), "{part} in: {error}");
    }
    let error = split(by(col("v"), 20)).to_string();
    assert!(error.contains("gave null") && error.contains("2 of 4"), "{error}");
    let error = split(by(lit(u64::MAX), 2)).to_string();
    assert!(error.contains("18446744073709551615"), "{error}");
    for expr in [col("s"), col("v").cast(DataType::Float64), col("v").gt(lit(1))] {
        let error = split(by(expr, 2));
        assert!(matches!(error, ShuffleError::NotAnInteger { .. }), "{error}");
        assert!(error.to_string().contains("cast it"), "{error}");
    }

    let error = split(by(col("nowhere"), 2));
    assert!(
        matches!(error, ShuffleError::Expression { .. }) && error.to_string().contains("nowhere"),
        "{error}"
    );
    let error = split(Partitioner::Hash { keys: vec![col("v").drop_nulls()], n: 2 });
    assert!(matches!(error, ShuffleError::Length { values: 3, rows: 4, .. }), "{error}");
    let error = split(Partitioner::Hash { keys: vec![all().as_expr()], n: 2 });
    assert!(error.to_string().contains("2 columns"), "{error}");

    for n in [0, MAX_PARTITIONS + 1] {
        for partitioner in
            [Partitioner::RoundRobin { n }, Partitioner::Hash { keys: vec![col("v")], n }, by(col("v"), n)]
        {
            assert!(split(partitioner).to_string().contains("ask for"));
        }
    }
    let error = split(Partitioner::Hash { keys: vec![], n: 2 });
    assert!(matches!(error, ShuffleError::NoKeys), "{error}");

    let bounds = df!("key_0" => ["a"]).unwrap();
    let range = |by: Vec<Expr>, descending| Partitioner::Range {
        by,
        descending,
        nulls_last: false,
        bounds: bounds.clone(),
    };
    let error = split(range(vec![col("v")], vec![false]));
    assert!(matches!(error, ShuffleError::Bounds { .. }), "{error}");
    let error = split(range(vec![col("s")], vec![]));
    assert!(matches!(error, ShuffleError::Descending { keys: 1, flags: 0 }), "{error}");
    let error = range_bounds(vec![sample(&df, &[col("v")], 9, 0).unwrap()], &[false], false, 0).unwrap_err();
    assert!(matches!(error, ShuffleError::NoPartitions), "{error}");
}
