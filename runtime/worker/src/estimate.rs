//! Estimates how much memory a task will need: from its input before it starts, and more precisely once
//! the blocks that it reads have reported their sizes.

use partita_engine::memory::Bytes;
use partita_engine::task::{Input, Task};
use polars_plan::plans::{ArenaLpIter, FunctionIR, IR};

/// Roughly how many bytes of Arrow memory a compressed byte of a file becomes.
const UNPACKED: usize = 3;
/// The estimate for a plan that reads by itself, about which nothing is known.
const UNKNOWN: usize = 64 << 20;

/// An estimate of a task's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Estimate {
    /// Bytes of input whose size is known before the task starts.
    pub known: usize,
    /// Estimated bytes of input, which may be far fewer once columns and rows are left out.
    guessed: usize,
    /// How many times its input a task holds at once.
    times: usize,
}

impl Estimate {
    pub fn of(task: &Task) -> Self {
        let mut sum = Self { known: 0, guessed: 0, times: 2 };
        sum.add(&task.input);
        sum
    }

    fn add(&mut self, input: &Input) {
        match input {
            Input::Frame(frame) => self.known += frame.estimated_size(),
            Input::Range { start, end } => {
                let rows = usize::try_from(end.saturating_sub(*start)).unwrap_or(0);
                self.known = self.known.saturating_add(rows.saturating_mul(size_of::<i64>()));
            }
            Input::Plan(_) => self.guessed += UNKNOWN,
            Input::Piece(piece) => {
                self.guessed = self.guessed.saturating_add(piece.bytes() as usize * UNPACKED);
            }
            // These are counted once their size is known, are shared by all tasks, or are in the cache.
            Input::Shuffle { .. } | Input::Broadcast { .. } | Input::Lost => {}
            Input::Fragment { fragment, inputs } => {
                inputs.iter().for_each(|input| self.add(input));
                let plan = fragment.plan();
                if plan.lp_arena.iter(plan.lp_top).any(|(_, node)| copies(node)) {
                    self.times = 3;
                }
            }
            Input::Concat { inputs, .. } => inputs.iter().for_each(|input| self.add(input)),
            Input::Cache { input, .. } => self.add(input),
        }
    }

    /// The memory for this much input.
    pub fn need(&self, input: usize) -> usize {
        input.saturating_mul(self.times)
    }

    /// The memory to start with, on a worker with `total` bytes for `slots` slots. A mere estimate must
    /// neither keep a task from ever starting nor the slots from working in parallel.
    pub fn at_start(&self, total: usize, slots: usize) -> usize {
        let guessed = self.need(self.guessed).min(total / slots);
        self.need(self.known).saturating_add(guessed).min(total.max(self.need(self.known)))
    }
}

/// Whether a step holds something between its input and its output, such as a sorted order or a hash table.
fn copies(node: &IR) -> bool {
    matches!(
        node,
        IR::Sort { .. }
            | IR::Distinct { .. }
            | IR::GroupBy { .. }
            | IR::Join { .. }
            | IR::Gather { .. }
            | IR::MergeSorted { .. }
            | IR::MapFunction { function: FunctionIR::Explode { .. } | FunctionIR::Unpivot { .. }, .. }
    )
}

/// The error of a task that is too large, with advice.
pub(super) fn too_large(partition: usize, input: usize, need: usize, most: usize, worker: &str) -> String {
    let parts = need.div_ceil(most.max(1)) + 1;
    format!(
        "partition {partition} is too large for a worker: its input is {}, which takes about {} of memory while it is \
         computed, and worker {worker} has {} for it; use more partitions, about {parts} times as many, or a \
         worker with more memory",
        Bytes(input),
        Bytes(need),
        Bytes(most)
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use partita_engine::task::fragment::{Fragment, Hole};
    use polars::prelude::*;

    use super::*;

    #[test]
    fn a_plan_is_estimated_by_its_inputs_and_takes_more_with_a_table_or_an_order() {
        let estimate = |build: fn(LazyFrame) -> LazyFrame| {
            let frame = df!("id" => [1i64, 2]).unwrap();
            let hole = Arc::new(Hole::new());
            let plan = build(hole.scan(frame.schema())).to_alp_optimized().unwrap();
            let fragment = Fragment::new(plan.lp_top, &plan.lp_arena, &plan.expr_arena, &[hole.number()]);
            let mut estimate = Estimate { known: 0, guessed: 0, times: 2 };
            estimate
                .add(&Input::Fragment { fragment: Arc::new(fragment), inputs: vec![Input::Frame(frame)] });
            (estimate.known, estimate.times)
        };
        assert_eq!(estimate(|rows| rows.filter(col("id").gt(lit(1)))), (16, 2));
        assert_eq!(estimate(|rows| rows.group_by([col("id")]).agg([len()])), (16, 3));
        assert_eq!(
            estimate(|rows| rows.sort(["id"], Default::default()).select([col("id") + lit(1)])),
            (16, 3)
        );
    }

    #[test]
    fn a_task_that_does_not_fit_is_told_how_much_and_what_to_do() {
        let text = too_large(7, 900_000_000, 2_700_000_000, 1_000_000_000, "worker-3");
        for part in ["partition 7", "900 MB", "2.7 GB", "1.0 GB", "worker-3", "more partitions", "4 times"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn guesses_leave_room_for_all_slots_and_what_is_known_does_not_shrink() {
        let guess = Estimate { known: 0, guessed: 10_000, times: 2 };
        assert_eq!(guess.at_start(1_000, 4), 250);
        let known = Estimate { known: 600, guessed: 0, times: 2 };
        assert_eq!(known.at_start(1_000, 4), 1_200, "it is refused then, with its true size");
    }
}
