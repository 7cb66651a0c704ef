use std::collections::HashMap;
use std::time::Duration;

use partita_events::fold::{Attempt, Job, JobWorker, Stage};
use partita_events::{StageId, WorkerId};

/// A job and what its picture is made of.
pub(super) struct Drawn<'a> {
    pub job: &'a Job,
    pub workers: Vec<JobWorker>,
    /// The attempts on each slot, in the order they started.
    lanes: HashMap<(WorkerId, usize), Vec<&'a Attempt>>,
    /// The place of each stage in the job, for its colour.
    orders: HashMap<StageId, usize>,
}

impl<'a> Drawn<'a> {
    pub fn new(job: &'a Job, workers: Vec<JobWorker>) -> Self {
        let mut lanes: HashMap<(WorkerId, usize), Vec<&Attempt>> = HashMap::new();
        for attempt in job.attempts() {
            lanes.entry((attempt.worker, attempt.slot)).or_default().push(attempt);
        }
        lanes.values_mut().for_each(|lane| lane.sort_by_key(|attempt| attempt.started));
        let orders = job.stages().iter().enumerate().map(|(order, stage)| (stage.stage, order)).collect();
        Self { job, workers, lanes, orders }
    }

    /// The attempts on a slot, in the order they started.
    pub fn lane(&self, worker: WorkerId, slot: usize) -> &[&'a Attempt] {
        self.lanes.get(&(worker, slot)).map_or(&[], Vec::as_slice)
    }

    /// The place of an attempt's stage in the job.
    pub fn order(&self, attempt: &Attempt) -> usize {
        self.orders.get(&attempt.stage).copied().unwrap_or_default()
    }

    pub fn stage(&self, attempt: &Attempt) -> Option<&'a Stage> {
        self.job.stages().get(self.order(attempt))
    }

    /// The end of an attempt, or of what is known of the job.
    pub fn end(&self, attempt: &Attempt) -> Duration {
        attempt.ended.unwrap_or(self.job.last)
    }

    /// Slots of all workers.
    pub fn slots(&self) -> usize {
        self.workers.iter().map(|worker| worker.slots).sum()
    }

    /// Whether its slots are those of workers in other processes.
    pub fn is_of_pool(&self) -> bool {
        self.workers.iter().any(|worker| worker.name.is_some())
    }
}
