//! Counters of what happened in all sessions' jobs since the master started. They add up what the fold
//! counts, also of jobs and sessions that are no longer kept, so a metric and a page cannot differ.

use partita_events::fold::{JobState, Session, Stage};
use partita_events::{Event, JobId, StageId};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// Counts what the fold reports for each event.
#[derive(Debug)]
pub(crate) struct JobMeter {
    jobs: Family<OutcomeLabels, Counter>,
    attempts: Family<OutcomeLabels, Counter>,
    run: Histogram,
    queue: Histogram,
    read: Counter,
    shuffled: Counter,
    spilled: Counter,
    cache_hits: Counter,
    resubmitted: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

/// What the fold counts of the job and the stage that an event is about, before or after it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    /// How the job ended, if it is known and has.
    ended: Option<JobState>,
    /// Attempts of the stage that failed and that were not needed, if the stage is known.
    attempts: Option<(usize, usize)>,
}

impl Tally {
    pub fn of(session: &Session, event: &Event) -> Self {
        let Some(job) = event.job().and_then(|job: JobId| session.job(job)) else { return Self::default() };
        let attempts =
            stage_of(event).and_then(|stage| job.stage(stage)).map(|s: &Stage| (s.failed, s.beaten));
        Self { ended: job.has_ended().then_some(job.state), attempts }
    }
}

fn stage_of(event: &Event) -> Option<StageId> {
    match event {
        Event::StageResubmitted { stage, .. }
        | Event::TaskFinished { stage, .. }
        | Event::TaskFailed { stage, .. } => Some(*stage),
        _ => None,
    }
}

impl Default for JobMeter {
    fn default() -> Self {
        let times = || Histogram::new(exponential_buckets(0.001, 4.0, 10));
        Self {
            jobs: Family::default(),
            attempts: Family::default(),
            run: times(),
            queue: times(),
            read: Counter::default(),
            shuffled: Counter::default(),
            spilled: Counter::default(),
            cache_hits: Counter::default(),
            resubmitted: Counter::default(),
        }
    }
}

impl JobMeter {
    /// Counts an event that the fold took, by the fold's counts before and after it.
    pub(super) fn count(&self, event: &Event, before: Tally, after: Tally) {
        if let (None, Some(state)) = (before.ended, after.ended) {
            self.job_ended(state);
        }
        // Events of stages that were never submitted are neither counted nor shown.
        let (Some(before), Some(after)) = (before.attempts, after.attempts) else { return };
        match event {
            Event::TaskFinished { metrics, .. } => {
                self.attempts_ended("succeeded", 1);
                self.run.observe(metrics.run.as_secs_f64());
                self.queue.observe(metrics.queue.as_secs_f64());
                self.read.inc_by(metrics.bytes_read);
                self.shuffled.inc_by(metrics.shuffle_out);
                self.spilled.inc_by(metrics.spilled);
                self.cache_hits.inc_by(metrics.cache_hits);
            }
            Event::TaskFailed { .. } => {
                self.attempts_ended("failed", after.0 - before.0);
                self.attempts_ended("killed", after.1 - before.1);
            }
            Event::StageResubmitted { .. } => {
                self.resubmitted.inc();
            }
            _ => {}
        }
    }

    /// Counts a job that ended in this way.
    pub(super) fn job_ended(&self, state: JobState) {
        let outcome = match state {
            JobState::Running => return,
            JobState::Done => "succeeded",
            JobState::Failed => "failed",
            JobState::Cancelled => "cancelled",
            JobState::Interrupted => "interrupted",
        };
        self.jobs.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    fn attempts_ended(&self, outcome: &'static str, number: usize) {
        if number > 0 {
            self.attempts.get_or_create(&OutcomeLabels { outcome }).inc_by(number as u64);
        }
    }

    pub fn register(&self, registry: &mut Registry) {
        registry.register("jobs", "Jobs that ended", self.jobs.clone());
        let attempts = "Attempts at tasks that ended; killed are those that another attempt beat";
        registry.register("task_attempts", attempts, self.attempts.clone());
        let run = "Time that successful attempts took on their slots";
        registry.register_with_unit("task_run", run, Unit::Seconds, self.run.clone());
        let queue = "Time that successful attempts waited for a slot";
        registry.register_with_unit("task_queue", queue, Unit::Seconds, self.queue.clone());
        let read = "Bytes that successful attempts read from files";
        registry.register_with_unit("read", read, Unit::Bytes, self.read.clone());
        let shuffled = "Bytes of shuffle blocks that successful attempts wrote";
        registry.register_with_unit("shuffle", shuffled, Unit::Bytes, self.shuffled.clone());
        let spilled = "Bytes that successful attempts spilled to disk because memory was short";
        registry.register_with_unit("spilled", spilled, Unit::Bytes, self.spilled.clone());
        let hits = "Partitions that successful attempts took from the cache";
        registry.register("cache_hits", hits, self.cache_hits.clone());
        let resubmitted = "Stages resubmitted because some of their output was lost";
        registry.register("stages_resubmitted", resubmitted, self.resubmitted.clone());
    }
}
