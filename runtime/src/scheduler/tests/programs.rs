//! Random programs on an engine with random faults, compared with plain Polars.

use std::collections::HashMap;

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::prelude::*;

/// A step that keeps the columns, so that steps may follow in any order.
#[derive(Debug, Clone)]
enum Step {
    Filter(i64),
    Double,
    Map,
    Repartition(usize, usize),
    Coalesce(usize),
    Sort,
    SortLimit(usize),
    Distinct,
    GroupBy,
    GroupByWhole,
    GroupBySalted,
    Join(usize),
    Union,
    Cache,
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (-3i64..3).prop_map(Step::Filter),
        Just(Step::Double),
        Just(Step::Map),
        (0usize..5, 1usize..6).prop_map(|(by, n)| Step::Repartition(by, n)),
        (0usize..5, 1usize..6).prop_map(|(by, n)| Step::Repartition(by, n)),
        (1usize..4).prop_map(Step::Coalesce),
        Just(Step::Sort),
        (0usize..60).prop_map(Step::SortLimit),
        Just(Step::Distinct),
        Just(Step::GroupBy),
        Just(Step::GroupByWhole),
        Just(Step::GroupBySalted),
        (0usize..3).prop_map(Step::Join),
        Just(Step::Union),
        Just(Step::Cache),
    ]
}

/// Multiples of a half add without rounding, so sums are equal in any order.
fn rows() -> impl Strategy<Value = DataFrame> {
    let row = (prop::option::weighted(0.9, -4i64..5), "[a-c]{0,1}", -1000i32..1000);
    prop::collection::vec(row, 0..150).prop_map(|rows| {
        df!(
            "key" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
            "name" => rows.iter().map(|row| row.1.clone()).collect::<Vec<_>>(),
            "value" => rows.iter().map(|row| f64::from(row.2) / 2.0).collect::<Vec<_>>(),
        )
        .unwrap()
    })
}

fn columns() -> Vec<Expr> {
    vec![col("key"), col("name"), col("value")]
}

fn keys() -> Vec<Expr> {
    vec![col("key"), col("name")]
}

fn known_keys() -> DataFrame {
    df!("key" => [0i64, 1, 2, -2]).unwrap()
}

impl Step {
    fn ours(&self, rows: Dataset, session: &Session) -> Dataset {
        match self {
            Self::Filter(least) => rows.filter(col("key").gt_eq(lit(*least))),
            Self::Double => rows.with_columns([col("value") * lit(2.0)]),
            Self::Map => rows.map_partitions(|lf| lf.filter(col("name").neq(lit("b")))),
            Self::Repartition(by, n) => rows.repartition_by(match by {
                0 => Partitioning::RoundRobin(*n),
                1 => Partitioning::Hash(keys(), *n),
                2 => Partitioning::Range(vec![col("value")], *n),
                3 => Partitioning::Salted(keys(), *n, 2),
                _ => Partitioning::Expr(col("value").cast(DataType::Int64).abs() % lit(*n as i64), *n),
            }),
            Self::Coalesce(n) => rows.coalesce(*n),
            Self::Sort => rows.sort(columns()),
            Self::SortLimit(n) => rows.sort(columns()).limit(*n),
            Self::Distinct => rows.distinct(),
            Self::GroupBy => rows.group_by(keys()).agg([col("value").sum()]),
            Self::GroupByWhole => rows.group_by(keys()).agg([col("value").median()]),
            Self::GroupBySalted => rows.group_by(keys()).salted(2).agg([col("value").sum()]),
            Self::Join(strategy) => {
                let strategies = [JoinStrategy::Broadcast, JoinStrategy::Shuffle, JoinStrategy::Salted(2)];
                let strategy = strategies[*strategy];
                let known = session.frame(known_keys(), 2);
                let (left, right) = (vec![col("key")], vec![col("key")]);
                rows.join_on(&known, JoinOn { left, right, how: JoinType::Inner, strategy })
            }
            Self::Union => rows.union(&rows.filter(col("value").gt(lit(0.0)))),
            Self::Cache => rows.cache(),
        }
    }

