//! The trait of what runs tasks. The scheduler hands tasks to an [`Engine`] and hears of their ends;
//! engines never call upwards.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;
use partita_events::Event;

use crate::cache::CachedDatasets;
use crate::shuffle::ShuffleId;
use crate::task::{Task, TaskEvent};

/// One process that has slots, at one moment.
#[derive(Clone)]
pub struct Worker {
    /// Its number, never used twice; 0 is this process.
    pub id: u64,
    /// What people call it.
    pub name: String,
    /// Tasks it runs side by side.
    pub slots: usize,
    /// Slots that run a task now.
    pub busy: usize,
    /// Cached partitions of all datasets, in memory.
    pub cached_in_memory: usize,
    /// And on disk.
    pub cached_on_disk: usize,
    /// Bytes that those in memory hold.
    pub cache_bytes: usize,
    /// And may hold at most.
    pub cache_limit: usize,
}

/// How a session uses a pool's workers; what is `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Between how many workers, by what is queued; and when one without work is given back.
    pub allocation: Option<(RangeInclusive<usize>, Duration)>,
    /// How long a task waits for a worker that has some of its input.
    pub locality_wait: Option<Duration>,
}

/// Something with slots that runs tasks.
pub trait Engine: CachedDatasets {
    /// How many tasks run side by side now, one core each.
    fn slots(&self) -> usize;

    /// How often a task may be tried: it has failed when so many attempts of it have.
    fn max_attempts(&self) -> usize;

    /// Queues tasks. `events` hears when each starts and how it ends, exactly once; if nobody listens
    /// any more, a task is dropped before it starts.
    ///
    /// # Errors
    /// When they cannot be queued: where they run cannot be reached, or something in a task cannot
    /// travel there. None of them runs then.
    fn submit(&self, tasks: Vec<Task>, events: Sender<TaskEvent>) -> Result<(), String>;

    /// Gives up the tasks of a job, or one attempt of one (stage, partition, attempt): dropped if queued,
    /// stopped if that can be. Nobody waits for their ends.
    fn cancel(&self, job: usize, only: Option<(usize, usize, usize)>);

    /// Makes room for a shuffle's blocks, before its map tasks are queued. `events` hears when blocks are
    /// lost, until the shuffle is removed.
    fn open_shuffle(&self, shuffle: ShuffleId, events: Sender<TaskEvent>);

    /// Forgets a shuffle's blocks.
    fn remove_shuffle(&self, shuffle: ShuffleId);

    /// The processes that have the slots, with what they do and keep now.
    fn workers(&self) -> Vec<Worker>;

    /// Where files lie that tasks write and read under the same paths as this process, the best
    /// directory first; `None` is everywhere, because tasks run in this process.
    fn file_directories(&self) -> Option<Vec<PathBuf>> {
        None
    }

    /// The session's event stream: where an engine says that workers come and go, and what it may pass on.
    fn attach(&self, _events: Arc<dyn EventStream>) {}

    /// Where tasks run, for people.
    fn describe(&self) -> String;

    /// Changes how workers are used.
    ///
    /// # Errors
    /// When there are none to choose from, or they cannot be reached.
    fn set(&self, settings: Settings) -> Result<(), String>;
}

/// A session's stream of events, as its engine knows it.
pub trait EventStream: Send + Sync {
    /// Time since the session started, the clock of all events.
    fn now(&self) -> Duration;

    /// Takes one event.
    fn emit(&self, event: Event);

    /// Calls `listener` with every event from now on, on the thread that emits it: it must be quick.
    fn listen(&self, listener: Box<dyn Fn(&Event) + Send + Sync>);
}
