//! The embedded engine: a slot is a thread of this process, a shuffle moves pointers.

use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once};
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, unbounded};
use polars_async::executor::ALLOW_RAYON_THREADS;

use super::execute::{Stores, execute};
use super::task::{Task, TaskEvent};
use super::{Engine, INSIDE_TASK, Settings, Worker};
use crate::cache::{CacheId, CacheStore};
use crate::shuffle::{ShuffleId, ShuffleStore};

const SLOT_THREAD: &str = "partita-slot-";

/// The only worker there is: this process.
const WORKER: u64 = 0;

/// Threads of this process as slots.
pub(crate) struct EmbeddedEngine {
    slots: usize,
    busy: Arc<AtomicUsize>,
    queue: Sender<(Task, Sender<TaskEvent>)>,
    stores: Stores,
}

impl EmbeddedEngine {
    /// Starts `slots` threads (at least one) and a cache of at most `cache_bytes` of memory.
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub fn start(slots: usize, cache_bytes: usize) -> std::io::Result<Self> {
        quiet_slot_panics();
        let slots = slots.max(1);
        let stores = Stores {
            shuffles: Arc::new(ShuffleStore::default()),
            cache: Arc::new(CacheStore::new(cache_bytes)),
        };
        // Bounded by the tasks of the running jobs, which exist already.
        let (queue, tasks) = unbounded();
        let busy = Arc::new(AtomicUsize::new(0));
        for slot in 0..slots {
            let (tasks, stores, busy) = (tasks.clone(), stores.clone(), busy.clone());
            thread::Builder::new()
                .name(format!("{SLOT_THREAD}{slot}"))
                .spawn(move || run_slot(slot, &busy, &tasks, &stores))?;
        }
        Ok(Self { slots, busy, queue, stores })
    }
}

/// Takes tasks until the engine is dropped.
fn run_slot(slot: usize, busy: &AtomicUsize, tasks: &Receiver<(Task, Sender<TaskEvent>)>, stores: &Stores) {
    // One task, one core: Polars does this thread's work on this thread alone.
    ALLOW_RAYON_THREADS.set(false);
    INSIDE_TASK.set(true);
    for (task, events) in tasks {
        if task.cancelled.load(Ordering::Relaxed) {
            continue;
        }
        let (stage, partition, attempt, worker) = (task.stage, task.partition, task.attempt, WORKER);
        if events.send(TaskEvent::Started { stage, partition, attempt, worker, slot }).is_err() {
            continue;
        }
        busy.fetch_add(1, Ordering::Relaxed);
        let end = execute(&task, slot, stores);
        busy.fetch_sub(1, Ordering::Relaxed);
        let at = Instant::now();
        // The task's share of its input goes before the scheduler may count memory as free.
        drop(task);
        // A job that was cancelled meanwhile does not listen any more.
        let _ = events.send(TaskEvent::Ended { stage, partition, attempt, worker, at, end });
    }
}

/// A task's panic is reported as the job's error; the default hook would print it a second time.
fn quiet_slot_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !thread::current().name().is_some_and(|name| name.starts_with(SLOT_THREAD)) {
                previous(info);
            }
        }));
    });
}

impl Engine for EmbeddedEngine {
    fn slots(&self) -> usize {
        self.slots
    }

    /// Once: what fails here would fail again, on the same rows with the same code.
    fn max_attempts(&self) -> usize {
        1
    }

    fn submit(&self, tasks: Vec<Task>, events: Sender<TaskEvent>) -> Result<(), String> {
        for task in tasks {
            // The threads leave only when `self.queue` is dropped.
            let _ = self.queue.send((task, events.clone()));
        }
        Ok(())
    }

    /// A job's own flag stops what is queued, and what a thread runs cannot be stopped.
    fn cancel(&self, _job: usize, _only: Option<(usize, usize, usize)>) {}

    fn open_shuffle(&self, shuffle: ShuffleId, _events: Sender<TaskEvent>) {
        self.stores.shuffles.open(shuffle);
    }

    fn remove_shuffle(&self, shuffle: ShuffleId) {
        self.stores.shuffles.remove(shuffle);
    }

    fn remove_cache(&self, cache: CacheId) {
        self.stores.cache.remove(cache);
    }

    fn cached_partitions(&self, cache: CacheId) -> (usize, usize) {
        self.stores.cache.kept(cache)
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
            cache_bytes: self.stores.cache.memory(),
            cache_limit: self.stores.cache.memory_limit(),
        }]
    }

    fn describe(&self) -> String {
        format!("embedded, {} slots", self.slots)
    }

    fn set(&self, _settings: Settings) -> Result<(), String> {
        Err("this session's tasks run in its own process; Session::connect makes one on a pool".to_owned())
    }
}
