use std::time::Duration;

use crate::{PartitionId, StageId, TaskMetrics, WorkerId};

/// One attempt at one task.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// The stage in the job.
    pub stage: StageId,
    /// The partition in the stage.
    pub partition: PartitionId,
    /// Which attempt at this task, from 0.
    pub attempt: usize,
    /// The worker that runs it.
    pub worker: WorkerId,
    /// The slot of that worker.
    pub slot: usize,
    /// When it started, on the session's clock.
    pub started: Duration,
    /// When it ended, if it has.
    pub ended: Option<Duration>,
    /// How it stands.
    pub state: AttemptState,
    /// It started while another attempt at the same task was running.
    pub speculative: bool,
    /// It failed and the job goes on.
    pub retried: bool,
    /// Its output is the one that counts for its partition.
    pub counts: bool,
    /// What it did; known when it is done.
    pub metrics: Option<TaskMetrics>,
    /// Why it failed.
    pub cause: Option<String>,
}

/// How an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptState {
    /// A slot has it.
    Running,
    /// It finished.
    Done,
    /// It failed, or was lost with its worker.
    Failed,
    /// Another attempt finished first, so this one was not needed.
    Beaten,
    /// Its job ended before it did.
    Cut,
    /// Its stage finished, but no event said how this attempt ended.
    Unheard,
}

impl Attempt {
    /// Time on its slot: until it ended, or until `now`.
    pub fn took(&self, now: Duration) -> Duration {
        self.ended.unwrap_or(now).saturating_sub(self.started)
    }

    pub(crate) fn end(&mut self, state: AttemptState, at: Duration) {
        (self.state, self.ended) = (state, Some(at));
    }
}
