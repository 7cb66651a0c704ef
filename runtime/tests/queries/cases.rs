//! Data that people have, on which a planner may go wrong.

use partita::prelude::*;

fn session() -> Session {
    Session::embedded(2).unwrap()
}

fn int(rows: &DataFrame, column: &str) -> Vec<Option<i64>> {
    let column = rows.column(column).unwrap().cast(&DataType::Int64).unwrap();
    column.i64().unwrap().iter().collect()
}

const STRATEGIES: [JoinStrategy; 4] =
    [JoinStrategy::Auto, JoinStrategy::Broadcast, JoinStrategy::Shuffle, JoinStrategy::Salted(2)];

fn on_k(strategy: JoinStrategy) -> JoinOn {
    JoinOn { left: vec![col("k")], right: vec![col("k")], how: JoinType::Inner, strategy }
}

#[test]
fn the_first_rows_of_a_sorted_file_are_those_of_its_sort() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.csv");
    std::fs::write(&path, "a\n3\n1\n2\n").unwrap();
    let session = session();
    let sorted = session.read_csv(&path).unwrap().sort([col("a")]);
    assert_eq!(int(&sorted.limit(2).collect().unwrap(), "a"), [Some(1), Some(2)]);
    assert_eq!(int(&sorted.query(|rows| rows.slice(1, 1)).collect().unwrap(), "a"), [Some(2)]);
    let largest = session.read_csv(&path).unwrap().top_k(2, [col("a")]);
    assert_eq!(int(&largest.collect().unwrap(), "a"), [Some(3), Some(2)]);
    sorted.show().unwrap();
}

#[test]
fn a_partition_may_take_its_first_rows_after_a_sort_of_its_own() {
    let first = |lf: LazyFrame| lf.sort(["id"], SortMultipleOptions::default()).limit(1);
    let rows = session().range(0, 100, 4).map_partitions(first);
    assert_eq!(int(&rows.sort([col("id")]).limit(2).collect().unwrap(), "id"), [Some(0), Some(25)]);
}

#[test]
fn nan_keys_meet_by_every_strategy_also_after_a_sort() {
    let session = session();
    let rows = session.frame(df!("k" => [f64::NAN]).unwrap(), 1);
    let sorted = rows.sort([col("k")]);
    for (left, right) in [(&rows, &rows), (&sorted, &rows), (&rows, &sorted), (&sorted, &sorted)] {
        for strategy in STRATEGIES {
            let joined = left.join_on(right, on_k(strategy));
            assert_eq!(joined.count().unwrap(), 1, "{strategy:?}");
            assert_eq!(joined.collect().unwrap().height(), 1, "{strategy:?}");
        }
    }
    let semi = sorted.join(&sorted, [col("k")], JoinType::Semi);
    assert_eq!(semi.collect().unwrap().height(), 1);
    let anti = sorted.join(&sorted, [col("k")], JoinType::Anti);
    assert_eq!(anti.collect().unwrap().height(), 0);
}

#[test]
fn nan_keys_meet_however_many_rows_share_their_partition() {
    let session = session();
    let right = session.frame(df!("k" => [f64::NAN]).unwrap(), 1);
    for threshold in [0, 10 << 20] {
        session.set_broadcast_threshold(threshold);
        for n in 1..=3 {
            let left = session.frame(df!("k" => [f64::NAN, 1.0]).unwrap(), n);
            for strategy in STRATEGIES {
                let joined = left.join_on(&right, on_k(strategy)).collect().unwrap();
                assert_eq!(joined.height(), 1, "{n} partitions, {strategy:?}");
            }
            let left = left.join(&right, [col("k")], JoinType::Left).collect().unwrap();
            assert_eq!(left.height(), 2, "{n} partitions");
        }
    }
}

#[test]
fn where_the_least_value_is_can_be_asked_of_fewer_groups_than_partitions() {
    let session = session();
    session.set_shuffle_partitions(4).unwrap();
    let rows = session.frame(df!("k" => [1, 1, 1], "v" => [2, 1, 3]).unwrap(), 3);
    let at = rows
        .group_by([col("k")])
        .agg([col("v").arg_min().alias("least"), col("v").arg_max().alias("largest")]);
    let at = at.collect().unwrap();
    assert_eq!((int(&at, "least"), int(&at, "largest")), (vec![Some(1)], vec![Some(2)]));
}

#[test]
fn names_that_are_patterns_elsewhere_are_names() {
    let session = session();
    for name in ["*", "^.*$", "a.b", "^b$", ""] {
        let rows = session.frame(df!(name => [1, 1, 2, 2], "b" => [1, 2, 3, 4]).unwrap(), 2);
        assert_eq!(rows.distinct_by([name]).count().unwrap(), 2, "{name}");
        assert_eq!(rows.distinct().count().unwrap(), 4, "{name}");
        assert_eq!(rows.drop([name]).collect().unwrap().get_column_names(), ["b"], "{name}");
        let renamed = rows.rename([(name, "c")]).collect().unwrap();
        assert_eq!(renamed.get_column_names(), ["c", "b"], "{name}");
        assert_eq!(rows.drop_nulls_in([name]).count().unwrap(), 4, "{name}");
        assert_eq!(rows.unpivot([name], ["b"]).count().unwrap(), 4, "{name}");
        let keys = [by_name([name], true, false).as_expr()];
        assert_eq!(rows.group_by(&keys).agg([col("b").sum()]).count().unwrap(), 2, "{name}");
        assert_eq!(rows.join(&rows, &keys, JoinType::Inner).count().unwrap(), 8, "{name}");
        let sorted = rows.sort(&keys).collect().unwrap();
        assert_eq!(int(&sorted, "b").len(), 4, "{name}");
        let hashed = rows.repartition_by(Partitioning::Hash(keys.to_vec(), 3));
        assert_eq!(hashed.count().unwrap(), 4, "{name}");
    }
}

