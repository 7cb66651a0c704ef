use std::process::Command;
use std::sync::mpsc;

use super::*;
use crate::PartitaError;

#[test]
fn four_failed_attempts_of_one_task_fail_the_job_with_all_four_causes() {
    let (session, _, events) = session(2, |moment| match (moment.stage, moment.partition) {
        (0, 1) => vec![Fault::Fail(format!("disk {} is full", moment.attempt))],
        _ => Vec::new(),
    });
    let error = session.range(0, 100, 4).collect().unwrap_err();
    let PartitaError::Task { stage: 0, partition: 1, causes, .. } = &error else { panic!("{error}") };
    assert_eq!(causes.len(), 4);
    let text = error.to_string();
    for attempt in 0..4 {
        assert!(text.contains(&format!("attempt {attempt}: disk {attempt} is full (on worker ")), "{text}");
    }
    assert_eq!(failed(&events, (0, 1)), [(0, true), (1, true), (2, true), (3, false)]);
    assert_eq!(session.last_report().unwrap().error, Some(text));
}

#[test]
fn a_task_too_large_for_its_worker_fails_the_job_at_once() {
    let (session, _, events) = session(2, |moment| match moment.partition {
        1 => vec![Fault::TooLarge("partition 1 is too large for a worker".into())],
        _ => Vec::new(),
    });
    let error = session.range(0, 100, 4).collect().unwrap_err();
    let PartitaError::Task { partition: 1, causes, .. } = &error else { panic!("{error}") };
    assert_eq!(causes, &["partition 1 is too large for a worker"]);
    assert_eq!(failed(&events, (0, 1)), [(0, false)]);
}

#[test]
fn a_task_that_fails_three_times_is_done_by_its_fourth_attempt() {
    let (session, _, events) =
        session(2, |moment| if moment.attempt < 3 { vec![Fault::Fail("no".into())] } else { Vec::new() });
    assert_eq!(session.range(0, 100, 4).collect().unwrap().height(), 100);
    assert_eq!(failed(&events, (0, 2)), [(0, true), (1, true), (2, true)]);
    let report = session.last_report().unwrap();
    assert_eq!(report.stages[0].retried, 12);
    assert!(report.stages[0].tasks.iter().all(|task| task.attempt == 3 && task.worker > 0), "{report:?}");
}

#[test]
fn a_task_whose_worker_is_lost_runs_again_and_has_not_failed() {
    // One more than the number of attempts that may fail.
    let (session, _, events) = session(2, |moment| match (moment.partition, moment.attempt) {
        (1, 0..5) => vec![Fault::LoseWorker { told: true, late: moment.attempt % 2 == 0 }],
        _ => Vec::new(),
    });
    assert_eq!(session.range(0, 100, 4).count().unwrap(), 100);
    assert!(failed(&events, (0, 1)).len() >= 5);
}

#[test]
fn a_task_that_takes_every_worker_down_fails_the_job_and_says_what_may_help() {
    let (session, ..) = session(2, |moment| match moment.partition {
        1 => vec![Fault::LoseWorker { told: true, late: false }],
        _ => Vec::new(),
    });
    let error = session.range(0, 100, 2).count().unwrap_err().to_string();
    for words in ["partition", "lost 8 times", "more partitions"] {
        assert!(error.contains(words), "{error}");
    }
}

/// Interrupts reach every job of a process, so this test has a process of its own.
#[test]
fn a_job_that_tries_again_and_again_ends_when_it_is_cancelled() {
    let test = "scheduler::tests::attempts::cancelled_while_trying";
    let status =
        Command::new(std::env::current_exe().unwrap()).args(["--exact", test, "--ignored"]).output().unwrap();
    let text = String::from_utf8_lossy(&status.stdout);
    assert!(status.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
#[ignore = "run by the test above, in a process of its own"]
fn cancelled_while_trying() {
    let (tried, tries) = mpsc::channel();
    let (session, engine, _) = session(2, move |moment| {
        let _ = tried.send((moment.stage, moment.partition));
        // One task loses its input twice, then it never ends.
        let lost = moment.outputs.iter().map(|(shuffle, maps)| Fault::LoseOutputs {
            shuffle: *shuffle,
            maps: maps.keys().copied().collect(),
            told: true,
        });
        match (moment.stage, moment.partition, moment.attempt) {
            (1, 3, 0 | 1) => lost.chain([Fault::Fail("no".into())]).collect(),
            (1, 3, _) => vec![Fault::Hold],
            _ => Vec::new(),
        }
    });
    let job = std::thread::spawn({
        let session = session.clone();
        move || session.range(0, 100, 4).repartition(4).collect()
    });
    // It has failed twice.
    (0..2).for_each(|_| while tries.recv().unwrap() != (1, 3) {});
    session.host().interrupts().cancel();
    let error = job.join().unwrap().unwrap_err();
    assert!(matches!(error, PartitaError::Cancelled { .. }), "{error}");
    session.host().interrupts().next_cell();
    assert!(engine.given_up(0), "the engine is told that nobody waits for the job any more");
    assert_eq!(session.range(0, 100, 4).count().unwrap(), 100);
}
