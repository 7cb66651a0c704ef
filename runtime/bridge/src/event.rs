use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Something that happened, in the order it happened. Times count from the session's start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// An action was called.
    JobSubmitted {
        /// Job number in the session, from 0.
        job: usize,
        /// The action, such as `collect`.
        action: String,
        /// Slots the engine has.
        slots: usize,
        /// When.
        at: Duration,
    },
    /// All a stage's inputs are there, its tasks are queued.
    StageSubmitted {
        /// Job number.
        job: usize,
        /// Stage number in the job, from 0.
        stage: usize,
        /// What it does, such as `group_by: partial`.
        name: String,
        /// How many tasks, one a partition.
        tasks: usize,
        /// When.
        at: Duration,
    },
    /// A task got a slot.
    TaskStarted {
        /// Job number.
        job: usize,
        /// Stage number.
        stage: usize,
        /// Partition number in the stage.
        partition: usize,
        /// The slot that runs it.
        slot: usize,
        /// When.
        at: Duration,
    },
    /// A task finished and its output is in place.
    TaskFinished {
        /// Job number.
        job: usize,
        /// Stage number.
        stage: usize,
        /// Partition number in the stage.
        partition: usize,
        /// What it did.
        metrics: TaskMetrics,
        /// When.
        at: Duration,
    },
    /// A task failed.
    TaskFailed {
        /// Job number.
        job: usize,
        /// Stage number.
        stage: usize,
        /// Partition number in the stage.
        partition: usize,
        /// The error's or panic's message.
        cause: String,
        /// When.
        at: Duration,
    },
    /// Every task of a stage finished.
    StageFinished {
        /// Job number.
        job: usize,
        /// Stage number.
        stage: usize,
        /// When.
        at: Duration,
    },
    /// The job ended; `error` is `None` when it succeeded.
    JobFinished {
        /// Job number.
        job: usize,
        /// Why it failed, if it did.
        error: Option<String>,
        /// Whether it failed because a person interrupted it.
        cancelled: bool,
        /// When.
        at: Duration,
    },
}

impl Event {
    /// The job the event belongs to.
    pub fn job(&self) -> usize {
        match self {
            Self::JobSubmitted { job, .. }
            | Self::StageSubmitted { job, .. }
            | Self::TaskStarted { job, .. }
            | Self::TaskFinished { job, .. }
            | Self::TaskFailed { job, .. }
            | Self::StageFinished { job, .. }
            | Self::JobFinished { job, .. } => *job,
        }
    }
}

/// What one task did. Bytes are of Arrow memory, except `bytes_read`: bytes of file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskMetrics {
    /// The slot that ran it.
    pub slot: usize,
    /// Queued until a slot was free.
    pub queue: Duration,
    /// Waited inside the task for shuffle blocks to be put together.
    pub wait: Duration,
    /// From the slot taking the task to its output being in place, `wait` included.
    pub run: Duration,
    /// Processor time of the slot's thread in `run`.
    pub cpu: Duration,
    /// Rows that came in from sources, shuffles and caches.
    pub rows_in: u64,
    /// Rows that went out.
    pub rows_out: u64,
    /// Bytes read from files, compressed as they lie there.
    pub bytes_read: u64,
    /// Row groups whose statistics ruled the filter out, so that they were not read.
    pub row_groups_skipped: u64,
    /// Bytes of shuffle blocks that came in.
    pub shuffle_in: u64,
    /// Bytes of shuffle blocks that went out.
    pub shuffle_out: u64,
    /// Partitions that came from the cache.
    pub cache_hits: u64,
}
