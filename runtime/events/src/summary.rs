//! What a job came to, in sentences.

use std::time::Duration;

use crate::TaskMetrics;
use crate::figures::{bytes, count, duration, percent, plural, ratio};
use crate::fold::{Job, JobState, JobWorker, Stage, slots};

/// How a sentence about a job begins; the time comes next.
pub fn opening(state: JobState) -> &'static str {
    match state {
        JobState::Running => "Running for",
        JobState::Done => "Done in",
        JobState::Failed => "Failed after",
        JobState::Cancelled => "Cancelled after",
        JobState::Interrupted => "Interrupted after",
    }
}

/// One line: `Done in 1.2 s: 8 tasks in 2 stages on 2 slots, 85 % busy; 12 MB read.`
pub fn line(job: &Job, workers: &[JobWorker]) -> String {
    format!("{} {}: {}", opening(job.state), duration(job.wall()), after_time(job, workers))
}

/// What [`line()`] says after the time, which a page writes itself while the job runs.
pub fn after_time(job: &Job, workers: &[JobWorker]) -> String {
    let mut parts = vec![whereabouts(job, workers)];
    let totals = job.totals();
    for (amount, what) in
        [(totals.bytes_read, "read"), (totals.shuffle_out, "shuffled"), (totals.spilled, "spilled to disk")]
    {
        if amount > 0 {
            parts.push(format!("{} {what}", bytes(amount)));
        }
    }
    let hits = usize::try_from(totals.cache_hits).unwrap_or(usize::MAX);
    for (number, what) in [(hits, "cache hit"), (job.sum(|stage| stage.failed), "failed attempt")] {
        if number > 0 {
            parts.push(plural(number, what));
        }
    }
    match job.sum(|stage| stage.copies) {
        0 => {}
        1 => parts.push("1 speculative copy".into()),
        copies => parts.push(format!("{} speculative copies", count(copies as u64))),
    }
    let lost = workers.iter().filter(|worker| worker.lost.is_some()).count();
    if lost > 0 {
        parts.push(format!("{} lost", plural(lost, "worker")));
    }
    if let Some((stage, skew)) = job.worst_skew() {
        let (stage, worst, ratio) = (stage.stage, skew.worst, ratio(skew.ratio));
        parts.push(format!("stage {stage} is skewed: partition {worst} took {ratio} the median"));
    }
    format!("{}.", parts.join("; "))
}

/// `3 of 8 tasks in 2 stages on 4 slots of 2 workers`; how busy these were, once the job has ended.
fn whereabouts(job: &Job, workers: &[JobWorker]) -> String {
    let (done, all) = job.tasks();
    let tasks = plural(all, "task");
    let done = count(done as u64);
    let mut text = match job.state {
        JobState::Done => tasks,
        JobState::Running => format!("{done} of {tasks}"),
        JobState::Failed | JobState::Cancelled | JobState::Interrupted => format!("{done} of {tasks} done"),
    };
    let slots = slots(workers);
    text.push_str(&format!(" in {} on {}", plural(job.stages().len(), "stage"), plural(slots, "slot")));
    if workers.iter().any(|worker| worker.name.is_some()) {
        text.push_str(&format!(" of {}", plural(workers.len(), "worker")));
    }
    if job.has_ended()
        && let Some(busy) = job.busy_share(slots)
    {
        text.push_str(&format!(", {} busy", percent(busy)));
    }
    text
}

/// What several jobs came to: `3.2 s in all, 1 running, 2 failed`.
pub fn together<'a>(jobs: impl Iterator<Item = &'a Job> + Clone) -> String {
    let total: Duration = jobs.clone().map(Job::wall).sum();
    let mut parts = vec![format!("{} in all", duration(total))];
    for state in [JobState::Running, JobState::Failed, JobState::Cancelled, JobState::Interrupted] {
        let number = jobs.clone().filter(|job| job.state == state).count();
        if number > 0 {
            parts.push(format!("{} {}", count(number as u64), state.name()));
        }
    }
    parts.join(", ")
}

/// Where the time of the finished tasks went: `Tasks took 12.3 s together: fetch 1.2 s, compute 10 s,
/// write 1.1 s; they waited 3 s.` `None` before a task has finished.
pub fn time_split(job: &Job) -> Option<String> {
    let totals = job.totals();
    if totals.run.is_zero() {
        return None;
    }
    let mut parts = Vec::new();
    if !totals.fetch.is_zero() {
        parts.push(format!("fetch {}", duration(totals.fetch)));
    }
    parts.push(format!("compute {}", duration(totals.compute())));
    if !totals.write.is_zero() {
        parts.push(format!("write {}", duration(totals.write)));
    }
    let (run, waited) = (duration(totals.run), duration(totals.queue));
    Some(format!("Tasks took {run} together: {}; they waited {waited}.", parts.join(", ")))
}

/// What is worth saying of a stage, in a few words each; how evenly its time is spread comes first.
pub fn stage(stage: &Stage) -> Vec<String> {
    let mut parts = Vec::new();
    match stage.time_skew() {
        Some(skew) if stage.finished_tasks().len() > 1 => {
            let (median, max) = (seconds_of(skew.median), seconds_of(skew.max));
            let (worst, ratio) = (skew.worst, ratio(skew.ratio));
            parts.push(format!("median {median}, max {max} (partition {worst}), {ratio}"));
        }
        Some(skew) => parts.push(seconds_of(skew.max)),
        None => {}
    }
    let TaskMetrics { fetch, write, shuffle_out, spilled, cache_hits, .. } = stage.totals;
    for (time, what) in [(fetch, "fetch"), (write, "write")] {
        if !time.is_zero() {
            parts.push(format!("{what} {}", duration(time)));
        }
    }
    for (amount, what) in [(shuffle_out, "shuffled"), (spilled, "spilled")] {
        if amount > 0 {
            parts.push(format!("{} {what}", bytes(amount)));
        }
    }
    let hits = usize::try_from(cache_hits).unwrap_or(usize::MAX);
    for (number, what) in [(hits, "cache hit"), (stage.failed, "failed attempt")] {
        if number > 0 {
            parts.push(plural(number, what));
        }
    }
    if stage.resubmitted > 0 {
        parts.push(format!("{} run again", plural(stage.resubmitted, "task")));
    }
    parts
}

fn seconds_of(value: f64) -> String {
    duration(Duration::try_from_secs_f64(value).unwrap_or_default())
}
