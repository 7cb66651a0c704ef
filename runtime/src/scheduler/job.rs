use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use polars::prelude::DataFrame;

use super::{Action, JobResult};
use crate::cancel;
use crate::engine::Engine;
use crate::engine::task::{Input, Output, Task, TaskError, TaskEvent, TaskResult};
use crate::error::{PartitaError, Result};
use crate::events::{Event, EventBus};
use crate::plan::physical::{PhysicalPlan, Sink};
use crate::shuffle::{Partitioner, range_bounds};

/// How often a waiting job looks whether it was cancelled.
const CANCEL_CHECK: Duration = Duration::from_millis(20);

/// Why a job ended without a result.
pub(super) enum Failure {
    /// It counted on cached partitions that are gone; the error is for when that is not to be helped.
    CacheLost(PartitaError),
    Error(PartitaError),
}

impl Failure {
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
    id: usize,
    name: &'a str,
    engine: &'a dyn Engine,
    events: &'a EventBus,
    plan: PhysicalPlan,
    action: Action,
    stages: Vec<StageState>,
    broadcasts: Arc<Vec<DataFrame>>,
    cancelled: Arc<AtomicBool>,
    sender: Sender<TaskEvent>,
    receiver: Receiver<TaskEvent>,
}

#[derive(Default)]
struct StageState {
    submitted: bool,
    /// Tasks not yet ended.
    left: usize,
    frames: Vec<Option<DataFrame>>,
    count: u64,
}

impl StageState {
    fn done(&self) -> bool {
        self.submitted && self.left == 0
    }

    fn take_frames(&mut self) -> Vec<DataFrame> {
        std::mem::take(&mut self.frames).into_iter().flatten().collect()
    }
}

impl<'a> Job<'a> {
    pub fn new(
        id: usize,
        name: &'a str,
        engine: &'a dyn Engine,
        events: &'a EventBus,
        plan: PhysicalPlan,
        action: Action,
    ) -> Self {
        let stages = plan.stages.iter().map(|_| StageState::default()).collect();
        let broadcasts = Arc::new(vec![DataFrame::empty(); plan.broadcasts]);
        let (sender, receiver) = unbounded();
        let cancelled = Arc::new(AtomicBool::new(false));
        Self { id, name, engine, events, plan, action, stages, broadcasts, cancelled, sender, receiver }
    }

    pub fn run(mut self) -> Result<JobResult, Failure> {
        let slots = self.engine.slots();
        let (job, action) = (self.id, self.name.to_owned());
        self.events.emit(Event::JobSubmitted { job, action, slots, at: self.events.now() });
        let outcome = self.run_stages();
        // Whatever of the job is still queued or running has no one to work for.
        self.cancelled.store(true, Ordering::Relaxed);
        if outcome.is_err() {
            self.engine.cancel(job, None);
        }
        for stage in &self.plan.stages {
            if let Sink::Shuffle { id, .. } | Sink::RangeShuffle { id, .. } = stage.sink {
                self.engine.remove_shuffle(id);
            }
        }
        let error = outcome
            .as_ref()
            .err()
            .map(|(Failure::CacheLost(error) | Failure::Error(error))| error.to_string());
        let cancelled = matches!(outcome, Err(Failure::Error(PartitaError::Cancelled { .. })));
        self.events.emit(Event::JobFinished { job, error, cancelled, at: self.events.now() });
        outcome?;
        let last = self.stages.last_mut().map(std::mem::take).unwrap_or_default();
        Ok(JobResult { job, count: last.count, frames: last.frames.into_iter().flatten().collect() })
    }

    fn run_stages(&mut self) -> Result<(), Failure> {
        let token = cancel::current();
        loop {
            self.submit_ready()?;
            if self.stages.iter().all(StageState::done) {
                return Ok(());
            }
            if token.is_cancelled() {
                return Err(PartitaError::Cancelled { job: self.id }.into());
            }
            match self.receiver.recv_timeout(CANCEL_CHECK) {
                Ok(event) => self.hear(event)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => unreachable!("the job holds a sender itself"),
            }
        }
    }

    /// Submits every stage whose inputs are there; again, while empty stages end at once.
    fn submit_ready(&mut self) -> Result<()> {
        for index in 0..self.stages.len() {
            let after = &self.plan.stages[index].after;
            if !self.stages[index].submitted && after.iter().all(|&before| self.stages[before].done()) {
                self.submit(index)?;
            }
        }
        Ok(())
    }

