use std::time::Duration;

use super::{AttemptState, Job, Limits, Session};
use crate::{Event, JobId, PartitionId, StageId, TaskMetrics, WorkerId};

const JOB: JobId = JobId(0);
const STAGE: StageId = StageId(0);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn session(tasks: usize, limits: Limits) -> Session {
    let mut session = Session::new(limits);
    session.apply(&Event::JobSubmitted { job: JOB, action: "collect".into(), slots: 2, at: ms(0) });
    let name = "scan".to_owned();
    session.apply(&Event::StageSubmitted { job: JOB, stage: STAGE, name, tasks, at: ms(0) });
    session
}

fn start(session: &mut Session, partition: usize, attempt: usize, at: u64) {
    let (partition, worker, slot, at) = (PartitionId(partition), WorkerId(0), 0, ms(at));
    session.apply(&Event::TaskStarted { job: JOB, stage: STAGE, partition, attempt, worker, slot, at });
}

fn finish(session: &mut Session, partition: usize, attempt: usize, at: u64, rows_out: u64) {
    let metrics = TaskMetrics { run: ms(5), rows_out, ..TaskMetrics::default() };
    let (partition, worker, at) = (PartitionId(partition), WorkerId(0), ms(at));
    session.apply(&Event::TaskFinished { job: JOB, stage: STAGE, partition, attempt, worker, metrics, at });
}

fn job(session: &Session) -> &Job {
    session.job(JOB).unwrap()
}

#[test]
fn output_that_is_lost_is_not_counted_until_it_is_made_again() {
    let mut session = session(4, Limits::default());
    for partition in 0..4 {
        start(&mut session, partition, 0, 0);
        finish(&mut session, partition, 0, 10, 3);
    }
    session.apply(&Event::StageFinished { job: JOB, stage: STAGE, at: ms(10) });
    let cause = "worker 1 was lost".to_owned();
    session.apply(&Event::StageResubmitted { job: JOB, stage: STAGE, tasks: 2, cause, at: ms(20) });
    assert_eq!(job(&session).tasks(), (2, 4));
    start(&mut session, 1, 1, 30);
    assert_eq!((job(&session).tasks(), job(&session).totals().rows_out), ((2, 4), 9));
    finish(&mut session, 1, 1, 40, 3);
    assert_eq!((job(&session).tasks(), job(&session).totals().rows_out), ((3, 4), 12));
    let superseded: Vec<bool> =
        job(&session).attempts().iter().filter(|a| a.partition == 1).map(|a| a.counts).collect();
    assert_eq!(superseded, [false, true]);
}

#[test]
fn a_late_end_changes_no_count_twice() {
    let mut session = session(1, Limits::default());
    start(&mut session, 0, 0, 0);
    start(&mut session, 0, 1, 5);
    finish(&mut session, 0, 1, 10, 1);
    session.apply(&Event::StageFinished { job: JOB, stage: STAGE, at: ms(10) });
    let (cause, at) = ("another attempt finished first".to_owned(), ms(12));
    let (partition, worker) = (PartitionId(0), WorkerId(0));
    let (job_id, stage, attempt, retried) = (JOB, STAGE, 0, true);
    session.apply(&Event::TaskFailed { job: job_id, stage, partition, attempt, worker, cause, retried, at });
    let job = job(&session);
    assert_eq!(job.attempts()[0].state, AttemptState::Beaten);
    assert_eq!((job.stages()[0].running, job.stages()[0].beaten, job.stages()[0].failed), (0, 1, 0));
    assert_eq!(job.tasks(), (1, 1));
}

