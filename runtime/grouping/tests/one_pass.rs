//! One pass over the rows gives the same result as Polars, whatever the types of the keys, however far they
//! spread, and wherever nulls are.

use partita_grouping::OnePass;
use polars::prelude::*;
use polars_plan::plans::{ArenaLpIter, IR};
use proptest::prelude::*;

/// More than one run of rows.
const ROWS: usize = 70_000;

/// Runs a plan over a frame whose top is a `group_by` in one pass.
#[track_caller]
fn one_pass(plan: LazyFrame) -> PolarsResult<DataFrame> {
    let mut plan = plan.to_alp_optimized()?;
    let group_by = OnePass::at(plan.lp_top, &plan).expect("a group_by that can be done in one pass");
    let IR::DataFrameScan { df, .. } = plan.lp_arena.get(group_by.source()) else {
        panic!("steps remain: {}", plan.describe());
    };
    let rows = df.clone();
    let schema = plan.lp_arena.get(group_by.source()).schema(&plan.lp_arena).into_owned();
    let rows = rows.select(schema.iter_names_cloned())?;
    let mut pass = group_by.start(&mut plan)?;
    // Rows may arrive in frames of any size.
    let mut at = 0;
    for rows_at_once in [1, 0, 40_000, 1_000, usize::MAX] {
        let frame = rows.slice(at as i64, rows_at_once);
        pass.add(&frame)?;
        at += frame.height();
    }
    pass.finish()
}

/// Compares one pass with Polars' in-memory engine; `keys` are the names of the key columns.
#[track_caller]
fn assert_like_polars(frame: &DataFrame, keys: &[&str], plan: impl Fn(LazyFrame) -> LazyFrame) {
    let sorted = |groups: DataFrame| {
        let by = keys.iter().map(|key| PlSmallStr::from_str(key)).collect::<Vec<_>>();
        groups.sort(by, SortMultipleOptions::default().with_nulls_last(true)).unwrap()
    };
    let plan = plan(frame.clone().lazy());
    let ours = sorted(one_pass(plan.clone()).unwrap());
    let theirs = sorted(plan.collect().unwrap());
    assert_eq!(ours.schema(), theirs.schema());
    assert_eq!(ours.height(), theirs.height());
    for (ours, theirs) in ours.columns().iter().zip(theirs.columns()) {
        let (Ok(a), Ok(b)) = (ours.f64(), theirs.f64()) else {
            assert!(ours.equals_missing(theirs), "{}: {ours:?} is not {theirs:?}", ours.name());
            continue;
        };
        for (a, b) in a.iter().zip(b.iter()) {
            // Sums are added up in another order.
            let near = match (a, b) {
                (Some(a), Some(b)) => {
                    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * b.abs().max(1.0)
                }
                (a, b) => a == b,
            };
            assert!(near, "{}: {a:?} is not {b:?}", ours.name());
        }
    }
}

/// Pseudo-random numbers, the same each time.
fn numbers(seed: u64) -> impl Iterator<Item = u64> {
    std::iter::successors(Some(seed.wrapping_add(0x9E37_79B9_7F4A_7C15)), |x| {
        let mut x = *x;
        x ^= x << 13;
        x ^= x >> 7;
        Some(x ^ (x << 17))
    })
    .map(|x| x.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16)
}

fn ints(rows: usize, seed: u64, low: i64, span: u64, nulls: bool) -> Series {
    let value = |x: u64| (!nulls || x % 7 != 3).then(|| low.wrapping_add((x / 7 % span) as i64));
    numbers(seed).take(rows).map(value).collect()
}

fn aggs() -> Vec<Expr> {
    vec![
        len().alias("rows"),
        col("f").sum().alias("f sum"),
        col("i").sum().alias("i sum"),
        col("f").count().alias("f count"),
        (col("f") * lit(2.0)).mean().alias("mean"),
        col("i").min().alias("least"),
        col("f").max().alias("most"),
        col("small").sum().alias("small sum"),
    ]
}

