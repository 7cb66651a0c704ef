//! The embedded engine: slots are threads of this process, and a shuffle moves pointers.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crossbeam_channel::{Sender, unbounded};

use partita_engine::cache::{CacheId, CachedDatasets};
use partita_engine::execute::execute;
use partita_engine::execute::slots::{self, Busy};
use partita_engine::execute::stores::LocalStores;
use partita_engine::memory::{SpillDirectory, heap};
use partita_engine::shuffle::ShuffleId;
use partita_engine::task::{Task, TaskEvent};
use partita_engine::{Engine, EngineError, Settings, Worker};
use partita_events::{JobId, PartitionId, StageId, WorkerId};

type Queued = (Task, Sender<TaskEvent>);

/// The only worker: this process.
const WORKER: WorkerId = WorkerId::EMBEDDED;

/// Threads of this process as slots.
pub(crate) struct EmbeddedEngine {
    slots: usize,
    busy: Arc<AtomicUsize>,
    queue: Sender<Queued>,
    stores: Arc<LocalStores>,
}

impl EmbeddedEngine {
    /// Starts `slots` threads (at least one) and a cache of at most `cache_bytes` of memory.
    ///
    /// # Errors
    /// When the system provides no more threads.
    pub fn start(slots: usize, cache_bytes: usize, spill: PathBuf) -> std::io::Result<Self> {
        heap::keep_what_is_freed(false);
        let slots = slots.max(1);
        let stores = Arc::new(LocalStores::new(cache_bytes, SpillDirectory::new(spill)));
        // Bounded by the tasks of the running jobs, which exist already.
        let (queue, tasks) = unbounded();
        let shared = stores.clone();
        let busy =
            slots::start(slots, &tasks, move |slot, queued, busy| run_slot(slot, queued, busy, &shared))?;
        Ok(Self { slots, busy, queue, stores })
    }

    /// Drops the output that a map task has left for the reduce side.
    #[cfg(test)]
    pub fn lose(&self, shuffle: ShuffleId, map_partition: usize) {
        self.stores.blocks.forget(LocalStores::owner(shuffle), map_partition);
    }
}

fn run_slot(slot: usize, (task, events): Queued, busy: &Busy, stores: &LocalStores) {
    if task.cancelled.load(Ordering::Relaxed) {
        return;
    }
    let (stage, partition, attempt, worker) = (task.stage, task.partition, task.attempt, WORKER);
    if events.send(TaskEvent::Started { stage, partition, attempt, worker, slot }).is_err() {
        return;
    }
    let end = Box::new(busy.during(|| execute(&task, slot, stores)));
    let at = Instant::now();
    // Drop the task's share of its input before the scheduler may count the memory as free.
    drop(task);
    // A job that was cancelled meanwhile is not listening any more.
    let _ = events.send(TaskEvent::Ended { stage, partition, attempt, worker, at, end });
}

impl CachedDatasets for EmbeddedEngine {
    fn remove_cache(&self, cache: CacheId) {
        self.stores.cache.remove(LocalStores::SESSION, cache);
    }

    fn cached_partitions(&self, cache: CacheId) -> (usize, usize) {
        self.stores.cache.kept(LocalStores::SESSION, cache)
    }

    fn cached_bytes(&self, cache: CacheId) -> Option<usize> {
        let kept = self.stores.cache.datasets().into_iter().find(|kept| kept.cache == cache)?;
        usize::try_from(kept.memory_bytes).ok()
    }
}

impl Engine for EmbeddedEngine {
    fn slots(&self) -> usize {
        self.slots
    }

    /// One attempt: what fails here would fail again, on the same rows with the same code.
    fn max_attempts(&self) -> usize {
        1
    }

    fn submit(&self, tasks: Vec<Task>, events: Sender<TaskEvent>) -> Result<(), EngineError> {
        for task in tasks {
            // The threads end only when `self.queue` is dropped.
            let _ = self.queue.send((task, events.clone()));
        }
        Ok(())
    }

    /// The job's own flag stops what is queued. What a thread is running cannot be stopped.
    fn cancel(&self, _job: JobId, _only: Option<(StageId, PartitionId, usize)>) {}

    fn open_shuffle(&self, shuffle: ShuffleId, _events: Sender<TaskEvent>) {
        self.stores.blocks.open(LocalStores::owner(shuffle));
    }

    fn remove_shuffle(&self, shuffle: ShuffleId) {
        self.stores.blocks.remove(LocalStores::owner(shuffle));
    }

    fn workers(&self) -> Vec<Worker> {
        let (cached_in_memory, cached_on_disk) = self.stores.cache.kept_in_all();
        vec![Worker {
            id: WORKER,
            name: "this process".to_owned(),
            slots: self.slots,
            busy: self.busy.load(Ordering::Relaxed),
            cached_in_memory,
            cached_on_disk,
            cache_bytes: self.stores.accountant.held().cache,
            cache_limit: self.stores.accountant.limits().cache,
        }]
    }

    fn describe(&self) -> String {
        format!("embedded, {} slots", self.slots)
    }

    fn set(&self, _settings: Settings) -> Result<(), EngineError> {
        Err(EngineError::NoSettings(
            "this session's tasks run in its own process; use Session::connect for a session on a pool",
        ))
    }
}
