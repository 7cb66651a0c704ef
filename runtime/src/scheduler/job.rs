use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use partita_engine::Engine;
use partita_engine::shuffle::{Partitioner, Salt, ShuffleError, hot_hashes, range_bounds};
use partita_engine::task::{Output, Task, TaskEvent, TaskResult};
use partita_events::{JobId, PartitionId, StageId, WorkerId};
use polars::prelude::DataFrame;

use super::order::Order;
use super::skew;
use super::speculation::Speculation;
use super::stage::{StageState, TaskState};
use super::stepwise::Stepwise;
use super::{Action, JobResult, Scheduler};
use crate::cancel::Interrupts;
use crate::error::{PartitaError, Result};
use crate::events::{Event, EventBus};
use crate::plan::physical::{PhysicalPlan, Sink};

/// How often a waiting job checks whether it was cancelled.
const CANCEL_CHECK: Duration = Duration::from_millis(20);

/// Why a job ended without a result.
pub(super) enum Failure {
    /// It relied on cached partitions that are gone. The error is used if planning again does not help.
    CacheLost(PartitaError),
    Error(PartitaError),
}

impl Failure {
    pub fn error(&self) -> &PartitaError {
        match self {
            Self::CacheLost(error) | Self::Error(error) => error,
        }
    }

    pub fn into_error(self) -> PartitaError {
        match self {
            Self::CacheLost(error) | Self::Error(error) => error,
        }
    }
}

impl From<PartitaError> for Failure {
    fn from(error: PartitaError) -> Self {
        Self::Error(error)
    }
}

/// One running job.
pub(super) struct Job<'a> {
    pub(super) id: JobId,
    name: &'a str,
    pub(super) planned: Stepwise<'a>,
    pub(super) engine: &'a dyn Engine,
    pub(super) events: &'a EventBus,
    interrupts: &'a Interrupts,
    pub(super) plan: PhysicalPlan,
    action: Action,
    pub(super) stages: Vec<StageState>,
    /// What may differ if a stage's tasks are run again. Computed when it is needed.
    pub(super) orders: OnceCell<Vec<Order>>,
    pub(super) broadcasts: Arc<Vec<DataFrame>>,
    /// The hashes of hot keys, by the stage that took the sample.
    hot: HashMap<usize, Vec<u64>>,
    cancelled: Arc<AtomicBool>,
    pub(super) speculation: Option<Speculation>,
    /// The size in bytes above which several tasks read a hot reduce partition.
    skew_split: Option<u64>,
    /// Counts events, to know which happened before which.
    clock: u64,
    pub(super) sender: Sender<TaskEvent>,
    receiver: Receiver<TaskEvent>,
}

impl<'a> Job<'a> {
    pub fn new(
        id: JobId,
        name: &'a str,
        scheduler: &'a Scheduler,
        planned: Stepwise<'a>,
        plan: PhysicalPlan,
        action: Action,
    ) -> Self {
        // Bounded by the attempts of this job's tasks.
        let (sender, receiver) = unbounded();
        Self {
            id,
            name,
            planned,
            engine: &*scheduler.engine,
            events: &scheduler.events,
            interrupts: &scheduler.interrupts,
            action,
            stages: plan.stages.iter().map(|_| StageState::default()).collect(),
            orders: OnceCell::new(),
            broadcasts: Arc::new(vec![DataFrame::empty(); plan.broadcasts]),
            hot: HashMap::new(),
            plan,
            cancelled: Arc::default(),
            skew_split: scheduler.skew_split(),
            speculation: scheduler.speculation().then(Speculation::default),
            clock: 0,
            sender,
            receiver,
        }
    }

