//! The session: where datasets begin, the engine they run on, and the record of what ran.

mod connect;
mod sources;
mod temp;

pub(crate) use temp::remove_temp_dirs;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::dataset::{Dataset, check};
use crate::engine::embedded::EmbeddedEngine;
use crate::engine::{CacheLease, Engine, inside_task};
use crate::error::{PartitaError, Result};
use crate::events::{EventBus, JobReport};
use crate::own_directory::OwnDirectory;
use crate::plan::NodeRef;
use crate::scheduler::{Action, JobResult, Scheduler};

/// Memory for cached partitions if nothing else is said: Spark gives storage about half of an
/// executor; half a course worker's 2 GB.
const CACHE_BYTES: usize = 1 << 30;

/// A running engine and what was done on it. Cheap to clone; clones are the same session.
///
/// ```
/// use partita::prelude::*;
/// let session = Session::embedded(2)?;
/// let squares = session.range(0, 10_000, 4).select([(col("id") * col("id")).alias("square")]);
/// let total = squares.agg([col("square").sum()]).collect()?;
/// assert_eq!(total.column("square")?.i64()?.get(0), Some(333_283_335_000));
/// assert_eq!(session.last_report().unwrap().stages.len(), 2);
/// # Ok::<(), partita::PartitaError>(())
/// ```
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

struct Inner {
    number: usize,
    engine: Arc<dyn Engine>,
    events: Arc<EventBus>,
    scheduler: Scheduler,
    shuffle_partitions: AtomicUsize,
    next_cache: AtomicU64,
    last_job: AtomicUsize,
    temp: Mutex<Option<OwnDirectory>>,
}

/// Every session of this process that is still in use, for those who look at all of them.
static LIVE: Mutex<Vec<Weak<Inner>>> = Mutex::new(Vec::new());

/// The sessions of this process, oldest first.
pub(crate) fn live() -> Vec<Session> {
    let live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    live.iter().filter_map(Weak::upgrade).map(|inner| Session { inner }).collect()
}

/// [`Inner::last_job`] before any job ran.
const NO_JOB: usize = usize::MAX;

/// [`Inner::shuffle_partitions`] unless set: a pool's slots come and go.
const AS_SLOTS: usize = 0;

impl Session {
    /// A session on `slots` threads of this process: each runs one task at a time on one core.
    ///
    /// # Errors
    /// When `slots` is zero, or the system gives no more threads.
    pub fn embedded(slots: usize) -> Result<Self> {
        if slots == 0 {
            let remedy = "give at least 1, or use Session::new() for one a core";
            return Err(PartitaError::argument("Session::embedded", "0 slots can run nothing", remedy));
        }
        let engine = EmbeddedEngine::start(slots, CACHE_BYTES).map_err(|error| {
            let problem = format!("the system gave no {slots} threads: {error}");
            PartitaError::argument("Session::embedded", problem, "ask for fewer slots")
        })?;
        Ok(Self::on(Arc::new(engine)))
    }

    /// A session with one slot for each core this process may use.
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub fn new() -> Result<Self> {
        Self::embedded(std::thread::available_parallelism().map_or(1, NonZeroUsize::get))
    }

    pub(crate) fn on(engine: Arc<dyn Engine>) -> Self {
        let events = Arc::new(EventBus::default());
        engine.attach(events.clone());
        static NUMBER: AtomicUsize = AtomicUsize::new(1);
        let inner = Inner {
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            scheduler: Scheduler::new(engine.clone(), events.clone()),
            shuffle_partitions: AtomicUsize::new(AS_SLOTS),
            next_cache: AtomicU64::new(0),
            last_job: AtomicUsize::new(NO_JOB),
            temp: Mutex::default(),
            engine,
            events,
        };
        let inner = Arc::new(inner);
        let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
        live.retain(|session| session.strong_count() > 0);
        live.push(Arc::downgrade(&inner));
        Self { inner }
    }

