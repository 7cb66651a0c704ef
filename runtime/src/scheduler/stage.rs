use std::time::{Duration, Instant};

use polars::prelude::DataFrame;

use partita_engine::task::{Output, TaskResult};
use partita_events::{PartitionId, WorkerId};

/// The state of a stage.
#[derive(Default)]
pub(super) struct StageState {
    /// Whether its tasks were ever queued.
    pub submitted: bool,
    /// Whether all its tasks are done and their output is available.
    pub finished: bool,
    /// Whether its rows have become a broadcast or range bounds, which are kept whatever happens.
    pub taken: bool,
    /// What to do with its rows. Decided once: a task that is run again must split its rows as the first
    /// time.
    pub output: Option<Output>,
    pub tasks: Vec<TaskState>,
    /// The number of tasks not done.
    pub left: usize,
    /// Partitions to be queued as soon as the earlier stages are finished.
    pub pending: Vec<PartitionId>,
    /// Partitions that are computed only if the earlier ones are not enough.
    pub spare: Vec<PartitionId>,
    /// How many of those were done before, and how their output was lost.
    pub lost: Option<(usize, String)>,
    /// For each task, the partition that it computes completely or in part; empty if each task has its
    /// own.
    pub parts: Vec<usize>,
    /// The durations of its tasks, if they are needed.
    pub times: Vec<Duration>,
}

impl StageState {
    /// Prepares it before its tasks are queued for the first time.
    pub fn begin(&mut self, tasks: usize, output: Output) {
        self.submitted = true;
        self.output = Some(output);
        self.tasks.resize_with(tasks, TaskState::default);
        self.left = tasks;
        self.pending = (0..tasks).map(PartitionId).collect();
    }

    /// Queues only some partitions first, to see whether they are enough.
    pub fn hold_back(&mut self, first: usize) {
        self.spare = self.pending.split_off(first.min(self.pending.len()));
    }

    /// The rows of the first partitions, as far as all before them are done.
    pub fn first_rows(&self) -> usize {
        let frames = self.tasks.iter().map_while(|task| match &task.result {
            Some(TaskResult::Frame(frame)) => Some(frame.height()),
            _ => None,
        });
        frames.sum()
    }

    /// Whether some of its tasks wait to be queued.
    pub fn waits(&self) -> bool {
        !self.submitted || !self.pending.is_empty()
    }

    /// A task's output is lost, so it must be run again.
    pub fn undo(&mut self, partition: PartitionId, cause: &str) {
        if self.tasks[partition.0].result.take().is_some() {
            self.left += 1;
            self.finished = false;
            self.pending.push(partition);
            let (tasks, _) = self.lost.take().unwrap_or_default();
            self.lost = Some((tasks + 1, cause.to_owned()));
        }
    }

    /// The rows that its tasks returned, in partition order. The tasks stay done.
    pub fn take_frames(&mut self) -> Vec<DataFrame> {
        self.taken = true;
        let frames = self.tasks.iter_mut().map(|task| task.result.take());
        frames
            .filter_map(|result| match result {
                Some(TaskResult::Frame(frame)) => Some(frame),
                _ => None,
            })
            .collect()
    }

    /// The sum of its tasks' counts.
    pub fn count(&self) -> u64 {
        let counts = self.tasks.iter().map(|task| match task.result {
            Some(TaskResult::Count(count)) => count,
            _ => 0,
        });
        counts.sum()
    }
}

/// The state of a task.
#[derive(Default)]
pub(super) struct TaskState {
    /// The number of attempts so far, which is the number of the next one.
    pub attempts: usize,
    /// Attempts that are queued or running: one, and possibly a copy.
    pub live: [Option<Attempt>; 2],
    /// Why attempts failed, in order.
    pub failures: Vec<String>,
    /// How often a worker was lost while running it.
    pub workers_lost: usize,
    /// How often it could not read the output of earlier stages.
    pub fetches_failed: usize,
    /// How often its output was lost.
    pub outputs_lost: usize,
    /// Its result, once it is done.
    pub result: Option<TaskResult>,
    /// When it was done, by the job's own event count.
    pub done_at: u64,
}

/// An attempt that has not ended.
pub(super) struct Attempt {
    pub number: usize,
    /// When it was queued, by the job's own event count.
    pub sent_at: u64,
    /// The worker that runs it, and since when.
    pub runs: Option<(WorkerId, Instant)>,
}

impl TaskState {
    /// Starts the next attempt and returns its number.
    pub fn attempt(&mut self, sent_at: u64) -> usize {
        let number = self.attempts;
        self.attempts += 1;
        let attempt = Some(Attempt { number, sent_at, runs: None });
        match &mut self.live {
            [free @ None, _] | [_, free] => *free = attempt,
        }
        number
    }

    pub fn live(&mut self, number: usize) -> Option<&mut Attempt> {
        self.live.iter_mut().flatten().find(|attempt| attempt.number == number)
    }

    /// Ends a live attempt. `None` if it is not live, because nobody waits for it any more.
    pub fn end(&mut self, number: usize) -> Option<Attempt> {
        let is = |place: &&mut Option<Attempt>| place.as_ref().is_some_and(|a| a.number == number);
        self.live.iter_mut().find(is)?.take()
    }

    pub fn is_live(&self) -> bool {
        self.live.iter().any(Option::is_some)
    }
}
