//! What a job reports: rows, bytes and skew are counted where they occur.

use partita::prelude::*;

#[test]
fn every_stage_conserves_rows_and_the_shuffle_is_counted_on_both_sides() {
    let session = Session::embedded(2).unwrap();
    let (rows, report) = session.range(0, 1000, 4).repartition(3).profile().unwrap();
    assert_eq!(rows.height(), 1000);
    let [map, reduce] = report.stages.as_slice() else { panic!("{report}") };
    assert_eq!((map.partitions, reduce.partitions), (4, 3));
    for stage in [map, reduce] {
        assert_eq!((stage.total(|m| m.rows_in), stage.total(|m| m.rows_out)), (1000, 1000));
    }
    assert_eq!(map.total(|m| m.shuffle_out), 8000);
    assert_eq!(reduce.total(|m| m.shuffle_in), 8000);
    assert_eq!(report.tasks().height(), 7);
}

#[test]
fn map_side_combine_shuffles_one_row_a_group_and_partition() {
    let session = Session::embedded(2).unwrap();
    let rows = session.range(0, 10_000, 4).with_columns([(col("id") % lit(10)).alias("key")]);
    let shuffled = |combine| {
        let grouped = rows.group_by([col("key")]).map_side_combine(combine).agg([col("id").sum()]);
        grouped.profile().unwrap().1.stages[1].total(|m| m.rows_in)
    };
    assert_eq!((shuffled(true), shuffled(false)), (40, 10_000));
}

#[test]
fn a_skewed_partition_is_named_with_how_much_larger_it_is() {
    let session = Session::embedded(2).unwrap();
    let four_fifths_in_one = when(col("id").lt(lit(8000))).then(lit(2)).otherwise(col("id") % lit(4));
    let by = Partitioning::Expr(four_fifths_in_one.cast(DataType::Int64), 4);
    let (_, report) = session.range(0, 10_000, 4).repartition_by(by).profile().unwrap();
    let skew = report.stages[1].row_skew().unwrap();
    assert_eq!((skew.worst, skew.max, skew.median), (2, 8500.0, 500.0));
    assert_eq!(skew.ratio, 17.0);
    assert!((skew.gini - 0.6).abs() < 1e-9, "{skew:?}");
    assert!(report.to_string().contains("rows max/median 17.0, Gini 0.60"), "{report}");
}

#[test]
fn a_filter_and_a_choice_of_columns_reach_the_parquet_reader() {
    let directory = tempfile::tempdir().unwrap();
    let session = Session::embedded(2).unwrap();
    let wide = session
        .range(0, 100_000, 4)
        .with_columns([(col("id") * lit(3)).alias("triple"), col("id").cast(DataType::String).alias("text")]);
    wide.write_parquet(directory.path()).unwrap();
    let stored = session.read_parquet(directory.path()).unwrap();
    assert_eq!(stored.partitions().unwrap(), 4);
    let everything = stored.profile().unwrap().1;
    let few = stored.filter(col("id").lt(lit(100))).select([col("id")]);
    let (rows, pushed) = few.profile().unwrap();
    assert_eq!(rows.height(), 100);
    let read = |report: &JobReport| report.stages[0].total(|m| m.bytes_read);
    assert!(read(&pushed) * 5 < read(&everything), "{pushed}\n{everything}");
    assert_eq!(pushed.stages[0].total(|m| m.row_groups_skipped), 3);
    let explained = few.explain().unwrap();
    assert!(explained.contains("1/3 COLUMNS") || explained.contains("PROJECT 1/3"), "{explained}");
    assert!(explained.contains("SELECTION"), "{explained}");
}

#[test]
fn explain_names_stages_partitions_and_what_is_shuffled() {
    let session = Session::embedded(2).unwrap();
    let plan =
        session.range(0, 100, 8).group_by([(col("id") % lit(3)).alias("k")]).agg([len()]).sort([col("k")]);
    let text = plan.explain().unwrap();
    for part in
        ["stage 0: range → group_by: partial", "[8 partitions]", "shuffle write into 2 partitions", "sort"]
    {
        assert!(text.contains(part), "{text}");
    }
    assert!(session.last_report().is_none(), "explain runs nothing");
}
