//! Partitions on their way to a stage: the fragment that is still open, the inputs of its tasks, and what is
//! known about their rows.

use std::sync::Arc;

use partita_engine::shuffle::{Partitioner, ShuffleId};
use partita_engine::task::Input;
use partita_engine::task::fragment::{Fragment, Hole, pruned};
use polars::polars_utils::arena::Node;
use polars::prelude::*;
use polars_plan::plans::{ArenaLpIter, FunctionIR, IR};

use super::placement::Placement;
use super::size::Size;
use super::{Cutter, Sealed};
use crate::plan::marker::{self, Advice};
use crate::plan::optimise;
use crate::plan::physical::{SAMPLE_ROWS, Sink};
use crate::plan::template::Template;

/// Partitions on their way.
#[derive(Clone)]
pub(super) struct Flow {
    /// The last node of the open fragment.
    pub top: Node,
    /// The numbers of the fragment's holes.
    pub holes: Vec<u64>,
    /// For each task, what belongs into the holes.
    pub tasks: Vec<Vec<Input>>,
    /// Holes whose rows may be read in parts.
    pub splits: Vec<u64>,
    /// What was done, for people.
    pub names: Vec<String>,
    /// The stages whose output it reads.
    pub after: Vec<usize>,
    /// Which rows are together.
    pub placed: Placement,
    /// Whether the partitions, one after the other, have the rows in the order that Polars gives them.
    pub ordered: bool,
    pub size: Size,
    /// What was said about the step above.
    pub advice: Advice,
}

impl Flow {
    pub fn partitions(&self) -> usize {
        self.tasks.len()
    }

    /// Whether all rows are together.
    pub fn alone(&self) -> bool {
        self.tasks.len() <= 1
    }
}

impl Cutter<'_, '_> {
    pub(super) fn schema(&self, node: Node) -> SchemaRef {
        self.planning.ir.get(node).schema(&self.planning.ir).into_owned()
    }

    /// A new flow over inputs whose rows have this schema.
    pub(super) fn begin(&mut self, inputs: Vec<Input>, schema: &SchemaRef, name: &str) -> Flow {
        let hole = Arc::new(Hole::new());
        Flow {
            top: self.planning.ir.add(hole.node(schema)),
            holes: vec![hole.number()],
            tasks: inputs.into_iter().map(|input| vec![input]).collect(),
            splits: Vec::new(),
            names: vec![name.to_owned()],
            after: Vec::new(),
            placed: Placement::default(),
            ordered: true,
            size: Size::default(),
            advice: Advice::default(),
        }
    }

    /// Adds a node that needs no rows of other partitions.
    pub(super) fn push(&mut self, mut flow: Flow, ir: IR, name: Option<&str>) -> Flow {
        flow.top = self.planning.ir.add(on_one_core(ir.with_inputs([flow.top])));
        flow.names.extend(name.map(str::to_owned));
        flow
    }

    /// Adds a node with several inputs, whose partitions belong together by their numbers.
    pub(super) fn combine(&mut self, flows: Vec<Flow>, ir: IR, name: &str) -> Flow {
        let tops: Vec<Node> = flows.iter().map(|flow| flow.top).collect();
        let top = self.planning.ir.add(on_one_core(ir.with_inputs(tops)));
        let mut flows = flows.into_iter();
        let mut all = flows.next().expect("a node with inputs");
        for flow in flows {
            all.holes.extend(flow.holes);
            all.after.extend(flow.after);
            for (task, inputs) in all.tasks.iter_mut().zip(flow.tasks) {
                task.extend(inputs);
            }
        }
        all.top = top;
        all.splits.clear();
        if all.names == ["shuffle read"] {
            all.names.clear();
        }
        all.names.push(name.to_owned());
        all.placed = Placement::default();
        all.size = Size::default();
        all.advice = Advice::default();
        all
    }

    /// The inputs of the tasks, with the fragment closed.
    pub(super) fn seal(&self, flow: &Flow) -> Vec<Input> {
        let bare = match self.planning.ir.get(flow.top) {
            scan @ IR::Scan { predicate: None, output_schema, file_info, unified_scan_args, .. }
                if flow.holes.len() == 1 =>
            {
                unified_scan_args.pre_slice.is_none()
                    && Hole::of(scan).is_some()
                    && output_schema.as_ref().is_none_or(|out| **out == *file_info.schema)
            }
            _ => false,
        };
        if bare {
            return flow.tasks.iter().filter_map(|task| task.first().cloned()).collect();
        }
        let position = |number: &u64| flow.holes.iter().position(|hole| hole == number);
        let plan = pruned(flow.top, &self.planning.ir, &self.planning.exprs);
        let plan = optimise::sharing_expressions(plan);
        let fragment = Fragment::new(plan.lp_top, &plan.lp_arena, &plan.expr_arena, &flow.holes)
            .with_splits(flow.splits.iter().filter_map(position).collect());
        let fragment = Arc::new(fragment);
        let seal =
            |inputs: &Vec<Input>| Input::Fragment { fragment: fragment.clone(), inputs: inputs.clone() };
        flow.tasks.iter().map(seal).collect()
    }

