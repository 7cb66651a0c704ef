//! What a decomposed aggregation guarantees: the same result as the whole one, however the rows are
//! split.

use partita::plan::aggregate::decompose;
use polars::prelude::*;
use proptest::prelude::*;

type Row = (Option<i8>, Option<u8>, Option<i8>, Option<f64>, Option<bool>, Option<String>, Option<i32>);

fn row() -> impl Strategy<Value = Row> {
    let float = prop_oneof![
        8 => (-1e6..1e6f64).boxed(),
        1 => Just(f64::NAN).boxed(),
        1 => Just(-0.0).boxed(),
        1 => Just(0.1).boxed(),
    ];
    (
        proptest::option::weighted(0.9, -2..3i8),
        proptest::option::weighted(0.9, 0..3u8),
        proptest::option::weighted(0.7, any::<i8>()),
        proptest::option::weighted(0.7, float),
        proptest::option::weighted(0.7, any::<bool>()),
        proptest::option::weighted(0.7, "[a-cé]{0,3}"),
        proptest::option::weighted(0.7, -100_000..100_000i32),
    )
}

fn frame(rows: &[Row]) -> DataFrame {
    let column = |name: &str, values: Series| values.with_name(name.into()).into_column();
    let k: Series = rows.iter().map(|row| row.0.map(i32::from)).collect();
    let g: Series = rows.iter().map(|row| row.1.map(|g| format!("g{g}"))).collect();
    let i: Series = rows.iter().map(|row| row.2.map(i32::from)).collect();
    let f: Series = rows.iter().map(|row| row.3).collect();
    let b: Series = rows.iter().map(|row| row.4).collect();
    let s: Series = rows.iter().map(|row| row.5.clone()).collect();
    let d: Series = rows.iter().map(|row| row.6).collect();
    let mut lists = ListPrimitiveChunkedBuilder::<Int32Type>::new("l".into(), 0, 0, DataType::Int32);
    rows.iter().for_each(|row| lists.append_slice(row.2.map(i32::from).as_slice()));
    let categories = Categories::new("cat".into(), "test".into(), CategoricalPhysical::U32);
    let mapping = categories.mapping();
    DataFrame::new(
        rows.len(),
        vec![
            column("k", k),
            column("g", g),
            column("i", i.cast(&DataType::Int8).unwrap()),
            column("w", i.cast(&DataType::Int64).unwrap() * (1i64 << 40)),
            column("u", i.cast(&DataType::UInt32).unwrap()),
            column("f", f.clone()),
            column("f32", f.cast(&DataType::Float32).unwrap()),
            column("b", b),
            column("s", s.clone()),
            column("cat", s.cast(&DataType::Categorical(categories, mapping)).unwrap()),
            column("day", d.cast(&DataType::Date).unwrap()),
            column(
                "at",
                (d.cast(&DataType::Int64).unwrap() * 1_000_003i64)
                    .cast(&DataType::Datetime(TimeUnit::Microseconds, None))
                    .unwrap(),
            ),
            column(
                "took",
                d.cast(&DataType::Int64).unwrap().cast(&DataType::Duration(TimeUnit::Milliseconds)).unwrap(),
            ),
            column("l", lists.finish().into_series()),
        ],
    )
    .unwrap()
}

/// One of each aggregation that can be decomposed.
fn aggregations() -> Vec<Expr> {
    let plain = ["i", "w", "u", "f", "f32", "b"];
    let mut aggs = vec![
        len(),
        len().cast(DataType::Float64).alias("rows"),
        lit(1).alias("one"),
        col("i").any(true).alias("unused").is_null().alias("never"),
        (col("f") * col("i")).sum().alias("product of columns"),
        (col("f").sum() / col("i").count() + lit(1)).alias("arithmetic"),
        when(col("i").max().gt(col("i").min())).then(col("f").mean()).otherwise(lit(NULL)).alias("choice"),
        col("f").filter(col("i").gt(lit(0))).sum().alias("filtered sum"),
        col("f").filter(col("i").gt(lit(0))).mean().alias("filtered mean"),
        (col("i").filter(col("b")) * lit(2)).max().alias("filtered max"),
        col("i").filter(col("b")).len().alias("filtered len"),
        col("l").explode(ExplodeOptions { empty_as_null: true, keep_nulls: true }).sum().alias("exploded"),
        col("f").drop_nulls().min().alias("dropped"),
        col("s").is_in(lit(Series::new("".into(), ["a", "b"])).implode(false), false).sum().alias("known"),
        col("i").is_null().any(true).alias("a null"),
        as_struct(vec![col("i").sum().name().suffix("_sum"), col("f").max()]).alias("struct"),
        col("i").sum().name().suffix("_suffix"),
        col("i").mean().name().prefix("mean_"),
        (col("f").max() - col("f").min()).alias("x").name().keep(),
    ];
    for name in plain {
        let named = |what: &str| format!("{name} {what}");
        aggs.extend([
            col(name).sum().alias(named("sum")),
            col(name).mean().alias(named("mean")),
            col(name).var(1).alias(named("var")),
            col(name).std(0).alias(named("std")),
        ]);
        if !name.starts_with('f') {
            aggs.push(col(name).product().alias(named("product")));
        }
    }
    for name in plain.into_iter().chain(["s", "cat", "day", "at", "took"]) {
        let named = |what: &str| format!("{name} {what}");
        aggs.extend([
            col(name).min().alias(named("min")),
            col(name).max().alias(named("max")),
            col(name).count().alias(named("count")),
            col(name).null_count().alias(named("null_count")),
            col(name).len().alias(named("len")),
        ]);
    }
    for name in ["day", "at", "took"] {
        aggs.push(col(name).mean().alias(format!("{name} mean")));
    }
    for ignore_nulls in [true, false] {
        aggs.push(col("b").any(ignore_nulls).alias(format!("any {ignore_nulls}")));
        aggs.push(col("b").all(ignore_nulls).alias(format!("all {ignore_nulls}")));
    }
    aggs.push(col("took").sum().alias("took sum"));
    aggs
}

