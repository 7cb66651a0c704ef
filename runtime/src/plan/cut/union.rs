//! Several datasets as one: their rows one after the other, or side by side.

use partita_engine::task::Input;
use polars::polars_utils::arena::Node;
use polars::prelude::*;
use polars_plan::dsl::JoinOptionsIR;
use polars_plan::plans::{IR, is_scalar_ae};

use super::Cutter;
use super::flow::Flow;
use super::size::Size;
use crate::plan::marker;

impl Cutter<'_, '_> {
    pub(super) fn union(&mut self, ir: IR, order: bool) -> PolarsResult<Flow> {
        let IR::Union { inputs, options } = &ir else { return self.whole(ir) };
        let schema = self.schema(inputs[0]);
        let (mut tasks, mut after, mut size, mut ordered): (Vec<Input>, _, _, _) =
            (Vec::new(), Vec::new(), Size { rows: Some(0), bytes: Some(0) }, true);
        for input in inputs {
            let flow = self.cut(*input, order || options.slice.is_some())?;
            tasks.extend(self.seal(&flow));
            after.extend(flow.after);
            size = size + flow.size;
            ordered &= flow.ordered;
        }
        let mut flow = self.begin(tasks, &schema, "union");
        (flow.after, flow.size, flow.ordered) = (after, size, ordered);
        match options.slice {
            Some((offset, len)) => self.slice(flow, offset, len),
            None => Ok(flow),
        }
    }

    /// Columns side by side. What is one row, such as the result of a subquery, is broadcast to the rows
    /// of the others; otherwise rows are matched by number, in one partition.
    pub(super) fn hconcat(&mut self, ir: IR, order: bool) -> PolarsResult<Flow> {
        let IR::HConcat { inputs, schema, .. } = &ir else { return self.whole(ir) };
        let single: Vec<bool> = inputs.iter().map(|input| self.is_one_row(*input)).collect();
        let many = single.iter().filter(|single| !**single).count();
        if many != 1 {
            return self.whole(ir);
        }
        let (inputs, schema) = (inputs.clone(), schema.clone());
        let rows = single.iter().position(|single| !single).unwrap_or(0);
        let mut flow = self.cut(inputs[rows], order)?;
        for (_, input) in inputs.iter().enumerate().filter(|(at, _)| *at != rows) {
            let one = self.cut(*input, false)?;
            flow = self.beside(flow, one, "subquery");
        }
        let input = flow.top;
        Ok(self.push(flow, IR::SimpleProjection { input, columns: schema }, None))
    }

    /// The columns of a single row beside every row of the flow.
    pub(super) fn beside(&mut self, flow: Flow, one: Flow, name: &str) -> Flow {
        let one = self.broadcast(one, flow.partitions());
        let mut columns = (*self.schema(flow.top)).clone();
        columns.merge((*self.schema(one.top)).clone());
        let args = JoinArgs::new(JoinType::Cross);
        let options = JoinOptionsIR { allow_parallel: false, force_parallel: false, args, options: None };
        let cross = IR::Join {
            input_left: flow.top,
            input_right: one.top,
            schema: columns.into(),
            left_on: Vec::new(),
            right_on: Vec::new(),
            options: options.into(),
        };
        let (placed, ordered, size) = (flow.placed.clone(), flow.ordered, flow.size);
        let mut flow = self.combine(vec![flow, one], cross, name);
        (flow.placed, flow.ordered, flow.size) = (placed, ordered, size);
        flow
    }

    /// Whether a node has exactly one row, whatever is below it.
    fn is_one_row(&self, node: Node) -> bool {
        match self.planning.ir.get(node) {
            IR::Select { expr, .. } => {
                !expr.is_empty() && expr.iter().all(|expr| is_scalar_ae(expr.node(), &self.planning.exprs))
            }
            IR::SimpleProjection { input, .. } => self.is_one_row(*input),
            IR::HStack { input, .. } => self.is_one_row(*input),
            IR::MapFunction { input, function } => {
                let step = marker::step_of(function);
                step.is_some_and(|step| matches!(*step, marker::Step::OneRow)) && self.is_one_row(*input)
            }
            _ => false,
        }
    }
}
