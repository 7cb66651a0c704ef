//! A job: what is kept of it, and the questions that views ask. `apply` folds its events into it.

mod apply;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::{Attempt, Limits, Stage};
use crate::{Event, JobId, PartitionId, Skew, StageId, TaskMetrics, WorkerId};

/// A job, as its events describe it so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Number in the session.
    pub job: JobId,
    /// The action that started it, such as `collect`.
    pub action: String,
    /// Slots the engine had when it was submitted.
    pub slots: usize,
    /// When it was submitted, on the session's clock.
    pub submitted: Duration,
    /// Its latest event.
    pub last: Duration,
    /// How it stands.
    pub state: JobState,
    /// Why it failed or was cancelled.
    pub error: Option<String>,
    /// Attempts that are counted but not kept, because there were too many.
    pub left_out: usize,
    stages: Vec<Stage>,
    /// In the order in which their events came.
    attempts: Vec<Attempt>,
    by_key: HashMap<(StageId, PartitionId, usize), usize>,
    /// The places of the attempts that are kept and running, by stage: the end of a stage looks at no
    /// others.
    open: BTreeSet<(StageId, usize)>,
    /// How many attempts at a task are running, for tasks with any.
    running: HashMap<(StageId, PartitionId), usize>,
    /// Slots that attempts ran on: one more than the highest number, by worker.
    slots_used: BTreeMap<WorkerId, usize>,
    /// Attempts that changed after they were added, in the order of the changes; for `changes`.
    pub(crate) updated: Vec<usize>,
    /// Changes with every event.
    pub(crate) version: u64,
    limits: Limits,
}

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobState {
    /// It has not ended.
    Running,
    /// It succeeded.
    Done,
    /// It failed.
    Failed,
    /// A person interrupted it.
    Cancelled,
    /// Its session ended before it did.
    Interrupted,
}

impl JobState {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }
}

impl Job {
    /// The job that an event submits; `None` for any other event.
    pub fn submitted_by(event: &Event, limits: Limits) -> Option<Self> {
        let Event::JobSubmitted { job, action, slots, at } = event else { return None };
        Some(Self {
            job: *job,
            action: action.clone(),
            slots: (*slots).min(limits.slots),
            submitted: *at,
            last: *at,
            state: JobState::Running,
            error: None,
            left_out: 0,
            stages: Vec::new(),
            attempts: Vec::new(),
            by_key: HashMap::new(),
            open: BTreeSet::new(),
            running: HashMap::new(),
            slots_used: BTreeMap::new(),
            updated: Vec::new(),
            version: 1,
            limits,
        })
    }

    /// Its stages, in the order they were submitted.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// A stage by its number.
    pub fn stage(&self, number: StageId) -> Option<&Stage> {
        self.stages.iter().rfind(|stage| stage.stage == number)
    }

    /// Its attempts, in the order in which their first events came. Empty after
    /// [`forget_attempts`](Self::forget_attempts).
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The attempts whose output counts, of one stage, by partition.
    pub fn counting<'a>(&'a self, stage: &'a Stage) -> impl Iterator<Item = &'a Attempt> {
        stage.finished_tasks().filter_map(|(_, task)| self.attempts.get(task.attempt?))
    }

    /// Whether it has ended, in whatever way.
    pub fn has_ended(&self) -> bool {
        self.state != JobState::Running
    }

    /// From its submission to its end, or to its latest event.
    pub fn wall(&self) -> Duration {
        self.last.saturating_sub(self.submitted)
    }

    /// Tasks of all stages that are done, and all that are known of.
    pub fn tasks(&self) -> (usize, usize) {
        (self.sum(Stage::done), self.sum(|stage| stage.tasks))
    }

    /// A count summed over the stages.
    pub fn sum(&self, count: impl Fn(&Stage) -> usize) -> usize {
        self.stages.iter().fold(0, |sum, stage| sum.saturating_add(count(stage)))
    }

    /// Sums over the tasks of all stages whose output is there.
    pub fn totals(&self) -> TaskMetrics {
        self.stages.iter().fold(TaskMetrics::default(), |mut sum, stage| {
            sum.add(&stage.totals);
            sum
        })
    }

    /// The share of `slots` over the job's time that its attempts took, from 0 to 1. `None` before
    /// time has passed, without slots, or when attempts are not kept.
    pub fn busy_share(&self, slots: usize) -> Option<f64> {
        let there = self.wall().as_secs_f64() * slots as f64;
        if there <= 0.0 || self.attempts.is_empty() {
            return None;
        }
        let took: Duration = self.attempts.iter().map(|attempt| attempt.took(self.last)).sum();
        Some((took.as_secs_f64() / there).min(1.0))
    }

    /// The share of `slots` over the job's time in which they had nothing to do: the rest of
    /// [`busy_share`](Self::busy_share).
    pub fn idle_share(&self, slots: usize) -> Option<f64> {
        self.busy_share(slots).map(|busy| 1.0 - busy)
    }

    /// The stage with the worst [notable skew](Stage::notable_skew): the one whose slowest task took
    /// longest beyond the median.
    pub fn worst_skew(&self) -> Option<(&Stage, Skew)> {
        let notable = self.stages.iter().filter_map(|stage| Some((stage, stage.notable_skew(self.wall())?)));
        notable.max_by(|a, b| (a.1.max - a.1.median).total_cmp(&(b.1.max - b.1.median)))
    }

    pub(super) fn slots_used(&self) -> impl Iterator<Item = (WorkerId, usize)> {
        self.slots_used.iter().map(|(worker, slots)| (*worker, *slots))
    }

    pub(super) fn number_latest_stage(&mut self, serial: usize) {
        if let Some(stage) = self.stages.last_mut() {
            stage.serial = serial;
        }
    }
}