/// Compares the values of a column: floats up to their last bits, and means of times up to one unit.
fn assert_same(expected: &Column, actual: &Column) {
    assert_eq!(expected.dtype(), actual.dtype(), "{}", expected.name());
    for row in 0..expected.len() {
        let (left, right) = (expected.get(row).unwrap(), actual.get(row).unwrap());
        let same = if left.is_null() || right.is_null() {
            left.is_null() && right.is_null()
        } else if expected.dtype().is_float() {
            let (left, right): (f64, f64) = (left.extract().unwrap(), right.extract().unwrap());
            let epsilon = if *expected.dtype() == DataType::Float32 { 1e-4 } else { 1e-9 };
            left == right
                || left.is_nan() && right.is_nan()
                || (left - right).abs() <= epsilon * left.abs().max(1e6)
        } else if expected.dtype().is_temporal() && expected.name().ends_with("mean") {
            let physical = |column: &Column| column.to_physical_repr().i64().unwrap().get(row).unwrap();
            (physical(expected) - physical(actual)).abs() <= 1
        } else if let AnyValue::StructOwned(_) | AnyValue::Struct(..) = left {
            format!("{left}") == format!("{right}")
        } else {
            left == right
        };
        assert!(same, "{} row {row}: {left:?} expected, {right:?} found", expected.name());
    }
}

fn check(df: &DataFrame, parts: &[usize], part_count: usize, keys: &[Expr], aggs: &[Expr]) {
    let decomposed = decompose(keys, aggs, df.schema()).expect("decomposable");
    let whole = df.clone().lazy().group_by(keys).agg(aggs).collect().unwrap();

    let partials = (0..part_count).map(|part| {
        let mask: BooleanChunked = parts.iter().map(|of_row| Some(*of_row == part)).collect();
        let rows = df.filter(&mask).unwrap();
        decomposed.partial(rows.lazy()).collect().unwrap()
    });
    let partials = partials.reduce(|all, next| all.vstack(&next).unwrap()).unwrap();
    let merged = decomposed.merge(partials.lazy()).collect().unwrap();

    assert_eq!(whole.schema(), merged.schema());
    let names: Vec<PlSmallStr> = whole.get_column_names_owned().into_iter().take(keys.len()).collect();
    let sorted = |df: DataFrame| {
        if names.is_empty() { df } else { df.sort(names.clone(), SortMultipleOptions::default()).unwrap() }
    };
    let (whole, merged) = (sorted(whole), sorted(merged));
    assert_eq!(whole.height(), merged.height());
    whole.columns().iter().zip(merged.columns()).for_each(|(whole, merged)| assert_same(whole, merged));
}