    pub fn run(mut self) -> Result<JobResult, Failure> {
        let slots = self.engine.slots();
        let (job, action) = (self.id, self.name.to_owned());
        self.events.emit(Event::JobSubmitted { job, action, slots, at: self.events.now() });
        let outcome = self.run_stages();
        // Nobody needs what is still queued or running of the job.
        self.cancelled.store(true, Ordering::Relaxed);
        if !self.stages.iter().all(|stage| stage.finished) {
            self.engine.cancel(job, None);
        }
        for stage in &self.plan.stages {
            if let Some(id) = stage.sink.shuffle() {
                self.engine.remove_shuffle(id);
            }
        }
        let error = outcome.as_ref().err().map(|failure| failure.error().to_string());
        let cancelled = matches!(outcome, Err(Failure::Error(PartitaError::Cancelled { .. })));
        self.events.emit(Event::JobFinished { job, error, cancelled, at: self.events.now() });
        outcome?;
        let mut last = self.stages.pop().unwrap_or_default();
        let (count, parts) = (last.count(), std::mem::take(&mut last.parts));
        let mut frames = skew::together(last.take_frames(), &parts).map_err(PartitaError::from)?;
        if let Some((offset, len)) = self.plan.limit {
            let mut rest = frames.into_iter();
            let mut rows = rest.next().unwrap_or_default();
            for frame in rest {
                rows.vstack_mut(&frame).map_err(PartitaError::from)?;
            }
            frames = vec![rows.slice(offset as i64, len)];
        }
        Ok(JobResult { job, count, frames })
    }

    fn run_stages(&mut self) -> Result<(), Failure> {
        let token = self.interrupts.token();
        self.submit_ready()?;
        while self.plan.waits.is_some() || !self.stages.last().is_none_or(|last| last.finished) {
            if token.is_cancelled() {
                return Err(PartitaError::Cancelled { job: self.id.0 }.into());
            }
            match self.receiver.recv_timeout(CANCEL_CHECK) {
                Ok(event) => self.receive(event)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => unreachable!("the job holds a sender itself"),
            }
            if self.speculation.is_some() {
                self.speculate()?;
            }
        }
        Ok(())
    }

    fn receive(&mut self, event: TaskEvent) -> Result<(), Failure> {
        match event {
            TaskEvent::Started { stage, partition, attempt, worker, slot } => {
                let live = self.known(stage, partition).and_then(|task| task.live(attempt));
                let Some(live) = live else { return Ok(()) };
                let now = Instant::now();
                live.runs = Some((worker, now));
                let (job, at) = (self.id, self.events.at(now));
                self.events.emit(Event::TaskStarted { job, stage, partition, attempt, worker, slot, at });
            }
            TaskEvent::Ended { stage, partition, attempt, worker, at, end } => {
                let ended = self.known(stage, partition).and_then(|task| task.end(attempt));
                let Some(ended) = ended else { return Ok(()) };
                let at = self.events.at(at);
                match *end {
                    Ok((result, metrics)) => {
                        let job = self.id;
                        if self.speculation.is_some() {
                            self.stages[stage.0].times.push(metrics.run);
                        }
                        self.events.emit(Event::TaskFinished {
                            job,
                            stage,
                            partition,
                            attempt,
                            worker,
                            metrics,
                            at,
                        });
                        self.done(stage, partition, result)?;
                    }
                    Err(error) => {
                        let retried = self.attempt_failed(stage, partition, &ended, worker, &error);
                        let (job, cause) = (self.id, error.to_string());
                        let is_retried = retried.is_ok();
                        self.events.emit(Event::TaskFailed {
                            job,
                            stage,
                            partition,
                            attempt,
                            worker,
                            cause,
                            retried: is_retried,
                            at,
                        });
                        retried?;
                        self.submit_ready()?;
                    }
                }
            }
            TaskEvent::OutputsLost { shuffle, map_partitions, cause } => {
                if let Some(stage) = self.stage_of(shuffle) {
                    self.outputs_lost(stage, &map_partitions, &cause, None)?;
                    self.submit_ready()?;
                }
            }
        }
        Ok(())
    }

    /// The task that an event refers to. Events may come from other processes and may be invalid.
    fn known(&mut self, stage: StageId, partition: PartitionId) -> Option<&mut TaskState> {
        self.stages.get_mut(stage.0)?.tasks.get_mut(partition.0)
    }