    /// The flow as the last one of its plan.
    pub(super) fn close(&self, flow: Flow) -> Sealed {
        let tasks = self.seal(&flow);
        Sealed { tasks, names: flow.names, after: flow.after, ordered: flow.ordered }
    }

    /// Ends the flow with a stage.
    pub(super) fn stage(&mut self, flow: &Flow, why: Option<&str>, sink: Sink) -> usize {
        let tasks = self.seal(flow);
        self.stages.add(tasks, flow.names.clone(), why, flow.after.clone(), sink)
    }

    /// Ends the flow with a shuffle, and begins the next flow after it.
    pub(super) fn shuffle(&mut self, flow: Flow, why: &str, partitioner: Partitioner) -> Flow {
        if self.schema(flow.top).is_empty() {
            let flow = self.numbered(flow);
            let flow = self.shuffle(flow, why, partitioner);
            return self.without_columns(flow);
        }
        let n = partitioner.partitions();
        let id = (self.stages.next_shuffle)();
        let stage = self.stage(&flow, Some(why), Sink::Shuffle { id, partitioner: Arc::new(partitioner) });
        self.after_shuffle(&flow, id, n, stage)
    }

    pub(super) fn after_shuffle(&mut self, flow: &Flow, id: ShuffleId, n: usize, stage: usize) -> Flow {
        let schema = self.schema(flow.top);
        let read = |partition| Input::Shuffle { id, partition, maps: None, schema: schema.clone() };
        let inputs = (0..n).map(read).collect();
        let mut after = self.begin(inputs, &schema, "shuffle read");
        after.splits = after.holes.clone();
        after.after = vec![stage];
        after.ordered = n <= 1 && flow.ordered;
        after.size = flow.size;
        after.advice = flow.advice;
        after
    }

    /// Ends the flow with a shuffle into ranges of a sort order.
    pub(super) fn shuffle_by_range(
        &mut self,
        flow: Flow,
        why: &str,
        by: Vec<Expr>,
        descending: Vec<bool>,
        nulls_last: bool,
        n: usize,
    ) -> Flow {
        let sample = Sink::Sample { by: by.clone(), rows: SAMPLE_ROWS };
        let sample = self.stage(&flow, Some("sample"), sample);
        let id = (self.stages.next_shuffle)();
        let sink = Sink::RangeShuffle { id, sample, by, descending, nulls_last, n };
        let stage = self.stage(&flow, Some(why), sink);
        self.stages.list[stage].after.push(sample);
        self.after_shuffle(&flow, id, n, stage)
    }

    /// Brings all rows into one partition, in order.
    pub(super) fn gather(&mut self, flow: Flow, why: &str) -> Flow {
        if flow.alone() {
            return flow;
        }
        let why = format!("shuffle to one, for {why}");
        self.shuffle(flow, &why, Partitioner::RoundRobin { n: 1 })
    }

    /// Rows without columns do not travel: nobody could count them on arrival. So they get one on the way.
    fn numbered(&mut self, flow: Flow) -> Flow {
        let function = FunctionIR::RowIndex { name: "row".into(), offset: None, schema: Default::default() };
        let input = flow.top;
        self.push(flow, IR::MapFunction { input, function }, None)
    }

    fn without_columns(&mut self, flow: Flow) -> Flow {
        let input = flow.top;
        self.push(flow, IR::SimpleProjection { input, columns: SchemaRef::default() }, None)
    }

    /// The rows of the flow in every task of others.
    pub(super) fn broadcast(&mut self, flow: Flow, partitions: usize) -> Flow {
        let schema = self.schema(flow.top);
        if schema.is_empty() {
            let flow = self.numbered(flow);
            let flow = self.broadcast(flow, partitions);
            return self.without_columns(flow);
        }
        let index = self.stages.broadcasts;
        self.stages.broadcasts += 1;
        let stage = self.stage(&flow, Some("broadcast"), Sink::Broadcast { index, schema: schema.clone() });
        let inputs = vec![Input::Broadcast { index, schema: schema.clone() }; partitions];
        let mut all = self.begin(inputs, &schema, "broadcast");
        all.after = vec![stage];
        all.size = flow.size;
        all
    }

