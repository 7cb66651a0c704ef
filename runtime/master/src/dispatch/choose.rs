use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::queue::{Place, Queue};

/// A session as far as its turn is concerned: fewest running tasks first, then who was served longest
/// ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Claim {
    pub(crate) running: usize,
    pub(crate) served: u64,
    pub(crate) session: u64,
}

/// The sessions that want slots, in the order of their turns.
#[derive(Debug, Default)]
pub(crate) struct Claims(BTreeSet<Claim>);

impl Claims {
    pub(crate) fn add(&mut self, claim: Claim) {
        self.0.insert(claim);
    }

    /// Whose turn it is. Who was given something claims anew; who was not, did not find anything in
    /// the free slots, which only become fewer.
    pub(crate) fn next(&mut self) -> Option<Claim> {
        self.0.pop_first()
    }
}

/// A task and the worker to run it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) worker: u64,
    pub(crate) place: Place,
    pub(crate) local: bool,
}

/// Picks for one session: jobs in their order, a preferred worker before others, and of equal ones the
/// worker with the most free slots, so that work spreads. `free` has the workers with free slots.
pub(crate) fn choose(
    queue: &Queue,
    free: &BTreeMap<u64, usize>,
    usable: impl Fn(u64) -> bool,
) -> Option<Choice> {
    free.iter()
        .filter(|(worker, _)| usable(**worker))
        .filter_map(|(worker, slots)| Some((*worker, *slots, queue.offer(*worker)?)))
        .min_by_key(|(worker, slots, offer)| {
            (offer.place.job, !offer.local, Reverse(*slots), offer.place, *worker)
        })
        .map(|(worker, _, offer)| Choice { worker, place: offer.place, local: offer.local })
}
