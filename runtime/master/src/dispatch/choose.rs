use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::queue::{Place, Queue};

/// A session's place in the order of turns: fewest running tasks first, then least recently served.
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

    /// The session whose turn it is. A session that got a slot must claim again. A session that got none
    /// found nothing in the free slots, which only become fewer.
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

/// Picks a task and a worker for one session: the earliest job first, then a preferred worker, then the
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
