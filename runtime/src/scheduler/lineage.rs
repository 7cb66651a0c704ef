//! Lost output: the tasks that made it are run again, and if what they read is lost as well, so are the
//! tasks before them.

use std::sync::Arc;

use partita_engine::shuffle::ShuffleId;
use partita_engine::task::Output;
use partita_events::{PartitionId, StageId};

use super::job::{Failure, Job};
use super::order::{self, Order};

/// How often one task's output may be lost. More often means that it cannot be kept.
pub(super) const OUTPUTS_LOST: usize = 8;

impl Job<'_> {
    /// The stage that fills a shuffle.
    pub(super) fn stage_of(&self, shuffle: ShuffleId) -> Option<StageId> {
        self.plan.stages.iter().position(|stage| stage.sink.shuffle() == Some(shuffle)).map(StageId)
    }

    /// The output of these tasks is lost, so they count as not done. If a reader found out, only output
    /// that existed when the reader was sent can be meant: `sent_at` says when that was.
    ///
    /// # Errors
    /// When it was lost too often.
    pub(super) fn outputs_lost(
        &mut self,
        stage: StageId,
        partitions: &[usize],
        cause: &str,
        sent_at: Option<u64>,
    ) -> Result<(), Failure> {
        let mut lost = false;
        for &partition in partitions {
            let state = &mut self.stages[stage.0];
            let Some(task) = state.tasks.get_mut(partition) else { continue };
            if task.result.is_none() || sent_at.is_some_and(|sent_at| sent_at < task.done_at) {
                continue;
            }
            task.outputs_lost += 1;
            if task.outputs_lost >= OUTPUTS_LOST {
                let cause = format!(
                    "the output of partition {partition} for later stages was lost {OUTPUTS_LOST} times, last: {cause}"
                );
                return Err(self.stage_failed(stage, cause).into());
            }
            state.undo(PartitionId(partition), cause);
            lost = true;
        }
        if lost && self.order_of(stage) == Order::Varies {
            self.start_over(stage, cause);
        }
        Ok(())
    }

    /// The first stage that has tasks to queue, can read all its input, and is needed. A stage whose
    /// readers are all done is not needed; it is run again only if they are.
    pub(super) fn next_ready(&self) -> Option<StageId> {
        let mut needed = vec![false; self.stages.len()];
        match self.plan.waits {
            Some(stage) => *needed.get_mut(stage)? = true,
            None => *needed.last_mut()? = true,
        }
        for (index, stage) in self.plan.stages.iter().enumerate().rev() {
            if needed[index] && !self.stages[index].finished {
                stage.after.iter().for_each(|&before| needed[before] = true);
            }
        }
        let ready = (0..self.stages.len()).find(|&index| {
            let before = &self.plan.stages[index].after;
            needed[index]
                && self.stages[index].waits()
                && before.iter().all(|&before| self.stages[before].finished)
        });
        ready.map(StageId)
    }

    fn order_of(&self, stage: StageId) -> Order {
        self.orders.get_or_init(|| order::of_stages(&self.plan))[stage.0]
    }

    /// Runs all of a stage again, and what was run of the stages after it: if only a few of its tasks ran
    /// again, their blocks would have other rows than those that readers have seen.
    fn start_over(&mut self, stage: StageId, cause: &str) {
        let mut over = vec![false; self.stages.len()];
        over[stage.0] = true;
        for index in stage.0 + 1..self.stages.len() {
            let reads = self.plan.stages[index].after.iter().any(|&before| over[before]);
            over[index] = reads && self.stages[index].submitted && !self.stages[index].taken;
        }
        for index in (stage.0..self.stages.len()).filter(|&index| over[index]) {
            for partition in (0..self.stages[index].tasks.len()).map(PartitionId) {
                self.give_up(StageId(index), partition, cause);
                self.stages[index].undo(partition, cause);
            }
            let state = &mut self.stages[index];
            state.pending = (0..state.tasks.len()).map(PartitionId).collect();
            self.renew_shuffle(StageId(index));
        }
    }

    /// Gives a stage a new shuffle to fill, so that cancelled attempts that end anyway cannot add their
    /// blocks to the new ones.
    fn renew_shuffle(&mut self, stage: StageId) {
        let Some(Output::Shuffle { id, .. }) = &mut self.stages[stage.0].output else { return };
        let (old, new) = (*id, self.planned.next_shuffle());
        *id = new;
        self.plan.stages[stage.0].sink.set_shuffle(new);
        for later in &mut self.plan.stages[stage.0 + 1..] {
            for input in later.inputs.iter_mut().filter(|input| input.reads(old)) {
                Arc::make_mut(input).read_instead(old, new);
            }
        }
        self.engine.remove_shuffle(old);
        self.engine.open_shuffle(new, self.sender.clone());
    }
}
