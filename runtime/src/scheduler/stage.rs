use std::time::{Duration, Instant};

use polars::prelude::DataFrame;

use partita_engine::task::{Output, TaskResult};

/// How far a stage has come.
#[derive(Default)]
pub(super) struct StageState {
    /// Whether its tasks were ever queued.
    pub submitted: bool,
    /// Whether all its tasks are done and what they left is there.
    pub finished: bool,
    /// Whether its rows have become a broadcast or range bounds, which are kept whatever happens.
    pub taken: bool,
    /// What becomes of its rows, decided once: a task run again must cut its rows as the first time.
    pub output: Option<Output>,
    pub tasks: Vec<TaskState>,
    /// Tasks not done.
    pub left: usize,
    /// Partitions to be queued as soon as the stages before are finished.
    pub pending: Vec<usize>,
    /// Of those, how many were done before and how that was lost.
    pub lost: Option<(usize, String)>,
    /// For each task the partition it computes, or a part of it; empty if each has its own.
    pub parts: Vec<usize>,
    /// How long its tasks took, where somebody wants to know.
    pub times: Vec<Duration>,
}

impl StageState {
    /// Before its tasks are queued for the first time.
    pub fn begin(&mut self, tasks: usize, output: Output) {
        self.submitted = true;
        self.output = Some(output);
        self.tasks.resize_with(tasks, TaskState::default);
        self.left = tasks;
        self.pending = (0..tasks).collect();
    }

    /// Whether something of it waits to be queued.
    pub fn waits(&self) -> bool {
        !self.submitted || !self.pending.is_empty()
    }

    /// What a task gave is gone: it has to be run again.
    pub fn undo(&mut self, partition: usize, cause: &str) {
        if self.tasks[partition].result.take().is_some() {
            self.left += 1;
            self.finished = false;
            self.pending.push(partition);
            let (tasks, _) = self.lost.take().unwrap_or_default();
            self.lost = Some((tasks + 1, cause.to_owned()));
        }
    }

    /// The rows its tasks gave back, in partition order. The tasks stay done.
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

    /// The sum of what its tasks counted.
    pub fn count(&self) -> u64 {
        let counts = self.tasks.iter().map(|task| match task.result {
            Some(TaskResult::Count(count)) => count,
            _ => 0,
        });
        counts.sum()
    }
}

/// How far a task has come.
#[derive(Default)]
pub(super) struct TaskState {
    /// Attempts made so far, and so the next one's number.
    pub attempts: usize,
    /// Attempts that are queued or run: one, and maybe a copy of it.
    pub live: [Option<Attempt>; 2],
    /// Why attempts failed, in order.
    pub failures: Vec<String>,
    /// How often a worker was lost that ran it.
    pub workers_lost: usize,
    /// How often it could not read what earlier stages left.
    pub fetches_failed: usize,
    /// How often what it left was lost.
    pub outputs_lost: usize,
    /// What it gave, once it is done.
    pub result: Option<TaskResult>,
    /// When it was done, in the job's own count of things that happened.
    pub done_at: u64,
}

/// An attempt that has not ended.
pub(super) struct Attempt {
    pub number: usize,
    /// When it was queued, in the job's own count.
    pub sent_at: u64,
    /// The worker that runs it, and since when.
    pub runs: Option<(u64, Instant)>,
}

impl TaskState {
    /// The next attempt's number; it is live from now on.
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

    /// Ends a live attempt; `None` if it is not live, because nobody waits for it any more.
    pub fn end(&mut self, number: usize) -> Option<Attempt> {
        let is = |place: &&mut Option<Attempt>| place.as_ref().is_some_and(|a| a.number == number);
        self.live.iter_mut().find(is)?.take()
    }

    pub fn is_live(&self) -> bool {
        self.live.iter().any(Option::is_some)
    }
}
