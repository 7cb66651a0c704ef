//! The pool engine: tasks run on the workers of a master, over gRPC. The callers are plain threads.
//! Networking runs on a small runtime of the engine's own, and messages are processed on one separate
//! thread (`receive`), so that no runtime thread ever decodes rows. `state` is what is known of the pool,
//! `link` one connection to it. `submit` sends tasks, `blob_sender` the frames that they need, and
//! `blob_table` records which were sent. The codec defines the bytes of a task, the master decides which
//! task runs where, and the scheduler handles failures.

mod blob_sender;
mod blob_table;
mod error;
mod forward;
mod link;
mod options;
mod receive;
mod results;
mod state;
mod submit;

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use parking_lot::{Condvar, Mutex, MutexGuard};
use partita_engine::cache::{CacheId, CachedDatasets};
use partita_engine::shuffle::ShuffleId;
use partita_engine::task::{Task, TaskEvent};
use partita_engine::{Engine, EngineError, EventStream, Settings, Worker};
use partita_events::{JobId, PartitionId, StageId, WorkerId};
use partita_wire::pool::{
    CancelTasks, DynamicAllocation, FromSession, RemoveBlob, RemoveCache, RemoveShuffle, SessionOptions,
    from_session,
};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use error::PoolError;
pub use options::PoolOptions;

use self::blob_table::BlobTable;
use self::forward::Forward;
use self::link::Link;
use self::options::Address;
use self::state::{State, key};
use crate::events::Event;

/// How many attempts of a task may fail: Spark's `spark.task.maxFailures`.
const MAX_ATTEMPTS: usize = 4;

/// How often events are forwarded.
const EVENTS_EVERY: Duration = Duration::from_millis(50);

/// The number of threads that read results and resolve host names.
const BLOCKING: usize = 4;

/// How long the last messages may take when a session ends.
const GOODBYE: Duration = Duration::from_millis(500);

/// A pool as an engine.
pub(crate) struct PoolEngine {
    shared: Arc<Shared>,
    address: Address,
    options: PoolOptions,
    /// Taken when the engine is dropped.
    runtime: Option<Runtime>,
    link: Mutex<Option<Link>>,
    settings: Mutex<Settings>,
}

/// What the engine and its threads share.
struct Shared {
    state: Mutex<State>,
    /// Notified when workers join.
    workers_came: Condvar,
    blobs: Mutex<BlobTable>,
    forward: Arc<Forward>,
    events: OnceLock<Arc<dyn EventStream>>,
    /// host:port of the master.
    at: String,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    fn emit(&self, event: impl FnOnce(Duration) -> Event) {
        if let Some(events) = self.events.get() {
            events.emit(event(events.now()));
        }
    }
}

fn worker_joined(info: &partita_wire::pool::WorkerInfo, at: Duration) -> Event {
    Event::WorkerJoined {
        worker: info.worker.into(),
        name: info.name.clone(),
        slots: info.slots as usize,
        at,
    }
}

