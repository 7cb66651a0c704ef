use std::sync::Arc;
use std::time::{Duration, SystemTime};

use partita_events::Event;
use partita_wire::pool::WorkerStatus;

/// What the pool is at one moment, as the master's page and metrics show it.
#[derive(Debug, Clone, Default)]
pub struct Cluster {
    /// Workers that are there, by their number.
    pub workers: Vec<WorkerView>,
    /// Workers that were lost, the latest last. Only some are kept.
    pub lost: Vec<LostWorker>,
    /// Sessions that are open, by their number.
    pub sessions: Vec<SessionView>,
    /// What was counted since the master started.
    pub totals: Totals,
    /// Bytes of all sessions' blobs, and how many there may be.
    pub blob_bytes: u64,
    /// See `blob_bytes`.
    pub blob_limit: u64,
    /// How long the master runs.
    pub up: Duration,
}

/// A worker.
#[derive(Debug, Clone)]
pub struct WorkerView {
    /// The master's number for it.
    pub worker: u64,
    /// Its name, as it says: anything.
    pub name: String,
    /// Tasks it can run at once.
    pub slots: usize,
    /// Tasks it runs.
    pub busy: usize,
    /// Bytes for tasks, shuffle blocks and cache together.
    pub memory_limit: u64,
    /// Bytes for the cache alone.
    pub cache_limit: u64,
    /// host:port where other workers reach it.
    pub blocks_address: String,
    /// What it said last; `None` until it has.
    pub status: Option<WorkerStatus>,
    /// Since it was heard last.
    pub silent: Duration,
    /// When it registered.
    pub joined: SystemTime,
}

/// A worker that is gone.
#[derive(Debug, Clone)]
pub struct LostWorker {
    /// The number it had.
    pub worker: u64,
    /// The name it had.
    pub name: String,
    /// Why it counts as lost.
    pub reason: String,
    /// Tasks that were running on it.
    pub tasks: usize,
    /// When.
    pub at: SystemTime,
}

/// A session.
#[derive(Debug, Clone)]
pub struct SessionView {
    /// The master's number for it.
    pub session: u64,
    /// Its name, as it says: anything.
    pub name: String,
    /// When it was opened.
    pub opened: SystemTime,
    /// Tasks that wait for a slot.
    pub queued: usize,
    /// Tasks that run.
    pub running: usize,
    /// The workers it uses: all of them, or those that dynamic allocation gave it.
    pub workers: Vec<u64>,
    /// Whether dynamic allocation is on.
    pub dynamic: bool,
    /// Bytes of its blobs.
    pub blob_bytes: u64,
}

/// Counts that only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Workers that registered.
    pub workers_joined: u64,
    /// Workers that were lost.
    pub workers_lost: u64,
    /// Sessions that were opened.
    pub sessions_opened: u64,
    /// Tasks that were queued.
    pub tasks_submitted: u64,
    /// Tasks that were sent to a worker.
    pub tasks_launched: u64,
    /// Of those, how many went to a worker they preferred.
    pub tasks_local: u64,
    /// Tasks that ended well.
    pub tasks_succeeded: u64,
    /// Tasks that ended otherwise: failed, cancelled, or lost with their worker.
    pub tasks_failed: u64,
}

/// A handle for those who show the pool. Looking takes a copy.
#[derive(Clone)]
pub struct View(Arc<dyn Fn() -> Cluster + Send + Sync>);

impl View {
    /// A view of what `look` returns, which must be quick: it is called from async code.
    pub fn new(look: impl Fn() -> Cluster + Send + Sync + 'static) -> Self {
        Self(Arc::new(look))
    }

    /// The pool as it is now.
    pub fn cluster(&self) -> Cluster {
        (self.0)()
    }
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("View")
    }
}

/// Who keeps what sessions tell of their jobs. Called from async code, one session's calls in order:
/// whoever writes files does so on a thread of their own and bounds what waits for it.
pub trait Recorder: Send + Sync + 'static {
    /// A session was opened. Its number is used once while the master runs.
    fn opened(&self, session: u64, name: &str);
    /// Something happened in it.
    fn event(&self, session: u64, event: &Event);
    /// It ended; no more will come.
    fn closed(&self, session: u64);
}

/// Keeps nothing.
impl Recorder for () {
    fn opened(&self, _: u64, _: &str) {}
    fn event(&self, _: u64, _: &Event) {}
    fn closed(&self, _: u64) {}
}
