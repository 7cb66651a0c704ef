//! The session: the engine that datasets run on, its settings, and the record of its jobs.

mod builder;
mod connect;
mod temp;

pub use builder::SessionBuilder;
#[doc(hidden)]
pub use temp::remove_temp_dirs;

pub use partita_engine::Worker;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use partita_engine::own_directory::OwnDirectory;
use partita_engine::{
    Engine,
    cache::{CacheId, CacheLease},
    execute::slots::inside_task,
};

use crate::error::{PartitaError, Result};
use crate::events::{EventBus, JobReport};
use crate::host::Host;
use crate::plan::{Plan, Settings, check_partitions};
use crate::scheduler::{Action, JobResult, Scheduler};

/// A running engine and the record of its jobs. Cheap to clone; clones are the same session.
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
    host: Arc<dyn Host>,
    engine: Arc<dyn Engine>,
    events: Arc<EventBus>,
    scheduler: Scheduler,
    shuffle_partitions: AtomicUsize,
    broadcast_threshold: AtomicUsize,
    adaptive: AtomicBool,
    join_reorder: AtomicBool,
    next_cache: AtomicU64,
    last_job: AtomicUsize,
    /// What SQL calls by name.
    tables: Mutex<BTreeMap<String, Arc<Plan>>>,
    temp: Mutex<Option<OwnDirectory>>,
}

/// Every session of this process that is still in use. Process-wide because commands list all of them,
/// and the directories of all of them are removed at the end.
static LIVE: Mutex<Vec<Weak<Inner>>> = Mutex::new(Vec::new());

/// The sessions of this process, oldest first.
#[doc(hidden)]
pub fn live() -> Vec<Session> {
    let live = LIVE.lock();
    live.iter().filter_map(Weak::upgrade).map(|inner| Session { inner }).collect()
}

/// [`Inner::last_job`] before any job ran.
const NO_JOB: usize = usize::MAX;

/// [`Inner::shuffle_partitions`] by default, because the number of a pool's slots changes.
const AS_SLOTS: usize = 0;

/// A smaller reduce partition, in bytes, is not worth splitting.
const HOT: u64 = 1 << 20;

/// Spark's default of `spark.sql.autoBroadcastJoinThreshold`.
const SMALL: usize = 10 << 20;

impl Session {
    /// A session on `slots` threads of this process. Each runs one task at a time on one core.
    ///
    /// # Errors
    /// When `slots` is zero, or the system cannot start the threads.
    pub fn embedded(slots: usize) -> Result<Self> {
        Self::builder().embedded(slots)
    }

    /// Like [`embedded`](Self::embedded), with `bytes` of memory for cached partitions instead of 1 GiB: use
    /// it to see how storage levels behave when memory is short.
    ///
    /// # Errors
    /// As [`embedded`](Self::embedded).
    pub fn embedded_with_cache(slots: usize, bytes: usize) -> Result<Self> {
        Self::builder().embedded_with_cache(slots, bytes)
    }

    /// A session with one slot for each core this process may use.
    ///
    /// # Errors
    /// When the system cannot start the threads.
    pub fn new() -> Result<Self> {
        Self::embedded(std::thread::available_parallelism().map_or(1, NonZeroUsize::get))
    }

    pub(crate) fn on(engine: Arc<dyn Engine>, host: Arc<dyn Host>) -> Self {
        // Process-wide: hosts and people tell the sessions of a process apart by it.
        static NUMBER: AtomicUsize = AtomicUsize::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let events = Arc::new(EventBus::default());
        let receiver = host.clone();
        events.listen(move |event| receiver.receive(number as u64, event));
        engine.attach(events.clone());
        let inner = Inner {
            number,
            scheduler: Scheduler::new(engine.clone(), events.clone(), host.interrupts().clone()),
            shuffle_partitions: AtomicUsize::new(AS_SLOTS),
            broadcast_threshold: AtomicUsize::new(SMALL),
            adaptive: AtomicBool::new(true),
            join_reorder: AtomicBool::new(true),
            next_cache: AtomicU64::new(0),
            last_job: AtomicUsize::new(NO_JOB),
            tables: Mutex::default(),
            temp: Mutex::default(),
            host,
            engine,
            events,
        };
        let inner = Arc::new(inner);
        let mut live = LIVE.lock();
        live.retain(|session| session.strong_count() > 0);
        live.push(Arc::downgrade(&inner));
        Self { inner }
    }

