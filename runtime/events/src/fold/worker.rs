use std::collections::BTreeMap;
use std::time::Duration;

use super::{Job, Limits};
use crate::{Event, TaskMetrics, WorkerId};

/// The workers of a session.
#[derive(Debug, Clone, PartialEq)]
pub struct Workers {
    all: BTreeMap<WorkerId, Worker>,
    /// Changes whenever a worker joins or is lost.
    pub(crate) version: u64,
    limits: Limits,
}

/// A worker, as the session's events describe it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Worker {
    /// Its name; empty if no event gave one.
    pub name: String,
    /// Whether an event said that it joined. Slots of an embedded session do not.
    pub joined: Option<Duration>,
    /// Its slots.
    pub slots: usize,
    /// When and why it was lost, if it was.
    pub lost: Option<(Duration, String)>,
    /// Attempts that started on it.
    pub started: usize,
    /// Attempts that finished on it.
    pub done: usize,
    /// Attempts that failed on it. Those that came second are not among them.
    pub failed: usize,
    /// Attempts on it that were not needed, because another one finished first.
    pub beaten: usize,
    /// Sums over its finished attempts.
    pub totals: TaskMetrics,
}

impl Default for Workers {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Workers {
    /// No workers yet.
    pub fn new(limits: Limits) -> Self {
        Self { all: BTreeMap::new(), version: 0, limits }
    }

    /// Takes the session's next event.
    pub fn apply(&mut self, event: &Event) {
        let (Event::WorkerJoined { worker, .. }
        | Event::WorkerLost { worker, .. }
        | Event::TaskStarted { worker, .. }
        | Event::TaskFinished { worker, .. }
        | Event::TaskFailed { worker, .. }) = event
        else {
            return;
        };
        if self.all.len() >= self.limits.workers && !self.all.contains_key(worker) {
            return;
        }
        self.all.entry(*worker).or_default().apply(event, self.limits.slots);
        if event.job().is_none() {
            self.version += 1;
        }
    }

    /// An attempt that failed on a worker was not needed.
    pub(super) fn beaten(&mut self, worker: WorkerId) {
        if let Some(worker) = self.all.get_mut(&worker) {
            worker.failed = worker.failed.saturating_sub(1);
            worker.beaten += 1;
        }
    }

    /// A worker by its number.
    pub fn get(&self, worker: WorkerId) -> Option<&Worker> {
        self.all.get(&worker)
    }

    /// All of them, by number, lost ones too.
    pub fn iter(&self) -> impl Iterator<Item = (WorkerId, &Worker)> {
        self.all.iter().map(|(id, worker)| (*id, worker))
    }
}

impl Worker {
    fn apply(&mut self, event: &Event, most_slots: usize) {
        match event {
            Event::WorkerJoined { name, slots, at, .. } => {
                (self.name, self.slots, self.joined) = (name.clone(), (*slots).min(most_slots), Some(*at));
            }
            Event::WorkerLost { cause, at, .. } => self.lost = Some((*at, cause.clone())),
            Event::TaskStarted { slot, .. } => {
                self.started += 1;
                // One that joined said how many it has.
                if self.joined.is_none() {
                    self.slots = self.slots.max(slot.saturating_add(1)).min(most_slots);
                }
            }
            Event::TaskFinished { metrics, .. } => {
                self.done += 1;
                self.totals.add(metrics);
            }
            Event::TaskFailed { .. } => self.failed += 1,
            _ => {}
        }
    }

    fn ended(&self) -> usize {
        self.done + self.failed + self.beaten
    }

    /// Attempts that run on it.
    pub fn running(&self) -> usize {
        if self.lost.is_some() { 0 } else { self.started.saturating_sub(self.ended()) }
    }
}

/// A worker of one job, with the slots to show for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JobWorker {
    /// Its number.
    pub worker: WorkerId,
    /// Its name; `None` for slots of the session's own process.
    pub name: Option<String>,
    /// Slots that it offered or used.
    pub slots: usize,
    /// When and why it was lost, if that was during the job.
    pub lost: Option<(Duration, String)>,
}

/// The slots of these workers together.
pub fn slots(workers: &[JobWorker]) -> usize {
    workers.iter().fold(0, |sum, worker| sum.saturating_add(worker.slots))
}

impl Job {
    /// The workers that the job could run on, by number: those that were there while it ran, and any
    /// that one of its attempts ran on.
    pub fn workers(&self, workers: &Workers) -> Vec<JobWorker> {
        let mut found: BTreeMap<WorkerId, JobWorker> = BTreeMap::new();
        for (id, worker) in workers.iter() {
            let joined = worker.joined.is_some_and(|at| at <= self.last);
            let lost_before = worker.lost.as_ref().is_some_and(|(at, _)| *at < self.submitted);
            if joined && !lost_before {
                let lost = worker.lost.clone().filter(|(at, _)| !self.has_ended() || *at <= self.last);
                let (name, slots) = (Some(worker.name.clone()), worker.slots);
                found.insert(id, JobWorker { worker: id, name, slots, lost });
            }
        }
        if found.is_empty() && self.slots > 0 {
            let (worker, slots) = (WorkerId::EMBEDDED, self.slots);
            found.insert(worker, JobWorker { worker, name: None, slots, lost: None });
        }
        for (id, slots) in self.slots_used() {
            let worker = found.entry(id).or_insert_with(|| JobWorker {
                worker: id,
                name: match workers.get(id) {
                    Some(known) if known.joined.is_some() => Some(known.name.clone()),
                    _ if id == WorkerId::EMBEDDED => None,
                    _ => Some(format!("worker {id}")),
                },
                slots: 0,
                lost: workers.get(id).and_then(|known| known.lost.clone()),
            });
            worker.slots = worker.slots.max(slots);
        }
        found.into_values().collect()
    }
}