/// The rows that came into the tasks of the session's last job, and the number of these tasks.
fn work(session: &Session) -> (u64, usize) {
    let report = session.last_report().unwrap();
    let rows = report.stages.iter().map(|stage| stage.total(|metrics| metrics.rows_in)).sum();
    (rows, report.stages.iter().map(|stage| stage.tasks.len()).sum())
}

#[test]
fn a_limit_reads_few_rows_and_not_every_partition() {
    let session = session();
    let rows = session.range(0, 400_000_000, 64);
    assert_eq!(int(&rows.limit(5).collect().unwrap(), "id"), (0..5).map(Some).collect::<Vec<_>>());
    let (read, tasks) = work(&session);
    assert!(read < 10_000, "{read} rows");
    assert!(tasks < 32, "{tasks} tasks");
    rows.show().unwrap();
    let (read, tasks) = work(&session);
    assert!(read < 10_000 && tasks < 32, "{read} rows, {tasks} tasks");
    assert_eq!(rows.query(|rows| rows.slice(10_000_000, 3)).collect().unwrap().height(), 3);
}

#[test]
fn a_limit_goes_on_until_it_has_enough() {
    let session = session();
    let rare = session.range(0, 10_000, 64).filter((col("id") % lit(1000)).eq(lit(0)));
    assert_eq!(
        int(&rare.limit(7).collect().unwrap(), "id"),
        (0..7).map(|n| Some(n * 1000)).collect::<Vec<_>>()
    );
    assert_eq!(rare.limit(100).count().unwrap(), 10);
}

#[test]
fn no_stage_has_columns_that_nobody_asked_for() {
    let session = session();
    let wide = |n: i64| {
        session.range(0, n, 4).with_columns([
            col("id").alias("k"),
            lit("a long text").alias("unasked"),
            col("id").alias("v"),
        ])
    };
    let sums = |left: Dataset, right: Dataset| {
        left.join(&right, [col("k")], JoinType::Inner).group_by([col("k")]).agg([col("v").sum()])
    };
    let directory = tempfile::tempdir().unwrap();
    wide(1000).write_parquet(directory.path().join("t")).unwrap();
    let file = || session.read_parquet(directory.path().join("t")).unwrap();
    for threshold in [0, 10 << 20] {
        session.set_broadcast_threshold(threshold);
        for (left, right) in [(wide(1000), wide(1000)), (file(), file())] {
            let query = sums(left, right);
            let plan = query.explain().unwrap();
            assert!(!plan.contains("unasked") && !plan.contains("v_right"), "{plan}");
            assert_eq!(query.count().unwrap(), 1000);
        }
    }
}

#[test]
fn an_aggregate_that_nobody_reads_is_one_row_all_the_same() {
    let session = session();
    let cross = || JoinOn { left: vec![], right: vec![], how: JoinType::Cross, strategy: JoinStrategy::Auto };
    let five = session.frame(df!("a" => [1, 2, 3, 4, 5]).unwrap(), 2);
    for one in [
        five.agg([col("a").median()]),
        five.agg([col("a").sum()]),
        five.select([col("a").sum()]),
        five.select([col("a").max(), lit(1).alias("one")]),
    ] {
        let rows = one.join_on(&session.range(0, 20, 2), cross()).select([col("id")]);
        assert_eq!(rows.collect().unwrap().height(), 20);
        assert_eq!(rows.count().unwrap(), 20);
        assert_eq!(one.count().unwrap(), 1);
        assert_eq!(one.select([lit(1).alias("x")]).count().unwrap(), 1);
    }
}

#[test]
fn the_variance_of_one_null_or_nan_is_null_or_nan_whatever_the_order_of_keys() {
    let session = session();
    let frame = df!("k" => [1, 2], "x" => [None, Some(f64::NAN)]).unwrap();
    let sorted = frame.sort(["k"], SortMultipleOptions::default()).unwrap();
    for frame in [frame, sorted] {
        for (combine, n) in [(true, 1), (false, 1), (true, 2), (false, 2)] {
            let groups = session.frame(frame.clone(), n).group_by([col("k")]).map_side_combine(combine);
            let aggs = [col("x").var(0).alias("var"), col("x").std(0).alias("std")];
            let rows = groups.agg(aggs).sort([col("k")]).collect().unwrap();
            for name in ["var", "std"] {
                let column = rows.column(name).unwrap().f64().unwrap();
                assert!(column.get(0).is_none(), "combine {combine}, {n} partitions: {rows}");
                assert!(column.get(1).is_some_and(f64::is_nan), "combine {combine}, {n} partitions: {rows}");
            }
        }
    }
}

#[test]
fn comparisons_that_are_constant_are_predicates_too() {
    let session = session();
    let rows = session.range(0, 4, 2);
    assert_eq!(rows.filter(col("id").eq(lit(NULL))).count().unwrap(), 0);
    assert_eq!(rows.filter(lit(false)).count().unwrap(), 0);
    assert_eq!(rows.filter(lit(true)).collect().unwrap().height(), 4);
    let unsigned = rows.with_columns([col("id").cast(DataType::UInt32)]);
    assert_eq!(unsigned.filter(col("id").neq_missing(lit(-1))).count().unwrap(), 4);
    assert_eq!(unsigned.filter(col("id").gt(lit(-1))).collect().unwrap().height(), 4);
    assert_eq!(unsigned.filter(col("id").eq(lit(-1))).collect().unwrap().height(), 0);
}