    fn polars(&self, rows: LazyFrame) -> LazyFrame {
        let options = SortMultipleOptions::default();
        match self {
            Self::Filter(least) => rows.filter(col("key").gt_eq(lit(*least))),
            Self::Double => rows.with_columns([col("value") * lit(2.0)]),
            Self::Map => rows.filter(col("name").neq(lit("b"))),
            Self::Repartition(..) | Self::Coalesce(_) | Self::Cache => rows,
            Self::Sort => rows.sort_by_exprs(columns(), options),
            Self::SortLimit(n) => rows.sort_by_exprs(columns(), options).limit(*n as u32),
            Self::Distinct => rows.unique(None, UniqueKeepStrategy::Any),
            Self::GroupBy | Self::GroupBySalted => rows.group_by(keys()).agg([col("value").sum()]),
            Self::GroupByWhole => rows.group_by(keys()).agg([col("value").median()]),
            Self::Join(_) => {
                rows.join(known_keys().lazy(), [col("key")], [col("key")], JoinArgs::new(JoinType::Inner))
            }
            Self::Union => {
                let some = rows.clone().filter(col("value").gt(lit(0.0)));
                concat([rows, some], UnionArgs::default()).unwrap()
            }
        }
    }
}

/// Random faults of every kind. Each task fails at most three times and no output is lost too often, so
/// that a job must succeed.
fn faults(seed: u64) -> impl FnMut(&Moment) -> Vec<Fault> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut failures: HashMap<(usize, usize), usize> = HashMap::new();
    let mut losses = 6;
    move |moment| {
        std::thread::sleep(std::time::Duration::from_micros(rng.random_range(0..300)));
        match rng.random_range(0..12) {
            0 => {
                let failed = failures.entry((moment.stage, moment.partition)).or_default();
                *failed += 1;
                if *failed <= 3 { vec![Fault::Fail("bad luck".into())] } else { Vec::new() }
            }
            1 if losses > 0 => {
                losses -= 1;
                let (told, late) = (rng.random(), rng.random());
                vec![Fault::LoseWorker { told, late }]
            }
            2 if losses > 0 && !moment.outputs.is_empty() => {
                losses -= 1;
                let (shuffle, maps) =
                    moment.outputs.iter().nth(rng.random_range(0..moment.outputs.len())).unwrap();
                let maps = maps.keys().copied().filter(|_| rng.random()).collect();
                vec![Fault::LoseOutputs { shuffle: *shuffle, maps, told: rng.random() }]
            }
            3 if rng.random_ratio(1, 4) => vec![Fault::LoseCache],
            _ => Vec::new(),
        }
    }
}

/// Enough to hit each kind of fault in each kind of step. PROPTEST_CASES sets another number.
fn cases() -> u32 {
    if std::env::var_os("PROPTEST_CASES").is_some() { ProptestConfig::default().cases } else { 48 }
}

fn sorted(frame: DataFrame) -> DataFrame {
    frame.sort(["key", "name", "value"], SortMultipleOptions::default()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_fails_the_rows_are_those_of_polars(
        rows in rows(), n in 1usize..7, steps in prop::collection::vec(a_step(), 1..6),
        workers in 1usize..4, speculation: bool, skew_split: bool, seed: u64,
    ) {
        let (session, ..) = session(workers, faults(seed));
        session.set_shuffle_partitions(3).unwrap();
        session.set_speculation(speculation);
        if skew_split {
            session.set_skew_split_above(16);
        }
        let start = session.frame(rows.clone(), n);
        let ours = steps.iter().fold(start, |rows, step| step.ours(rows, &session));
        let polars = steps.iter().fold(rows.lazy(), |rows, step| step.polars(rows)).collect().unwrap();
        let polars = sorted(polars);
        // The second job uses what was cached.
        for _ in 0..2 {
            let ours = sorted(ours.collect().unwrap());
            prop_assert!(ours.equals_missing(&polars), "ours {}\nPolars {}", ours, polars);
        }
    }
}
