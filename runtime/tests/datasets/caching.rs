//! What a cache saves, and that the results stay correct.

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

#[test]
fn a_cache_with_little_room_keeps_as_much_as_fits_and_the_rest_is_computed_or_read_from_disk() {
    let partition_bytes = 1000 * size_of::<i64>();
    let session = Session::embedded_with_cache(2, 2 * partition_bytes).unwrap();
    let numbers = session.range(0, 8_000, 8);
    for (level, kept) in [
        (StorageLevel::MemoryOnly, (2, 0)),
        (StorageLevel::MemoryAndDisk, (2, 6)),
        (StorageLevel::DiskOnly, (0, 8)),
    ] {
        let cached = numbers.persist(level);
        let sum = || cached.agg([col("id").sum()]).collect().unwrap();
        assert_eq!(sum(), sum());
        assert_eq!(cached.cached_partitions(), kept, "{level}");
        cached.unpersist();
    }
    let error = Session::embedded_with_cache(0, 1).unwrap_err().to_string();
    assert!(error.contains("embedded_with_cache") && error.contains("at least 1"), "{error}");
}