fn values(rows: usize) -> Vec<Column> {
    let f: Series = ints(rows, 11, -1000, 2001, true).cast(&DataType::Float64).unwrap() / 8.0;
    let i = ints(rows, 12, i64::MAX - 50, 100, true);
    let small = ints(rows, 13, -3, 7, true).cast(&DataType::Int8).unwrap();
    [("f", f), ("i", i), ("small", small)].map(|(name, s)| s.with_name(name.into()).into_column()).into()
}

fn frame(keys: Vec<(&str, Series)>) -> DataFrame {
    let rows = keys[0].1.len();
    let mut columns = values(rows);
    columns.extend(keys.into_iter().map(|(name, s)| s.with_name(name.into()).into_column()));
    DataFrame::new(rows, columns).unwrap()
}

#[test]
fn every_type_of_key_that_spans_little() {
    let small = |nulls| ints(ROWS, 1, 0, 24, nulls);
    let categories = Categories::new("one pass".into(), "test".into(), CategoricalPhysical::U32);
    let categorical = DataType::Categorical(categories.clone(), categories.mapping());
    for nulls in [false, true] {
        for dtype in [
            DataType::Int8,
            DataType::Int16,
            DataType::Int32,
            DataType::Int64,
            DataType::UInt8,
            DataType::UInt16,
            DataType::UInt32,
            DataType::UInt64,
            DataType::Boolean,
            DataType::Date,
            DataType::Time,
            DataType::Datetime(TimeUnit::Milliseconds, None),
            DataType::Duration(TimeUnit::Nanoseconds),
            DataType::String,
            DataType::Float64,
        ] {
            let key = small(nulls).cast(&dtype).unwrap();
            assert_like_polars(&frame(vec![("k", key)]), &["k"], |rows| {
                rows.group_by([col("k")]).agg(aggs())
            });
        }
        let key = small(nulls).cast(&DataType::String).unwrap().cast(&categorical).unwrap();
        assert_like_polars(&frame(vec![("k", key)]), &["k"], |rows| rows.group_by([col("k")]).agg(aggs()));
    }
}

#[test]
fn keys_that_spread_further_with_every_run_until_they_span_too_much() {
    let up = |factor: i64| -> Series { (0..ROWS as i64).map(|row| Some(row / 100 * factor)).collect() };
    for (what, key) in [
        ("up", up(1)),
        ("up, and far", up(1_000_000)),
        ("down", up(-1)),
        ("down, and far", up(-1_000_000)),
        ("everywhere", ints(ROWS, 3, i64::MIN, u64::MAX, true)),
        ("at both ends", ints(ROWS, 4, i64::MAX - 2, 6, true)),
        ("many", ints(ROWS, 5, -40_000, 90_000, true)),
        ("nothing but nulls, then far", {
            (0..ROWS).map(|row| (row > ROWS / 2).then_some(row as i64 * 1_000_003)).collect()
        }),
        ("above what i64 has", {
            let big = numbers(6).take(ROWS).enumerate();
            big.map(|(row, x)| Some(if row < 40_000 { x % 9 } else { u64::MAX - x % 9 })).collect()
        }),
    ] {
        println!("{what}");
        assert_like_polars(&frame(vec![("k", key)]), &["k"], |rows| rows.group_by([col("k")]).agg(aggs()));
    }
}

#[test]
fn texts_short_and_long_few_and_many() {
    let texts = |of: fn(u64) -> Option<String>| -> Series { numbers(8).take(ROWS).map(of).collect() };
    for (what, key) in [
        ("few", texts(|x| (x % 11 != 0).then(|| format!("t{}", x % 6)))),
        ("empty, and as long as can be", texts(|x| Some("abcdefghijkl"[..(x % 13) as usize].to_owned()))),
        ("beginning alike", texts(|x| Some(format!("kéÿ{}", "\0".repeat((x % 4) as usize))))),
        ("many", texts(|x| Some(format!("{}", x % 9_000)))),
        (
            "long ones at last",
            texts(|x| Some(if x % 5_000 == 0 { "x".repeat(30) } else { format!("{}", x % 9) })),
        ),
    ] {
        println!("{what}");
        assert_like_polars(&frame(vec![("k", key)]), &["k"], |rows| rows.group_by([col("k")]).agg(aggs()));
    }
}

