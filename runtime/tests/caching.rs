//! What a cache saves, and that it never costs a right answer.

use partita::events::Event;
use partita::prelude::*;

fn groups(session: &Session) -> Dataset {
    session.range(0, 10_000, 4).group_by([(col("id") % lit(7)).alias("key")]).agg([col("id").sum()])
}

#[test]
fn a_dataset_that_is_cached_whole_runs_none_of_the_stages_before_it() {
    let session = Session::embedded(2).unwrap();
    let cached = groups(&session).cache();
    let (_, first) = cached.profile().unwrap();
    let (rows, second) = cached.profile().unwrap();
    assert_eq!((first.stages.len(), second.stages.len()), (2, 1));
    assert_eq!(second.stages[0].total(|m| m.cache_hits), 2);
    assert_eq!(rows.height(), 7);
}

#[test]
fn a_partition_that_leaves_the_cache_while_a_job_is_planned_is_computed_again() {
    let session = Session::embedded(2).unwrap();
    let cached = groups(&session).cache();
    let before = cached.sort([col("key")]).collect().unwrap();
    let again = cached.clone();
    session.events().listen(move |event| {
        if matches!(event, Event::StageSubmitted { .. }) {
            again.unpersist();
        }
    });
    assert_eq!(cached.sort([col("key")]).collect().unwrap(), before);
}

#[test]
fn a_dataset_built_on_a_cached_one_keeps_the_cache_alive() {
    let session = Session::embedded(2).unwrap();
    let cached = groups(&session).cache();
    let built_on_it = cached.filter(col("key").gt(lit(2)));
    cached.count().unwrap();
    drop(cached);
    let (_, report) = built_on_it.profile().unwrap();
    assert_eq!(report.stages[0].total(|m| m.cache_hits), 2, "{report}");
}
