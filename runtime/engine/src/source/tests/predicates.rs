//! Any predicate over any values returns the rows that Polars returns, however the file is split.

use polars::prelude::*;
use proptest::prelude::*;
use proptest::sample::select;

use super::{collect, parquet_of};
use crate::source::ParquetSource;

/// Values close together, so that predicates match them, with unusual ones among them.
fn frame() -> impl Strategy<Value = DataFrame> {
    let row = (
        prop::option::weighted(0.8, -5i32..5),
        prop::option::weighted(0.8, float()),
        prop::option::weighted(0.8, text()),
        prop::option::weighted(0.8, -3i32..3),
        prop::option::weighted(0.8, any::<bool>()),
        prop::option::weighted(0.8, 0u8..4),
    );
    (prop::collection::vec(row, 0..120), select(vec!["", "i", "f", "s", "d", "u"])).prop_map(
        |(rows, sorted)| {
            let frame = df!(
            "i" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
            "f" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
            "s" => rows.iter().map(|row| row.2.clone()).collect::<Vec<_>>(),
            "d" => rows.iter().map(|row| row.3).collect::<Vec<_>>(),
            "b" => rows.iter().map(|row| row.4).collect::<Vec<_>>(),
            "u" => rows.iter().map(|row| row.5.map(u32::from)).collect::<Vec<_>>(),
            "at" => rows.iter().map(|row| row.3.map(|day| i64::from(day) * 1_000_000)).collect::<Vec<_>>(),
        )
        .unwrap()
        .lazy()
        .with_columns([
            col("d").cast(DataType::Date),
            col("at").cast(DataType::Datetime(TimeUnit::Microseconds, None)),
        ]);
            // On sorted columns, statistics rule row groups out.
            let frame =
                if sorted.is_empty() { frame } else { frame.sort([sorted], SortMultipleOptions::default()) };
            frame.collect().unwrap()
        },
    )
}

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-4i32..4).prop_map(|value| f64::from(value) / 2.0),
        1 => select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0]),
    ]
}

fn text() -> impl Strategy<Value = String> {
    "[ab\u{e9}]{0,3}"
}

fn date() -> impl Strategy<Value = Expr> {
    (-3i32..3).prop_map(|day| lit(day).cast(DataType::Date))
}

/// A column with literals of its type.
fn operands() -> impl Strategy<Value = (Expr, Expr, Expr)> {
    prop_oneof![
        (-6i32..6, -6i32..6).prop_map(|(a, b)| (col("i"), lit(a), lit(b))),
        (float(), float()).prop_map(|(a, b)| (col("f"), lit(a), lit(b))),
        (text(), text()).prop_map(|(a, b)| (col("s"), lit(a), lit(b))),
        (date(), date()).prop_map(|(a, b)| (col("d"), a, b)),
        (any::<bool>(), any::<bool>()).prop_map(|(a, b)| (col("b"), lit(a), lit(b))),
        (0u32..4, 0u32..4).prop_map(|(a, b)| (col("u"), lit(a), lit(b))),
        (-3i64..3, -3i64..3).prop_map(|(a, b)| {
            let at = |seconds: i64| {
                lit(seconds * 1_000_000).cast(DataType::Datetime(TimeUnit::Microseconds, None))
            };
            (col("at"), at(a), at(b))
        }),
        (-6i32..6, -6i32..6).prop_map(|(a, b)| (col("i") + col("u").cast(DataType::Int32), lit(a), lit(b))),
        (-6i32..6).prop_map(|a| (col("i"), col("u").cast(DataType::Int32), lit(a))),
    ]
}

fn predicate() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        8 => (operands(), 0..10).prop_map(|((column, a, b), operator)| match operator {
            0 => column.eq(a),
            1 => column.neq(a),
            2 => column.lt(a),
            3 => column.lt_eq(a),
            4 => column.gt(a),
            5 => column.gt_eq(a),
            6 => column.is_between(a, b, ClosedInterval::Both),
            7 => column.eq_missing(a),
            8 => a.lt(column),
            _ => column.neq_missing(a),
        }),
        1 => select(vec!["i", "f", "s", "d", "b", "u"]).prop_map(|name| col(name).is_null()),
        1 => select(vec!["i", "f", "s", "d", "b", "u"]).prop_map(|name| col(name).is_not_null()),
        1 => Just(col("b")),
        1 => Just(col("f").is_nan()),
        1 => prop::collection::vec(prop::option::of(-6i32..6), 0..4).prop_map(|values| {
            col("i").is_in(lit(Series::new("".into(), values)).implode(false), false)
        }),
        1 => any::<bool>().prop_map(lit),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| left.and(right)),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| left.or(right)),
            inner.prop_map(Expr::not),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn pieces_filter_as_polars_does(
        frame in frame(),
        row_group in 1usize..40,
        wanted in 1usize..10,
        predicate in predicate(),
        columns in prop::sample::subsequence(vec!["i", "f", "s", "d", "b", "u", "at"], 1..=7),
    ) {
        let (_directory, path) = parquet_of(&frame, row_group);
        let source = ParquetSource::open(&path).unwrap();
        let plan = |lazy: LazyFrame| lazy.filter(predicate.clone()).select([cols(columns.clone()).as_expr()]);

        let expected = plan(frame.lazy()).collect().unwrap();
        let polars = LazyFrame::scan_parquet(PlRefPath::new(&path), ScanArgsParquet::default()).unwrap();
        let polars = plan(polars).collect().unwrap();
        prop_assert!(polars.equals_missing(&expected), "Polars disagrees with itself:\n{}\n{}", polars, expected);

        let (found, stats) = collect(&source.pieces(Some(wanted)), plan).unwrap();
        prop_assert!(found.equals_missing(&expected), "{}\n{}\nnot\n{}", predicate, found, expected);
        prop_assert!(stats.rows_read <= source.rows());
    }

    #[test]
    fn a_limit_looks_at_the_first_rows_only(
        frame in frame(),
        row_group in 1usize..40,
        limit in 0u32..150,
        predicate in predicate(),
    ) {
        let (_directory, path) = parquet_of(&frame, row_group);
        let source = ParquetSource::open(&path).unwrap();
        let plan = |lazy: LazyFrame| lazy.limit(limit).filter(predicate.clone());
        let expected = plan(frame.lazy()).collect().unwrap();
        let (found, stats) = collect(&source.pieces(Some(1)), plan).unwrap();
        prop_assert!(found.equals_missing(&expected), "{}\n{}\nnot\n{}", predicate, found, expected);
        prop_assert!(stats.rows_read <= u64::from(limit));
    }
}
