use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use partita_engine::cache::{CacheId, CacheKey};
use partita_engine::codec::{self, Decoded};
use partita_engine::execute::slots::Busy;
use partita_engine::memory::{Refused, heap};
use partita_engine::shuffle::MapOutput;
use partita_engine::shuffle::block::{Packing, write_stream};
use partita_engine::task::{Task, TaskError, TaskResult};
use partita_engine::{execute::execute, panic_text};
use partita_events::{SessionId, TaskMetrics};
use partita_wire::INLINE_BYTES;
use partita_wire::pool::from_worker::Message;
use partita_wire::pool::task_ended::Outcome;
use partita_wire::pool::task_failure::Kind;
use partita_wire::pool::task_success::Result as Rows;
use partita_wire::pool::{CachedPartition, TaskEnded, TaskFailure, TaskKey, TaskStarted, TaskSuccess};
use polars::prelude::DataFrame;

use crate::Shared;
use crate::estimate::{Estimate, too_large};
use crate::registration::Registration;
use crate::stores::TaskStores;

/// A frame of up to this many bytes in memory may be small enough to be sent inside a message.
const TRY_INLINE: usize = 4 * INLINE_BYTES;

/// A task that takes longer is reported as soon as it ends.
const BRIEF: Duration = Duration::from_millis(5);

/// A received task on its way to a slot.
pub(super) struct Launch {
    pub key: TaskKey,
    pub body: Bytes,
    pub cancelled: Arc<AtomicBool>,
    pub registration: Arc<Registration>,
    pub arrived: Instant,
}

/// What a task returned: its result, its metrics, and what it put into the cache.
type Computed = (TaskResult, TaskMetrics, Vec<CachedPartition>);

/// Runs a task on the calling thread and reports how it ended, whatever happens in it. If it was short
/// and there is more to do, the report is sent together with those of the next tasks.
pub(super) fn run(shared: &Shared, slot: usize, launch: Launch, busy: &Busy, waiting: impl Fn() -> usize) {
    let Launch { key, body, cancelled, registration, arrived } = launch;
    let began = Instant::now();
    let outcome = busy.during(|| {
        let attempt =
            Attempt { shared, slot, key, cancelled: &cancelled, registration: &registration, arrived };
        catch_unwind(AssertUnwindSafe(|| attempt.run(&body)))
            .unwrap_or_else(|panic| Err(TaskError::Failed(panic_text(&*panic))))
    });
    let outcome = outcome.unwrap_or_else(|error| failure(&error));
    registration.end(&key);
    let brief = began.elapsed() < BRIEF && matches!(outcome, Outcome::Success(_));
    let ended = || {
        Message::Ended(TaskEnded {
            key: Some(key),
            worker: 0,
            outcome: Some(without_evicted(outcome, &key, &registration)),
        })
    };
    // As long as the slots have another task after the next one, the master need not hurry to send more.
    if brief && waiting() > shared.options.slots {
        registration.outbox.queue(ended);
    } else {
        registration.outbox.send(ended);
    }
}

struct Attempt<'a> {
    shared: &'a Shared,
    slot: usize,
    key: TaskKey,
    cancelled: &'a AtomicBool,
    registration: &'a Registration,
    arrived: Instant,
}