    /// A task has returned its result.
    fn done(&mut self, stage: StageId, partition: PartitionId, result: TaskResult) -> Result<()> {
        let now = self.tick();
        let task = &mut self.stages[stage.0].tasks[partition.0];
        task.result = Some(result);
        task.done_at = now;
        if task.is_live() {
            self.give_up(stage, partition, "another attempt of this task ended first");
        }
        let state = &mut self.stages[stage.0];
        state.left -= 1;
        if let Some((offset, len)) = self.plan.limit.filter(|_| self.is_last(stage)) {
            self.limited(stage, offset.saturating_add(len));
        }
        if self.stages[stage.0].left == 0 {
            self.finish_stage(stage)?;
            self.submit_ready()?;
        } else if self.stages[stage.0].waits() {
            self.submit_ready()?;
        }
        Ok(())
    }

    /// A task of a stage of which only the first rows are wanted is done: either there are enough, or more
    /// partitions are asked, four times as many each time.
    fn limited(&mut self, stage: StageId, rows: usize) {
        let state = &mut self.stages[stage.0];
        if state.first_rows() >= rows {
            state.left = 0;
            state.pending.clear();
            state.spare.clear();
            for partition in (0..state.tasks.len()).map(PartitionId) {
                self.give_up(stage, partition, "there are enough rows");
            }
        } else if state.pending.is_empty() && !state.tasks.iter().any(TaskState::is_live) {
            let done = state.tasks.len() - state.left;
            let next = (done * 3).max(1).min(state.spare.len());
            state.pending = state.spare.drain(..next).collect();
        }
    }

    /// Cancels the attempts of a task that are queued or running.
    pub(super) fn give_up(&mut self, stage: StageId, partition: PartitionId, cause: &str) {
        let job = self.id;
        for live in &mut self.stages[stage.0].tasks[partition.0].live {
            let Some(attempt) = live.take() else { continue };
            self.engine.cancel(job, Some((stage, partition, attempt.number)));
            if let Some((worker, _)) = attempt.runs {
                self.events.emit(Event::TaskFailed {
                    job,
                    stage,
                    partition,
                    attempt: attempt.number,
                    worker,
                    cause: cause.to_owned(),
                    retried: true,
                    at: self.events.now(),
                });
            }
        }
    }

    /// Queues every task that can run. Repeats this as long as empty stages end at once.
    pub(super) fn submit_ready(&mut self) -> Result<()> {
        self.plan_on()?;
        while let Some(stage) = self.next_ready() {
            self.submit(stage)?;
            self.plan_on()?;
        }
        Ok(())
    }

    fn submit(&mut self, stage: StageId) -> Result<()> {
        let (job, at) = (self.id, self.events.now());
        if !self.stages[stage.0].submitted {
            // Each partition becomes one file, however it is read.
            let files = self.is_last(stage) && matches!(self.action, Action::Parquet(_));
            if let Some(above) = self.skew_split.filter(|_| !files) {
                self.split_hot_partitions(stage, above);
            }
            let tasks = self.plan.stages[stage.0].inputs.len();
            let output = self.output_of(stage)?;
            if let Output::Shuffle { id, .. } = &output {
                self.engine.open_shuffle(*id, self.sender.clone());
            }
            self.stages[stage.0].begin(tasks, output);
            if self.is_last(stage) && self.plan.limit.is_some() {
                self.stages[stage.0].hold_back(self.engine.slots().max(1));
            }
            let name = self.plan.stages[stage.0].name.clone();
            self.events.emit(Event::StageSubmitted { job, stage, name, tasks, at });
        } else if let Some((tasks, cause)) = self.stages[stage.0].lost.take() {
            self.events.emit(Event::StageResubmitted { job, stage, tasks, cause, at });
        }
        let pending = std::mem::take(&mut self.stages[stage.0].pending);
        let queued: Vec<Task> =
            pending.into_iter().filter_map(|partition| self.task(stage, partition, Vec::new())).collect();
        if !queued.is_empty() {
            self.send(stage, queued)?;
        }
        if self.stages[stage.0].left == 0 {
            self.finish_stage(stage)?;
        }
        Ok(())
    }

    pub(super) fn is_last(&self, stage: StageId) -> bool {
        self.plan.waits.is_none() && stage.0 + 1 == self.stages.len()
    }

