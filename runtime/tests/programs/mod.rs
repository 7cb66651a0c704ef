//! Random Dataset programs over random rows, to be run in two ways that must have the same result.

use partita::prelude::*;
use proptest::prelude::*;

/// One step of a program. Every step keeps the columns `key`, `name` and `value`.
#[derive(Debug, Clone)]
pub enum Act {
    Filter(i64),
    WithColumns,
    Select,
    Map(i64),
    MapJoin,
    GroupBy(bool),
    GroupBySalted(usize),
    Distinct,
    DistinctBy,
    Sort(bool),
    Limit(usize),
    RoundRobin(usize),
    Hash(usize),
    Range(usize),
    Expr(usize),
    Salted(usize, usize),
    Coalesce(usize),
    Union,
    Join(JoinStrategy),
    Semi,
    Cache(StorageLevel),
}

/// Rows and the steps applied to them.
#[derive(Debug, Clone)]
pub struct Program {
    rows: Vec<(Option<i64>, Option<String>, Option<i32>)>,
    partitions: usize,
    acts: Vec<Act>,
}

pub fn programs() -> impl Strategy<Value = Program> {
    let n = 1usize..6;
    let act = prop_oneof![
        (-3i64..4).prop_map(Act::Filter),
        Just(Act::WithColumns),
        Just(Act::Select),
        (-3i64..4).prop_map(Act::Map),
        Just(Act::MapJoin),
        any::<bool>().prop_map(Act::GroupBy),
        n.clone().prop_map(Act::GroupBySalted),
        Just(Act::Distinct),
        Just(Act::DistinctBy),
        any::<bool>().prop_map(Act::Sort),
        (0usize..30).prop_map(Act::Limit),
        n.clone().prop_map(Act::RoundRobin),
        n.clone().prop_map(Act::Hash),
        n.clone().prop_map(Act::Range),
        n.clone().prop_map(Act::Expr),
        (n.clone(), n.clone()).prop_map(|(n, salts)| Act::Salted(n, salts)),
        n.clone().prop_map(Act::Coalesce),
        Just(Act::Union),
        prop_oneof![
            Just(JoinStrategy::Broadcast),
            Just(JoinStrategy::Shuffle),
            n.clone().prop_map(JoinStrategy::Salted)
        ]
        .prop_map(Act::Join),
        Just(Act::Semi),
        prop_oneof![
            Just(StorageLevel::MemoryOnly),
            Just(StorageLevel::MemoryAndDisk),
            Just(StorageLevel::DiskOnly)
        ]
        .prop_map(Act::Cache),
    ];
    let row = (
        prop::option::weighted(0.9, -4i64..5),
        prop::option::weighted(0.9, "[a-cä]{0,20}"),
        prop::option::weighted(0.9, -100i32..100),
    );
    let rows = prop::collection::vec(row, 0..80);
    (rows, n, prop::collection::vec(act, 0..6)).prop_map(|(rows, partitions, acts)| Program {
        rows,
        partitions,
        acts,
    })
}

impl Program {
    /// The program on a session. The set of its rows does not depend on the order in which tasks end.
    pub fn on(&self, session: &Session) -> Dataset {
        let frame = df!(
            "key" => self.rows.iter().map(|row| row.0).collect::<Vec<_>>(),
            "name" => self.rows.iter().map(|row| row.1.clone()).collect::<Vec<_>>(),
            // Multiples of a half add without rounding, so sums are equal in any order.
            "value" => self.rows.iter().map(|row| row.2.map(|v| f64::from(v) / 2.0)).collect::<Vec<_>>(),
        )
        .unwrap();
        let small = df!("key" => [-1i64, 0, 1, 1], "weight" => [1.5, 2.5, 3.5, 4.5]).unwrap();
        let keep = || [col("key"), col("name"), col("value")];
        let base = session.frame(frame, self.partitions);
        self.acts.iter().fold(base.clone(), |data, act| match act {
            Act::Filter(least) => data.filter(col("key").gt_eq(lit(*least)).or(col("key").is_null())),
            Act::WithColumns => data.with_columns([
                when(col("key").gt(lit(0)))
                    .then(col("value") + lit(1.0))
                    .otherwise(col("value"))
                    .alias("value"),
                col("name").str().to_uppercase(),
            ]),
            Act::Select => data.select([(col("key") * lit(2)).alias("key"), col("name"), col("value")]),
            Act::Map(least) => {
                let least = *least;
                data.map_partitions(move |lf| {
                    let high = lf.clone().filter(col("key").gt(lit(least)));
                    concat([lf, high], UnionArgs::default()).unwrap()
                })
            }
            Act::MapJoin => {
                let small = small.clone();
                data.map_partitions(move |lf| {
                    lf.join(small.lazy(), [col("key")], [col("key")], JoinArgs::new(JoinType::Left))
                        .with_columns([col("value") + col("weight").fill_null(lit(0.5))])
                        .select([col("key"), col("name"), col("value")])
                })
            }
            Act::GroupBy(combine) => data
                .group_by([col("key")])
                .map_side_combine(*combine)
                .agg([col("name").max(), col("value").sum()]),
            Act::GroupBySalted(salts) => {
                data.group_by([col("key")]).salted(*salts).agg([col("name").max(), col("value").sum()])
            }
            Act::Distinct => data.distinct(),
            // Which row of a name is kept is undefined, so only the columns that they share are kept.
            Act::DistinctBy => data
                .distinct_by(["name"])
                .with_columns([lit(1i64).cast(DataType::Int64).alias("key"), lit(0.5).alias("value")])
                .select(keep()),
            Act::Sort(descending) => {
                data.sort_with(keep(), SortMultipleOptions::default().with_order_descending(*descending))
            }
            // Sorted by all columns, so that the first rows are well defined.
            Act::Limit(n) => data.sort(keep()).limit(*n),
            Act::RoundRobin(n) => data.repartition(*n),
            Act::Hash(n) => data.repartition_by(Partitioning::Hash(vec![col("name")], *n)),
            Act::Range(n) => data.repartition_by(Partitioning::Range(vec![col("value")], *n)),
            Act::Expr(n) => {
                let to = (col("key").fill_null(lit(0)).abs() % lit(*n as i64)).cast(DataType::UInt32);
                data.repartition_by(Partitioning::Expr(to, *n))
            }
            Act::Salted(n, salts) => data.repartition_salted([col("name")], *n, *salts),
            Act::Coalesce(n) => data.coalesce(*n),
            Act::Union => data.union(&base),
            Act::Join(strategy) => {
                let right = session.frame(small.clone(), 2);
                let (left, strategy) = (vec![col("key")], *strategy);
                let on = JoinOn { right: left.clone(), left, how: JoinType::Inner, strategy };
                data.join_on(&right, on).with_columns([col("value") * col("weight")]).select(keep())
            }
            Act::Semi => data.join(
                &session.range(0, 3, 2).select([col("id").alias("key")]),
                [col("key")],
                JoinType::Semi,
            ),
            Act::Cache(level) => data.persist(*level),
        })
    }
}

/// A dataset's rows in a fixed order.
pub fn sorted(frame: &DataFrame) -> DataFrame {
    frame.sort(["key", "name", "value"], SortMultipleOptions::default().with_nulls_last(true)).unwrap()
}
