//! Bad input: each error names what is wrong and the remedy, and the session goes on.

use partita::prelude::*;

fn session() -> Session {
    Session::embedded(2).unwrap()
}

fn numbers(session: &Session) -> Dataset {
    session.frame(df!("a" => [1i64, 2, 3], "b" => ["x", "y", "z"]).unwrap(), 3)
}

#[track_caller]
fn assert_says(error: impl std::fmt::Display, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{text:?} does not say {word:?}");
    }
}

#[test]
fn zero_partitions_are_refused_with_a_remedy_wherever_they_are_given() {
    let session = session();
    for dataset in [
        session.range(0, 10, 0),
        session.frame(df!("a" => [1]).unwrap(), 0),
        numbers(&session).repartition(0),
        numbers(&session).repartition_by(Partitioning::Hash(vec![col("a")], 0)),
        numbers(&session).coalesce(0),
    ] {
        assert_says(dataset.collect().unwrap_err(), &["0 partitions", "at least 1"]);
    }
    assert_says(session.set_shuffle_partitions(0).unwrap_err(), &["0 partitions", "at least 1"]);
    assert_says(Session::embedded(0).unwrap_err(), &["0 slots", "at least 1"]);
}

#[test]
fn an_unknown_column_is_named_with_the_columns_there_are() {
    let session = session();
    let numbers = numbers(&session);
    for dataset in [
        numbers.filter(col("nope").gt(lit(1))),
        numbers.select([col("nope")]),
        numbers.group_by([col("nope")]).agg([len()]),
        numbers.sort([col("nope")]),
        numbers.distinct_by(["nope"]),
        numbers.join(&numbers, [col("nope")], JoinType::Inner),
        numbers.map_partitions(|lf| lf.select([col("nope")])),
    ] {
        assert_says(dataset.collect().unwrap_err(), &["nope", "a, b"]);
    }
}

#[test]
fn a_mistake_is_kept_through_later_steps_and_comes_out_at_the_action() {
    let session = session();
    let later = numbers(&session).filter(col("nope").gt(lit(1))).select([col("a")]).repartition(2);
    assert_says(later.count().unwrap_err(), &["filter", "nope"]);
    assert!(format!("{later}").contains("nope"));
}

#[test]
fn a_partition_number_out_of_range_or_null_names_the_expression_and_the_value() {
    let session = session();
    let numbers = numbers(&session);
    let to = |expr: Expr| numbers.repartition_by(Partitioning::Expr(expr, 2)).collect().unwrap_err();
    assert_says(to(col("a")), &["stage 0", "partition 1", "col(\"a\")", "2"]);
    assert_says(to(col("a") - lit(2)), &["-1"]);
    let null = when(col("a").eq(lit(2))).then(lit(NULL)).otherwise(lit(0)).cast(DataType::Int64);
    assert_says(to(null), &["null"]);
    assert_says(to(col("b")), &["str", "cast"]);
    assert_eq!(numbers.count().unwrap(), 3, "the session goes on");
}

#[test]
fn a_panic_in_a_task_names_stage_partition_and_message_and_ends_nothing_else() {
    let session = session();
    let numbers = numbers(&session);
    let bomb = numbers.map_partitions(|lf| {
        lf.with_columns([col("a").map(
            |column| {
                assert!(column.i64()?.get(0) != Some(2), "two is not allowed here");
                Ok(column)
            },
            |_, field| Ok(field.clone()),
        )])
    });
    assert_says(bomb.collect().unwrap_err(), &["stage 0", "partition 1", "two is not allowed here"]);
    assert_eq!(numbers.collect().unwrap().height(), 3);
    let report = session.reports().into_iter().find(|report| report.error.is_some()).unwrap();
    assert_says(report, &["FAILED", "two is not allowed"]);
}

#[test]
fn expressions_that_look_beyond_their_row_see_the_whole_dataset_and_only_their_partition_in_map_partitions() {
    let session = session();
    let numbers = numbers(&session);
    let total = numbers.select([col("a").sum()]).collect().unwrap();
    assert_eq!(total, df!("a" => [6i64]).unwrap());
    let shifted = numbers.select([col("a"), col("a").shift(lit(1)).alias("before")]).collect().unwrap();
    assert_eq!(shifted, df!("a" => [1i64, 2, 3], "before" => [None, Some(1i64), Some(2)]).unwrap());
    let per_partition = numbers.map_partitions(|lf| lf.select([col("a").sum()])).collect().unwrap();
    assert_eq!(per_partition, df!("a" => [1i64, 2, 3]).unwrap());
}

#[test]
fn map_partitions_that_collects_says_to_stay_lazy() {
    let session = session();
    let dataset = numbers(&session).map_partitions(|lf| lf.collect().unwrap().lazy());
    assert_says(dataset.collect().unwrap_err(), &["map_partitions", "do not collect"]);
}