    /// The next attempt of a task.
    pub(super) fn task(
        &mut self,
        stage: StageId,
        partition: PartitionId,
        excluded: Vec<WorkerId>,
    ) -> Option<Task> {
        let sent_at = self.tick();
        let state = &mut self.stages[stage.0];
        Some(Task {
            job: self.id,
            stage,
            partition,
            attempt: state.tasks[partition.0].attempt(sent_at),
            input: self.plan.stages[stage.0].inputs[partition.0].clone(),
            output: state.output.clone()?,
            broadcasts: self.broadcasts.clone(),
            queued: Instant::now(),
            cancelled: self.cancelled.clone(),
            excluded,
        })
    }

    pub(super) fn send(&self, stage: StageId, tasks: Vec<Task>) -> Result<()> {
        let submitted = self.engine.submit(tasks, self.sender.clone());
        submitted.map_err(|error| self.stage_failed(stage, error.to_string()))
    }

    fn output_of(&mut self, stage: StageId) -> Result<Output> {
        Ok(match self.plan.stages[stage.0].sink.clone() {
            Sink::Shuffle { id, partitioner } => Output::Shuffle { id, partitioner },
            Sink::RangeShuffle { id, sample, by, descending, nulls_last, n } => {
                let samples = self.stages[sample].take_frames();
                let bounds = range_bounds(samples, &descending, nulls_last, n)
                    .map_err(|error| self.stage_failed(stage, error.to_string()))?;
                let partitioner = Partitioner::Range { by, descending, nulls_last, bounds };
                Output::Shuffle { id, partitioner: Arc::new(partitioner) }
            }
            Sink::SaltedShuffle { id, sample, keys, n, salts, copied } => {
                let hot = self.hot_keys(sample, n);
                let hot = hot.map_err(|error| self.stage_failed(stage, error.to_string()))?;
                let salt = Salt::only(salts, hot);
                let partitioner = match copied {
                    true => Partitioner::Copied { keys, n, salt },
                    false => Partitioner::Salted { keys, n, salt },
                };
                Output::Shuffle { id, partitioner: Arc::new(partitioner) }
            }
            Sink::Sample { by, rows } => Output::Sample { by, rows },
            Sink::Broadcast { .. } => Output::Collect,
            Sink::Result => match &self.action {
                Action::Collect => Output::Collect,
                Action::Count => Output::Count,
                Action::Parquet(directory) => Output::Parquet { directory: directory.clone() },
            },
        })
    }

    /// The hashes of the hot keys in a stage's sample. Both sides of a join use them.
    fn hot_keys(&mut self, sample: usize, n: usize) -> Result<Vec<u64>, ShuffleError> {
        if let Some(hot) = self.hot.get(&sample) {
            return Ok(hot.clone());
        }
        let hot = hot_hashes(self.stages[sample].take_frames(), n)?;
        self.hot.insert(sample, hot.clone());
        Ok(hot)
    }

    fn finish_stage(&mut self, stage: StageId) -> Result<()> {
        self.stages[stage.0].finished = true;
        self.events.emit(Event::StageFinished { job: self.id, stage, at: self.events.now() });
        if let Sink::Broadcast { index: broadcast, schema } = self.plan.stages[stage.0].sink.clone() {
            let frames = self.stages[stage.0].take_frames();
            // No task that needs this broadcast is queued yet, so nobody else holds the list for long.
            Arc::make_mut(&mut self.broadcasts)[broadcast] = partita_engine::execute::stack(frames, &schema)
                .map_err(|error| self.stage_failed(stage, error.to_string()))?;
        }
        Ok(())
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    pub(super) fn task_failed(
        &self,
        stage: StageId,
        partition: PartitionId,
        causes: Vec<String>,
    ) -> PartitaError {
        let name = self.plan.stages[stage.0].name.clone();
        PartitaError::Task { job: self.id.0, stage: stage.0, name, partition: partition.0, causes }
    }

    pub(super) fn stage_failed(&self, stage: StageId, cause: String) -> PartitaError {
        let name = self.plan.stages[stage.0].name.clone();
        PartitaError::Stage { job: self.id.0, stage: stage.0, name, cause }
    }
}
