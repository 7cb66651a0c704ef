//! Checks the keys that rows are moved by.

use polars::polars_utils::arena::Node;
use polars::prelude::*;
use polars_plan::plans::{AExpr, IR, IRPlan, is_elementwise_rec};
use polars_plan::utils::has_aexpr;

use crate::error::{PartitaError, Result};
use crate::plan::{check_partitions, exact, schema_after};

/// The keys as expressions of one column each, with their types. Wildcards are expanded. Keys that depend on
/// other rows, or do not use any column, are errors.
pub(super) fn keys(name: &str, keys: &[Expr], schema: &SchemaRef) -> Result<Vec<(Expr, DataType)>> {
    let mut out = Vec::new();
    let mut any_column = keys.is_empty();
    for key in keys {
        let plan = plan(name, key, schema)?;
        let types = schema_after(schema, |lf| lf.select([key.clone()]))
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
                exprs.extend(columns.iter_names_cloned().map(exact));
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

fn plan(name: &str, key: &Expr, schema: &SchemaRef) -> Result<IRPlan> {
    let rows = DataFrame::empty_with_schema(schema).lazy().with_simplify_expr(false);
    rows.select([key.clone()]).to_alp().map_err(|cause| PartitaError::plan(name, cause, schema))
}

fn reads_column(plan: &IRPlan, node: Node) -> bool {
    has_aexpr(node, &plan.expr_arena, |expr| matches!(expr, AExpr::Column(_)))
}

fn beyond_its_row(name: &str, plan: &IRPlan, node: Node) -> PartitaError {
    let expr = polars_plan::plans::node_to_expr(node, &plan.expr_arena);
    PartitaError::argument(
        name,
        format!("{expr} depends on more than one row, so it cannot say where a row goes"),
        "compute it with with_columns first, and use the new column",
    )
}
