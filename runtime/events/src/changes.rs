//! What changed in a job since a reader last looked, as JSON for a page. `assets/model.js` reads it. A page
//! draws what it is sent and computes no figure from it, except those that move with its clock.
//!
//! A message is about one job. Who sends the jobs of several sessions adds `"session"` to each message, and
//! sends messages as an array, in order.
//!
//! - Everything but stages and attempts is sent with each message: how the job stands, its workers, its
//!   texts. `opening`, a time and `summary` are one sentence. `took` is that time, once the job has ended;
//!   until then a page writes the time on its own clock.
//! - `stages` are those that changed. `order` is a stage's place in the job. `skewed` lists the places of
//!   all stages whose skew is worth telling, because time alone can change that.
//! - `added` are attempts from number `first` on, and `changed` are earlier ones, with their number.
//!   `causes` says why attempts failed, by number. Attempts may come in pieces; the rest of a message is ahead
//!   of them then.
//! - **`first: 0` means that the job begins anew**: a reader drops what it has of that job, because such a
//!   message has all stages. The first message for a new [`Cursor`] is one.
//!
//! Times are whole microseconds on the session's clock, and figures of a stage's tasks are in seconds.
//! Zeros at the end of a row are left out.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::figures::duration;
use crate::fold::{Attempt, AttemptState, Job, JobWorker, Stage, Workers};
use crate::summary;

/// How much of a job a reader has been sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Attempts sent, from the first on.
    attempts: usize,
    /// Updates of attempts sent.
    updated: usize,
    /// The job's version when it was last sent.
    version: u64,
    /// The version of its session's workers then.
    workers: u64,
    /// A hash of those of them that belong to the job.
    shown: u64,
}

/// A message for a reader, and whether there is more for it already.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes {
    /// The message.
    pub message: Value,
    /// Whether `most` attempts were too few for all that changed.
    pub more: bool,
}

const SPECULATIVE: u64 = 1;
const RETRIED: u64 = 2;
const COUNTS: u64 = 4;
const HAS_METRICS: u64 = 8;

/// What a reader at `cursor` has not been sent of a job, with at most `most` attempts, and moves the
/// cursor on. `now` is the session's clock. `None` if nothing has changed.
pub fn since(
    job: &Job,
    workers: &Workers,
    now: Duration,
    cursor: &mut Cursor,
    most: usize,
) -> Option<Changes> {
    let attempts = job.attempts();
    let same_job = cursor.version == job.version && cursor.attempts == attempts.len();
    if same_job && cursor.workers == workers.version {
        return None;
    }
    let shown = job.workers(workers);
    let shown_hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(&shown);
    if same_job && cursor.shown == shown_hash {
        cursor.workers = workers.version;
        return None;
    }
    let first = cursor.attempts.min(attempts.len());
    let end = attempts.len().min(first.saturating_add(most));
    let added: Vec<Value> = attempts[first..end].iter().map(|attempt| row(None, attempt)).collect();
    let mut updated: Vec<usize> = job.updated.get(cursor.updated..).unwrap_or_default().to_vec();
    updated.retain(|index| *index < first);
    updated.sort_unstable();
    updated.dedup();
    let changed: Vec<Value> = updated.iter().map(|index| row(Some(*index), &attempts[*index])).collect();
    let causes: Map<String, Value> = (first..end)
        .chain(updated.iter().copied())
        .filter_map(|index| Some((index.to_string(), attempts[index].cause.clone()?.into())))
        .collect();
    let known = if first == 0 { 0 } else { cursor.version };
    let stages: Vec<Value> = job
        .stages()
        .iter()
        .enumerate()
        .filter(|(_, stage)| stage.version > known)
        .map(|(order, stage)| stage_json(order, stage))
        .collect();
    let more = end < attempts.len();
    *cursor = Cursor {
        attempts: end,
        updated: job.updated.len(),
        version: job.version,
        workers: workers.version,
        shown: shown_hash,
    };
    let wall = job.wall();
    let skewed: Vec<usize> =
        (0..job.stages().len()).filter(|order| job.stages()[*order].notable_skew(wall).is_some()).collect();
    let message = json!({
        "job": job.job,
        "action": job.action,
        "slots": job.slots,
        "submitted": micros(job.submitted),
        "last": micros(job.last),
        "now": micros(now),
        "state": job.state.name(),
        "error": job.error,
        "opening": summary::opening(job.state),
        "took": job.has_ended().then(|| duration(wall)),
        "summary": summary::after_time(job, &shown),
        "left_out": job.left_out,
        "workers": shown.iter().map(worker_json).collect::<Vec<_>>(),
        "stages": stages,
        "skewed": skewed,
        "first": first,
        "added": added,
        "changed": changed,
        "causes": causes,
    });
    Some(Changes { message, more })
}

