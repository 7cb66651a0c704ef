//! Remedies against skew and needless shuffles work: rows of a hot key are spread, small sides are
//! broadcast, hot keys are reported. `wide_steps` and `programs` check that they change no rows.

use partita::prelude::*;

/// Four fifths of the rows have key 132.
fn skewed(session: &Session, rows: i64) -> Dataset {
    let key = when((col("id") % lit(5)).lt(lit(4))).then(lit(132i64)).otherwise(col("id")).alias("key");
    session.range(0, rows, 4).with_columns([key])
}

fn largest_share(report: &JobReport, stage: usize) -> f64 {
    let rows = report.stages[stage].row_skew().unwrap().max;
    rows / report.stages[stage].total(|m| m.rows_in) as f64
}

#[test]
fn a_salted_repartition_spreads_a_hot_key_as_far_as_it_is_told() {
    let session = Session::embedded(2).unwrap();
    let rows = skewed(&session, 40_000);
    let by_hash = rows.repartition_by(Partitioning::Hash(vec![col("key")], 8)).profile().unwrap().1;
    let salted = rows.repartition_salted([col("key")], 8, 8).profile().unwrap().1;
    assert!(largest_share(&by_hash, 1) > 0.8, "{by_hash}");
    assert!(largest_share(&salted, 1) < 0.2, "{salted}");
}

#[test]
fn a_salted_group_by_never_has_all_rows_of_a_key_in_one_task() {
    let session = Session::embedded(2).unwrap();
    session.set_shuffle_partitions(8).unwrap();
    let grouped = || skewed(&session, 40_000).group_by([col("key")]);
    let plain = grouped().map_side_combine(false).agg([len()]).profile().unwrap();
    let salted = grouped().salted(8).agg([len()]).profile().unwrap();
    assert_eq!(plain.0.height(), salted.0.height());
    assert_eq!((plain.1.stages.len(), salted.1.stages.len()), (2, 3));
    assert!(largest_share(&plain.1, 1) > 0.8 && largest_share(&salted.1, 1) < 0.2, "{}", salted.1);
}

#[test]
fn a_salted_join_copies_only_the_right_rows_of_hot_keys() {
    let session = Session::embedded(2).unwrap();
    session.set_shuffle_partitions(8).unwrap();
    session.set_broadcast_threshold(0);
    let left = skewed(&session, 40_000);
    let right = session.range(0, 1000, 2).select([col("id").alias("key"), col("id").alias("other")]);
    let join = left.join(&right, [col("key")], JoinType::Left);
    let (plain, plain_report) = join.profile().unwrap();
    let (salted, report) = join.salted(4).profile().unwrap();
    let by = || ["id", "key", "other"];
    let sorted = |frame: DataFrame| frame.sort(by(), SortMultipleOptions::default()).unwrap();
    assert!(sorted(plain).equals_missing(&sorted(salted)));
    let join_stage = |report: &JobReport| report.stages.iter().position(|s| s.name == "join").unwrap();
    assert!(largest_share(&plain_report, join_stage(&plain_report)) > 0.75, "{plain_report}");
    assert!(largest_share(&report, join_stage(&report)) < 0.35, "{report}");
    // One key in a thousand is hot: three of the right rows are copied in addition.
    assert_eq!(report.stages[join_stage(&report)].total(|m| m.rows_in), 40_000 + 1000 + 3);
}

#[test]
fn a_join_on_keys_that_are_even_is_not_changed_by_salting() {
    let session = Session::embedded(2).unwrap();
    session.set_broadcast_threshold(0);
    let left = session.range(0, 10_000, 4);
    let right = session.range(0, 1000, 2);
    let (rows, report) = left.join(&right, [col("id")], JoinType::Inner).salted(8).profile().unwrap();
    assert_eq!(rows.height(), 1000);
    assert_eq!(report.stages.last().unwrap().total(|m| m.rows_in), 11_000);
}

#[test]
fn small_right_sides_are_broadcast_up_to_the_threshold() {
    let directory = tempfile::tempdir().unwrap();
    let session = Session::embedded(2).unwrap();
    let shuffles = |join: &Dataset| !join.explain().unwrap().contains("broadcast");
    let left = session.range(0, 10_000, 4);
    let join = |right: &Dataset| left.join(right, [col("id")], JoinType::Inner);
    let range = session.range(0, 1000, 2);
    assert!(!shuffles(&join(&range)));
    range.write_parquet(directory.path()).unwrap();
    let file = session.read_parquet(directory.path()).unwrap();
    assert!(!shuffles(&join(&file)), "a thousand rows of eight bytes");
    session.set_broadcast_threshold(7_999);
    assert!(shuffles(&join(&file)) && shuffles(&join(&range)));
    session.set_broadcast_threshold(8_000);
    assert!(!shuffles(&join(&file)) && !shuffles(&join(&range)));
    // The size of a group_by's result is known once it is cached.
    let grouped = range.group_by([(col("id") % lit(10)).alias("id")]).agg([len()]).cache();
    assert!(shuffles(&join(&grouped)));
    grouped.count().unwrap();
    assert!(!shuffles(&join(&grouped)));
    session.set_broadcast_threshold(0);
    assert!(shuffles(&join(&range)) && !shuffles(&join(&range).broadcast()));
}

