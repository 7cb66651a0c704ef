//! The row-by-row steps of a plan between a source and a `group_by`.

use polars::polars_utils::arena::Node;
use polars::prelude::*;
use polars_plan::plans::expr_ir::ExprIR;
use polars_plan::plans::{AExpr, IR, IRPlan, is_elementwise_rec};
use polars_plan::utils::has_aexpr;

use crate::compute::Compute;

/// The first node below `node` that is not a row-by-row step, and the steps from there upwards.
pub(crate) fn below(mut node: Node, plan: &IRPlan) -> (Node, Vec<Node>) {
    let row_by_row = |expr: &ExprIR| is_elementwise_rec(expr.node(), &plan.expr_arena);
    let reads_column =
        |expr: &ExprIR| has_aexpr(expr.node(), &plan.expr_arena, |expr| matches!(expr, AExpr::Column(_)));
    let mut steps = Vec::new();
    loop {
        let input = match plan.lp_arena.get(node) {
            IR::Filter { input, predicate } if row_by_row(predicate) => *input,
            IR::SimpleProjection { input, .. } => *input,
            // Constants alone give one row, however many rows the input has.
            IR::Select { input, expr, .. }
                if expr.iter().all(row_by_row) && expr.iter().any(reads_column) =>
            {
                *input
            }
            IR::HStack { input, exprs, .. } if exprs.iter().all(row_by_row) => *input,
            _ => break,
        };
        steps.push(node);
        node = input;
    }
    steps.reverse();
    (node, steps)
}

/// A step that is ready to run on runs of rows.
pub(crate) enum Step {
    Filter(Compute),
    /// Keeps only these columns.
    Select(Vec<Compute>),
    With(Vec<Compute>),
    Columns(Vec<PlSmallStr>),
}

impl Step {
    /// The step at a node that [`below`] found; `schema` is the schema of its input.
    pub fn new(node: Node, plan: &mut IRPlan, schema: &SchemaRef) -> PolarsResult<Self> {
        let all = |exprs: Vec<ExprIR>, plan: &mut IRPlan| {
            exprs.iter().map(|expr| Compute::new(expr, plan, schema)).collect::<PolarsResult<_>>()
        };
        match plan.lp_arena.get(node).clone() {
            IR::Filter { predicate, .. } => Ok(Self::Filter(Compute::new(&predicate, plan, schema)?)),
            IR::SimpleProjection { columns, .. } => Ok(Self::Columns(columns.iter_names_cloned().collect())),
            IR::Select { expr, .. } => Ok(Self::Select(all(expr, plan)?)),
            IR::HStack { exprs, .. } => Ok(Self::With(all(exprs, plan)?)),
            other => polars_bail!(ComputeError: "{other:?} is not a row-by-row step"),
        }
    }

    /// Applies the step to a run. Returns `None` if no rows are left.
    pub fn on(&self, mut run: DataFrame) -> PolarsResult<Option<DataFrame>> {
        let all = |exprs: &[Compute], run: &DataFrame| {
            exprs.iter().map(|expr| expr.on(run)).collect::<PolarsResult<Vec<Column>>>()
        };
        match self {
            Self::Filter(predicate) => {
                let mask = predicate.on(&run)?;
                let mask = mask.bool().map_err(|_| {
                    polars_err!(
                        ComputeError: "filter predicate must be of type `Boolean`, got `{}`", mask.dtype()
                    )
                })?;
                match mask.sum().unwrap_or(0) as usize {
                    0 => return Ok(None),
                    passing if passing == run.height() => {}
                    _ => run = run.filter_seq(mask)?,
                }
            }
            Self::Select(exprs) => run = DataFrame::new(run.height(), all(exprs, &run)?)?,
            Self::With(exprs) => {
                for column in all(exprs, &run)? {
                    run.with_column(column)?;
                }
            }
            Self::Columns(names) => run = run.select(names.iter().cloned())?,
        }
        Ok(Some(run))
    }
}
