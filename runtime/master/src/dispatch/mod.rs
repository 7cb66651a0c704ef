//! Decides which task gets which slot. This is decisions only, without sockets and without a clock, so that
//! it can be tested by itself. A slot is one core of a worker. A session's tasks wait in its queue until
//! [`Dispatch::place`] finds a slot for them.

mod ahead;
mod allocation;
mod choose;
mod queue;
mod slots;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

pub(crate) use allocation::{Change, Rule};
pub(crate) use queue::Queued;

use ahead::Pace;
use allocation::{Allocation, Candidate};
use choose::{Claim, Claims, choose};
use queue::Queue;
use slots::{End, Slots};

/// One attempt of a task in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Attempt {
    pub(crate) job: u64,
    pub(crate) stage: u32,
    pub(crate) partition: u32,
    pub(crate) attempt: u32,
}

/// A task that got a slot, or was sent ahead to a worker.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) worker: u64,
    pub(crate) session: u64,
    pub(crate) task: Queued,
    pub(crate) local: bool,
}

/// A worker that was allocated to a session or released.
pub(crate) type Allocated = (u64, Change);

/// The slots of workers and the queues of sessions.
#[derive(Debug)]
pub(crate) struct Dispatch {
    workers: BTreeMap<u64, Slots>,
    /// Workers with free slots, and how many.
    free: BTreeMap<u64, usize>,
    sessions: BTreeMap<u64, Share>,
    turn: u64,
    /// A session's tasks are sent ahead only while workers have fewer of them than this.
    most_sent: usize,
}

#[derive(Debug)]
struct Share {
    queue: Queue,
    /// The attempts that workers have, including those sent ahead.
    running: HashMap<Attempt, u64>,
    /// The number of these attempts on each worker.
    on: HashMap<u64, usize>,
    served: u64,
    /// Whether the session does not keep up with its tasks' messages.
    paused: bool,
    wait: Duration,
    pace: Option<Pace>,
    allocation: Option<Allocation>,
}

impl Share {
    fn usable(&self, worker: u64) -> bool {
        self.allocation.as_ref().is_none_or(|allocation| allocation.uses(worker))
    }

    fn launched(&mut self, attempt: Attempt, worker: u64) {
        self.running.insert(attempt, worker);
        *self.on.entry(worker).or_default() += 1;
        if let Some(allocation) = &mut self.allocation {
            allocation.launched(worker);
        }
    }

    fn ended(&mut self, attempt: &Attempt, now: Instant) {
        let Some(worker) = self.running.remove(attempt) else { return };
        if let Some(tasks) = self.on.get_mut(&worker) {
            *tasks -= 1;
            if *tasks == 0 {
                self.on.remove(&worker);
                if let Some(allocation) = &mut self.allocation {
                    allocation.idle(worker, now);
                }
            }
        }
    }
}

impl Dispatch {
    /// An empty dispatch. A session's tasks are sent ahead only while workers have fewer than `most_sent` of
    /// them.
    pub(crate) fn new(most_sent: usize) -> Self {
        let (workers, free, sessions) = Default::default();
        Self { workers, free, sessions, turn: 0, most_sent }
    }

    pub(crate) fn add_worker(&mut self, worker: u64, slots: usize) {
        self.workers.insert(worker, Slots::new(slots));
        if slots > 0 {
            self.free.insert(worker, slots);
        }
    }

    /// Removes a worker. Returns the tasks of open sessions that were running on it.
    pub(crate) fn remove_worker(&mut self, worker: u64, now: Instant) -> Vec<(u64, Attempt)> {
        self.free.remove(&worker);
        let Some(slots) = self.workers.remove(&worker) else { return Vec::new() };
        let all = slots.running.into_keys().chain(slots.ahead);
        let mut lost: Vec<_> = all.filter(|(session, _)| self.sessions.contains_key(session)).collect();
        lost.sort_unstable();
        for (session, attempt) in &lost {
            if let Some(share) = self.sessions.get_mut(session) {
                share.ended(attempt, now);
            }
        }
        for share in self.sessions.values_mut() {
            share.queue.forget(worker);
            if let Some(allocation) = &mut share.allocation {
                allocation.forget(worker);
            }
        }
        lost
    }