#[test]
fn join_keys_of_different_types_name_both_and_the_cast() {
    let session = session();
    let numbers = numbers(&session);
    let other = session.frame(df!("a" => ["1"]).unwrap(), 1);
    let joined = numbers.join(&other, [col("a")], JoinType::Inner);
    assert_says(joined.collect().unwrap_err(), &["key col(\"a\")", "i64", "str", "cast"]);
}

#[test]
fn union_of_different_columns_says_which() {
    let session = session();
    let union = numbers(&session).union(&session.range(0, 3, 1));
    assert_says(union.collect().unwrap_err(), &["union", "id", "select the same columns"]);
}

#[test]
fn a_missing_file_is_named() {
    assert_says(
        session().read_parquet("/nowhere/trips-*.parquet").unwrap_err(),
        &["/nowhere/trips-*.parquet"],
    );
    assert_says(session().read_csv("/nowhere/trips.csv").unwrap_err(), &["/nowhere/trips.csv"]);
}

#[test]
fn write_parquet_does_not_mix_with_what_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let session = session();
    let paths = numbers(&session).write_parquet(directory.path().join("out")).unwrap();
    assert_eq!(paths.len(), 3);
    let back = session.read_parquet(directory.path().join("out")).unwrap();
    assert_eq!(back.collect().unwrap(), numbers(&session).collect().unwrap());
    let again = numbers(&session).write_parquet(directory.path().join("out"));
    assert_says(again.unwrap_err(), &["not empty"]);
}

#[test]
fn more_partitions_than_anything_can_hold_are_refused_before_they_are_made() {
    let session = session();
    let numbers = numbers(&session);
    for dataset in [
        session.range(0, 10, usize::MAX),
        session.frame(df!("a" => [1]).unwrap(), usize::MAX),
        numbers.repartition(1 << 40),
    ] {
        assert_says(dataset.count().unwrap_err(), &["partitions are more than the limit"]);
    }
    assert_says(session.set_shuffle_partitions(usize::MAX).unwrap_err(), &["limit"]);
    assert_eq!(session.range(i64::MIN, i64::MAX, 4).partitions().unwrap(), 4);
}

#[test]
fn keys_that_look_beyond_their_row_are_those_of_the_whole_dataset_but_cannot_say_where_a_row_goes() {
    let session = session();
    let numbers = numbers(&session);
    let above = col("a").gt(col("a").mean()).alias("above");
    let groups = numbers.group_by([above.clone()]).agg([len()]).sort([col("above")]).collect().unwrap();
    assert_eq!(groups, df!("above" => [false, true], "len" => [2u32, 1]).unwrap());
    let sorted = numbers.sort([(col("a") - col("a").max()).abs()]).select([col("a")]).collect().unwrap();
    assert_eq!(sorted, df!("a" => [3i64, 2, 1]).unwrap());
    let constant = numbers.group_by([lit("all").alias("k")]).agg([len()]).collect().unwrap();
    assert_eq!(constant, df!("k" => ["all"], "len" => [3u32]).unwrap());
    assert_eq!(numbers.select([lit(1).alias("one")]).collect().unwrap(), df!("one" => [1]).unwrap());
    assert_eq!(numbers.with_columns([lit(1).alias("one")]).count().unwrap(), 3);
    let moved = numbers.repartition_by(Partitioning::Hash(vec![above], 2));
    assert_says(moved.collect().unwrap_err(), &["more than one row", "mean"]);
}

#[test]
fn datasets_of_two_sessions_do_not_mix() {
    let (a, b) = (session(), session());
    let (a, b) = (a.range(0, 3, 1).cache(), b.range(10, 13, 1).cache());
    assert_says(a.union(&b).collect().unwrap_err(), &["different sessions", "frame()"]);
    assert_says(a.join(&b, [col("id")], JoinType::Inner).collect().unwrap_err(), &["different sessions"]);
}

#[test]
fn an_action_inside_a_task_is_an_error_and_not_a_task_that_waits_for_itself() {
    let session = Session::embedded(1).unwrap();
    let inner = session.range(0, 3, 1);
    let outer = session.range(0, 3, 1).map_partitions(move |lf| {
        let count = move |column: Column| {
            inner.count().map_err(|error| PolarsError::ComputeError(error.to_string().into()))?;
            Ok(column)
        };
        lf.with_columns([col("id").map(count, |_, field| Ok(field.clone()))])
    });
    assert_says(outer.collect().unwrap_err(), &["inside a task", "outside the closure"]);
}

#[test]
fn a_closure_that_panics_while_the_plan_is_made_says_what_it_said() {
    let session = session();
    let dataset = numbers(&session).map_partitions(|_| panic!("there is no fare column"));
    assert_says(dataset.collect().unwrap_err(), &["map_partitions", "there is no fare column"]);
}