fn worker_json(worker: &JobWorker) -> Value {
    let lost = worker.lost.as_ref().map(|(at, cause)| json!({"at": micros(*at), "cause": cause}));
    json!({"worker": worker.worker, "name": worker.name, "slots": worker.slots, "lost": lost})
}

fn stage_json(order: usize, stage: &Stage) -> Value {
    let skew = stage.time_skew().map(|skew| {
        json!({
            "tasks": stage.finished_tasks().len(),
            "min": stage.finished_tasks().map(|(_, task)| task.run.as_secs_f64()).fold(f64::INFINITY, f64::min),
            "median": skew.median,
            "max": skew.max,
            // JSON has no infinity.
            "ratio": skew.ratio.is_finite().then_some(skew.ratio),
            "worst": skew.worst,
        })
    });
    let totals = &stage.totals;
    json!({
        "stage": stage.stage,
        "order": order,
        "name": stage.name,
        "tasks": stage.tasks,
        "done": stage.done(),
        "submitted": micros(stage.submitted),
        "ended": stage.ended.map(micros),
        "finished": stage.finished,
        "wall": stage.wall().as_secs_f64(),
        "failed": stage.failed,
        "copies": stage.copies,
        "resubmitted": stage.resubmitted,
        "resubmissions":
            stage.resubmissions.iter().map(|again| json!({"tasks": again.tasks, "cause": again.cause})).collect::<Vec<_>>(),
        "skew": skew,
        "figures": summary::stage(stage),
        "totals": {
            "fetch": micros(totals.fetch),
            "write": micros(totals.write),
            "rows_out": totals.rows_out,
            "bytes_read": totals.bytes_read,
            "shuffle_out": totals.shuffle_out,
            "spilled": totals.spilled,
            "cache_hits": totals.cache_hits,
        },
    })
}