    pub(crate) fn add_session(&mut self, session: u64, wait: Duration) {
        let share = Share {
            queue: Queue::default(),
            running: HashMap::new(),
            on: HashMap::new(),
            served: self.turn,
            paused: false,
            wait,
            pace: None,
            allocation: None,
        };
        self.sessions.insert(session, share);
    }

    /// Removes a session and its queue. Its running tasks keep their slots until their workers report their
    /// ends.
    pub(crate) fn remove_session(&mut self, session: u64) {
        self.sessions.remove(&session);
    }

    pub(crate) fn set_wait(&mut self, session: u64, wait: Duration) {
        if let Some(share) = self.sessions.get_mut(&session) {
            share.wait = wait;
        }
    }

    /// Turns dynamic allocation on or off. Returns the resulting changes.
    pub(crate) fn set_rule(&mut self, session: u64, rule: Option<Rule>) -> Vec<Allocated> {
        let Some(share) = self.sessions.get_mut(&session) else { return Vec::new() };
        let before: Vec<_> = self.workers.keys().map(|worker| (*worker, share.usable(*worker))).collect();
        match (rule, &mut share.allocation) {
            (None, allocation) => *allocation = None,
            (Some(rule), Some(allocation)) => allocation.rule(rule),
            (Some(rule), allocation) => *allocation = Some(Allocation::new(rule, share.on.keys().copied())),
        }
        before
            .into_iter()
            .map(|(worker, was)| (was, Change { worker, used: share.usable(worker) }))
            .filter(|(was, change)| *was != change.used)
            .map(|(_, change)| (session, change))
            .collect()
    }

    /// Pauses or resumes giving slots to a session.
    pub(crate) fn pause(&mut self, session: u64, paused: bool) {
        if let Some(share) = self.sessions.get_mut(&session) {
            share.paused = paused;
        }
    }

    /// Queues a task. Returns `false` if the same attempt is already queued or running.
    pub(crate) fn submit(&mut self, session: u64, task: Queued, now: Instant) -> bool {
        let Some(share) = self.sessions.get_mut(&session) else { return false };
        if share.queue.contains(&task.attempt) || share.running.contains_key(&task.attempt) {
            return false;
        }
        share.queue.push(task, now + share.wait, |worker| self.workers.contains_key(&worker));
        true
    }

    /// The number of tasks in a session's queue, and their bytes.
    pub(crate) fn queued(&self, session: u64) -> (usize, usize) {
        self.sessions.get(&session).map_or((0, 0), |share| (share.queue.len(), share.queue.bytes()))
    }

    /// The number of a session's running tasks.
    pub(crate) fn running(&self, session: u64) -> usize {
        let here = |slots: &Slots| slots.running.keys().filter(|(of, _)| *of == session).count();
        if self.sessions.contains_key(&session) { self.workers.values().map(here).sum() } else { 0 }
    }

    /// The number of tasks a worker runs, for all sessions.
    pub(crate) fn busy(&self, worker: u64) -> usize {
        self.workers.get(&worker).map_or(0, |slots| slots.running.len())
    }

    /// The workers a session uses, and whether dynamic allocation chose them.
    pub(crate) fn used(&self, session: u64) -> (Vec<u64>, bool) {
        match self.sessions.get(&session).map(|share| &share.allocation) {
            Some(Some(allocation)) => (allocation.used().collect(), true),
            Some(None) => (self.workers.keys().copied().collect(), false),
            None => (Vec::new(), false),
        }
    }

    /// Whether a worker has this task. Its messages about other tasks are out of date.
    pub(crate) fn runs(&self, worker: u64, session: u64, attempt: Attempt) -> bool {
        self.workers.get(&worker).is_some_and(|slots| slots.has(&(session, attempt)))
    }