impl Attempt<'_> {
    fn run(&self, body: &[u8]) -> Result<Outcome, TaskError> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(TaskError::Cancelled);
        }
        let blob = |number| self.registration.blob(self.shared, SessionId(self.key.session), number);
        let shared = self.registration.shared(SessionId(self.key.session));
        let decoded = codec::decode(body, &self.shared.access, &shared, &blob);
        let mut decoded = decoded.map_err(|error| TaskError::Failed(error.to_string()))?;
        decoded.task.queued = self.arrived;
        decoded.task.cancelled = Arc::new(AtomicBool::new(false));
        let (result, metrics, cached) = self.compute(&decoded)?;
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(TaskError::Cancelled);
        }
        let mut blocks = Vec::new();
        let rows = match result {
            TaskResult::Nothing => None,
            TaskResult::Written(sizes) => {
                blocks = sizes;
                None
            }
            TaskResult::Count(count) => Some(Rows::Count(count)),
            TaskResult::Frame(frame) => Some(self.rows(frame)?),
        };
        let metrics =
            serde_json::to_string(&metrics).map_err(|error| TaskError::Failed(error.to_string()))?;
        Ok(Outcome::Success(TaskSuccess { metrics, cached, blocks, result: rows }))
    }

    /// Waits for memory, then computes the task. Starts again if it needs more than it got.
    fn compute(&self, Decoded { task, sources }: &Decoded) -> Result<Computed, TaskError> {
        let estimate = Estimate::of(task);
        let total = self.shared.accountant.limits().total;
        let mut need = estimate.at_start(total, self.shared.options.slots);
        let mut started = false;
        loop {
            let admitted = self.shared.accountant.admit(need, self.registration, self.cancelled);
            let memory = admitted.map_err(|refused| self.refused(refused, task, &estimate, need))?;
            heap::make_room(need, total);
            if !started {
                started = true;
                let start = TaskStarted { key: Some(self.key), slot: self.slot as u32, worker: 0 };
                self.registration.outbox.queue(|| Message::Started(start));
            }
            let stores = TaskStores {
                shared: self.shared,
                registration: self.registration,
                key: self.key,
                cancelled: self.cancelled,
                sources,
                estimate,
                memory: RefCell::new(memory),
                input: Cell::new(estimate.known),
                short: Cell::new(None),
                cached: RefCell::default(),
            };
            let end = execute(task, self.slot, &stores);
            let short = stores.short.get();
            let cached = stores.cached.take();
            // Given back before anything waits.
            drop(stores);
            match (end, short) {
                (Err(_), Some(more)) => need = more,
                (end, _) => return end.map(|(result, metrics)| (result, metrics, cached)),
            }
        }
    }

    fn refused(&self, refused: Refused, task: &Task, estimate: &Estimate, need: usize) -> TaskError {
        match refused {
            Refused::TooLarge { most } => TaskError::TooLarge(too_large(
                task.partition.0,
                estimate.known,
                need,
                most,
                &self.shared.options.name,
            )),
            Refused::Stuck(cause) => TaskError::Failed(format!("no memory can be freed for it: {cause}")),
            Refused::Cancelled => TaskError::Cancelled,
        }
    }

    /// Small results are sent along; larger ones wait here until they are fetched.
    fn rows(&self, frame: DataFrame) -> Result<Rows, TaskError> {
        let size = frame.estimated_size();
        if size <= TRY_INLINE {
            let mut bytes = Vec::new();
            write_stream(&frame, Packing::Lz4, &mut bytes)?;
            if bytes.len() <= INLINE_BYTES {
                return Ok(Rows::Rows(bytes.into()));
            }
        }
        let mut output = MapOutput::default();
        self.registration.blocks.add(&mut output, vec![frame])?;
        self.registration.keep_result(&self.key, output);
        Ok(Rows::Waiting(size as u64))
    }
}

/// Leaves out what was cached and evicted since; the eviction has been or will be reported.
fn without_evicted(mut outcome: Outcome, key: &TaskKey, registration: &Registration) -> Outcome {
    if let Outcome::Success(success) = &mut outcome {
        success.cached.retain(|CachedPartition { cache, partition, .. }| {
            let key = CacheKey {
                session: SessionId(key.session),
                cache: CacheId(*cache),
                partition: *partition as usize,
            };
            registration.cache.contains(key)
        });
    }
    outcome
}

/// An error in the form in which it is sent.
pub(super) fn failure(error: &TaskError) -> Outcome {
    let mut failure = TaskFailure { message: error.to_string(), ..TaskFailure::default() };
    let kind = match error {
        TaskError::Failed(_) => Kind::Failed,
        TaskError::TooLarge(_) => Kind::TooLarge,
        TaskError::FetchFailed { shuffle, map_partitions, cause } => {
            failure.shuffle = shuffle.0;
            failure.map_partitions = map_partitions.iter().map(|map| *map as u32).collect();
            failure.message = cause.clone();
            Kind::FetchFailed
        }
        TaskError::WorkerLost(_) => Kind::WorkerLost,
        TaskError::CacheLost => Kind::CacheLost,
        TaskError::Cancelled => Kind::Cancelled,
    };
    failure.set_kind(kind);
    Outcome::Failure(failure)
}