#[test]
fn the_end_of_a_stage_ends_no_attempt_of_another_one() {
    let mut session = session(2, Limits::default());
    let (stage, name) = (StageId(1), "aggregate".to_owned());
    session.apply(&Event::StageSubmitted { job: JOB, stage, name, tasks: 1, at: ms(1) });
    let (partition, worker) = (PartitionId(0), WorkerId(0));
    session.apply(&Event::TaskStarted { job: JOB, stage, partition, attempt: 0, worker, slot: 1, at: ms(1) });
    start(&mut session, 0, 0, 2);
    start(&mut session, 1, 0, 2);
    finish(&mut session, 1, 0, 5, 1);
    let states = |session: &Session| -> Vec<AttemptState> {
        job(session).attempts().iter().map(|attempt| attempt.state).collect()
    };
    session.apply(&Event::StageFinished { job: JOB, stage: STAGE, at: ms(6) });
    assert_eq!(states(&session), [AttemptState::Running, AttemptState::Unknown, AttemptState::Done]);
    session.apply(&Event::JobFinished { job: JOB, error: None, cancelled: true, at: ms(7) });
    assert_eq!(states(&session), [AttemptState::Cut, AttemptState::Unknown, AttemptState::Done]);
}

#[test]
fn beyond_the_limits_counts_stay_right() {
    let limits = Limits { attempts: 3, partitions: 4, ..Limits::default() };
    let mut session = session(10, limits);
    for partition in 0..10 {
        start(&mut session, partition, 0, partition as u64);
        finish(&mut session, partition, 0, partition as u64 + 5, 2);
    }
    let job = job(&session);
    assert_eq!((job.attempts().len(), job.left_out), (3, 7));
    assert_eq!((job.tasks(), job.totals().rows_out, job.stages()[0].running), ((10, 10), 20, 0));
    assert_eq!(job.stages()[0].time_skew().unwrap().ratio, 1.0);
}

#[test]
fn a_job_without_its_attempts_keeps_its_figures() {
    let mut session = session(2, Limits::default());
    for partition in 0..2 {
        start(&mut session, partition, 0, 0);
        finish(&mut session, partition, 0, 5, 2);
    }
    session.jobs_mut().for_each(Job::forget_attempts);
    let job = job(&session);
    assert_eq!((job.attempts().len(), job.left_out), (0, 2));
    assert_eq!((job.tasks(), job.totals().rows_out), ((2, 2), 4));
    assert!(job.stages()[0].time_skew().is_some());
    assert_eq!(job.counting(&job.stages()[0]).count(), 0);
}

#[test]
fn the_oldest_job_makes_room() {
    let mut session = Session::new(Limits { jobs: 2, ..Limits::default() });
    let mut forgotten = Vec::new();
    for number in 0..4 {
        let (job, action) = (JobId(number), "count".to_owned());
        let gone = session.apply(&Event::JobSubmitted { job, action, slots: 1, at: ms(number as u64) });
        forgotten.extend(gone.map(|job| job.job.0));
    }
    assert_eq!(forgotten, [0, 1]);
    assert_eq!(session.jobs().map(|job| job.job.0).collect::<Vec<_>>(), [2, 3]);
}

mod any_events {
    use proptest::prelude::*;

    use super::*;
    use crate::changes::{Cursor, since};
    use crate::summary;
    use serde_json::{Value, json};

    /// What a page does with the messages about a job.
    #[derive(Debug, Default, PartialEq)]
    struct Page {
        attempts: Vec<Value>,
        causes: Vec<Value>,
        stages: Vec<Value>,
        /// What each message has of the whole job.
        rest: Value,
    }

    impl Page {
        fn receive(&mut self, mut message: Value) {
            let first = message["first"].as_u64().unwrap() as usize;
            if first == 0 {
                *self = Self::default();
            }
            assert_eq!(first, self.attempts.len(), "attempts come without gaps");
            for row in message["added"].as_array().unwrap() {
                self.attempts.push(row.clone());
                self.causes.push(Value::Null);
            }
            for row in message["changed"].as_array().unwrap() {
                let row = row.as_array().unwrap();
                let index = row.first().and_then(Value::as_u64).unwrap_or(0) as usize;
                self.attempts[index] = row.get(1..).unwrap_or_default().to_vec().into();
            }
            for (index, cause) in message["causes"].as_object().unwrap() {
                self.causes[index.parse::<usize>().unwrap()] = cause.clone();
            }
            for stage in message["stages"].as_array().unwrap() {
                let order = stage["order"].as_u64().unwrap() as usize;
                assert!(order <= self.stages.len(), "stages come without gaps");
                match self.stages.get_mut(order) {
                    Some(known) => *known = stage.clone(),
                    None => self.stages.push(stage.clone()),
                }
            }
            for part in ["first", "added", "changed", "causes", "stages", "now"] {
                message[part] = json!(null);
            }
            self.rest = message;
        }
    }

