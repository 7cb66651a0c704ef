use std::collections::HashMap;
use std::time::Instant;

use super::Attempt;
use super::ahead::Ahead;

/// What one worker has: slots, tasks on them, and tasks that wait for the next one.
#[derive(Debug)]
pub(super) struct Slots {
    pub slots: usize,
    /// Tasks and since when they have a slot. Also those of sessions that have ended: the slot is taken until
    /// the worker says otherwise.
    pub running: HashMap<(u64, Attempt), Instant>,
    pub ahead: Ahead,
}

/// How a task ended that a worker had.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Before it got a slot, as when it was cancelled.
    Ahead,
    /// It had a slot since then, which the next one of those sent ahead has now.
    HandedOn(Instant),
    /// It had a slot since then, which is free now.
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

    /// A task ended; `None` if it was not here.
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