#[test]
fn several_keys_together() {
    let text = |seed| ints(ROWS, seed, 0, 5, true).cast(&DataType::String).unwrap();
    let rows = frame(
        vec![
            ("a", ints(ROWS, 21, -7_400, 60, true).cast(&DataType::Int32).unwrap()),
            ("b", ints(ROWS, 22, 4_000, 60, false)),
            ("t", text(23)),
            ("wide", ints(ROWS, 24, i64::MIN, u64::MAX, true)),
            ("f", ints(ROWS, 25, 0, 4, true).cast(&DataType::Float32).unwrap()),
        ]
        .into_iter()
        .map(|(name, s)| if name == "f" { ("float", s) } else { (name, s) })
        .collect(),
    );
    for keys in [["a", "b"], ["t", "a"], ["a", "wide"], ["t", "float"]] {
        assert_like_polars(&rows, &keys, |rows| rows.group_by(keys.map(col)).agg(aggs()));
    }
    assert_like_polars(&rows, &["b", "t", "a"], |rows| rows.group_by(["b", "t", "a"].map(col)).agg(aggs()));
}

#[test]
fn float_keys_have_one_nan_and_one_zero() {
    let key: Series = numbers(9)
        .take(ROWS)
        .map(|x| Some([f64::NAN, -f64::NAN, 0.0, -0.0, 1.5][(x % 5) as usize]))
        .collect();
    assert_like_polars(&frame(vec![("k", key)]), &["k"], |rows| rows.group_by([col("k")]).agg(aggs()));
}

#[test]
fn filters_and_projections_below_are_part_of_the_pass() {
    let rows = frame(vec![("k", ints(ROWS, 31, 0, 30, true)), ("g", ints(ROWS, 32, 0, 3, false))]);
    for least in [-10_000.0, 0.0, 100.0, 10_000.0] {
        assert_like_polars(&rows, &["k"], |rows| {
            rows.filter(col("f").gt(lit(least))).group_by([col("k")]).agg(aggs())
        });
    }
    assert_like_polars(&rows, &["bucket"], |rows| {
        rows.with_columns([(col("f") * lit(0.01)).alias("scaled")])
            .filter(col("g").neq(lit(1)).and(col("k").is_not_null()))
            .select([(col("k") / lit(3)).alias("bucket"), col("scaled"), lit(1).alias("one")])
            .filter(col("bucket").gt(lit(1)))
            .group_by([col("bucket")])
            .agg([col("scaled").sum(), col("one").sum(), len()])
    });
    // A strict cast must not see the rows that the filter removes.
    assert_like_polars(&rows, &["k"], |rows| {
        rows.filter(col("f").is_between(lit(-100.0), lit(100.0), ClosedInterval::Both))
            .group_by([(col("f").strict_cast(DataType::Int8)).alias("k")])
            .agg([len()])
    });
}

#[test]
fn whole_numbers_of_floats_are_those_of_polars() {
    let float = |x: u64| match x % 50 {
        0 => None,
        _ => Some((x % 4_001) as f64 / 16.0 - 120.0),
    };
    let plain: Series = numbers(41).take(ROWS).map(float).collect();
    let edges = [f64::NAN, f64::INFINITY, -0.5, 127.5, -128.0, -128.5, 2_147_483_648.0, 9e15, -1e300, 255.9];
    let wild: Series = numbers(42).take(ROWS).map(|x| Some(edges[(x % 10) as usize])).collect();
    for (values, floors) in [(plain, [true, false]), (wild, [true, false])] {
        let rows = frame(vec![("x", values)]);
        for floor in floors {
            for dtype in [
                DataType::Int8,
                DataType::Int16,
                DataType::Int32,
                DataType::Int64,
                DataType::UInt8,
                DataType::UInt16,
                DataType::UInt32,
                DataType::UInt64,
            ] {
                let x = if floor { col("x").floor() } else { col("x") };
                assert_like_polars(&rows, &["k"], |rows| {
                    rows.group_by([x.clone().cast(dtype.clone()).alias("k")]).agg([len(), col("f").sum()])
                });
            }
        }
    }
}