    /// Ends a task on a worker. Returns `false` if the worker did not have it.
    pub(crate) fn ended(&mut self, worker: u64, session: u64, attempt: Attempt, now: Instant) -> bool {
        let Some(slots) = self.workers.get_mut(&worker) else { return false };
        let Some(end) = slots.ended(&(session, attempt), now) else { return false };
        if matches!(end, End::Freed(_)) {
            *self.free.entry(worker).or_default() += 1;
        }
        if let Some(share) = self.sessions.get_mut(&session) {
            if let End::HandedOn(since) | End::Freed(since) = end {
                share.pace = Some(Pace::after(share.pace, &attempt, now.saturating_duration_since(since)));
            }
            share.ended(&attempt, now);
        }
        true
    }

    /// Removes a job's tasks, or one attempt, from the queue. Returns those removed and the workers that run
    /// others of them.
    pub(crate) fn cancel(
        &mut self,
        session: u64,
        job: u64,
        only: Option<Attempt>,
    ) -> (Vec<Attempt>, Vec<u64>) {
        let Some(share) = self.sessions.get_mut(&session) else { return Default::default() };
        let (queued, mut workers): (Vec<_>, Vec<_>) = match only {
            Some(attempt) => (
                share.queue.take_attempt(&attempt).into_iter().collect(),
                share.running.get(&attempt).copied().into_iter().collect(),
            ),
            None => {
                let running = share.running.iter().filter(|(attempt, _)| attempt.job == job);
                (share.queue.take_job(job), running.map(|(_, worker)| *worker).collect())
            }
        };
        workers.sort_unstable();
        workers.dedup();
        (queued.into_iter().map(|task| task.attempt).collect(), workers)
    }

    /// Gives free slots to queued tasks, and allocates and releases the workers of sessions under dynamic
    /// allocation.
    pub(crate) fn place(&mut self, now: Instant) -> (Vec<Launch>, Vec<Allocated>) {
        let (mut launches, mut allocated) = (Vec::new(), Vec::new());
        loop {
            self.fill(now, &mut launches);
            let before = allocated.len();
            self.allocate(now, &mut allocated);
            if !allocated[before..].iter().any(|(_, change)| change.used) {
                return (launches, allocated);
            }
        }
    }

    /// When to call `place` again if nothing happens before.
    pub(crate) fn next(&self) -> Option<Instant> {
        let next = |share: &Share| {
            let allocation = share.allocation.as_ref().and_then(Allocation::next);
            share.queue.next().into_iter().chain(allocation).min()
        };
        self.sessions.values().filter_map(next).min()
    }

    fn fill(&mut self, now: Instant, launches: &mut Vec<Launch>) {
        let mut claims = Claims::default();
        for (session, share) in &mut self.sessions {
            share.queue.settle(now);
            if !self.free.is_empty() && !share.paused && !share.queue.is_empty() {
                claims.add(Claim { running: share.running.len(), served: share.served, session: *session });
            }
        }
        while let Some(Claim { session, .. }) = claims.next() {
            let Some(share) = self.sessions.get_mut(&session) else { continue };
            let Some(choice) = choose(&share.queue, &self.free, |worker| share.usable(worker)) else {
                continue;
            };
            let worker = choice.worker;
            let Some(task) = share.queue.take(choice.place) else { continue };
            share.launched(task.attempt, worker);
            self.turn += 1;
            share.served = self.turn;
            if !share.queue.is_empty() {
                claims.add(Claim { running: share.running.len(), served: share.served, session });
            }
            if let Some(slots) = self.workers.get_mut(&worker) {
                slots.running.insert((session, task.attempt), now);
            }
            if let Some(free) = self.free.get_mut(&worker) {
                *free -= 1;
                if *free == 0 {
                    self.free.remove(&worker);
                }
            }
            launches.push(Launch { worker, session, task, local: choice.local });
        }
        self.send_ahead(launches);
    }

    fn allocate(&mut self, now: Instant, allocated: &mut Vec<Allocated>) {
        for (session, share) in &mut self.sessions {
            let Some(allocation) = &mut share.allocation else { continue };
            let candidates = self
                .workers
                .iter()
                .map(|(worker, slots)| Candidate {
                    worker: *worker,
                    slots: slots.slots,
                    busy: slots.running.len(),
                    local: share.queue.local(*worker),
                })
                .collect();
            let changes = allocation.adjust(now, share.queue.len(), candidates);
            allocated.extend(changes.into_iter().map(|change| (*session, change)));
        }
    }
}