/// An attempt as numbers: stage, partition, attempt, worker, slot, start, time taken, state, flags, and
/// for one that is done its metrics. `index` comes first where the reader cannot know it.
fn row(index: Option<usize>, attempt: &Attempt) -> Value {
    let state = match attempt.state {
        AttemptState::Running => 0,
        AttemptState::Done => 1,
        AttemptState::Failed => 2,
        AttemptState::Beaten => 3,
        AttemptState::Cut => 4,
        AttemptState::Unknown => 5,
    };
    let flags = [
        (attempt.speculative, SPECULATIVE),
        (attempt.retried, RETRIED),
        (attempt.counts, COUNTS),
        (attempt.metrics.is_some(), HAS_METRICS),
    ];
    let flags = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum::<u64>();
    let mut numbers: Vec<u64> = index.map(|index| index as u64).into_iter().collect();
    numbers.extend([
        attempt.stage.0 as u64,
        attempt.partition.0 as u64,
        attempt.attempt as u64,
        attempt.worker.0,
        attempt.slot as u64,
        micros(attempt.started),
        attempt.ended.map_or(0, |ended| micros(ended.saturating_sub(attempt.started))),
        state,
        flags,
    ]);
    if let Some(m) = &attempt.metrics {
        numbers.extend([m.run, m.cpu, m.queue, m.fetch, m.write].map(micros));
        numbers.extend([m.rows_in, m.rows_out, m.bytes_read, m.row_groups_skipped]);
        numbers.extend([m.shuffle_in, m.shuffle_out, m.spilled, m.cache_hits]);
    }
    let end = numbers.iter().rposition(|number| *number != 0).map_or(0, |last| last + 1);
    numbers.truncate(end);
    numbers.into()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::{Limits, Session};
    use crate::{Event, JobId, PartitionId, StageId, TaskMetrics, WorkerId};

    const JOB: JobId = JobId(3);
    const STAGE: StageId = StageId(0);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn session(tasks: usize) -> Session {
        let mut session = Session::new(Limits::default());
        session.apply(&Event::JobSubmitted { job: JOB, action: "count".into(), slots: 2, at: ms(0) });
        let name = "scan".to_owned();
        session.apply(&Event::StageSubmitted { job: JOB, stage: STAGE, name, tasks, at: ms(0) });
        session
    }

    fn start(session: &mut Session, partition: usize, at: u64) {
        let (partition, worker, at) = (PartitionId(partition), WorkerId(0), ms(at));
        let (job, stage, attempt, slot) = (JOB, STAGE, 0, partition.0 % 2);
        session.apply(&Event::TaskStarted { job, stage, partition, attempt, worker, slot, at });
    }

    fn finish(session: &mut Session, partition: usize, at: u64) {
        let (partition, worker, at) = (PartitionId(partition), WorkerId(0), ms(at));
        let metrics = TaskMetrics {
            slot: partition.0 % 2,
            run: ms(4),
            cpu: ms(3),
            queue: ms(1),
            rows_in: 20,
            rows_out: 10,
            ..TaskMetrics::default()
        };
        let (job, stage, attempt) = (JOB, STAGE, 0);
        session.apply(&Event::TaskFinished { job, stage, partition, attempt, worker, metrics, at });
    }

    fn read(session: &Session, cursor: &mut Cursor) -> Option<Value> {
        let job = session.job(JOB)?;
        since(job, session.workers(), job.last, cursor, usize::MAX).map(|changes| changes.message)
    }

    #[test]
    fn only_what_changed_is_sent_again() {
        let (mut session, mut cursor) = (session(2), Cursor::default());
        start(&mut session, 0, 5);
        let message = read(&session, &mut cursor).unwrap();
        assert_eq!(message["added"], json!([[0, 0, 0, 0, 0, 5000]]));
        assert_eq!((&message["first"], &message["stages"][0]["done"]), (&json!(0), &json!(0)));
        assert_eq!(read(&session, &mut cursor), None);

        finish(&mut session, 0, 9);
        start(&mut session, 1, 9);
        let message = read(&session, &mut cursor).unwrap();
        assert_eq!(message["first"], 1);
        assert_eq!(message["added"], json!([[0, 1, 0, 0, 1, 9000]]));
        let done = json!([0, 0, 0, 0, 0, 0, 5000, 4000, 1, 12, 4000, 3000, 1000, 0, 0, 20, 10]);
        assert_eq!(message["changed"], json!([&done.as_array().unwrap()[..]]));
        assert_eq!(message["stages"][0]["done"], 1);
        assert_eq!(message["took"], Value::Null);

        session.apply(&Event::JobFinished { job: JOB, error: None, cancelled: false, at: ms(20) });
        let message = read(&session, &mut cursor).unwrap();
        assert_eq!((&message["stages"], &message["added"]), (&json!([]), &json!([])));
        assert_eq!((&message["opening"], &message["took"]), (&json!("Done in"), &json!("20.0 ms")));
    }

    #[test]
    fn a_job_without_attempts_is_sent_whole_each_time() {
        let (mut session, mut cursor) = (session(2), Cursor::default());
        read(&session, &mut cursor).unwrap();
        let name = "aggregate".to_owned();
        session.apply(&Event::StageSubmitted { job: JOB, stage: StageId(1), name, tasks: 1, at: ms(1) });
        let message = read(&session, &mut cursor).unwrap();
        assert_eq!((&message["first"], message["stages"].as_array().unwrap().len()), (&json!(0), 2));
    }

    #[test]
    fn a_worker_that_comes_or_goes_is_a_change() {
        let (mut session, mut cursor) = (session(1), Cursor::default());
        read(&session, &mut cursor).unwrap();
        let (worker, name) = (WorkerId(1), "worker-1".to_owned());
        session.apply(&Event::WorkerJoined { worker, name, slots: 4, at: ms(0) });
        let joined = read(&session, &mut cursor).unwrap();
        assert_eq!(joined["workers"], json!([{"worker": 1, "name": "worker-1", "slots": 4, "lost": null}]));
        session.apply(&Event::JobFinished { job: JOB, error: None, cancelled: false, at: ms(20) });
        read(&session, &mut cursor).unwrap();
        session.apply(&Event::WorkerLost { worker, cause: "no heartbeat".into(), at: ms(30) });
        assert_eq!(read(&session, &mut cursor), None, "after the job");
    }

    #[test]
    fn ten_thousand_tasks_take_less_than_a_megabyte() {
        let mut session = session(10_000);
        for partition in 0..10_000 {
            start(&mut session, partition, 1);
            finish(&mut session, partition, 100 + partition as u64);
        }
        let bytes = read(&session, &mut Cursor::default()).unwrap().to_string().len();
        println!("10,000 tasks: {bytes} bytes");
        assert!(bytes < 1_000_000, "{bytes}");
    }
}
