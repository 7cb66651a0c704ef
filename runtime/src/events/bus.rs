use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use partita_engine::EventStream;

use super::{Event, JobReport};

/// Jobs whose events are kept for [`EventBus::report`]; older ones are forgotten.
const JOBS_KEPT: usize = 100;

type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

/// The session's event stream: takes events from the scheduler, keeps the last jobs' and hands each
/// to the listeners.
pub struct EventBus {
    started: Instant,
    jobs: Mutex<VecDeque<Vec<Event>>>,
    listeners: Mutex<Vec<Listener>>,
}

impl Default for EventBus {
    fn default() -> Self {
        Self { started: Instant::now(), jobs: Mutex::default(), listeners: Mutex::default() }
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
        self.listeners.lock().unwrap_or_else(|e| e.into_inner()).push(Arc::new(listener));
    }

    /// Takes one event.
    pub(crate) fn emit(&self, event: Event) {
        // Called without the lock: a listener may listen for more.
        let listeners = self.listeners.lock().unwrap_or_else(|e| e.into_inner()).clone();
        for listener in listeners {
            listener(&event);
        }
        let mut jobs = self.jobs.lock().unwrap_or_else(|e| e.into_inner());
        if matches!(event, Event::JobSubmitted { .. }) {
            if jobs.len() == JOBS_KEPT {
                jobs.pop_front();
            }
            jobs.push_back(vec![event]);
        } else if event.job().is_some()
            && let Some(events) = jobs.iter_mut().rfind(|events| events[0].job() == event.job())
        {
            events.push(event);
        }
    }

    /// The report of one job, while it runs or after; `None` if there is no such job any more.
    pub fn report(&self, job: usize) -> Option<JobReport> {
        let jobs = self.jobs.lock().unwrap_or_else(|e| e.into_inner());
        jobs.iter().rfind(|events| events[0].job() == Some(job)).map(|events| JobReport::from_events(events))
    }

    /// The reports of the jobs kept, oldest first.
    pub fn reports(&self) -> Vec<JobReport> {
        let jobs = self.jobs.lock().unwrap_or_else(|e| e.into_inner());
        jobs.iter().map(|events| JobReport::from_events(events)).collect()
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
