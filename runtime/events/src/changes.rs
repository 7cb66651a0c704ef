//! What changed in a job since a reader last looked, as JSON for a page. A page draws these rows; it
//! computes no figure from them. `assets/wire.js` reads them.
//!
//! Times are whole microseconds on the session's clock. Zeros at the end of a row are left out.

use std::time::Duration;

use serde_json::{Map, Value, json};

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
    if cursor.version == job.version && cursor.attempts == job.attempts().len() {
        return None;
    }
    let attempts = job.attempts();
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
    let known = cursor.version;
    let stages: Vec<Value> = job
        .stages()
        .iter()
        .enumerate()
        .filter(|(_, stage)| stage.version > known)
        .map(|(order, stage)| stage_json(job, order, stage))
        .collect();
    let more = end < attempts.len();
    *cursor = Cursor { attempts: end, updated: job.updated.len(), version: job.version };
    let shown = job.workers(workers);
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
        "summary": summary::after_time(job, &shown),
        "left_out": job.left_out,
        "workers": shown.iter().map(worker_json).collect::<Vec<_>>(),
        "stages": stages,
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

fn stage_json(job: &Job, order: usize, stage: &Stage) -> Value {
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
        "failed": stage.failed,
        "copies": stage.copies,
        "resubmitted": stage.resubmitted,
        "resubmissions":
            stage.resubmissions.iter().map(|again| json!({"tasks": again.tasks, "cause": again.cause})).collect::<Vec<_>>(),
        "skew": skew,
        "skewed": stage.notable_skew(job.wall()).is_some(),
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
        AttemptState::Unheard => 5,
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