impl PoolEngine {
    /// Connects to the master and waits a moment for a first worker.
    ///
    /// # Errors
    /// When the pool cannot be reached or used. The message says what to do.
    pub fn connect(options: PoolOptions) -> Result<Self, PoolError> {
        let address = Address::parse(&options.address)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(BLOCKING)
            .thread_name("partita-pool")
            .enable_all()
            .build()
            .map_err(|error| PoolError::Threads(error.to_string()))?;
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            workers_came: Condvar::new(),
            blobs: Mutex::default(),
            forward: Arc::default(),
            events: OnceLock::new(),
            at: address.host_and_port(),
        });
        let engine = Self {
            shared,
            address,
            options,
            runtime: Some(runtime),
            link: Mutex::default(),
            settings: Mutex::default(),
        };
        engine.link()?;
        if !engine.wait_for_workers() {
            return Err(PoolError::NoWorkers { at: engine.shared.at.clone() });
        }
        Ok(engine)
    }

    /// Waits for a worker, as long as the options say.
    fn wait_for_workers(&self) -> bool {
        let until = Instant::now() + self.options.worker_timeout;
        let mut state = self.shared.state();
        while state.workers.is_empty() && state.lost.is_none() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.shared.workers_came.wait_for(&mut state, left);
        }
        !state.workers.is_empty()
    }

    /// Runs a future on the engine's runtime and waits for it. Can be called on any thread.
    fn wait<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (done, result) = crossbeam_channel::bounded(1);
        self.runtime.as_ref()?.spawn(async move {
            // The waiting caller holds the receiver.
            let _ = done.send(future.await);
        });
        result.recv().ok()
    }

    /// The connection; reconnects if the last one broke.
    fn link(&self) -> Result<Link, PoolError> {
        let mut link = self.link.lock();
        let broken = self.shared.state().lost.is_some();
        if let Some(link) = &*link
            && !broken
        {
            return Ok(link.clone());
        }
        let again = link.take().is_some();
        let (options, address) = (self.options.clone(), self.address.clone());
        let opened = self.wait(async move { link::open(&options, &address).await });
        let opened = opened.unwrap_or(Err(PoolError::SessionEnded))?;
        let connection = {
            let mut state = self.shared.state();
            state.connected(opened.hello.workers.clone());
            state.connection
        };
        *self.shared.blobs.lock() = BlobTable::default();
        for info in &opened.hello.workers {
            self.shared.emit(|at| worker_joined(info, at));
        }
        let fresh = Link {
            client: opened.client,
            session: opened.hello.session,
            connection,
            outgoing: opened.outgoing,
            gone: CancellationToken::new(),
        };
        let runtime = self.runtime.as_ref().ok_or(PoolError::SessionEnded)?;
        receive::start(runtime, opened.incoming, self.shared.clone(), &fresh)
            .map_err(|error| PoolError::Threads(error.to_string()))?;
        let outgoing = fresh.outgoing.downgrade();
        runtime.spawn(forward_events(self.shared.forward.clone(), outgoing, fresh.gone.clone()));
        let settings = self.settings.lock().clone();
        if let Some(message) = options_message(&settings) {
            // If it breaks at once, the next call reports that.
            let _ = fresh.send(message);
        }
        *link = Some(fresh.clone());
        drop(link);
        if again {
            tracing::info!(at = self.shared.at, session = fresh.session, "reconnected to the pool");
            self.wait_for_workers();
        }
        Ok(fresh)
    }

    /// Sends without waiting and without reconnecting: what these messages drop is gone if the connection
    /// broke.
    fn send_if_connected(&self, message: from_session::Message) {
        let link = self.link.lock().clone();
        let (Some(link), Some(runtime)) = (link, &self.runtime) else { return };
        let message = FromSession { message: Some(message) };
        if let Err(mpsc::error::TrySendError::Full(message)) = link.outgoing.try_send(message) {
            runtime.spawn(async move { link.outgoing.send(message).await });
        }
    }

    fn lost(&self, cause: &str) -> EngineError {
        EngineError::ConnectionLost(connection_lost(&self.shared.at, cause))
    }
}

fn connection_lost(at: &str, cause: &str) -> String {
    format!(
        "the connection to the master at {at} was lost ({cause}), and with it the job's tasks; run the \
         action again, which reconnects"
    )
}

/// Forwards events in batches, until the connection breaks or the session ends.
async fn forward_events(
    forward: Arc<Forward>,
    outgoing: mpsc::WeakSender<FromSession>,
    gone: CancellationToken,
) {
    loop {
        let Some(sender) = outgoing.upgrade() else { return };
        if !forward.pass_on(&sender).await {
            return;
        }
        drop(sender);
        tokio::select! {
            () = gone.cancelled() => return,
            () = forward.some.notified() => tokio::time::sleep(EVENTS_EVERY).await,
        }
    }
}

impl CachedDatasets for PoolEngine {
    fn remove_cache(&self, cache: CacheId) {
        self.shared.state().remove_cache(cache);
        self.send_if_connected(from_session::Message::RemoveCache(RemoveCache {
            session: 0,
            cache: cache.0,
        }));
    }

    fn cached_partitions(&self, cache: CacheId) -> (usize, usize) {
        self.shared.state().cached_partitions(cache)
    }
}

impl Engine for PoolEngine {
    fn slots(&self) -> usize {
        self.shared.state().slots()
    }

    fn max_attempts(&self) -> usize {
        MAX_ATTEMPTS
    }

    fn submit(&self, tasks: Vec<Task>, events: Sender<TaskEvent>) -> Result<(), EngineError> {
        submit::submit(self, &tasks, &events)
    }

    fn cancel(&self, job: JobId, only: Option<(StageId, PartitionId, usize)>) {
        match only {
            Some((stage, partition, attempt)) => {
                self.shared.state().running.remove(&(job, stage, partition, attempt));
            }
            None => self.shared.state().running.retain(|attempt, _| attempt.0 != job),
        }
        // The master knows the caller's session.
        let session = 0;
        let only = only.map(|(stage, partition, attempt)| key(session, (job, stage, partition, attempt)));
        self.send_if_connected(from_session::Message::Cancel(CancelTasks {
            session,
            job: job.0 as u64,
            only,
        }));
    }

