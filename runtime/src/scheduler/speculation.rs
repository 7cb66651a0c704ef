//! Copies of slow tasks: the first of the two attempts to end counts. Spark's rule: when three quarters
//! of a stage's tasks are done, a task that has run one and a half times as long as their median gets a
//! copy on another worker. A task that has not started gets one as well, because it may wait behind a
//! slow one.

use std::time::{Duration, Instant};

use partita_events::{PartitionId, StageId, WorkerId};

use super::job::Job;
use super::stage::StageState;
use crate::error::Result;

/// The share of a stage's tasks that must be done before any gets a copy.
const QUANTILE: f64 = 0.75;

/// A task is slow if it takes this many times the median.
const MULTIPLIER: f64 = 1.5;

/// A task that takes less is never slow: a copy would cost more than it saves.
const MIN_RUNTIME: Duration = Duration::from_millis(100);

/// How often running tasks are checked.
const INTERVAL: Duration = Duration::from_millis(100);

/// When running tasks were last checked.
#[derive(Default)]
pub(super) struct Speculation {
    looked: Option<Instant>,
}

impl Job<'_> {
    /// Submits copies of slow tasks, if it is time to check.
    pub(super) fn speculate(&mut self) -> Result<()> {
        let now = Instant::now();
        let Some(speculation) = &mut self.speculation else { return Ok(()) };
        if speculation.looked.is_some_and(|looked| now < looked + INTERVAL) {
            return Ok(());
        }
        speculation.looked = Some(now);
        for stage in (0..self.stages.len()).map(StageId) {
            let slow = slow(&self.stages[stage.0], now);
            let mut workers: Vec<WorkerId> = slow.iter().map(|(_, worker)| *worker).collect();
            workers.sort_unstable();
            workers.dedup();
            let waiting = if slow.is_empty() { Vec::new() } else { waiting(&self.stages[stage.0]) };
            let slow = slow.into_iter().map(|(partition, worker)| (partition, vec![worker]));
            let behind = waiting.into_iter().map(|partition| (partition, workers.clone()));
            for (partition, excluded) in slow.chain(behind) {
                // The copy must not wait for a worker that will not come.
                if self.engine.workers().iter().all(|other| excluded.contains(&other.id)) {
                    continue;
                }
                if let Some(copy) = self.task(stage, partition, excluded) {
                    self.send(stage, vec![copy])?;
                }
            }
        }
        Ok(())
    }
}

/// The tasks of a stage that are slow and have one attempt, with their workers.
fn slow(stage: &StageState, now: Instant) -> Vec<(PartitionId, WorkerId)> {
    let done = stage.tasks.len() - stage.left;
    let enough = ((stage.tasks.len() as f64 * QUANTILE) as usize).max(1);
    if stage.left == 0 || done < enough || stage.times.is_empty() {
        return Vec::new();
    }
    let mut times = stage.times.clone();
    let middle = times.len() / 2;
    let (_, median, _) = times.select_nth_unstable(middle);
    let limit = median.mul_f64(MULTIPLIER).max(MIN_RUNTIME);
    let tasks = stage.tasks.iter().enumerate();
    tasks
        .filter_map(|(partition, task)| match &task.live {
            [Some(only), None] | [None, Some(only)] => Some((partition, only.runs?)),
            _ => None,
        })
        .filter(|(_, (_, since))| now.saturating_duration_since(*since) > limit)
        .map(|(partition, (worker, _))| (PartitionId(partition), worker))
        .collect()
}

/// The tasks of a stage that have one attempt, which has not started.
fn waiting(stage: &StageState) -> Vec<PartitionId> {
    let tasks = stage.tasks.iter().enumerate();
    tasks
        .filter(|(_, task)| match &task.live {
            [Some(only), None] | [None, Some(only)] => only.runs.is_none(),
            _ => false,
        })
        .map(|(partition, _)| PartitionId(partition))
        .collect()
}
