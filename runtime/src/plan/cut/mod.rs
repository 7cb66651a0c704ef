//! Cuts the optimised plan of a query into stages: where rows must move between partitions, a stage ends.
//! What a stage's tasks do is a fragment of the plan, copied as it is.
//!
//! `flow` is what is known of rows on their way: the open fragment, its inputs, and how rows are placed.
//! `sources` begins flows at leaves; `rows`, `group`, `join`, `order` and `union` each know some nodes. What no
//! file knows is gathered in one partition, which is always right, and told.

mod flow;
mod group;
mod join;
mod order;
mod placement;
mod rows;
mod size;
mod sources;
mod union;

use std::collections::HashMap;

use partita_engine::cache::CacheId;
use partita_engine::shuffle::{Partitioner, ShuffleId};
use polars::polars_utils::arena::{Arena, Node};
use polars::polars_utils::unique_id::UniqueId;
use polars::prelude::*;
use polars_plan::plans::{AExpr, FunctionIR, IR};

use self::flow::Flow;
use super::physical::{PhysicalPlan, Sink, Stage};
use super::{Plan, Settings, marker, optimise};

/// What a job wants of a plan's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// The rows.
    Rows,
    /// Their number, so no column is needed.
    Count,
}

/// Cuts a plan into stages. `next_shuffle` returns a new shuffle id; `kept` returns how many partitions of
/// a cached dataset are cached.
///
/// # Errors
/// When Polars cannot optimise the plan.
pub(crate) fn stages_of(
    plan: &Plan,
    want: Want,
    settings: Settings,
    next_shuffle: &dyn Fn() -> ShuffleId,
    kept: &dyn Fn(CacheId) -> usize,
) -> PolarsResult<PhysicalPlan> {
    let mut stages = Stages { list: Vec::new(), broadcasts: 0, next_shuffle, kept };
    let flow = stages.inputs_of(plan, want, settings)?;
    stages.add(flow.tasks, flow.names, None, flow.after, Sink::Result);
    Ok(PhysicalPlan { stages: stages.list, broadcasts: stages.broadcasts })
}

/// The number of partitions of a plan's rows.
///
/// # Errors
/// When Polars cannot optimise the plan.
pub(crate) fn partitions_of(plan: &Plan, settings: Settings) -> PolarsResult<usize> {
    let physical = stages_of(plan, Want::Rows, settings, &|| ShuffleId(0), &|_| 0)?;
    Ok(physical.stages.last().map_or(0, |stage| stage.inputs.len()))
}

/// Where a plan's partitions come from, once everything that they need is a stage.
struct Sealed {
    tasks: Vec<partita_engine::task::Input>,
    names: Vec<String>,
    after: Vec<usize>,
    ordered: bool,
}

/// The stages so far.
struct Stages<'a> {
    list: Vec<Stage>,
    broadcasts: usize,
    next_shuffle: &'a dyn Fn() -> ShuffleId,
    kept: &'a dyn Fn(CacheId) -> usize,
}

impl Stages<'_> {
    /// Optimises and cuts a plan; its last stage is still open.
    fn inputs_of(&mut self, plan: &Plan, want: Want, settings: Settings) -> PolarsResult<Sealed> {
        let lazy = match want {
            Want::Rows => plan.lazy.clone(),
            Want::Count => plan.lazy.clone().select([len()]),
        };
        let mut cutter = Cutter {
            ir: Arena::new(),
            exprs: Arena::new(),
            settings,
            stages: self,
            shared: HashMap::new(),
        };
        let mut top = optimise::into(lazy, &mut cutter.ir, &mut cutter.exprs)?;
        if want == Want::Count
            && let IR::Select { input, .. } = cutter.ir.get(top)
        {
            top = *input;
        }
        let flow = cutter.cut(top, false)?;
        let tasks = cutter.seal(&flow);
        Ok(Sealed { tasks, names: flow.names, after: flow.after, ordered: flow.ordered })
    }

    fn add(
        &mut self,
        tasks: Vec<partita_engine::task::Input>,
        mut names: Vec<String>,
        why: Option<&str>,
        after: Vec<usize>,
        sink: Sink,
    ) -> usize {
        names.extend(why.map(str::to_owned));
        let inputs = tasks.into_iter().map(std::sync::Arc::new).collect();
        self.list.push(Stage { name: names.join(" → "), inputs, sink, after });
        self.list.len() - 1
    }
}

/// Cuts one plan.
struct Cutter<'a, 'b> {
    ir: Arena<IR>,
    exprs: Arena<AExpr>,
    settings: Settings,
    stages: &'a mut Stages<'b>,
    /// Parts of the plan that several others read.
    shared: HashMap<UniqueId, Flow>,
}

