//! What a failed attempt means: another attempt, or the end of the job.

use partita_engine::task::TaskError;
use partita_events::{PartitionId, StageId, WorkerId};

use super::job::{Failure, Job};
use super::stage::Attempt;

/// How often a task may lose its worker. The task is not to blame for a worker that was stopped, but if
/// workers keep dying with it, it may well be.
pub(super) const WORKERS_LOST: usize = 8;

/// How often a task may fail to read the output of earlier stages, most of which is made again each time.
const FETCHES_FAILED: usize = 32;

impl Job<'_> {
    /// Runs a task again whose attempt failed.
    ///
    /// # Errors
    /// When it was the last attempt, so the job has failed.
    pub(super) fn attempt_failed(
        &mut self,
        stage: StageId,
        partition: PartitionId,
        attempt: &Attempt,
        worker: WorkerId,
        error: &TaskError,
    ) -> Result<(), Failure> {
        match error {
            TaskError::CacheLost => {
                return Err(Failure::CacheLost(self.task_failed(stage, partition, vec![error.to_string()])));
            }
            TaskError::FetchFailed { shuffle, map_partitions, cause } => match self.stage_of(*shuffle) {
                Some(maps) if maps < stage => {
                    let task = &mut self.stages[stage.0].tasks[partition.0];
                    task.fetches_failed += 1;
                    if task.fetches_failed >= FETCHES_FAILED {
                        let cause =
                            format!("its input could not be read {FETCHES_FAILED} times, last: {error}");
                        return Err(self.task_failed(stage, partition, vec![cause]).into());
                    }
                    self.outputs_lost(maps, map_partitions, cause, Some(attempt.sent_at))?;
                }
                _ => self.count_failure(stage, partition, worker, error.to_string())?,
            },
            TaskError::Failed(cause) => self.count_failure(stage, partition, worker, cause.clone())?,
            TaskError::TooLarge(cause) => {
                let mut causes = std::mem::take(&mut self.stages[stage.0].tasks[partition.0].failures);
                causes.push(cause.clone());
                return Err(self.task_failed(stage, partition, causes).into());
            }
            TaskError::WorkerLost(_) | TaskError::Cancelled => {
                let task = &mut self.stages[stage.0].tasks[partition.0];
                task.workers_lost += 1;
                if task.workers_lost >= WORKERS_LOST {
                    let mut causes = std::mem::take(&mut task.failures);
                    causes.push(format!(
                        "its worker was lost {WORKERS_LOST} times, last: {error}; if workers run out of memory, use \
                         more partitions or give workers more"
                    ));
                    return Err(self.task_failed(stage, partition, causes).into());
                }
            }
        }
        self.run_again(stage, partition);
        Ok(())
    }

    fn count_failure(
        &mut self,
        stage: StageId,
        partition: PartitionId,
        worker: WorkerId,
        cause: String,
    ) -> Result<(), Failure> {
        let failures = &mut self.stages[stage.0].tasks[partition.0].failures;
        failures.push(if worker == WorkerId::EMBEDDED {
            cause
        } else {
            format!("{cause} (on worker {worker})")
        });
        if failures.len() < self.engine.max_attempts() {
            return Ok(());
        }
        let causes = std::mem::take(failures);
        Err(self.task_failed(stage, partition, causes).into())
    }

    /// Puts a task back into the queue, unless it is queued, is done, or has another attempt under way.
    fn run_again(&mut self, stage: StageId, partition: PartitionId) {
        let state = &mut self.stages[stage.0];
        let task = &state.tasks[partition.0];
        if task.result.is_none() && !task.is_live() && !state.pending.contains(&partition) {
            state.pending.push(partition);
        }
    }
}
