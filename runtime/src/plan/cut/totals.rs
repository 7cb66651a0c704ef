//! Aggregates among rows, such as `col("v") / col("v").sum()`: they are one row of their own, computed first
//! and joined to every row.

use polars::polars_utils::arena::Node;
use polars::prelude::*;
use polars_plan::plans::expr_ir::{ExprIR, OutputName};
use polars_plan::plans::{AExpr, IR, ToFieldContext, is_elementwise_rec, is_scalar_ae};
use polars_plan::utils::has_aexpr;

use super::Cutter;
use super::flow::Flow;
use super::rows::needs_no_other;

impl Cutter<'_, '_> {
    /// The node over the flow, with its aggregates computed first. `None` if what is left of its
    /// expressions needs other rows all the same.
    pub(super) fn with_totals(
        &mut self,
        ir: &IR,
        flow: &Flow,
        exprs: &[ExprIR],
    ) -> PolarsResult<Option<Flow>> {
        let schema = self.schema(flow.top);
        let mut totals = Vec::new();
        let mut left = Vec::with_capacity(exprs.len());
        for expr in exprs {
            let node = self.without_totals(expr.node(), &mut totals);
            left.push(ExprIR::new(node, OutputName::Alias(expr.output_name().clone())));
        }
        if totals.is_empty() || !needs_no_other(&left, &self.planning.exprs) {
            return Ok(None);
        }
        let fields = totals.iter().map(|total: &ExprIR| {
            let context = ToFieldContext::new(&self.planning.exprs, &schema);
            let dtype = self.planning.exprs.get(total.node()).to_dtype(&context)?;
            Ok(Field::new(total.output_name().clone(), dtype))
        });
        let fields: Schema = fields.collect::<PolarsResult<Vec<Field>>>()?.into_iter().collect();
        let select = IR::Select {
            input: flow.top,
            expr: totals.clone(),
            schema: fields.into(),
            options: Default::default(),
        };
        let one = self.one_row_over(select, flow.clone(), &totals)?;
        let flow = self.beside(flow.clone(), one, "totals");

        let wanted = ir.schema(&self.planning.ir).into_owned();
        let mut ir = ir.clone().with_exprs(left);
        if let IR::HStack { schema, .. } = &mut ir {
            let mut columns = (*self.schema(flow.top)).clone();
            columns.merge((**schema).clone());
            *schema = columns.into();
        }
        let is_select = matches!(ir, IR::Select { .. });
        let flow = self.push(flow, ir, None);
        if is_select {
            return Ok(Some(flow));
        }
        let input = flow.top;
        Ok(Some(self.push(flow, IR::SimpleProjection { input, columns: wanted }, None)))
    }

    /// The expression with columns in the place of its aggregates, which are added to `totals`.
    fn without_totals(&mut self, node: Node, totals: &mut Vec<ExprIR>) -> Node {
        let arena = &self.planning.exprs;
        let reads = has_aexpr(node, arena, |expr| matches!(expr, AExpr::Column(_) | AExpr::Len));
        let in_window = matches!(arena.get(node), AExpr::Over { .. } | AExpr::Eval { .. });
        if in_window {
            return node;
        }
        if reads && is_scalar_ae(node, arena) && !is_elementwise_rec(node, arena) {
            let name = PlSmallStr::from_string(format!("__partita_total_{}", totals.len()));
            totals.push(ExprIR::new(node, OutputName::Alias(name.clone())));
            return self.planning.exprs.add(AExpr::Column(name));
        }
        let expr = arena.get(node).clone();
        let mut inputs: Vec<Node> = Vec::new();
        expr.inputs_rev(&mut inputs);
        inputs.reverse();
        let before = totals.len();
        let replaced: Vec<Node> = inputs.iter().map(|input| self.without_totals(*input, totals)).collect();
        if totals.len() == before {
            return node;
        }
        self.planning.exprs.add(expr.replace_inputs(&replaced))
    }
}