    /// The number of this session in its process, counted from 1.
    pub fn number(&self) -> usize {
        self.inner.number
    }

    /// The number of tasks that run at the same time.
    pub fn slots(&self) -> usize {
        self.inner.engine.slots()
    }

    /// The number of partitions after a `group_by`, `join`, `sort` or `distinct`: by default the number of
    /// slots.
    pub fn shuffle_partitions(&self) -> usize {
        match self.inner.shuffle_partitions.load(Ordering::Relaxed) {
            AS_SLOTS => self.slots().max(1),
            set => set,
        }
    }

    /// Sets the number of partitions after wide steps, for jobs that start from now on. A cached dataset keeps
    /// the partitions that it had when it was cached.
    ///
    /// # Errors
    /// When `n` is zero.
    pub fn set_shuffle_partitions(&self, n: usize) -> Result<()> {
        check_partitions("set_shuffle_partitions", n)?;
        self.inner.shuffle_partitions.store(n, Ordering::Relaxed);
        Ok(())
    }

    /// The largest right side of a join, in bytes, that is broadcast automatically: 10 MiB by default.
    pub fn broadcast_threshold(&self) -> usize {
        self.inner.broadcast_threshold.load(Ordering::Relaxed)
    }

    /// Sets the largest right side of a join, in bytes in memory, that is broadcast automatically, for jobs
    /// that start from now on; 0 switches this off. It applies where the size is known before the right side runs:
    /// to frames, ranges and Parquet files, filtered or not, and to datasets cached whole in this process.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let session = Session::embedded(2)?;
    /// session.set_broadcast_threshold(0);
    /// let numbers = session.range(0, 1000, 4);
    /// let joined = numbers.join(&session.range(0, 10, 2), [col("id")], JoinType::Inner);
    /// assert!(!joined.explain()?.contains("broadcast"));
    /// assert!(joined.broadcast().explain()?.contains("broadcast"));
    /// # Ok::<(), partita::PartitaError>(())
    /// ```
    pub fn set_broadcast_threshold(&self, bytes: usize) {
        self.inner.broadcast_threshold.store(bytes, Ordering::Relaxed);
    }

    /// Whether the bytes that stages have left decide how the next ones work.
    pub fn adaptive(&self) -> bool {
        self.inner.adaptive.load(Ordering::Relaxed)
    }

    /// Sets whether a join waits for its smaller side and broadcasts it if it turned out small, as Spark's
    /// adaptive execution does. On by default. It applies to jobs that start from now on. The names of stages
    /// say what was decided and from how many bytes.
    pub fn set_adaptive(&self, on: bool) {
        self.inner.adaptive.store(on, Ordering::Relaxed);
    }

    /// Whether inner joins may be done in another order than written.
    pub fn join_reorder(&self) -> bool {
        self.inner.join_reorder.load(Ordering::Relaxed)
    }

    /// Sets whether inner joins of three and more datasets may be done in another order than written, where
    /// guesses from row counts and predicates say that far fewer rows are between them. On by default. It
    /// applies to jobs that start from now on. Results do not change.
    pub fn set_join_reorder(&self, on: bool) {
        self.inner.join_reorder.store(on, Ordering::Relaxed);
    }

