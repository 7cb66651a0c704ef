use partita_events::StageId;

use super::*;
use crate::prelude::*;

/// All shuffle output is lost, reported or not.
fn all_lost(moment: &Moment, told: bool) -> Vec<Fault> {
    let lost = moment.outputs.iter().map(|(shuffle, maps)| Fault::LoseOutputs {
        shuffle: *shuffle,
        maps: maps.keys().copied().collect(),
        told,
    });
    lost.collect()
}

/// Once, when the first task of the stage ends.
fn once_in(stage: usize, mut faults: impl FnMut(&Moment) -> Vec<Fault>) -> impl FnMut(&Moment) -> Vec<Fault> {
    let mut done = false;
    move |moment| {
        if done || moment.stage != stage {
            return Vec::new();
        }
        done = true;
        faults(moment)
    }
}

fn ids(frame: &DataFrame) -> Vec<i64> {
    frame.column("id").unwrap().i64().unwrap().into_no_null_iter().collect()
}

#[test]
fn lost_output_is_made_again_through_several_stages_back_and_only_that() {
    for told in [true, false] {
        let (session, _, events) = session(
            2,
            once_in(2, move |moment| {
                all_lost(moment, told).into_iter().chain([Fault::Fail("no".into())]).collect()
            }),
        );
        let by = |n| Partitioning::Hash(vec![col("id")], n);
        let rows = session.range(0, 1000, 3).repartition_by(by(4)).repartition_by(by(5)).collect().unwrap();
        let mut ids = ids(&rows);
        ids.sort_unstable();
        assert_eq!(ids, (0..1000).collect::<Vec<_>>(), "told: {told}");
        let mut again = resubmitted(&events);
        again.sort_unstable();
        assert_eq!(again, [(0, 3), (1, 4)], "told: {told}");
    }
}

#[test]
fn one_lost_map_output_costs_one_map_task() {
    let (session, _, events) = session(
        2,
        once_in(1, |moment| {
            let shuffle = *moment.outputs.keys().next().unwrap();
            vec![Fault::LoseOutputs { shuffle, maps: vec![2], told: true }]
        }),
    );
    let sums = session.range(0, 1000, 8).group_by([(col("id") % lit(7)).alias("key")]).agg([col("id").sum()]);
    let sums = sums.sort([col("key")]).collect().unwrap();
    let sum: i64 = sums.column("id").unwrap().i64().unwrap().sum().unwrap();
    assert_eq!((sums.height(), sum), (7, 499_500));
    assert_eq!(resubmitted(&events), [(0, 1)]);
    let finished = |event: &&Event| matches!(event, Event::StageFinished { stage: StageId(0), .. });
    assert_eq!(events.lock().unwrap().iter().filter(finished).count(), 2);
}

#[test]
fn output_that_nobody_needs_any_more_is_not_made_again() {
    // Stage 2 has read stage 1's output when stage 0's is lost.
    let (session, _, events) = session(
        2,
        once_in(2, |moment| {
            let (shuffle, maps) = moment.outputs.iter().next().unwrap();
            vec![Fault::LoseOutputs { shuffle: *shuffle, maps: maps.keys().copied().collect(), told: true }]
        }),
    );
    let by = Partitioning::Hash(vec![col("id")], 4);
    assert_eq!(session.range(0, 100, 3).repartition_by(by.clone()).repartition_by(by).count().unwrap(), 100);
    assert_eq!(resubmitted(&events), []);
}

#[test]
fn a_range_shuffle_made_again_keeps_its_bounds() {
    // Stage 0 samples, stage 1 shuffles, stage 2 sorts.
    let (session, _, events) = session(
        2,
        once_in(2, |moment| all_lost(moment, true).into_iter().chain([Fault::Fail("no".into())]).collect()),
    );
    let scattered = ((col("id") * lit(7919)) % lit(10_007)).alias("id");
    let sorted = session.range(0, 10_007, 4).select([scattered]).sort([col("id")]).collect().unwrap();
    assert_eq!(ids(&sorted), (0..10_007).collect::<Vec<_>>());
    assert_eq!(resubmitted(&events), [(1, 4)], "the sample is not taken again");
}

#[test]
fn rows_dealt_by_their_place_in_an_order_that_changes_are_all_dealt_again() {
    // Groups come in any order, so dealing one partition's rows again could duplicate some and drop
    // others.
    let (session, _, events) = session(
        2,
        once_in(2, |moment| {
            let dealt = *moment.outputs.keys().last().unwrap();
            vec![Fault::LoseOutputs { shuffle: dealt, maps: vec![0], told: true }]
        }),
    );
    let groups = session.range(0, 5000, 4).group_by([(col("id") % lit(1000)).alias("id")]).agg([len()]);
    let mut ids = ids(&groups.select([col("id")]).repartition(5).collect().unwrap());
    ids.sort_unstable();
    assert_eq!(ids, (0..1000).collect::<Vec<_>>());
    let again = resubmitted(&events);
    assert_eq!(again[0], (1, 2), "both tasks of the stage that deals: {again:?}");
}

#[test]
fn rows_that_chance_has_scattered_are_scattered_again_all_together() {
    let (session, _, events) = session(
        2,
        once_in(1, |moment| {
            let shuffle = *moment.outputs.keys().next().unwrap();
            vec![Fault::LoseOutputs { shuffle, maps: vec![1], told: true }]
        }),
    );
    let mixed = |seed| {
        let order = move |lf: LazyFrame| lf.select([col("id").shuffle(seed)]);
        session.range(0, 1000, 4).map_partitions(order).repartition_by(Partitioning::Hash(vec![col("id")], 3))
    };
    assert_eq!(mixed(None).count().unwrap(), 1000);
    assert_eq!(resubmitted(&events)[0], (0, 4), "all four map tasks");
}

#[test]
fn output_that_is_lost_again_and_again_fails_the_job() {
    let (session, ..) = session(2, |moment| match moment.stage {
        1 => all_lost(moment, true)
            .into_iter()
            .chain([Fault::LoseWorker { told: true, late: false }])
            .collect(),
        _ => Vec::new(),
    });
    let error = session.range(0, 100, 2).repartition(2).count().unwrap_err().to_string();
    assert!(error.contains("lost 8 times"), "{error}");
}
