use partita_events::PartitionId;

use super::*;
use crate::prelude::*;

#[test]
fn a_task_that_hangs_is_done_by_a_copy_on_another_worker() {
    let (session, engine, events) = session(3, |moment| match (moment.partition, moment.attempt) {
        (2, 0) => vec![Fault::Hold],
        _ => Vec::new(),
    });
    session.set_speculation(true);
    assert_eq!(session.range(0, 800, 8).collect().unwrap().height(), 800);
    let first = events.lock().unwrap().iter().find_map(|event| match event {
        Event::TaskStarted { partition: PartitionId(2), attempt: 0, worker, .. } => Some(worker.0),
        _ => None,
    });
    assert_eq!(engine.excluded(), [(0, 2, vec![first.unwrap()])]);
    assert_eq!(engine.cancelled(), [(0, 2, 0)], "the first attempt is given up when the copy is done");
    assert_eq!(failed(&events, (0, 2)), [(0, true)]);
    let report = session.last_report().unwrap();
    assert_eq!(report.stages[0].tasks[2].attempt, 1);
}

#[test]
fn a_task_that_fails_while_its_copy_runs_leaves_the_work_to_the_copy() {
    let (session, _, events) = session(3, |moment| match (moment.partition, moment.attempt) {
        (2, 0) => vec![Fault::Fail("slow disk".into())],
        _ => Vec::new(),
    });
    session.set_speculation(true);
    let rows = slow_in(&session, 2).repartition_by(Partitioning::Hash(vec![col("id")], 4)).collect().unwrap();
    assert_eq!(rows.height(), 8);
    let failed = failed(&events, (0, 2));
    assert_eq!(failed[0], (0, true));
    assert!(failed.iter().all(|(_, retried)| *retried), "{failed:?}");
    assert!(session.last_report().unwrap().stages[0].tasks[2].attempt > 0);
}

#[test]
fn a_task_that_waits_behind_slow_ones_gets_a_copy_on_a_worker_that_has_none_of_them() {
    let (session, engine, events) = session(3, |_| Vec::new());
    session.set_speculation(true);
    // Two of them hold both slots; the last one waits.
    assert_eq!(slow_from(&session, 16, 13..15).collect().unwrap().height(), 16);
    let ran = |slow| {
        events.lock().unwrap().iter().find_map(|event| match event {
            Event::TaskStarted { partition, attempt: 0, worker, .. } if *partition == slow => Some(worker.0),
            _ => None,
        })
    };
    let mut workers = [ran(13).unwrap(), ran(14).unwrap()];
    workers.sort_unstable();
    let copies = engine.excluded();
    assert!(copies.contains(&(0, 15, workers.to_vec())), "{copies:?}");
}

#[test]
fn there_is_no_copy_where_nobody_asked_for_one_or_no_other_worker_is() {
    for (workers, wanted) in [(3, false), (1, true)] {
        let (session, engine, _) = session(workers, |_| Vec::new());
        session.set_speculation(wanted);
        assert_eq!(slow_in(&session, 7).collect().unwrap().height(), 8);
        assert_eq!(engine.excluded(), []);
    }
}

/// Eight partitions of one row, one of which takes long enough for a copy.
fn slow_in(session: &Session, partition: i64) -> Dataset {
    slow_from(session, 8, partition..partition + 1)
}

/// This many partitions of one row, some of which take long enough for a copy.
fn slow_from(session: &Session, partitions: i64, slow: std::ops::Range<i64>) -> Dataset {
    session.range(0, partitions, partitions as usize).map_partitions(move |lf| {
        let slow = slow.clone();
        let wait = move |column: Column| {
            if column.i64()?.get(0).is_some_and(|row| slow.contains(&row)) {
                std::thread::sleep(std::time::Duration::from_millis(300));
            }
            Ok(column)
        };
        lf.with_columns([col("id").map(wait, |_, field| Ok(field.clone()))])
    })
}
