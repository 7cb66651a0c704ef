//! Hot reduce partitions: those that are far larger than the stage's median are read by several tasks,
//! each of which reads the output of some of the map tasks. This is done only if rows need not all be
//! together, and only before a stage's tasks are queued for the first time.

use std::ops::Range;
use std::sync::Arc;

use partita_engine::shuffle::ShuffleId;
use partita_engine::task::{Input, TaskResult};
use partita_events::StageId;
use polars::prelude::{DataFrame, PolarsError, PolarsResult};

use super::job::Job;

/// The bytes of a hot partition, which of the input's reads it is, and the map tasks for each part.
type Hot = (u64, usize, Vec<Range<usize>>);

/// A partition is hot if it is more than this many times the median, and large enough to be worth it.
const FACTOR: u64 = 2;

impl Job<'_> {
    /// Replaces inputs that read hot partitions of more than `above` bytes by several inputs, each for
    /// some of the map tasks.
    pub(super) fn split_hot_partitions(&mut self, stage: StageId, above: u64) {
        let inputs = &self.plan.stages[stage.0].inputs;
        let read: Vec<Vec<Read>> = inputs.iter().map(|input| splittable(input)).collect();
        // The sides of a join are checked separately: one may be hot and the other even.
        let sides = read.iter().map(Vec::len).min().unwrap_or(0);
        let mut hottest: Vec<Option<Hot>> = vec![None; inputs.len()];
        for side in 0..sides {
            let sizes: Vec<Vec<u64>> = read.iter().map(|read| self.sizes(&read[side])).collect();
            let whole: Vec<u64> = sizes.iter().map(|maps| maps.iter().sum()).collect();
            let median = median(&whole);
            let is_hot = |bytes: u64| bytes > FACTOR * median && bytes > above;
            let even = whole.iter().filter(|bytes| !is_hot(**bytes));
            let target = (even.clone().sum::<u64>() / even.count().max(1) as u64).max(above / 2).max(1);
            for (input, (bytes, maps)) in whole.iter().zip(&sizes).enumerate() {
                let ranges = if is_hot(*bytes) { ranges(maps, target) } else { Vec::new() };
                if ranges.len() > 1 && hottest[input].as_ref().is_none_or(|(most, ..)| most < bytes) {
                    hottest[input] = Some((*bytes, read[input][side].at, ranges));
                }
            }
        }
        let split = hottest.iter().flatten().count();
        if split == 0 {
            return;
        }
        let (mut parts, mut inputs) = (Vec::new(), Vec::new());
        for (partition, (input, hot)) in self.plan.stages[stage.0].inputs.drain(..).zip(hottest).enumerate() {
            match hot {
                None => inputs.push(input),
                Some((_, at, ranges)) => inputs.extend(ranges.into_iter().map(|range| {
                    let mut part = (*input).clone();
                    read_only(&mut part, at, range);
                    Arc::new(part)
                })),
            }
            parts.resize(inputs.len(), partition);
        }
        let planned = &mut self.plan.stages[stage.0];
        let s = if split == 1 { "" } else { "s" };
        planned.name = format!("{} → {split} hot partition{s} split", planned.name);
        planned.inputs = inputs;
        self.stages[stage.0].parts = parts;
    }

    /// The bytes that each map task has left for a reduce partition.
    fn sizes(&self, &Read { shuffle, partition, .. }: &Read) -> Vec<u64> {
        let Some(stage) = self.stage_of(shuffle) else { return Vec::new() };
        let of = |result: &Option<TaskResult>| match result {
            Some(TaskResult::Written(sizes)) => sizes.get(partition).copied().unwrap_or(0),
            _ => 0,
        };
        self.stages[stage.0].tasks.iter().map(|task| of(&task.result)).collect()
    }
}

/// A reduce partition that an input may read from some map tasks at a time: the results of several such
/// inputs together are the same as the result of one input over all of them.
struct Read {
    shuffle: ShuffleId,
    partition: usize,
    /// The position among the inputs of a fragment. Two of them may read the same partition.
    at: usize,
}

fn splittable(input: &Input) -> Vec<Read> {
    let read = |input: &Input, at| match input {
        Input::Shuffle { id, partition, maps: None, .. } => {
            Some(Read { shuffle: *id, partition: *partition, at })
        }
        _ => None,
    };
    match input {
        Input::Fragment { fragment, inputs } => {
            // In a plan that reads an input twice, a part of it would only meet itself.
            let once = |at: &usize| fragment.holes().iter().filter(|(_, input)| input == at).count() == 1;
            let splits = fragment.splits().iter().copied().filter(once);
            splits.filter_map(|at| read(inputs.get(at)?, at)).collect()
        }
        input => read(input, 0).into_iter().collect(),
    }
}

