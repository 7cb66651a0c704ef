//! Plans a job step by step: some decisions need the bytes that a stage has left.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use partita_engine::cache::CacheId;
use partita_engine::shuffle::ShuffleId;
use partita_engine::task::TaskResult;
use polars::prelude::{DataFrame, PolarsResult};

use super::job::Job;
use crate::error::Result;
use crate::plan::Planning;
use crate::plan::physical::PhysicalPlan;

/// A job's planning, with what was measured so far.
pub(super) struct Stepwise<'a> {
    planning: Planning,
    measured: Vec<u64>,
    kept: &'a dyn Fn(CacheId) -> usize,
    next_shuffle: &'a dyn Fn() -> ShuffleId,
    /// The ids given out: planning again gets the same ones.
    shuffles: RefCell<Vec<ShuffleId>>,
}

impl<'a> Stepwise<'a> {
    pub fn new(
        planning: Planning,
        kept: &'a dyn Fn(CacheId) -> usize,
        next_shuffle: &'a dyn Fn() -> ShuffleId,
    ) -> Self {
        Self { planning, measured: Vec::new(), kept, next_shuffle, shuffles: RefCell::default() }
    }

    /// The stages as far as they can be planned. Those of an earlier call come first, unchanged.
    pub fn plan(&mut self) -> PolarsResult<PhysicalPlan> {
        let used = Cell::new(0);
        let (shuffles, fresh) = (&self.shuffles, self.next_shuffle);
        let next = || {
            let mut shuffles = shuffles.borrow_mut();
            if used.get() == shuffles.len() {
                shuffles.push(fresh());
            }
            used.set(used.get() + 1);
            shuffles[used.get() - 1]
        };
        self.planning.stages(&self.measured, &next, self.kept)
    }

    /// A shuffle id that no plan has.
    pub fn next_shuffle(&self) -> ShuffleId {
        (self.next_shuffle)()
    }
}

impl Job<'_> {
    /// Plans on if the stage that the plan waits for is done.
    pub(super) fn plan_on(&mut self) -> Result<()> {
        while let Some(stage) = self.plan.waits.filter(|stage| self.stages[*stage].finished) {
            let written = self.stages[stage].tasks.iter().map(|task| match &task.result {
                Some(TaskResult::Written(sizes)) => sizes.iter().sum(),
                _ => 0,
            });
            let bytes = written.sum();
            self.planned.measured.push(bytes);
            let PhysicalPlan { mut stages, broadcasts, limit, waits } = self.planned.plan()?;
            let known = self.plan.stages.len().min(stages.len());
            // A shuffle that was filled anew has another number by now.
            let renewed: Vec<(ShuffleId, ShuffleId)> = self.plan.stages[..known]
                .iter()
                .zip(&stages)
                .filter_map(|(now, planned)| planned.sink.shuffle().zip(now.sink.shuffle()))
                .filter(|(planned, now)| planned != now)
                .collect();
            for mut stage in stages.drain(known..) {
                for (planned, now) in &renewed {
                    for input in stage.inputs.iter_mut().filter(|input| input.reads(*planned)) {
                        Arc::make_mut(input).read_instead(*planned, *now);
                    }
                }
                self.plan.stages.push(stage);
            }
            self.plan.broadcasts = broadcasts;
            self.plan.limit = limit;
            self.plan.waits = waits;
            self.stages.resize_with(self.plan.stages.len(), Default::default);
            self.orders.take();
            Arc::make_mut(&mut self.broadcasts).resize(broadcasts, DataFrame::empty());
        }
        Ok(())
    }
}
