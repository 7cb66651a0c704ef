use std::sync::Arc;
use std::time::{Duration, SystemTime};

use partita_events::Event;
use partita_wire::pool::WorkerStatus;

/// The pool at one moment, as the master's page and metrics show it.
#[derive(Debug, Clone, Default)]
pub struct Cluster {
    /// The connected workers, by their number.
    pub workers: Vec<WorkerView>,
    /// Workers that were lost, the latest last. Only the last 32 are kept.
    pub lost: Vec<LostWorker>,
    /// The open sessions, by their number.
    pub sessions: Vec<SessionView>,
    /// Counts since the master started.
    pub totals: Totals,
    /// Bytes of all sessions' blobs.
    pub blob_bytes: u64,
    /// The limit on `blob_bytes`.
    pub blob_limit: u64,
    /// How long the master has been running.
    pub up: Duration,
}

/// A worker.
#[derive(Debug, Clone)]
pub struct WorkerView {
    /// The master's number for it.
    pub worker: u64,
    /// Its name, chosen by the worker.
    pub name: String,
    /// The number of tasks it can run at once.
    pub slots: usize,
    /// The number of tasks it runs.
    pub busy: usize,
    /// Bytes for tasks, shuffle blocks and cache together.
    pub memory_limit: u64,
    /// Bytes for the cache alone.
    pub cache_limit: u64,
    /// host:port where other workers reach it.
    pub blocks_address: String,
    /// Its last status; `None` until it has sent one.
    pub status: Option<WorkerStatus>,
    /// The time since its last message.
    pub silent: Duration,
    /// When it registered.
    pub joined: SystemTime,
}

/// A lost worker.
#[derive(Debug, Clone)]
pub struct LostWorker {
    /// The number it had.
    pub worker: u64,
    /// The name it had.
    pub name: String,
    /// Why it counts as lost.
    pub reason: String,
    /// The number of tasks that were running on it.
    pub tasks: usize,
    /// When it was lost.
    pub at: SystemTime,
}

/// A session.
#[derive(Debug, Clone)]
pub struct SessionView {
    /// The master's number for it.
    pub session: u64,
    /// Its name, chosen by the session.
    pub name: String,
    /// When it was opened.
    pub opened: SystemTime,
    /// The number of tasks that wait for a slot.
    pub queued: usize,
    /// The number of running tasks.
    pub running: usize,
    /// The workers it uses: all of them, or those that dynamic allocation gave it.
    pub workers: Vec<u64>,
    /// Whether dynamic allocation is on.
    pub dynamic: bool,
    /// The size of its blobs, in bytes.
    pub blob_bytes: u64,
}

/// Counters; they only grow.
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
    /// Tasks that were sent to a worker they preferred.
    pub tasks_local: u64,
    /// Tasks that succeeded.
    pub tasks_succeeded: u64,
    /// Tasks that ended otherwise: failed, cancelled, or lost with their worker.
    pub tasks_failed: u64,
}

/// A handle for displaying the pool. Each look takes a copy.
#[derive(Clone)]
pub struct View(Arc<dyn Fn() -> Cluster + Send + Sync>);

impl View {
    /// A view of what `look` returns. `look` must be quick, because it is called from async code.
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

/// Records what sessions report about their jobs. It is called from async code, with one session's calls in
/// order. An implementation that writes files must do so on a thread of its own and bound its queue.
pub trait Recorder: Send + Sync + 'static {
    /// A session was opened. Its number is used only once while the master runs.
    fn opened(&self, session: u64, name: &str);
    /// The session sent an event.
    fn event(&self, session: u64, event: &Event);
    /// The session ended; no more calls for it follow.
    fn closed(&self, session: u64);
}

/// Records nothing.
impl Recorder for () {
    fn opened(&self, _: u64, _: &str) {}
    fn event(&self, _: u64, _: &Event) {}
    fn closed(&self, _: u64) {}
}