    /// Merges neighbouring partitions so that at most `n` remain, as evenly as possible.
    pub(super) fn coalesce(&mut self, flow: Flow, n: usize) -> Flow {
        let had = flow.partitions();
        if had <= n {
            return flow;
        }
        let schema = self.schema(flow.top);
        let mut rest = self.seal(&flow).into_iter();
        let merged = (0..n).map(|i| Input::Concat {
            inputs: rest.by_ref().take(had * (i + 1) / n - had * i / n).collect(),
            schema: schema.clone(),
        });
        let merged = merged.collect();
        self.continued(flow, merged, "coalesce")
    }

    /// The flow with other inputs, which have the same rows.
    pub(super) fn continued(&mut self, flow: Flow, inputs: Vec<Input>, name: &str) -> Flow {
        let schema = self.schema(flow.top);
        let next = self.begin(inputs, &schema, name);
        let mut names = flow.names;
        names.push(name.to_owned());
        Flow { names, after: flow.after, ordered: flow.ordered, size: flow.size, ..next }
    }

    /// Adds a plan that reads the flow through the hole with this number.
    pub(super) fn graft(&mut self, mut flow: Flow, plan: LazyFrame, hole: u64) -> PolarsResult<Flow> {
        let top = optimise::into(plan, &mut self.planning.ir, &mut self.planning.exprs)?;
        let nodes: Vec<Node> = self.planning.ir.iter(top).map(|(node, _)| node).collect();
        for node in nodes {
            let ir = self.planning.ir.get(node);
            if Hole::of(ir).is_some_and(|found| found.number() == hole) {
                let filled = self.filled(node, flow.top);
                self.planning.ir.replace(node, filled);
            } else if let IR::DataFrameScan { df, schema, output_schema } = ir {
                // Frames are inputs like everything else that is read.
                let columns = output_schema.as_ref().unwrap_or(schema).clone();
                let rows = Input::Frame(df.select(columns.iter_names_cloned())?);
                let hole = Arc::new(Hole::new());
                self.planning.ir.replace(node, hole.node(&columns));
                flow.holes.push(hole.number());
                flow.tasks.iter_mut().for_each(|task| task.push(rows.clone()));
            } else if let IR::MapFunction { input, function } = ir
                && marker::step_of(function).is_some()
            {
                let (input, columns) = (*input, self.schema(node));
                self.planning.ir.replace(node, IR::SimpleProjection { input, columns });
            } else {
                let ir = on_one_core(self.planning.ir.get(node).clone());
                self.planning.ir.replace(node, ir);
            }
        }
        flow.top = top;
        Ok(flow)
    }

    /// The node that has the rows of `rows` in the place of a hole, as far as they are requested.
    fn filled(&mut self, hole: Node, rows: Node) -> IR {
        let mut input = rows;
        let mut columns = self.schema(rows);
        if let IR::Scan { output_schema, unified_scan_args, .. } = self.planning.ir.get(hole) {
            if let Some(output) = output_schema {
                columns = output.clone();
            }
            if let Some(slice) = unified_scan_args.pre_slice.clone() {
                let len = IdxSize::try_from(slice.len()).unwrap_or(IdxSize::MAX);
                input = self.planning.ir.add(IR::Slice { input, offset: 0, len });
            }
        }
        IR::SimpleProjection { input, columns }
    }

    /// `map_partitions`.
    pub(super) fn each_partition(&mut self, mut flow: Flow, template: &Template) -> PolarsResult<Flow> {
        for (hole, plan) in template.others() {
            let input = match &plan.logical_plan {
                polars_plan::dsl::DslPlan::DataFrameScan { df, .. } => Input::Frame((**df).clone()),
                _ => Input::Plan(Box::new(plan.clone())),
            };
            flow.holes.push(hole.number());
            flow.tasks.iter_mut().for_each(|task| task.push(input.clone()));
        }
        let mut flow = self.graft(flow, template.plan().clone(), template.partition().number())?;
        flow.names.push("map_partitions".into());
        flow.splits.clear();
        flow.placed = Placement::default();
        flow.size = Size::default();
        Ok(flow)
    }
}

/// The node without Polars' own threads: one task uses one core.
fn on_one_core(mut ir: IR) -> IR {
    match &mut ir {
        IR::Join { options, .. } => {
            let options = Arc::make_mut(options);
            options.allow_parallel = false;
            options.force_parallel = false;
        }
        IR::Union { options, .. } => options.parallel = false,
        IR::HConcat { options, .. } => options.parallel = false,
        IR::Sort { sort_options, .. } => sort_options.multithreaded = false,
        IR::Select { options, .. } | IR::HStack { options, .. } => options.run_parallel = false,
        _ => {}
    }
    ir
}
