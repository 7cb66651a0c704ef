//! Cuts the optimised plan of a query into stages: where rows must move between partitions, a stage ends.
//! What a stage's tasks do is a fragment of the plan, copied as it is.
//!
//! `flow` is what is known of rows on their way: the open fragment, its inputs, and how rows are placed.
//! `sources` begins flows at leaves; `rows`, `totals`, `group`, `join`, `order` and `union` each know some nodes. What no
//! file knows is gathered in one partition, which is always right, and told.

mod flow;
mod group;
mod join;
mod order;
mod placement;
mod rows;
mod size;
mod sources;
mod totals;
mod union;

use std::collections::HashMap;
use std::sync::Arc;

use partita_engine::cache::CacheId;
use partita_engine::shuffle::{Partitioner, ShuffleId};
use partita_engine::task::Input;
use polars::polars_utils::arena::{Arena, Node};
use polars::polars_utils::unique_id::UniqueId;
use polars::prelude::*;
use polars_plan::plans::{AExpr, FunctionIR, IR};

use self::flow::Flow;
use super::physical::{PhysicalPlan, Sink, Stage};
use super::{Plan, Settings, exact, marker, optimise};

/// What a job wants of a plan's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// The rows, in their partitions.
    Rows,
    /// The rows. After a limit the first partitions may be enough.
    First,
    /// Their number, so no column is needed.
    Count,
}

/// Cuts a plan into stages, all of them at once: nothing is known of what they leave.
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
    let settings = Settings { adaptive: false, ..settings };
    Planning::new(plan, want, settings)?.stages(&[], next_shuffle, kept)
}

/// The number of partitions of a plan's rows.
///
/// # Errors
/// When Polars cannot optimise the plan.
pub(crate) fn partitions_of(plan: &Plan, settings: Settings) -> PolarsResult<usize> {
    let physical = stages_of(plan, Want::Rows, settings, &|| ShuffleId(0), &|_| 0)?;
    Ok(physical.stages.last().map_or(0, |stage| stage.inputs.len()))
}

/// A plan that is optimised and cut as its stages run.
pub(crate) struct Planning {
    ir: Arena<IR>,
    exprs: Arena<AExpr>,
    top: Node,
    want: Want,
    settings: Settings,
}

impl Planning {
    /// Optimises a plan.
    ///
    /// # Errors
    /// When Polars cannot optimise the plan.
    pub fn new(plan: &Plan, want: Want, settings: Settings) -> PolarsResult<Self> {
        let lazy = match want {
            Want::Rows | Want::First => plan.lazy.clone(),
            Want::Count => match size::narrowest(&plan.schema) {
                Some(column) => plan.lazy.clone().select([exact(column)]),
                None => plan.lazy.clone(),
            },
        };
        let (mut ir, mut exprs) = (Arena::new(), Arena::new());
        let mut top = optimise::into(lazy, &mut ir, &mut exprs)?;
        if settings.join_reorder {
            top = optimise::ordered(top, &mut ir, &mut exprs)?;
        }
        Ok(Self { ir, exprs, top, want, settings })
    }

    /// Cuts the plan into stages, as far as can be decided. `measured` are the bytes that the stages have left
    /// on which it waited before, in that order; the stages before are the same each time, as long as
    /// `next_shuffle` returns the same ids. `kept` returns how many partitions of a cached dataset are
    /// cached.
    ///
    /// # Errors
    /// Polars' own.
    pub fn stages(
        &mut self,
        measured: &[u64],
        next_shuffle: &dyn Fn() -> ShuffleId,
        kept: &dyn Fn(CacheId) -> usize,
    ) -> PolarsResult<PhysicalPlan> {
        let mut stages =
            Stages { list: Vec::new(), broadcasts: 0, waits: None, decided: 0, measured, next_shuffle, kept };
        let mut limit = None;
        match self.root(&mut stages) {
            Ok((last, wanted)) => {
                limit = wanted;
                stages.add(last.tasks, last.names, None, last.after, Sink::Result);
            }
            // The rest is cut once that stage is done.
            Err(_) if stages.waits.is_some() => {}
            Err(error) => return Err(error),
        }
        let Stages { list: stages, broadcasts, waits, .. } = stages;
        Ok(PhysicalPlan { stages, broadcasts, limit, waits })
    }

    fn sealed(&mut self, stages: &mut Stages<'_>) -> PolarsResult<Sealed> {
        let top = self.top;
        let mut cutter = Cutter { planning: self, stages, shared: HashMap::new() };
        let flow = cutter.cut(top, false)?;
        Ok(cutter.close(flow))
    }

    /// The result's partitions. Where the plan ends in a limit, the first rows of each, and the limit: who
    /// collects them stops when there is enough.
    fn root(&mut self, stages: &mut Stages<'_>) -> PolarsResult<(Sealed, Option<(usize, usize)>)> {
        let top = self.top;
        if self.want != Want::First {
            return Ok((self.sealed(stages)?, None));
        }
        let mut cutter = Cutter { planning: self, stages, shared: HashMap::new() };
        let (flow, limit) = match cutter.planning.ir.get(top).clone() {
            IR::Slice { input, offset, len } if offset >= 0 => {
                (cutter.cut(input, true)?, Some((offset as usize, len as usize)))
            }
            IR::Scan { .. } => cutter.limited_leaf(top)?,
            _ => (cutter.cut(top, false)?, None),
        };
        let flow = match limit {
            Some((offset, len)) => cutter.first(flow, offset.saturating_add(len)),
            None => flow,
        };
        Ok((cutter.close(flow), limit))
    }
}

/// Where a plan's partitions come from, once everything that they need is a stage.
struct Sealed {
    tasks: Vec<Input>,
    names: Vec<String>,
    after: Vec<usize>,
    ordered: bool,
}

/// The stages so far.
struct Stages<'a> {
    list: Vec<Stage>,
    broadcasts: usize,
    /// The stage whose output must be measured before the plan can be cut further.
    waits: Option<usize>,
    /// How many of the measurements were used.
    decided: usize,
    measured: &'a [u64],
    next_shuffle: &'a dyn Fn() -> ShuffleId,
    kept: &'a dyn Fn(CacheId) -> usize,
}

impl Stages<'_> {
    fn add(
        &mut self,
        tasks: Vec<Input>,
        mut names: Vec<String>,
        why: Option<&str>,
        after: Vec<usize>,
        sink: Sink,
    ) -> usize {
        names.extend(why.map(str::to_owned));
        let inputs = tasks.into_iter().map(Arc::new).collect();
        self.list.push(Stage { name: names.join(" → "), inputs, sink, after });
        self.list.len() - 1
    }

    /// The bytes that a stage has left for others.
    ///
    /// # Errors
    /// When it has not run yet: nothing more can be planned.
    fn measured(&mut self, stage: usize) -> PolarsResult<u64> {
        if let Some(bytes) = self.measured.get(self.decided) {
            self.decided += 1;
            return Ok(*bytes);
        }
        self.waits = Some(stage);
        polars_bail!(ComputeError: "stage {stage} has not run yet")
    }
}

/// Cuts one plan.
struct Cutter<'a, 'b> {
    planning: &'a mut Planning,
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
        let ir = self.planning.ir.get(node).clone();
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
    fn function(&mut self, ir: &IR, input: Node, function: &FunctionIR, order: bool) -> PolarsResult<Flow> {
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
            marker::Step::Fence | marker::Step::OneRow => self.cut(input, order),
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