impl Cutter<'_, '_> {
    /// The partitions that come out of a node. `order` says whether somebody sees the order of its rows.
    fn cut(&mut self, node: Node, order: bool) -> PolarsResult<Flow> {
        // Plans may be thousands of steps deep.
        stacker::maybe_grow(256 << 10, 4 << 20, || self.cut_node(node, order))
    }

    fn cut_node(&mut self, node: Node, order: bool) -> PolarsResult<Flow> {
        let ir = self.ir.get(node).clone();
        match &ir {
            IR::Scan { .. } => self.leaf(node),
            IR::DataFrameScan { .. } => self.frame(node),
            IR::SimpleProjection { input, columns } => {
                let columns: Vec<PlSmallStr> = columns.iter_names_cloned().collect();
                let mut flow = self.cut(*input, order)?;
                flow.placed.keep(&columns);
                Ok(self.push(flow, ir, None))
            }
            IR::Filter { input, predicate } => {
                let exprs = vec![predicate.clone()];
                self.row_by_row(ir.clone(), *input, &exprs, "filter", order)
            }
            IR::HStack { input, exprs, .. } => {
                let exprs = exprs.clone();
                self.row_by_row(ir.clone(), *input, &exprs, "with_columns", order)
            }
            IR::Select { input, expr, .. } => self.select(ir.clone(), *input, expr, order),
            IR::MapFunction { input, function } => self.function(&ir, *input, function, order),
            IR::GroupBy { .. } => self.group_by(ir),
            IR::Join { .. } => self.join(ir, order),
            IR::Distinct { .. } => self.distinct(ir, order),
            IR::Sort { .. } => self.sort(ir),
            IR::Slice { input, offset, len } => {
                let flow = self.cut(*input, true)?;
                self.slice(flow, *offset, *len as usize)
            }
            IR::Union { .. } => self.union(ir, order),
            IR::HConcat { .. } => self.hconcat(ir, order),
            IR::Cache { input, id } => {
                if !self.shared.contains_key(id) {
                    let flow = self.cut(*input, true)?;
                    self.shared.insert(*id, flow);
                }
                Ok(self.shared[id].clone())
            }
            IR::Sink { input, .. } => self.cut(*input, order),
            _ => self.whole(ir),
        }
    }

    /// A node over all rows of its inputs, in one partition.
    fn whole(&mut self, ir: IR) -> PolarsResult<Flow> {
        let name = <&str>::from(&ir).to_lowercase().replace('_', " ");
        let inputs: Vec<Node> = ir.inputs().collect();
        let mut flows = Vec::with_capacity(inputs.len());
        for input in inputs {
            let flow = self.cut(input, true)?;
            flows.push(self.gather(flow, &name));
        }
        Ok(self.combine(flows, ir, &name))
    }

    /// A function that is none of Polars' own row by row steps.
    fn function(
        &mut self,
        ir: &IR,
        input: Node,
        function: &FunctionIR,
        order: bool,
    ) -> PolarsResult<Flow> {
        if let Some(step) = marker::step_of(function) {
            return self.step(&step, input, order);
        }
        let name = match function {
            FunctionIR::Unnest { .. } => "unnest",
            FunctionIR::Explode { .. } => "explode",
            FunctionIR::Unpivot { .. } => "unpivot",
            FunctionIR::Rechunk | FunctionIR::Hint(_) => return self.cut(input, order),
            _ => return self.whole(ir.clone()),
        };
        let mut flow = self.cut(input, order)?;
        flow.placed.keep(&[]);
        flow.size = size::Size::default();
        Ok(self.push(flow, ir.clone(), Some(name)))
    }

    /// A step that only Partita has.
    fn step(&mut self, step: &marker::Step, input: Node, order: bool) -> PolarsResult<Flow> {
        match step {
            marker::Step::Fence => self.cut(input, order),
            marker::Step::Advice(advice) => {
                let mut flow = self.cut(input, order)?;
                flow.advice = *advice;
                Ok(flow)
            }
            marker::Step::RoundRobin(n) => {
                let flow = self.cut(input, false)?;
                Ok(self.shuffle(flow, "repartition: round robin", Partitioner::RoundRobin { n: *n }))
            }
            marker::Step::Coalesce(n) => {
                let flow = self.cut(input, order)?;
                Ok(self.coalesce(flow, *n))
            }
            marker::Step::EachPartition(template) => {
                let flow = self.cut(input, true)?;
                self.each_partition(flow, template)
            }
        }
    }
}