#[test]
fn what_a_clock_shows_is_what_polars_says() {
    let times = |unit: TimeUnit, spread: u64| {
        ints(ROWS, 51, -(spread as i64 / 2), spread, true).cast(&DataType::Datetime(unit, None)).unwrap()
    };
    for unit in [TimeUnit::Milliseconds, TimeUnit::Microseconds, TimeUnit::Nanoseconds] {
        for spread in [100, 10_000_000_000, 1 << 52, 1 << 61] {
            // Polars itself does not support dates that far away.
            if unit == TimeUnit::Milliseconds && spread > 1 << 52 {
                continue;
            }
            let rows = frame(vec![("at", times(unit, spread))]);
            for part in [Expr::hour_of, Expr::minute_of, Expr::second_of] {
                assert_like_polars(&rows, &["k"], |rows| {
                    rows.group_by([part(col("at")).alias("k")]).agg(aggs())
                });
            }
        }
    }
}

/// Parts of a time by name.
trait Parts {
    fn hour_of(self) -> Expr;
    fn minute_of(self) -> Expr;
    fn second_of(self) -> Expr;
}

impl Parts for Expr {
    fn hour_of(self) -> Expr {
        self.dt().hour()
    }
    fn minute_of(self) -> Expr {
        self.dt().minute()
    }
    fn second_of(self) -> Expr {
        self.dt().second()
    }
}

#[test]
fn no_rows_give_no_groups_of_the_right_types() {
    let rows = frame(vec![
        ("k", ints(100, 61, 0, 3, true)),
        ("t", ints(100, 62, 0, 3, true).cast(&DataType::String).unwrap()),
    ]);
    for keys in [vec!["k"], vec!["t"], vec!["k", "t"]] {
        let by: Vec<Expr> = keys.iter().map(|key| col(*key)).collect();
        assert_like_polars(&rows.clear(), &keys, |rows| rows.group_by(&by).agg(aggs()));
        assert_like_polars(&rows, &keys, |rows| rows.filter(lit(false)).group_by(&by).agg(aggs()));
    }
}

#[test]
fn a_group_by_below_another_is_its_source() {
    let rows = frame(vec![("k", ints(ROWS, 71, 0, 300, true))]);
    let plan = rows.lazy().group_by([col("k")]).agg([len()]).filter(col("len").gt(lit(5)));
    let plan = plan.group_by([col("k") % lit(7)]).agg([col("len").sum()]).to_alp_optimized().unwrap();
    let outer = OnePass::at(plan.lp_top, &plan).unwrap();
    assert!(matches!(plan.lp_arena.get(outer.source()), IR::GroupBy { .. }));
    let inner = plan.lp_arena.iter(plan.lp_top).filter_map(|(node, _)| OnePass::at(node, &plan)).count();
    assert_eq!(inner, 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn keys_of_any_range_with_nulls_anywhere(
        low in prop_oneof![Just(i64::MIN), Just(i64::MAX - 3), -100_000..100_000i64, Just(0i64)],
        span in prop_oneof![1..40u64, 1_000..200_000u64, Just(u64::MAX)],
        other in 1..2_000u64,
        nulls: bool,
        rows in prop_oneof![1..50usize, 30_000..40_000usize],
        seed: u64,
    ) {
        let rows = frame(vec![
            ("a", ints(rows, seed, low, span, nulls)),
            ("b", ints(rows, seed ^ 1, -5, other, true).cast(&DataType::Int16).unwrap()),
        ]);
        assert_like_polars(&rows, &["a"], |rows| rows.group_by([col("a")]).agg(aggs()));
        assert_like_polars(&rows, &["a", "b"], |rows| rows.group_by([col("a"), col("b")]).agg(aggs()));
    }
}