    /// Which session of this process it is, counted from 1.
    pub(crate) fn number(&self) -> usize {
        self.inner.number
    }

    /// How many tasks run side by side.
    pub fn slots(&self) -> usize {
        self.inner.engine.slots()
    }

    /// Partitions that come out of a `group_by`, `join`, `sort` or `distinct`: as many as there are
    /// slots, unless set.
    pub fn shuffle_partitions(&self) -> usize {
        match self.inner.shuffle_partitions.load(Ordering::Relaxed) {
            AS_SLOTS => self.slots().max(1),
            set => set,
        }
    }

    /// Sets the partitions that come out of wide steps built from now on.
    ///
    /// # Errors
    /// When `n` is zero.
    pub fn set_shuffle_partitions(&self, n: usize) -> Result<()> {
        check::partitions("set_shuffle_partitions", n)?;
        self.inner.shuffle_partitions.store(n, Ordering::Relaxed);
        Ok(())
    }

    /// Whether slow tasks get a copy on another worker.
    pub fn speculation(&self) -> bool {
        self.inner.scheduler.speculation()
    }

    /// Sets whether slow tasks get a copy on another worker, of which the first to end counts; off
    /// unless set. It is for jobs that begin from now on. With a single worker, as in an embedded
    /// session, there is nowhere for a copy to run, and nothing changes.
    ///
    /// Slow is a task that has run for one and a half times the median of its stage's tasks, and at
    /// least 100 ms, when three quarters of them are done.
    pub fn set_speculation(&self, on: bool) {
        self.inner.scheduler.set_speculation(on);
    }

    /// The report of the last job that ended; `None` before the first.
    pub fn last_report(&self) -> Option<JobReport> {
        match self.inner.last_job.load(Ordering::Relaxed) {
            NO_JOB => None,
            job => self.inner.events.report(job),
        }
    }

    /// The reports of the last hundred jobs, oldest first.
    pub fn reports(&self) -> Vec<JobReport> {
        self.inner.events.reports()
    }

    /// The session's event stream.
    pub fn events(&self) -> &EventBus {
        &self.inner.events
    }

    pub(crate) fn run(&self, node: &NodeRef, action: Action, name: &str) -> Result<JobResult> {
        if inside_task() {
            return Err(PartitaError::argument(
                name,
                "an action was called inside a task, where it would wait for its own slot",
                "collect before, outside of the closure",
            ));
        }
        let result = self.inner.scheduler.run(node, action, name);
        let job = result.as_ref().map_or_else(PartitaError::job, |result| Some(result.job));
        if let Some(job) = job {
            self.inner.last_job.store(job, Ordering::Relaxed);
        }
        result
    }

    pub(crate) fn report(&self, job: usize) -> Option<JobReport> {
        self.inner.events.report(job)
    }

    /// Room in the engine's cache for one dataset, until the lease is dropped.
    pub(crate) fn lease_cache(&self) -> Arc<CacheLease> {
        let id = self.inner.next_cache.fetch_add(1, Ordering::Relaxed);
        Arc::new(CacheLease::new(id, self.inner.engine.clone()))
    }

    /// Whether both are the same session.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    pub(crate) fn engine(&self) -> &dyn Engine {
        &*self.inner.engine
    }

    pub(crate) fn dataset(&self, node: crate::plan::Node) -> Dataset {
        Dataset::new(self.clone(), Ok(Arc::new(node)))
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({})", self.inner.engine.describe())
    }
}

impl std::fmt::Display for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.inner.engine.describe())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dataset_keeps_is_freed_with_the_last_dataset_that_needs_it() {
        let session = Session::embedded(2).unwrap();
        let cached = session.range(0, 100, 4).cache();
        cached.collect().unwrap();
        let id = 0;
        assert_eq!(session.engine().cached_partitions(id), (4, 0));
        drop(cached);
        // A slot drops its task's part of the plan just after it has said that it is done.
        while session.engine().cached_partitions(id) != (0, 0) {
            std::thread::yield_now();
        }
    }
}
