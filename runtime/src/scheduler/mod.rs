//! Runs a job: submits each stage when the stages before it are done, passes its tasks to the engine,
//! takes their results, and emits events about all of it. This is the only place that decides about
//! stages, attempts, lost output, copies of slow tasks and cancellation, for every engine. The engine
//! decides where a task runs and how its rows are sent.
//!
//! `job` is the loop that receives the engine's events; `stage` is its state; `attempts` decides what a
//! failed attempt means; `lineage` reruns what is lost, and `order` decides when that takes whole stages;
//! `stepwise` plans on when a stage has been measured; `speculation` gives slow tasks a copy; `skew` splits hot partitions into several tasks.

mod attempts;
mod job;
mod lineage;
mod order;
mod skew;
mod speculation;
mod stage;
mod stepwise;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use partita_engine::Engine;
use partita_engine::cache::CacheId;
use partita_engine::shuffle::ShuffleId;
use partita_events::JobId;
use polars::prelude::DataFrame;

use self::stepwise::Stepwise;
use crate::cancel::Interrupts;
use crate::error::{PartitaError, Result};
use crate::events::EventBus;
use crate::plan::{Plan, Planning, Settings, Want};

/// What an action wants of the last stage's rows.
#[derive(Clone)]
pub(crate) enum Action {
    /// The rows.
    Collect,
    /// Their number.
    Count,
    /// Write them to Parquet files in a directory.
    Parquet(PathBuf),
}

/// A job's result: the frames in partition order, or the count.
pub(crate) struct JobResult {
    /// The job's number.
    pub job: JobId,
    /// One frame per partition, for [`Action::Collect`].
    pub frames: Vec<DataFrame>,
    /// The number of rows, for [`Action::Count`].
    pub count: u64,
}

/// Assigns numbers and runs jobs on one engine.
pub(crate) struct Scheduler {
    engine: Arc<dyn Engine>,
    events: Arc<EventBus>,
    interrupts: Interrupts,
    next_job: AtomicUsize,
    next_shuffle: AtomicU64,
    speculation: AtomicBool,
    /// The size in bytes above which a reduce partition may count as hot; the maximum value turns this
    /// off.
    skew_split: AtomicU64,
}

impl Scheduler {
    pub fn new(engine: Arc<dyn Engine>, events: Arc<EventBus>, interrupts: Interrupts) -> Self {
        let (next_job, next_shuffle) = (AtomicUsize::new(0), AtomicU64::new(0));
        let (speculation, skew_split) = (AtomicBool::new(false), AtomicU64::new(u64::MAX));
        Self { engine, events, interrupts, next_job, next_shuffle, speculation, skew_split }
    }

    /// Whether slow tasks of later jobs get a copy.
    pub fn set_speculation(&self, on: bool) {
        self.speculation.store(on, Ordering::Relaxed);
    }

    pub fn speculation(&self) -> bool {
        self.speculation.load(Ordering::Relaxed)
    }

    /// Sets the size in bytes above which hot reduce partitions of later jobs are read by several tasks.
    pub fn set_skew_split(&self, above: Option<u64>) {
        self.skew_split.store(above.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub fn skew_split(&self) -> Option<u64> {
        Some(self.skew_split.load(Ordering::Relaxed)).filter(|above| *above < u64::MAX)
    }

    /// Runs the plan's stages to the end and frees their shuffle blocks.
    pub fn run(&self, plan: &Plan, settings: Settings, action: Action, name: &str) -> Result<JobResult> {
        let kept = |cache| {
            let (memory, disk) = self.engine.cached_partitions(cache);
            memory + disk
        };
        match self.run_planned(plan, settings, action.clone(), name, &kept) {
            Err(job::Failure::CacheLost(_)) => self.run_planned(plan, settings, action, name, &|_| 0),
            result => result,
        }
        .map_err(job::Failure::into_error)
    }

    fn run_planned(
        &self,
        plan: &Plan,
        settings: Settings,
        action: Action,
        name: &str,
        kept: &dyn Fn(CacheId) -> usize,
    ) -> Result<JobResult, job::Failure> {
        let id = JobId(self.next_job.fetch_add(1, Ordering::Relaxed));
        let want = match action {
            Action::Collect => Want::First,
            Action::Count => Want::Count,
            Action::Parquet(_) => Want::Rows,
        };
        let planning = Planning::new(plan, want, settings).map_err(PartitaError::from)?;
        let next_shuffle = || self.next_shuffle();
        let mut stepwise = Stepwise::new(planning, kept, &next_shuffle);
        let plan = stepwise.plan().map_err(PartitaError::from)?;
        job::Job::new(id, name, self, stepwise, plan, action).run()
    }

    /// A new shuffle id.
    pub fn next_shuffle(&self) -> ShuffleId {
        ShuffleId(self.next_shuffle.fetch_add(1, Ordering::Relaxed))
    }
}
