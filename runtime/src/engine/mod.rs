//! What runs tasks. The scheduler hands tasks to an [`Engine`] and hears of their ends; engines never
//! call upwards. [`task`] says what a task is (its input, its output) and `execute` runs one on the
//! calling thread, with `stores` to reach other tasks' rows; `slots` are the threads that do so: all of
//! that is the same for every engine and for workers. [`embedded`] is threads in this process, [`pool`]
//! the workers of a master, to which tasks travel as the bytes that [`codec`] makes of them.

pub(crate) mod codec;
pub(crate) mod embedded;
mod execute;
mod one_core;
pub(crate) mod pool;
pub(crate) mod slots;
pub(crate) mod stores;
pub(crate) use execute::{execute, panic_text, stack};
pub(crate) mod task;

use std::cell::Cell;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;

use crate::cache::CacheId;
use crate::events::EventBus;
use crate::shuffle::ShuffleId;
use task::{Task, TaskEvent};

thread_local! {
    static INSIDE_TASK: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is a slot: an action here would wait for the slot it runs on.
pub(crate) fn inside_task() -> bool {
    INSIDE_TASK.get()
}

/// One dataset's room in an engine's cache; freed when the last plan or task that needs it is dropped.
pub(crate) struct CacheLease {
    id: CacheId,
    /// `None` where a task arrived: its session frees the room.
    engine: Option<Arc<dyn Engine>>,
}

impl CacheLease {
    pub fn new(id: CacheId, engine: Arc<dyn Engine>) -> Self {
        Self { id, engine: Some(engine) }
    }

    /// Only the number, in a task that came from another process.
    pub fn detached(id: CacheId) -> Self {
        Self { id, engine: None }
    }

    pub fn id(&self) -> CacheId {
        self.id
    }

    /// Bytes in memory of the dataset, if all its partitions are kept there.
    pub fn bytes(&self, partitions: usize) -> Option<usize> {
        let engine = self.engine.as_ref()?;
        if engine.cached_partitions(self.id) == (partitions, 0) { engine.cached_bytes(self.id) } else { None }
    }
}

impl Drop for CacheLease {
    fn drop(&mut self) {
        if let Some(engine) = &self.engine {
            engine.remove_cache(self.id);
        }
    }
}

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
pub(crate) struct Settings {
    /// Between how many workers, by what is queued; and when one without work is given back.
    pub allocation: Option<(RangeInclusive<usize>, Duration)>,
    /// How long a task waits for a worker that has some of its input.
    pub locality_wait: Option<Duration>,
}

/// Something with slots that runs tasks.
pub(crate) trait Engine: Send + Sync {
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

    /// Forgets a dataset's cached partitions.
    fn remove_cache(&self, cache: CacheId);

    /// Partitions of a dataset that are cached: in memory, on disk.
    fn cached_partitions(&self, cache: CacheId) -> (usize, usize);

    /// Bytes of memory of a dataset's cached partitions, where the engine knows.
    fn cached_bytes(&self, _cache: CacheId) -> Option<usize> {
        None
    }

    /// The processes that have the slots, with what they do and keep now.
    fn workers(&self) -> Vec<Worker>;

    /// Where files lie that tasks write and read under the same paths as this process, the best
    /// directory first; `None` is everywhere, because tasks run in this process.
    fn file_directories(&self) -> Option<Vec<PathBuf>> {
        None
    }

    /// The session's event stream: where an engine says that workers come and go, and what it may pass on.
    fn attach(&self, _events: Arc<EventBus>) {}

    /// Where tasks run, for people.
    fn describe(&self) -> String;

    /// Changes how workers are used.
    ///
    /// # Errors
    /// When there are none to choose from, or they cannot be reached.
    fn set(&self, settings: Settings) -> Result<(), String>;
}