    pub(crate) fn tables(&self) -> &Mutex<BTreeMap<String, Arc<Plan>>> {
        &self.inner.tables
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            shuffle_partitions: self.shuffle_partitions(),
            broadcast_threshold: self.broadcast_threshold(),
            adaptive: self.adaptive(),
            join_reorder: self.join_reorder(),
        }
    }

    /// Whether slow tasks get a copy on another worker.
    pub fn speculation(&self) -> bool {
        self.inner.scheduler.speculation()
    }

    /// Sets whether slow tasks get a copy on another worker; the first of the two to end counts. Off by
    /// default. It applies to jobs that start from now on. With a single worker, as in an embedded session, a
    /// copy cannot run elsewhere, and nothing changes.
    ///
    /// A task is slow if it has run for one and a half times the median of its stage's tasks, and for at
    /// least 100 ms, when three quarters of them have ended.
    pub fn set_speculation(&self, on: bool) {
        self.inner.scheduler.set_speculation(on);
    }

    /// Whether several tasks read a hot partition after a shuffle.
    pub fn skew_split(&self) -> bool {
        self.inner.scheduler.skew_split().is_some()
    }

    /// Sets whether several tasks read a reduce partition that is far larger than its stage's median, each
    /// the output of some of the map tasks. Off by default. It applies to jobs that start from now on.
    /// Spark's adaptive execution handles skewed joins in the same way.
    ///
    /// It is done where rows need not be in one place: for joins (the left side of inner, left, semi and anti
    /// joins, the right side of inner and right joins) and after a `repartition`, if only filters, selections
    /// and the first half of an aggregation follow in the stage. Far larger means more than twice the median
    /// and more than a MiB. There are never more parts than map tasks. The rows and partitions of a result do
    /// not change.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let session = Session::embedded(2)?;
    /// session.set_skew_split(true);
    /// let one_key = session.range(0, 400_000, 4).with_columns([(col("id") * lit(0)).alias("key")]);
    /// let (rows, report) = one_key.repartition_by(Partitioning::Hash(vec![col("key")], 8)).profile()?;
    /// assert_eq!(rows.height(), 400_000);
    /// assert!(report.stages[1].tasks.len() > 8, "{report}");
    /// # Ok::<(), partita::PartitaError>(())
    /// ```
    pub fn set_skew_split(&self, on: bool) {
        self.inner.scheduler.set_skew_split(on.then_some(HOT));
    }

    #[cfg(test)]
    pub(crate) fn set_skew_split_above(&self, bytes: u64) {
        self.inner.scheduler.set_skew_split(Some(bytes));
    }

    /// The report of the last job that ended; `None` before the first.
    pub fn last_report(&self) -> Option<JobReport> {
        self.inner.events.report(self.last_job()?)
    }

    /// The reports of the last hundred jobs, oldest first.
    pub fn reports(&self) -> Vec<JobReport> {
        self.inner.events.reports()
    }

    pub(crate) fn host(&self) -> &dyn Host {
        &*self.inner.host
    }

    /// The session's event stream.
    pub fn events(&self) -> &EventBus {
        &self.inner.events
    }

    pub(crate) fn run(&self, plan: &Plan, action: Action, name: &str) -> Result<JobResult> {
        if inside_task() {
            return Err(PartitaError::argument(
                name,
                "an action was called inside a task, where it would wait for the slot it runs on",
                "collect first, outside the closure",
            ));
        }
        let result = self.inner.scheduler.run(plan, self.settings(), action, name);
        let job = result.as_ref().map_or_else(PartitaError::job, |result| Some(result.job.0));
        if let Some(job) = job {
            self.inner.last_job.store(job, Ordering::Relaxed);
        }
        result
    }

    pub(crate) fn report(&self, job: usize) -> Option<JobReport> {
        self.inner.events.report(job)
    }

    /// The number of the last job that ended.
    pub(crate) fn last_job(&self) -> Option<usize> {
        Some(self.inner.last_job.load(Ordering::Relaxed)).filter(|job| *job != NO_JOB)
    }

    /// Reserves room in the engine's cache for one dataset until the lease is dropped.
    pub(crate) fn lease_cache(&self) -> Arc<CacheLease> {
        let id = CacheId(self.inner.next_cache.fetch_add(1, Ordering::Relaxed));
        Arc::new(CacheLease::new(id, self.inner.engine.clone()))
    }

    /// Whether both are the same session.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// The processes that run its tasks, with their current work and storage.
    pub fn workers(&self) -> Vec<Worker> {
        self.inner.engine.workers()
    }

    pub(crate) fn engine(&self) -> &dyn Engine {
        &*self.inner.engine
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
        let id = CacheId(0);
        assert_eq!(session.engine().cached_partitions(id), (4, 0));
        drop(cached);
        // A slot drops its task's part of the plan shortly after it has reported the task's end.
        while session.engine().cached_partitions(id) != (0, 0) {
            std::thread::yield_now();
        }
    }
}
