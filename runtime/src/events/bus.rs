use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use partita_engine::EventStream;
use partita_events::JobId;
use partita_events::fold::{Limits, Session};

use super::{Event, JobReport};

/// Jobs that are kept for [`EventBus::report`]; older ones are forgotten.
const JOBS_KEPT: usize = 100;

type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

/// The session's event stream: takes events from the scheduler, keeps the last jobs' and hands each
/// to the listeners.
pub struct EventBus {
    started: Instant,
    state: Mutex<Session>,
    listeners: Mutex<Vec<Listener>>,
}

impl Default for EventBus {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            state: Mutex::new(Session::new(Limits::whole_jobs(JOBS_KEPT))),
            listeners: Mutex::default(),
        }
    }
}

impl EventBus {
    /// Time since the session started, the clock of all events.
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// An instant on that clock.
    pub(crate) fn at(&self, instant: Instant) -> Duration {
        instant.saturating_duration_since(self.started)
    }

    /// Calls `listener` with every event from now on, on the thread that emits it: it must be quick.
    pub fn listen(&self, listener: impl Fn(&Event) + Send + Sync + 'static) {
        self.listeners.lock().push(Arc::new(listener));
    }

    /// Takes one event.
    pub(crate) fn emit(&self, event: Event) {
        // Called without the lock: a listener may listen for more.
        let listeners = self.listeners.lock().clone();
        for listener in listeners {
            listener(&event);
        }
        self.state().apply(&event);
    }

    /// The report of one job, while it runs or after; `None` if there is no such job any more.
    pub fn report(&self, job: usize) -> Option<JobReport> {
        self.state().job(JobId(job)).map(JobReport::of)
    }

    /// The reports of the jobs kept, oldest first.
    pub fn reports(&self) -> Vec<JobReport> {
        self.state().jobs().map(JobReport::of).collect()
    }

    fn state(&self) -> MutexGuard<'_, Session> {
        self.state.lock()
    }
}

impl EventStream for EventBus {
    fn now(&self) -> Duration {
        Self::now(self)
    }

    fn emit(&self, event: Event) {
        Self::emit(self, event);
    }

    fn listen(&self, listener: Box<dyn Fn(&Event) + Send + Sync>) {
        Self::listen(self, listener);
    }
}