#[test]
fn a_hot_key_is_named_in_the_report_and_advised_on() {
    let session = Session::embedded(2).unwrap();
    let by = Partitioning::Hash(vec![col("key")], 4);
    let (_, report) = skewed(&session, 40_000).repartition_by(by).profile().unwrap();
    let hot = &report.stages[0].tasks[0].metrics.hot_keys;
    assert_eq!((hot.len(), hot[0].columns.as_str(), hot[0].value.as_str()), (1, "col(\"key\")", "132"));
    assert!(hot[0].rows.abs_diff(8000) < 800, "{hot:?}");
    assert_eq!(hot[0].partition, report.stages[1].row_skew().unwrap().worst);
}

#[test]
fn what_cannot_be_salted_or_broadcast_says_why_and_what_to_do() {
    let session = Session::embedded(2).unwrap();
    let rows = session.range(0, 100, 4);
    let other = session.range(0, 10, 2);
    let cases = [
        (
            rows.group_by([col("id")]).salted(4).agg([col("id").median().alias("m")]),
            "two halves",
            "omit salted",
        ),
        (rows.group_by([]).salted(4).agg([len()]), "no keys", "omit salted"),
        (rows.group_by([col("id")]).salted(0).agg([len()]), "0 partitions", "at least 1"),
        (rows.repartition_salted([col("id")], 4, 0), "0 partitions", "at least 1"),
        (rows.join(&other, [col("id")], JoinType::Full).salted(4), "without a match", "Shuffle"),
        (rows.join(&other, [col("id")], JoinType::Full).broadcast(), "without a match", "Shuffle"),
        (rows.join(&other, [], JoinType::Cross).salted(4), "no keys to salt", "omit salted"),
        (rows.join(&other, [col("id")], JoinType::Inner).salted(0), "0 partitions", "at least 1"),
        (rows.broadcast(), "not a join", "join(…)"),
    ];
    for (dataset, problem, remedy) in cases {
        let error = dataset.collect().unwrap_err().to_string();
        assert!(error.contains(problem) && error.contains(remedy), "{error}");
    }
}

#[test]
fn a_hot_partition_is_read_by_several_tasks_and_the_result_has_the_same_partitions() {
    let session = Session::embedded(2).unwrap();
    session.set_shuffle_partitions(8).unwrap();
    session.set_broadcast_threshold(0);
    let rows = skewed(&session, 400_000);
    let moved = rows.repartition_by(Partitioning::Hash(vec![col("key")], 8));
    let right = session.range(0, 1000, 2).select([col("id").alias("key"), col("id").alias("other")]);
    let joined = rows.join(&right, [col("key")], JoinType::Left).filter(col("id").gt(lit(7)));
    let grouped = moved.group_by([(col("id") % lit(7)).alias("seventh")]).agg([len(), col("id").sum()]);
    let sorted = |frame: DataFrame| {
        let names = frame.get_column_names_owned();
        frame.sort(names, SortMultipleOptions::default()).unwrap()
    };
    for (what, dataset, stage) in
        [("repartition", &moved, 1), ("join", &joined, 2), ("group_by", &grouped, 1)]
    {
        session.set_skew_split(false);
        let (plain, before) = dataset.profile().unwrap();
        let sizes = |dataset: &Dataset| -> Vec<usize> {
            dataset.collect_partitions().unwrap().iter().map(DataFrame::height).collect()
        };
        let plain_sizes = sizes(dataset);
        session.set_skew_split(true);
        assert!(session.skew_split());
        let (split, after) = dataset.profile().unwrap();
        assert!(sorted(plain).equals_missing(&sorted(split)), "{what}");
        assert_eq!(sizes(dataset), plain_sizes, "{what}");
        let tasks = |report: &JobReport| report.stages[stage].tasks.len();
        assert_eq!(
            (tasks(&before), tasks(&after)),
            (8, 11),
            "{what}: four map tasks, so four parts\n{after}"
        );
        assert!(largest_share(&after, stage) < 0.3, "{what}: {after}");
    }
    // A median needs all rows of a key, and each partition is one file.
    let whole = rows.group_by([col("key")]).agg([col("id").median().alias("median")]);
    assert_eq!(whole.profile().unwrap().1.stages[1].tasks.len(), 8);
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(moved.write_parquet(directory.path()).unwrap().len(), 8);
}
