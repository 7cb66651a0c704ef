use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use super::Limits;
use crate::{PartitionId, Skew, StageId, TaskMetrics};

/// A skewed task is worth telling if it took longer than the median by this share of the job's time.
const SKEWED_SHARE: f64 = 0.05;
/// Causes of resubmissions that are kept.
const CAUSES_KEPT: usize = 100;

/// A stage of a job.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stage {
    /// Number in the job.
    pub stage: StageId,
    /// Number in the session, from 0, as Spark counts stages.
    pub serial: usize,
    /// What it does, such as `group_by: partial`.
    pub name: String,
    /// How many tasks it has, one a partition.
    pub tasks: usize,
    /// When its tasks were queued.
    pub submitted: Duration,
    /// When the first attempt started.
    pub first_started: Option<Duration>,
    /// When it finished; before that, when its latest task did.
    pub ended: Option<Duration>,
    /// Whether all its tasks are done.
    pub finished: bool,
    /// When and why tasks were queued again, the first hundred times.
    pub resubmissions: Vec<Resubmission>,
    /// Tasks that were queued again because their output was lost.
    pub resubmitted: usize,
    /// Attempts that are running.
    pub running: usize,
    /// Attempts that failed. Those that came second are not among them.
    pub failed: usize,
    /// Those of `failed` after which the job went on.
    pub retried: usize,
    /// Attempts that were not needed, because another one finished first.
    pub beaten: usize,
    /// Attempts that started while another one at the same task was running.
    pub copies: usize,
    /// Why an attempt failed last, or output was lost.
    pub cause: Option<String>,
    /// Sums over the tasks whose output is there.
    pub totals: TaskMetrics,
    /// Changes with every event of the stage.
    pub(crate) version: u64,
    pub(super) finished_tasks: BTreeMap<PartitionId, Finished>,
    pub(super) time_skew: Computed,
    /// Tasks that are done though no event said so.
    pub(super) unreported: usize,
    /// Tasks that are done but not told apart, because there are too many.
    pub(super) beyond: usize,
    /// Tasks whose output was lost and that have not started again.
    pub(super) lost: usize,
}

/// The time skew, once somebody has asked for it: large stages take a while to sort.
#[derive(Debug, Clone, Default)]
pub(super) struct Computed(OnceLock<Option<Skew>>);

/// What was computed follows from the rest of the stage.
impl PartialEq for Computed {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Tasks of a stage that were queued again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resubmission {
    /// How many.
    pub tasks: usize,
    /// Why their output was lost.
    pub cause: String,
    /// When.
    pub at: Duration,
}

/// A finished task, as far as skew is about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// The place in [`Job::attempts`](super::Job::attempts) of the attempt that counts, if it is kept.
    pub attempt: Option<usize>,
    /// Time on the slot.
    pub run: Duration,
    /// Rows that came in.
    pub rows_in: u64,
    /// Bytes that came in, of files and shuffles.
    pub bytes_in: u64,
}

impl Stage {
    /// Tasks that are done and whose output is there. When a stage has finished these are all, even if
    /// single events were lost on the way.
    pub fn done(&self) -> usize {
        self.outputs().saturating_sub(self.lost).min(self.tasks)
    }

    /// Tasks that have finished, those included whose output was lost since.
    fn outputs(&self) -> usize {
        self.finished_tasks.len().saturating_add(self.unreported).saturating_add(self.beyond)
    }

    /// The tasks that have finished, by partition.
    pub fn finished_tasks(&self) -> impl ExactSizeIterator<Item = (PartitionId, Finished)> {
        self.finished_tasks.iter().map(|(partition, finished)| (*partition, *finished))
    }

    /// Whether a partition's task has finished.
    pub fn has_finished(&self, partition: PartitionId) -> bool {
        self.finished_tasks.contains_key(&partition)
    }

    /// From its submission to its end, or to its latest task's end.
    pub fn wall(&self) -> Duration {
        self.ended.unwrap_or(self.submitted).saturating_sub(self.submitted)
    }

    /// How unevenly time on the slots is spread over the finished tasks, in seconds.
    pub fn time_skew(&self) -> Option<Skew> {
        *self.time_skew.0.get_or_init(|| self.skew(|task| task.run.as_secs_f64()))
    }

    /// How unevenly incoming rows are spread over the finished tasks.
    pub fn row_skew(&self) -> Option<Skew> {
        self.skew(|task| task.rows_in as f64)
    }

    /// How unevenly incoming bytes, of files and shuffles, are spread over the finished tasks.
    pub fn byte_skew(&self) -> Option<Skew> {
        self.skew(|task| task.bytes_in as f64)
    }

    /// The time skew, if it is worth telling a person: one task took at least twice the median, and that
    /// is a twentieth of the job's time `wall` or more.
    pub fn notable_skew(&self, wall: Duration) -> Option<Skew> {
        self.time_skew().filter(|skew| {
            self.finished_tasks.len() > 1
                && skew.is_skewed()
                && skew.max - skew.median >= wall.as_secs_f64() * SKEWED_SHARE
        })
    }

    fn skew(&self, figure: impl Fn(&Finished) -> f64) -> Option<Skew> {
        let figures: Vec<f64> = self.finished_tasks.values().map(figure).collect();
        let mut skew = Skew::of(&figures)?;
        let worst = self.finished_tasks.keys().nth(skew.worst)?;
        skew.worst = worst.0;
        Some(skew)
    }

    pub(super) fn resubmit(&mut self, tasks: usize, cause: &str, at: Duration) {
        (self.finished, self.ended) = (false, None);
        self.resubmitted = self.resubmitted.saturating_add(tasks);
        self.lost = self.lost.saturating_add(tasks).min(self.outputs());
        self.cause = Some(cause.to_owned());
        if self.resubmissions.len() < CAUSES_KEPT {
            self.resubmissions.push(Resubmission { tasks, cause: cause.to_owned(), at });
        }
    }

    /// An attempt started that no other one runs beside: the partition has no output any more.
    pub(super) fn begin(&mut self, partition: PartitionId) -> Option<Finished> {
        let before = self.finished_tasks.remove(&partition);
        if before.is_some() {
            self.time_skew = Computed::default();
            self.lost = self.lost.saturating_sub(1);
        } else if self.unreported > 0 {
            self.unreported -= 1;
            self.lost = self.lost.saturating_sub(1);
        } else if self.lost > 0 && self.beyond > 0 {
            self.beyond -= 1;
            self.lost -= 1;
        }
        before
    }

    /// Notes a partition's output; returns what counted before.
    pub(super) fn finish(
        &mut self,
        partition: PartitionId,
        finished: Finished,
        limits: &Limits,
    ) -> Option<Finished> {
        if partition.0 >= self.tasks {
            return None;
        }
        let known = self.finished_tasks.contains_key(&partition);
        if !known && self.finished_tasks.len() >= limits.partitions {
            self.beyond = self.beyond.saturating_add(1);
            return None;
        }
        self.time_skew = Computed::default();
        self.finished_tasks.insert(partition, finished)
    }

    pub(super) fn finish_all(&mut self, at: Duration) {
        (self.finished, self.ended) = (true, Some(at));
        self.unreported = self.tasks.saturating_sub(self.finished_tasks.len());
        (self.beyond, self.lost) = (0, 0);
    }

    pub(super) fn forget_attempts(&mut self) {
        self.finished_tasks.values_mut().for_each(|task| task.attempt = None);
    }
}
