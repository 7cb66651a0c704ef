use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{JobId, PartitionId, StageId, WorkerId};
use crate::metrics::TaskMetrics;
use crate::seconds;

/// Something that happened, in the order it happened. Times count from the session's start; they
/// travel as seconds, so that JSON made of events is plain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// An action was called.
    JobSubmitted {
        /// Job number in the session, from 0.
        job: JobId,
        /// The action, such as `collect`.
        action: String,
        /// Slots the engine has.
        slots: usize,
        /// When.
        #[serde(with = "seconds")]
        at: Duration,
    },
    /// All a stage's inputs are there, its tasks are queued.
    StageSubmitted {
        /// Job number.
        job: JobId,
        /// Stage number in the job, from 0.
        stage: StageId,
        /// What it does, such as `group_by: partial`.
        name: String,
        /// How many tasks, one a partition.
        tasks: usize,
        /// When.
        #[serde(with = "seconds")]
        at: Duration,
    },
    /// Tasks of a stage are queued again, because what they left for later stages is lost.
    StageResubmitted {
        /// Job number.
        job: JobId,
        /// Stage number.
        stage: StageId,
        /// How many of its tasks.
        tasks: usize,
        /// How their output was lost.
        cause: String,
        /// When.
        #[serde(with = "seconds")]
        at: Duration,
    },
    /// An attempt at a task got a slot.
    TaskStarted {
        /// Job number.
        job: JobId,
        /// Stage number.
        stage: StageId,
        /// Partition number in the stage.
        partition: PartitionId,
        /// Which attempt at this task, from 0.
        attempt: usize,
        /// The worker that runs it; 0 is this process.
        worker: WorkerId,
        /// The slot of that worker.
        slot: usize,
        /// When.
        #[serde(with = "seconds")]
        at: Duration,
    },
    /// A task finished and its output is in place.
    TaskFinished {
        /// Job number.
        job: JobId,
        /// Stage number.
        stage: StageId,
        /// Partition number in the stage.
        partition: PartitionId,
        /// Which attempt at this task, from 0.
        attempt: usize,
        /// The worker that ran it; 0 is this process.
        worker: WorkerId,
        /// What it did.
        metrics: TaskMetrics,
        /// When.
        #[serde(with = "seconds")]
        at: Duration,
    },
    /// An attempt at a task failed, or ended with its worker, or came second.
    TaskFailed {
        /// Job number.
        job: JobId,
        /// Stage number.
        stage: StageId,
        /// Partition number in the stage.
        partition: PartitionId,
        /// Which attempt at this task, from 0.
        attempt: usize,
        /// The worker that ran it; 0 is this process.
        worker: WorkerId,
        /// The error's or panic's message.
        cause: String,
        /// Whether the job goes on: the task is run again, or another attempt at it is there.
        retried: bool,
        /// When.
        #[serde(with = "seconds")]
        at: Duration,
    },
    /// Every task of a stage finished.
    StageFinished {
        /// Job number.
        job: JobId,
        /// Stage number.
        stage: StageId,
        /// When.
        #[serde(with = "seconds")]
        at: Duration,
    },
    /// The job ended; `error` is `None` when it succeeded.
    JobFinished {
        /// Job number.
        job: JobId,
        /// Why it failed, if it did.
        error: Option<String>,
        /// Whether it failed because a person interrupted it.
        cancelled: bool,
        /// When.
        #[serde(with = "seconds")]
        at: Duration,
    },
    /// A worker came, and its slots with it.
    WorkerJoined {
        /// Its number, never used twice.
        worker: WorkerId,
        /// Its name, for people.
        name: String,
        /// Its slots.
        slots: usize,
        /// When.
        #[serde(with = "seconds")]
        at: Duration,
    },
    /// A worker is gone, with the tasks it ran and what it kept.
    WorkerLost {
        /// Its number.
        worker: WorkerId,
        /// How it is known.
        cause: String,
        /// When.
        #[serde(with = "seconds")]
        at: Duration,
    },
}

impl Event {
    /// The job the event belongs to; `None` for those of workers.
    pub fn job(&self) -> Option<JobId> {
        match self {
            Self::JobSubmitted { job, .. }
            | Self::StageSubmitted { job, .. }
            | Self::StageResubmitted { job, .. }
            | Self::TaskStarted { job, .. }
            | Self::TaskFinished { job, .. }
            | Self::TaskFailed { job, .. }
            | Self::StageFinished { job, .. }
            | Self::JobFinished { job, .. } => Some(*job),
            Self::WorkerJoined { .. } | Self::WorkerLost { .. } => None,
        }
    }

    /// When it happened, from the session's start.
    pub fn at(&self) -> Duration {
        let (Self::JobSubmitted { at, .. }
        | Self::StageSubmitted { at, .. }
        | Self::StageResubmitted { at, .. }
        | Self::TaskStarted { at, .. }
        | Self::TaskFinished { at, .. }
        | Self::TaskFailed { at, .. }
        | Self::StageFinished { at, .. }
        | Self::JobFinished { at, .. }
        | Self::WorkerJoined { at, .. }
        | Self::WorkerLost { at, .. }) = self;
        *at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_to_the_nanosecond_and_those_that_are_none_are_refused() {
        for nanos in [0, 1, 999_999_999, 86_400_000_000_001, 604_800_123_456_789] {
            let metrics = TaskMetrics { run: Duration::from_nanos(nanos), ..TaskMetrics::default() };
            let bytes = postcard::to_stdvec(&metrics).unwrap();
            assert_eq!(postcard::from_bytes::<TaskMetrics>(&bytes).unwrap(), metrics);
        }
        for bad in [-1.0, f64::NAN, f64::INFINITY, 1e300] {
            let stage_finished = postcard::to_stdvec(&(6u32, 0usize, 0usize, bad)).unwrap();
            assert!(postcard::from_bytes::<Event>(&stage_finished).is_err(), "{bad} is no time");
        }
        let good = postcard::to_stdvec(&(6u32, 0usize, 0usize, 2.5)).unwrap();
        let at = Duration::from_millis(2500);
        assert_eq!(
            postcard::from_bytes::<Event>(&good).unwrap(),
            Event::StageFinished { job: JobId(0), stage: StageId(0), at }
        );
    }
}
