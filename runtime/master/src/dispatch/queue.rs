use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use bytes::Bytes;

use super::Attempt;

/// A task that waits for a slot.
#[derive(Debug, Clone)]
pub(crate) struct Queued {
    pub(crate) attempt: Attempt,
    pub(crate) body: Bytes,
    /// Workers that have some of its input; empty if it has no preference.
    pub(crate) preferred: Vec<u64>,
    /// Workers it must not run on.
    pub(crate) excluded: Vec<u64>,
}

/// A task's position in its queue: jobs in order, and tasks of a job in order of submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) job: u64,
    number: u64,
}

/// The task that a queue offers to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) place: Place,
    /// Whether the task prefers this worker.
    pub(crate) local: bool,
}

/// The tasks of one session that wait for slots. Finding one for a worker does not scan them.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    tasks: BTreeMap<Place, Queued>,
    places: HashMap<Attempt, Place>,
    /// Tasks by the workers they prefer, including those that other workers may take by now.
    local: HashMap<u64, BTreeSet<Place>>,
    /// Tasks that any worker may take except those in the key. Few tasks exclude any.
    anywhere: BTreeMap<Vec<u64>, BTreeSet<Place>>,
    /// Tasks that only preferred workers may take, by the time when that ends.
    waiting: BTreeSet<(Instant, Place)>,
    until: HashMap<Place, Instant>,
    bytes: usize,
    next: u64,
}

impl Queue {
    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The size of the tasks' bodies, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn contains(&self, attempt: &Attempt) -> bool {
        self.places.contains_key(attempt)
    }

    /// Appends a task. Until `until`, only workers that it prefers may take it, if any of them is `there`. An
    /// attempt must not be queued twice.
    pub(crate) fn push(&mut self, mut task: Queued, until: Instant, there: impl Fn(u64) -> bool) {
        task.excluded.sort_unstable();
        task.excluded.dedup();
        task.preferred.sort_unstable();
        task.preferred.dedup();
        task.preferred.retain(|worker| there(*worker) && task.excluded.binary_search(worker).is_err());
        let place = Place { job: task.attempt.job, number: self.next };
        self.next += 1;
        for worker in &task.preferred {
            self.local.entry(*worker).or_default().insert(place);
        }
        if task.preferred.is_empty() {
            self.anywhere.entry(task.excluded.clone()).or_default().insert(place);
        } else {
            self.waiting.insert((until, place));
            self.until.insert(place, until);
        }
        self.bytes += task.body.len();
        let twice = self.places.insert(task.attempt, place);
        debug_assert!(twice.is_none(), "an attempt is queued twice");
        self.tasks.insert(place, task);
    }

    /// The task that `worker` should take next: from the first job that has one for it, a task that prefers
    /// it, or else the one that has waited longest.
    pub(crate) fn offer(&self, worker: u64) -> Option<Offer> {
        let local = self.local.get(&worker).and_then(|places| places.first().copied());
        let any = self
            .anywhere
            .iter()
            .filter(|(excluded, _)| excluded.binary_search(&worker).is_err())
            .filter_map(|(_, places)| places.first().copied())
            .min();
        match (local, any) {
            (Some(local), Some(any)) if any.job < local.job => Some(Offer { place: any, local: false }),
            (Some(local), _) => Some(Offer { place: local, local: true }),
            (None, Some(any)) => Some(Offer { place: any, local: false }),
            (None, None) => None,
        }
    }

    /// The attempt at a place.
    pub(crate) fn attempt(&self, place: Place) -> Option<&Attempt> {
        self.tasks.get(&place).map(|task| &task.attempt)
    }

    /// The number of tasks that prefer a worker.
    pub(crate) fn local(&self, worker: u64) -> usize {
        self.local.get(&worker).map_or(0, BTreeSet::len)
    }

    /// Takes the task at a place.
    pub(crate) fn take(&mut self, place: Place) -> Option<Queued> {
        let task = self.tasks.remove(&place)?;
        self.places.remove(&task.attempt);
        self.bytes -= task.body.len();
        for worker in &task.preferred {
            remove(&mut self.local, worker, place);
        }
        if let Some(until) = self.until.remove(&place) {
            self.waiting.remove(&(until, place));
        } else if let Some(places) = self.anywhere.get_mut(&task.excluded) {
            places.remove(&place);
            if places.is_empty() {
                self.anywhere.remove(&task.excluded);
            }
        }
        Some(task)
    }

    /// Takes one attempt, if it is queued.
    pub(crate) fn take_attempt(&mut self, attempt: &Attempt) -> Option<Queued> {
        self.places.get(attempt).copied().and_then(|place| self.take(place))
    }

    /// Takes all tasks of a job.
    pub(crate) fn take_job(&mut self, job: u64) -> Vec<Queued> {
        let all = Place { job, number: 0 }..=Place { job, number: u64::MAX };
        let places: Vec<_> = self.tasks.range(all).map(|(place, _)| *place).collect();
        places.into_iter().filter_map(|place| self.take(place)).collect()
    }

    /// Lets any worker take the tasks whose wait for a preferred worker ended by `now`.
    pub(crate) fn settle(&mut self, now: Instant) {
        while let Some((_, place)) = self.waiting.first().copied().filter(|(until, _)| *until <= now) {
            self.release(place);
        }
    }

    /// When the next wait for a preferred worker ends.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.waiting.first().map(|(until, _)| *until)
    }

    /// Removes a worker. Tasks that preferred only this worker stop waiting for it.
    pub(crate) fn forget(&mut self, worker: u64) {
        for place in self.local.remove(&worker).unwrap_or_default() {
            let Some(task) = self.tasks.get_mut(&place) else { continue };
            task.preferred.retain(|preferred| *preferred != worker);
            if task.preferred.is_empty() {
                self.release(place);
            }
        }
    }

    fn release(&mut self, place: Place) {
        if let Some(until) = self.until.remove(&place) {
            self.waiting.remove(&(until, place));
            if let Some(task) = self.tasks.get(&place) {
                self.anywhere.entry(task.excluded.clone()).or_default().insert(place);
            }
        }
    }
}

fn remove(sets: &mut HashMap<u64, BTreeSet<Place>>, worker: &u64, place: Place) {
    if let Some(places) = sets.get_mut(worker) {
        places.remove(&place);
        if places.is_empty() {
            sets.remove(worker);
        }
    }
}