    fn open_shuffle(&self, shuffle: ShuffleId, events: Sender<TaskEvent>) {
        self.shared.state().open_shuffle(shuffle, events);
    }

    fn remove_shuffle(&self, shuffle: ShuffleId) {
        self.shared.state().remove_shuffle(shuffle);
        self.send_if_connected(from_session::Message::RemoveShuffle(RemoveShuffle {
            session: 0,
            shuffle: shuffle.0,
        }));
    }

    fn workers(&self) -> Vec<Worker> {
        let state = self.shared.state();
        let worker = |info: &partita_wire::pool::WorkerInfo| {
            let status = info.status.clone().unwrap_or_default();
            Worker {
                id: WorkerId(info.worker),
                name: info.name.clone(),
                slots: info.slots as usize,
                busy: info.busy as usize,
                cached_in_memory: status.cached_in_memory as usize,
                cached_on_disk: status.cached_on_disk as usize,
                cache_bytes: status.memory_cache as usize,
                cache_limit: info.cache_limit as usize,
            }
        };
        state.workers.values().map(worker).collect()
    }

    fn file_directories(&self) -> Option<Vec<PathBuf>> {
        Some(self.shared.state().file_directories())
    }

    fn attach(&self, events: Arc<dyn EventStream>) {
        let forward = self.shared.forward.clone();
        events.listen(Box::new(move |event| forward.push(event)));
        // Under the lock, so that a worker that joins meanwhile is reported once.
        let workers: Vec<_> = {
            let state = self.shared.state();
            if self.shared.events.set(events).is_err() {
                return;
            }
            state.workers.values().cloned().collect()
        };
        for info in &workers {
            self.shared.emit(|at| worker_joined(info, at));
        }
    }

    fn describe(&self) -> String {
        let state = self.shared.state();
        let (workers, slots) = (state.workers.len(), state.slots());
        match &state.lost {
            Some(_) => format!("pool at {}, not connected", self.shared.at),
            None => format!("pool at {}, {workers} workers, {slots} slots", self.shared.at),
        }
    }

    fn set(&self, settings: Settings) -> Result<(), EngineError> {
        let link = self.link()?;
        if let Some(message) = options_message(&settings) {
            link.send(message).map_err(|broken| self.lost(&broken.to_string()))?;
        }
        let mut kept = self.settings.lock();
        kept.allocation = settings.allocation.or(kept.allocation.take());
        kept.locality_wait = settings.locality_wait.or(kept.locality_wait);
        Ok(())
    }
}

impl PoolEngine {
    /// Releases frames that were sent ahead and have no other owner.
    fn sweep(&self) {
        let unused = self.shared.blobs.lock().sweep();
        for blob in unused {
            self.send_if_connected(from_session::Message::RemoveBlob(RemoveBlob { session: 0, blob }));
        }
    }
}

fn options_message(settings: &Settings) -> Option<from_session::Message> {
    let millis = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let allocation = |(workers, idle): &(RangeInclusive<usize>, Duration)| DynamicAllocation {
        enabled: true,
        min_workers: number(*workers.start()),
        max_workers: number(*workers.end()),
        idle_timeout_ms: millis(*idle),
    };
    let options = SessionOptions {
        dynamic_allocation: settings.allocation.as_ref().map(allocation),
        locality_wait_ms: settings.locality_wait.map(millis),
    };
    let some = options.dynamic_allocation.is_some() || options.locality_wait_ms.is_some();
    some.then_some(from_session::Message::Options(options))
}

impl Drop for PoolEngine {
    /// Waits a moment until the master has received the last events and the end of the session.
    fn drop(&mut self) {
        let link = self.link.get_mut().take();
        let Some(runtime) = self.runtime.take() else { return };
        if let Some(Link { outgoing, gone, .. }) = link {
            let forward = self.shared.forward.clone();
            let (done, ended) = crossbeam_channel::bounded(1);
            runtime.spawn(async move {
                forward.pass_on(&outgoing).await;
                drop(outgoing);
                // The master ends its stream after it has read all of this one.
                gone.cancelled().await;
                let _ = done.send(());
            });
            if ended.recv_timeout(GOODBYE).is_err() {
                tracing::warn!(at = self.shared.at, "the session ended before the master confirmed it");
            }
        }
        runtime.shutdown_background();
    }
}