    fn submit(&mut self, index: usize) -> Result<()> {
        let output = self.output_of(index)?;
        if let Output::Shuffle { id, .. } = &output {
            self.engine.open_shuffle(*id, self.sender.clone());
        }
        let stage = &self.plan.stages[index];
        let tasks = stage.inputs.len();
        let state = &mut self.stages[index];
        state.submitted = true;
        state.left = tasks;
        state.frames = vec![None; tasks];
        let (job, name) = (self.id, stage.name.clone());
        self.events.emit(Event::StageSubmitted { job, stage: index, name, tasks, at: self.events.now() });
        let task = |(partition, input): (usize, &Arc<Input>)| Task {
            job,
            stage: index,
            partition,
            attempt: 0,
            input: input.clone(),
            output: output.clone(),
            broadcasts: self.broadcasts.clone(),
            queued: Instant::now(),
            cancelled: self.cancelled.clone(),
            excluded: Vec::new(),
        };
        let queued = stage.inputs.iter().enumerate().map(task).collect();
        if let Err(cause) = self.engine.submit(queued, self.sender.clone()) {
            let name = stage.name.clone();
            return Err(PartitaError::Stage { job, stage: index, name, cause });
        }
        if tasks == 0 {
            self.finish_stage(index)?;
        }
        Ok(())
    }

    fn output_of(&mut self, index: usize) -> Result<Output> {
        Ok(match self.plan.stages[index].sink.clone() {
            Sink::Shuffle { id, partitioner } => Output::Shuffle { id, partitioner },
            Sink::RangeShuffle { id, sample, by, descending, nulls_last, n } => {
                let samples = self.stages[sample].take_frames();
                let bounds = range_bounds(samples, &descending, nulls_last, n)
                    .map_err(|error| self.failed(index, 0, error.to_string()))?;
                let partitioner = Partitioner::Range { by, descending, nulls_last, bounds };
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

    fn hear(&mut self, event: TaskEvent) -> Result<(), Failure> {
        let job = self.id;
        match event {
            TaskEvent::Started { stage, partition, attempt, worker, slot } => {
                let at = self.events.now();
                self.events.emit(Event::TaskStarted { job, stage, partition, attempt, worker, slot, at });
            }
            TaskEvent::Ended { stage, partition, attempt, worker, at, end: Ok((result, metrics)) } => {
                let at = self.events.at(at);
                self.events.emit(Event::TaskFinished { job, stage, partition, attempt, worker, metrics, at });
                let state = &mut self.stages[stage];
                match result {
                    TaskResult::Nothing => {}
                    TaskResult::Count(count) => state.count += count,
                    TaskResult::Frame(frame) => state.frames[partition] = Some(frame),
                }
                state.left -= 1;
                if state.left == 0 {
                    self.finish_stage(stage)?;
                }
            }
            TaskEvent::Ended { stage, partition, attempt, worker, at, end: Err(error) } => {
                let (at, cause, retried) = (self.events.at(at), error.to_string(), false);
                self.events.emit(Event::TaskFailed {
                    job,
                    stage,
                    partition,
                    attempt,
                    worker,
                    cause: cause.clone(),
                    retried,
                    at,
                });
                let failed = self.failed(stage, partition, cause);
                return Err(match error {
                    TaskError::CacheLost => Failure::CacheLost(failed),
                    _ => Failure::Error(failed),
                });
            }
            TaskEvent::OutputsLost { .. } => {}
        }
        Ok(())
    }

    fn finish_stage(&mut self, index: usize) -> Result<()> {
        self.events.emit(Event::StageFinished { job: self.id, stage: index, at: self.events.now() });
        if let Sink::Broadcast { index: broadcast, schema } = self.plan.stages[index].sink.clone() {
            let frames = self.stages[index].take_frames();
            // No task that needs this broadcast is queued yet, so no one else holds the list for long.
            Arc::make_mut(&mut self.broadcasts)[broadcast] = crate::engine::stack(frames, &schema)
                .map_err(|error| self.failed(index, 0, error.to_string()))?;
        }
        self.submit_ready()
    }

    fn failed(&self, stage: usize, partition: usize, cause: String) -> PartitaError {
        let name = self.plan.stages[stage].name.clone();
        PartitaError::Task { job: self.id, stage, name, partition, causes: vec![cause] }
    }
}