/// Rows, how many parts, and each row's part.
fn split_rows() -> impl Strategy<Value = (Vec<Row>, usize, Vec<usize>)> {
    (proptest::collection::vec(row(), 0..80), 1..=64usize).prop_flat_map(|(rows, parts)| {
        let of_rows = proptest::collection::vec(0..parts, rows.len());
        (Just(rows), Just(parts), of_rows)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn partial_and_merge_give_what_the_whole_aggregation_gives((rows, n, parts) in split_rows()) {
        check(&frame(&rows), &parts, n, &[col("k")], &aggregations());
    }

    #[test]
    fn keys_may_be_several_and_computed((rows, n, parts) in split_rows()) {
        let keys = [col("g"), (col("k") % lit(2)).alias("odd"), col("cat").alias("c")];
        check(&frame(&rows), &parts, n, &keys, &aggregations());
    }

    #[test]
    fn without_keys_all_rows_are_one_group((rows, n, parts) in split_rows()) {
        check(&frame(&rows), &parts, n, &[], &aggregations());
    }
}

#[test]
fn one_key_for_all_rows_and_nothing_but_nulls_agree_with_the_whole() {
    let one = vec![(Some(1), Some(1), Some(100), Some(0.1), Some(true), Some("a".into()), Some(5)); 40];
    let nulls = vec![(None, None, None, None, None, None, None); 40];
    let parts: Vec<usize> = (0..40).map(|row| row % 7).collect();
    for rows in [one, nulls] {
        check(&frame(&rows), &parts, 9, &[col("k")], &aggregations());
        check(&frame(&rows), &parts, 9, &[], &aggregations());
    }
}

#[test]
fn variance_far_from_zero_keeps_its_digits() {
    let values: Vec<f64> = (0..1000).map(|i| 1e9 + f64::from(i % 10)).collect();
    let df = df!("k" => vec![1; 1000], "v" => values).unwrap();
    let decomposed = decompose(&[col("k")], &[col("v").var(1)], df.schema()).unwrap();
    let partials = (0..10).map(|part| decomposed.partial(df.slice(part * 100, 100).lazy()));
    let merged = decomposed.merge(concat(partials.collect::<Vec<_>>(), UnionArgs::default()).unwrap());
    let var: f64 = merged.collect().unwrap().column("v").unwrap().get(0).unwrap().extract().unwrap();
    let exact = 8250.0 / 999.0;
    assert!((var - exact).abs() < 1e-6, "{var} instead of {exact}");
}

#[test]
fn many_columns_at_once_are_resolved_as_polars_does() {
    let df = frame(&[(Some(1), None, Some(3), Some(0.5), None, None, None)]).select(["k", "i", "f"]).unwrap();
    for agg in [
        all().as_expr().sum(),
        cols(["i", "f"]).as_expr().mean(),
        dtype_col(&DataType::Float64).as_selector().as_expr().max(),
    ] {
        check(&df, &[0], 1, &[col("k")], &[agg]);
    }
}

#[test]
fn generated_columns_keep_clear_of_the_keys() {
    let df =
        df!("__partita_agg_merged_0" => [1, 1, 2], "__partita_agg_partial_0" => [1, 1, 2], "v" => [1, 2, 3]);
    let keys = [col("__partita_agg_merged_0"), col("__partita_agg_partial_0")];
    check(&df.unwrap(), &[0, 1, 0], 2, &keys, &[col("v").sum()]);
}

#[test]
fn keys_alone_are_the_distinct_keys() {
    let df = df!("k" => [Some(1), None, Some(1), None, Some(3)]).unwrap();
    check(&df, &[0, 1, 1, 0, 1], 2, &[col("k")], &[]);
}

#[test]
fn aggregations_share_their_partial_columns() {
    let schema = frame(&[]).schema().clone();
    let aggs = [col("f").mean().alias("a"), col("f").mean().alias("b"), col("f").count().alias("c")];
    let decomposed = decompose(&[col("k")], &aggs, &schema).unwrap();
    let partial = decomposed.partial(DataFrame::empty_with_schema(&schema).lazy()).collect_schema().unwrap();
    assert_eq!(partial.len(), 3, "key, sum and count: {partial:?}");
}

#[test]
fn what_cannot_be_merged_is_left_whole() {
    let schema = frame(&[]).schema().clone();
    let twice = |column: Column| Ok(column);
    let whole = [
        ("order", col("i").first()),
        ("order", col("i").last()),
        ("all values", col("i").median()),
        ("all values", col("i").n_unique()),
        ("all values", col("i").quantile(lit(0.5), QuantileMethod::Linear)),
        ("all values", col("i").implode(true)),
        ("order", col("f").product()),
        ("rows", col("i")),
        ("rows", col("i") + col("i").sum()),
        ("rows", col("i").sort(SortOptions::default()).sum()),
        ("rows", col("i").head(Some(2)).sum()),
        ("rows", col("i").unique().sum()),
        ("rows", col("f").cum_sum(false).max()),
        ("nested", col("i").filter(col("i").gt(col("i").mean())).sum()),
        ("nested", (col("f") - col("f").mean()).sum()),
        ("lengths", (col("i").drop_nulls() + col("u").drop_nulls()).sum()),
        ("constant", lit(5).sum()),
        ("window", col("i").sum().over([col("g")]).unwrap().max()),
        ("closure", col("i").map(twice, |_, field| Ok(field.clone())).sum()),
        ("missing", col("nowhere").sum()),
        ("invalid", col("l").sum()),
    ];
    for (why, agg) in whole {
        let display = agg.to_string();
        assert!(
            decompose(&[col("k")], &[col("f").sum(), agg.alias("x")], &schema).is_none(),
            "{why}: {display}"
        );
    }
    for key in [col("k").rank(RankOptions::default(), None), col("k").shift(lit(1)), lit(1)] {
        let display = key.to_string();
        assert!(decompose(&[key], &[col("f").sum()], &schema).is_none(), "{display}");
    }
}
