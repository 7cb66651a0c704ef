//! Refuses expressions that would silently mean something else within a partition than over the whole
//! dataset.

use partita_engine::task::Step;
use polars::polars_utils::arena::Node;
use polars::prelude::*;
use polars_plan::plans::{AExpr, IR, IRPlan, is_elementwise_rec};
use polars_plan::utils::has_aexpr;

use crate::error::{PartitaError, Result};
use crate::plan::{check_partitions, schema_after};

/// Returns an error unless every row's result depends on that row alone: `select([col("a").sum()])` would
/// give one sum per partition, and `shift` would start again in each.
pub(super) fn elementwise(name: &str, step: &Step, schema: &SchemaRef) -> Result<()> {
    let plan = plan(name, step, schema)?;
    let exprs = top_expressions(&plan);
    if let Some(node) = exprs.iter().find(|node| !is_elementwise_rec(**node, &plan.expr_arena)) {
        return Err(beyond_its_row(name, &plan, *node));
    }
    if matches!(step, Step::Select(_))
        && !exprs.is_empty()
        && !exprs.iter().any(|node| reads_column(&plan, *node))
    {
        return Err(PartitaError::argument(
            name,
            "no expression uses a column, so there would be one row per partition",
            "use with_columns to add constants, or agg([…]) for a single row",
        ));
    }
    Ok(())
}

/// The keys as expressions of one column each, with their types. Wildcards are expanded. Keys that depend on
/// other rows, or do not use any column, are errors.
pub(super) fn keys(name: &str, keys: &[Expr], schema: &SchemaRef) -> Result<Vec<(Expr, DataType)>> {
    let mut out = Vec::new();
    let mut any_column = keys.is_empty();
    for key in keys {
        let step = Step::Select(vec![key.clone()]);
        let plan = plan(name, &step, schema)?;
        let types = schema_after(schema, |lf| step.apply(lf))
            .map_err(|cause| PartitaError::plan(name, cause, schema))?;
        let mut exprs = Vec::new();
        match plan.lp_arena.get(plan.lp_top) {
            IR::Select { expr, .. } => {
                for expr in expr {
                    if !is_elementwise_rec(expr.node(), &plan.expr_arena) {
                        return Err(beyond_its_row(name, &plan, expr.node()));
                    }
                    any_column |= reads_column(&plan, expr.node());
                    exprs.push(expr.to_expr(&plan.expr_arena));
                }
            }
            IR::SimpleProjection { columns, .. } => {
                any_column = true;
                exprs.extend(columns.iter_names().map(|column| col(column.clone())));
            }
            _ => {
                any_column = true;
                exprs.push(key.clone());
            }
        }
        out.extend(exprs.into_iter().zip(types.iter_values().cloned()));
    }
    if !any_column {
        let remedy = "name a column; for one result over all rows use agg([…])";
        return Err(PartitaError::argument(name, "no key uses a column, so all rows are one group", remedy));
    }
    Ok(out)
}

/// Returns an error unless a key can be spread over this many partitions.
pub(super) fn salts(name: &str, salts: usize) -> Result<()> {
    match salts {
        0 => Err(PartitaError::argument(name, "a key cannot be spread over 0 partitions", "use at least 1")),
        n => check_partitions(name, n),
    }
}

fn plan(name: &str, step: &Step, schema: &SchemaRef) -> Result<IRPlan> {
    let rows = DataFrame::empty_with_schema(schema).lazy().with_simplify_expr(false);
    step.apply(rows).to_alp().map_err(|cause| PartitaError::plan(name, cause, schema))
}

fn top_expressions(plan: &IRPlan) -> Vec<Node> {
    match plan.lp_arena.get(plan.lp_top) {
        IR::Select { expr: exprs, .. } | IR::HStack { exprs, .. } => {
            exprs.iter().map(|expr| expr.node()).collect()
        }
        IR::Filter { predicate, .. } => vec![predicate.node()],
        _ => Vec::new(),
    }
}

fn reads_column(plan: &IRPlan, node: Node) -> bool {
    has_aexpr(node, &plan.expr_arena, |expr| matches!(expr, AExpr::Column(_)))
}

fn beyond_its_row(name: &str, plan: &IRPlan, node: Node) -> PartitaError {
    let expr = polars_plan::plans::node_to_expr(node, &plan.expr_arena);
    PartitaError::argument(
        name,
        format!("{expr} depends on more than one row, but would see only the rows of its own partition here"),
        "for a total use agg([…]) or group_by(…).agg([…]); to mean each partition by itself use \
         map_partitions(|lf| …)",
    )
}