/// Makes an input read only some map tasks' rows at a place that [`splittable`] returned.
fn read_only(input: &mut Input, at: usize, range: Range<usize>) {
    let read = match input {
        Input::Fragment { inputs, .. } => inputs.get_mut(at),
        input => Some(input),
    };
    if let Some(Input::Shuffle { maps, .. }) = read {
        *maps = Some(range);
    }
}

fn median(values: &[u64]) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}

/// Consecutive map tasks, grouped into about `target` bytes.
fn ranges(maps: &[u64], target: u64) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let (mut start, mut filled) = (0, 0);
    for (map, bytes) in maps.iter().enumerate() {
        if filled > 0 && *bytes > 0 && filled + bytes / 2 > target {
            ranges.push(start..map);
            (start, filled) = (map, 0);
        }
        filled += bytes;
    }
    if start < maps.len() {
        ranges.push(start..maps.len());
    }
    ranges
}

/// Stacks the frames of each partition that several tasks have computed.
pub(super) fn together(frames: Vec<DataFrame>, parts: &[usize]) -> PolarsResult<Vec<DataFrame>> {
    if parts.len() != frames.len() {
        return Ok(frames);
    }
    let mut whole: Vec<(usize, DataFrame)> = Vec::new();
    for (frame, part) in frames.into_iter().zip(parts) {
        match whole.last_mut() {
            Some((last, all)) if last == part => {
                all.vstack_mut(&frame)?;
            }
            _ => whole.push((*part, frame)),
        }
    }
    Ok::<_, PolarsError>(whole.into_iter().map(|(_, frame)| frame).collect())
}

#[cfg(test)]
mod tests {
    use partita_engine::task::fragment::{Fragment, Hole};
    use polars::prelude::*;

    use super::*;

    fn schema() -> SchemaRef {
        Arc::new(Schema::from_iter([Field::new("id".into(), DataType::Int64)]))
    }

    fn read(maps: Option<Range<usize>>) -> Input {
        Input::Shuffle { id: ShuffleId(5), partition: 2, maps, schema: schema() }
    }

    /// A join of the inputs at two positions.
    fn joined(positions: [usize; 2], splits: Vec<usize>, inputs: Vec<Input>) -> Input {
        let holes: Vec<Arc<Hole>> = inputs.iter().map(|_| Arc::new(Hole::new())).collect();
        let [left, right] = positions.map(|at| holes[at].scan(&schema()));
        let plan = left.inner_join(right, col("id"), col("id")).with_comm_subplan_elim(false);
        let plan = plan.to_alp_optimized().unwrap();
        let numbers: Vec<u64> = holes.iter().map(|hole| hole.number()).collect();
        let fragment = Fragment::new(plan.lp_top, &plan.lp_arena, &plan.expr_arena, &numbers);
        Input::Fragment { fragment: Arc::new(fragment.with_splits(splits)), inputs }
    }

    fn places(input: &Input) -> Vec<usize> {
        splittable(input).iter().map(|read| read.at).collect()
    }

    #[test]
    fn only_whole_reads_that_a_plan_allows_to_split_are_split() {
        assert_eq!(places(&read(None)), [0]);
        assert!(places(&read(Some(0..1))).is_empty());
        let both = || vec![read(None), read(None)];
        assert_eq!(places(&joined([0, 1], vec![0, 1], both())), [0, 1]);
        assert_eq!(places(&joined([0, 1], vec![1], both())), [1]);
        assert!(places(&joined([0, 1], vec![0], vec![Input::Lost, read(None)])).is_empty());
        assert!(places(&joined([0, 0], vec![0], both())).is_empty(), "the plan reads it twice");
    }

    #[test]
    fn a_part_reads_some_maps_on_one_side_of_a_join_with_itself() {
        let mut input = joined([0, 1], vec![0, 1], vec![read(None), read(None)]);
        read_only(&mut input, 1, 3..5);
        let maps = input.below().iter().map(|input| match input {
            Input::Shuffle { maps, .. } => maps.clone(),
            _ => panic!("it was a shuffle"),
        });
        assert_eq!(maps.collect::<Vec<_>>(), [None, Some(3..5)]);
    }

    #[test]
    fn ranges_hold_all_map_tasks_once_and_about_the_target_each() {
        assert_eq!(ranges(&[10; 8], 20), [0..2, 2..4, 4..6, 6..8]);
        assert_eq!(ranges(&[100, 1, 1, 100, 0], 20), [0..1, 1..3, 3..5]);
        assert_eq!(ranges(&[5; 4], 1000), std::slice::from_ref(&(0..4)));
        assert!(ranges(&[], 10).is_empty());
    }
}