    fn event() -> impl Strategy<Value = Event> {
        let ids = (0..3usize, 0..3usize, 0..5usize, 0..3usize, 0..3u64, 0..4usize, 0..2000u64);
        (0..10u8, ids, any::<bool>()).prop_map(
            |(kind, (job, stage, partition, attempt, worker, n, at), flag)| {
                let (job, stage, partition) = (JobId(job), StageId(stage), PartitionId(partition));
                let (worker, at, cause) = (WorkerId(worker), ms(at), "any".to_owned());
                match kind {
                    0 => Event::JobSubmitted { job, action: cause, slots: n, at },
                    1 => Event::StageSubmitted { job, stage, name: cause, tasks: n, at },
                    2 => Event::StageResubmitted { job, stage, tasks: n, cause, at },
                    3 | 4 => Event::TaskStarted { job, stage, partition, attempt, worker, slot: n, at },
                    5 => {
                        let metrics =
                            TaskMetrics { run: at / 2, slot: n, rows_in: n as u64, ..TaskMetrics::default() };
                        Event::TaskFinished { job, stage, partition, attempt, worker, metrics, at }
                    }
                    6 => {
                        Event::TaskFailed { job, stage, partition, attempt, worker, cause, retried: flag, at }
                    }
                    7 => Event::StageFinished { job, stage, at },
                    8 => Event::JobFinished { job, error: flag.then_some(cause), cancelled: n > 1, at },
                    _ if flag => Event::WorkerJoined { worker, name: cause, slots: n, at },
                    _ => Event::WorkerLost { worker, cause, at },
                }
            },
        )
    }

    proptest! {
        /// In whatever order events come, nothing panics, counts stay in bounds, and a page that reads
        /// changes in small pieces holds what one that reads all at once holds.
        #[test]
        fn any_stream_is_folded(events in prop::collection::vec(event(), 0..200), most in 1..20usize) {
            let mut session = Session::new(Limits::default());
            let mut pages: Vec<(JobId, Cursor, Page)> = Vec::new();
            for event in &events {
                session.apply(event);
                if let Event::JobSubmitted { job, .. } = event {
                    // A job of a number that was there before begins anew, for its readers too.
                    pages.retain(|(known, ..)| known != job);
                    pages.push((*job, Cursor::default(), Page::default()));
                }
                for (id, cursor, page) in &mut pages {
                    let job = session.job(*id).unwrap();
                    while let Some(changes) = since(job, session.workers(), job.last, cursor, most) {
                        page.receive(changes.message);
                        if !changes.more {
                            break;
                        }
                    }
                }
            }
            for job in session.jobs() {
                let (done, all) = job.tasks();
                prop_assert!(done <= all);
                let workers = job.workers(session.workers());
                prop_assert!(job.busy_share(2).is_none_or(|share| (0.0..=1.0).contains(&share)));
                prop_assert!(!summary::line(job, &workers).is_empty());
                for stage in job.stages() {
                    let running = job.attempts().iter()
                        .filter(|a| a.stage == stage.stage && a.state == AttemptState::Running).count();
                    if job.stages().iter().filter(|other| other.stage == stage.stage).count() == 1 {
                        prop_assert!(stage.running >= running || job.has_ended());
                    }
                }
            }
            for (id, _, page) in pages {
                let job = session.job(id).unwrap();
                let mut cursor = Cursor::default();
                let mut whole = Page::default();
                if let Some(changes) = since(job, session.workers(), job.last, &mut cursor, usize::MAX) {
                    whole.receive(changes.message);
                }
                prop_assert_eq!(page, whole);
            }
        }
    }
}
