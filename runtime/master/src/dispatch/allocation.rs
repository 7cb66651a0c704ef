use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The number of workers a session may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) min: usize,
    pub(crate) max: usize,
    /// A worker that has been idle for this long is released.
    pub(crate) idle: Duration,
    /// Tasks queue for this long before more workers are requested, twice as many each time.
    pub(crate) step: Duration,
}

/// A worker that could be allocated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) worker: u64,
    pub(crate) slots: usize,
    /// The number of tasks it runs, for all sessions.
    pub(crate) busy: usize,
    /// The number of queued tasks of the session that prefer it.
    pub(crate) local: usize,
}

/// A worker that was allocated to a session or released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) worker: u64,
    pub(crate) used: bool,
}

/// The workers of one session under dynamic allocation.
#[derive(Debug)]
pub(crate) struct Allocation {
    rule: Rule,
    /// The workers, with the start of their idle time; `None` while one runs a task of this session.
    used: BTreeMap<u64, Option<Instant>>,
    grow: Option<(Instant, usize)>,
}

impl Allocation {
    /// Starts with the workers that run tasks of the session.
    pub(crate) fn new(rule: Rule, running: impl IntoIterator<Item = u64>) -> Self {
        Self { rule, used: running.into_iter().map(|worker| (worker, None)).collect(), grow: None }
    }

    /// Changes the rule.
    pub(crate) fn rule(&mut self, rule: Rule) {
        self.rule = rule;
    }

    pub(crate) fn uses(&self, worker: u64) -> bool {
        self.used.contains_key(&worker)
    }

    pub(crate) fn used(&self) -> impl Iterator<Item = u64> {
        self.used.keys().copied()
    }

    pub(crate) fn launched(&mut self, worker: u64) {
        if let Some(idle) = self.used.get_mut(&worker) {
            *idle = None;
        }
    }

    /// Marks a worker as idle when the session's last task on it has ended.
    pub(crate) fn idle(&mut self, worker: u64, now: Instant) {
        if let Some(idle) = self.used.get_mut(&worker) {
            *idle = Some(now);
        }
    }

    pub(crate) fn forget(&mut self, worker: u64) {
        self.used.remove(&worker);
    }

    /// Allocates workers while tasks queue, and releases idle ones when none do. `backlog` is the number of
    /// tasks that found no slot.
    pub(crate) fn adjust(&mut self, now: Instant, backlog: usize, mut others: Vec<Candidate>) -> Vec<Change> {
        others.retain(|other| !self.uses(other.worker));
        others.sort_by_key(|other| {
            (Reverse(other.local), Reverse(other.slots.saturating_sub(other.busy)), other.worker)
        });
        let mut others = others.into_iter();
        let mut changes: Vec<_> =
            others.by_ref().take(self.rule.min.saturating_sub(self.used.len())).collect();
        if backlog == 0 {
            self.grow = None;
        } else {
            let (at, step) = *self.grow.get_or_insert((now + self.rule.step, 1));
            // Without any worker nothing progresses, so there is no point in waiting.
            let none = self.used.is_empty() && changes.is_empty();
            if none || at <= now {
                let mut left = backlog;
                let room = self.rule.max.saturating_sub(self.used.len() + changes.len());
                let wanted = others.by_ref().take(step.min(room)).take_while(|other| {
                    let more = left > 0;
                    left = left.saturating_sub(other.slots);
                    more
                });
                changes.extend(wanted);
                self.grow = Some((now + self.rule.step, if none { step } else { step.saturating_mul(2) }));
            }
        }
        let mut changes: Vec<_> =
            changes.into_iter().map(|other| Change { worker: other.worker, used: true }).collect();
        self.used.extend(changes.iter().map(|change| (change.worker, Some(now))));
        let over = self.used.len().saturating_sub(self.rule.max);
        let spare = self.used.len().saturating_sub(self.rule.min);
        let given_back: BTreeSet<u64> = self
            .idle_workers()
            .enumerate()
            .take(spare)
            .filter(|(at, (since, _))| *at < over || (backlog == 0 && *since + self.rule.idle <= now))
            .map(|(_, (_, worker))| worker)
            .collect();
        self.used.retain(|worker, _| !given_back.contains(worker));
        changes.extend(given_back.into_iter().map(|worker| Change { worker, used: false }));
        changes
    }

    /// When to adjust again if nothing happens before.
    pub(crate) fn next(&self) -> Option<Instant> {
        if let Some((at, _)) = self.grow {
            return Some(at);
        }
        if self.used.len() <= self.rule.min {
            return None;
        }
        self.idle_workers().next().map(|(since, _)| since + self.rule.idle)
    }

    /// The idle workers, the longest idle first.
    fn idle_workers(&self) -> impl Iterator<Item = (Instant, u64)> {
        let mut idle: Vec<_> =
            self.used.iter().filter_map(|(worker, idle)| Some(((*idle)?, *worker))).collect();
        idle.sort_unstable();
        idle.into_iter()
    }
}
