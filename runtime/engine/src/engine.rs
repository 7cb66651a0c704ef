//! The trait for what runs tasks. The scheduler submits tasks to an [`Engine`] and is notified when they
//! end. Engines never call upwards.

use std::error::Error as StdError;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;
use partita_events::{Event, JobId, PartitionId, StageId, WorkerId};
use thiserror::Error;

use crate::cache::CachedDatasets;
use crate::codec::CodecError;
use crate::shuffle::ShuffleId;
use crate::task::{Task, TaskEvent};

/// The state of a process with slots at one moment.
#[derive(Clone)]
pub struct Worker {
    /// Its number, never reused; 0 is this process.
    pub id: WorkerId,
    /// Its name.
    pub name: String,
    /// How many tasks it runs at once.
    pub slots: usize,
    /// How many slots are running a task.
    pub busy: usize,
    /// The number of cached partitions in memory, of all datasets.
    pub cached_in_memory: usize,
    /// The number on disk.
    pub cached_on_disk: usize,
    /// The bytes that they use.
    pub cache_bytes: usize,
    /// The bytes that they may use.
    pub cache_limit: usize,
}

/// How a session uses a pool's workers. A field that is `None` keeps its value.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The minimum and maximum number of workers, chosen by what is queued, and how long a worker is kept
    /// without work.
    pub allocation: Option<(RangeInclusive<usize>, Duration)>,
    /// How long a task waits for a worker that has some of its input.
    pub locality_wait: Option<Duration>,
}

/// Runs tasks in slots.
pub trait Engine: CachedDatasets {
    /// How many tasks run at the same time now, one core each.
    fn slots(&self) -> usize;

    /// How many attempts of a task may fail before the task has failed.
    fn max_attempts(&self) -> usize;

    /// Queues tasks. `events` is notified when each task starts and when it ends, exactly once. If the
    /// receiver is gone, a task that has not started is dropped.
    ///
    /// # Errors
    /// When the tasks cannot be queued: the workers cannot be reached, or something in a task cannot be
    /// sent to them. None of the tasks then runs.
    fn submit(&self, tasks: Vec<Task>, events: Sender<TaskEvent>) -> Result<(), EngineError>;

    /// Cancels the tasks of a job, or one attempt (stage, partition, attempt). Queued ones are dropped;
    /// running ones are stopped if possible. Their ends need not be reported.
    fn cancel(&self, job: JobId, only: Option<(StageId, PartitionId, usize)>);

    /// Opens a shuffle, before its map tasks are queued. `events` is notified when blocks are lost, until
    /// the shuffle is removed.
    fn open_shuffle(&self, shuffle: ShuffleId, events: Sender<TaskEvent>);

    /// Drops a shuffle's blocks.
    fn remove_shuffle(&self, shuffle: ShuffleId);

    /// The processes that provide the slots, with their current load and caches.
    fn workers(&self) -> Vec<Worker>;

    /// The directories that tasks can write and read under the same paths as this process, best first.
    /// `None` means everywhere, because tasks run in this process.
    fn file_directories(&self) -> Option<Vec<PathBuf>> {
        None
    }

    /// Connects the session's event stream: the engine emits when workers join or leave, and may forward
    /// the events.
    fn attach(&self, _events: Arc<dyn EventStream>) {}

    /// Where tasks run, for people.
    fn describe(&self) -> String;

    /// Changes how workers are used.
    ///
    /// # Errors
    /// When there are no workers to choose from, or they cannot be reached.
    fn set(&self, settings: Settings) -> Result<(), EngineError>;
}

/// Why an engine did not accept tasks or settings.
#[derive(Debug, Error)]
pub enum EngineError {
    /// A task cannot be sent to where it would run. Its plan must change.
    #[error(transparent)]
    CannotTravel(#[from] CodecError),
    /// A task is larger than what can be sent.
    #[error(
        "partition {partition}: its task takes {} MiB, more than the {} MiB that can be sent in one \
         piece; write large literals to a file or make them a dataset of their own",
        bytes >> 20, most >> 20
    )]
    TaskTooLarge {
        /// The task's partition.
        partition: PartitionId,
        /// The bytes of the task.
        bytes: usize,
        /// The maximum bytes of a task.
        most: usize,
    },
    /// There is no connection to where tasks run; the cause is the engine's own error.
    #[error(transparent)]
    Unreachable(Arc<dyn StdError + Send + Sync>),
    /// The connection was lost, and with it the job's tasks. The action can be run again.
    #[error("{0}")]
    ConnectionLost(String),
    /// The engine has no such settings.
    #[error("{0}")]
    NoSettings(&'static str),
}

/// A session's stream of events, as its engine sees it.
pub trait EventStream: Send + Sync {
    /// Time since the session started, the clock of all events.
    fn now(&self) -> Duration;

    /// Emits an event.
    fn emit(&self, event: Event);

    /// Calls `listener` with every later event, on the thread that emits it. It must be quick.
    fn listen(&self, listener: Box<dyn Fn(&Event) + Send + Sync>);
}
