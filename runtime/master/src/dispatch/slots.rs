use std::collections::HashMap;
use std::time::Instant;

use super::Attempt;
use super::ahead::Ahead;

/// The slots of one worker, the tasks on them, and the tasks sent ahead.
#[derive(Debug)]
pub(super) struct Slots {
    pub slots: usize,
    /// Tasks that have a slot, and since when. Tasks of closed sessions are included: they hold their slot
    /// until the worker reports their end.
    pub running: HashMap<(u64, Attempt), Instant>,
    pub ahead: Ahead,
}

/// How a worker's task ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It had no slot yet, for example because it was cancelled.
    Ahead,
    /// It had a slot since this time; the next task sent ahead has the slot now.
    HandedOn(Instant),
    /// It had a slot since this time; the slot is free now.
    Freed(Instant),
}

impl Slots {
    pub fn new(slots: usize) -> Self {
        Self { slots, running: HashMap::new(), ahead: Ahead::new() }
    }

    /// Whether the worker has this task.
    pub fn has(&self, task: &(u64, Attempt)) -> bool {
        self.running.contains_key(task) || self.ahead.contains(task)
    }

    /// Ends a task. Returns `None` if the worker did not have it.
    pub fn ended(&mut self, task: &(u64, Attempt), now: Instant) -> Option<End> {
        let Some(since) = self.running.remove(task) else {
            let place = self.ahead.iter().position(|ahead| ahead == task)?;
            self.ahead.remove(place);
            return Some(End::Ahead);
        };
        let Some(next) = self.ahead.pop_front() else { return Some(End::Freed(since)) };
        self.running.insert(next, now);
        Some(End::HandedOn(since))
    }
}
