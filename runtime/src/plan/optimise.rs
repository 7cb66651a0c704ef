//! Calls Polars' optimiser on the plan of a whole query.

use polars::polars_utils::arena::{Arena, Node};
use polars::prelude::*;
use polars_mem_engine::scan_predicate::functions::apply_scan_predicate_to_scan_ir;
use polars_plan::plans::{AExpr, ArenaLpIter, IR, IRFunctionExpr, IRPlan, is_scalar_ae, optimize, to_alp};

use super::{join_order, marker};

/// What Polars may do to a plan that is cut into stages. A `group_by` or join on a column of folders stays
/// one step instead of up to 64 plans. Equal expressions are shared within a task only: shared ones would
/// be columns of other lengths than their rows. And who asked for an order keeps it: Polars takes it away
/// below a limit too, whose rows then would be others.
pub(super) fn flags() -> OptFlags {
    OptFlags::default()
        & !OptFlags::PARTITION_HIVE
        & !OptFlags::COMM_SUBPLAN_ELIM
        & !OptFlags::COMM_SUBEXPR_ELIM
        & !OptFlags::CHECK_ORDER_OBSERVE
}

/// The plan of a task with each expression computed once.
pub(super) fn sharing_expressions(plan: IRPlan) -> IRPlan {
    let IRPlan { lp_top, lp_arena, expr_arena } = &plan;
    let (mut ir, mut exprs) = (lp_arena.clone(), expr_arena.clone());
    let flags = OptFlags::COMM_SUBEXPR_ELIM;
    let scans = apply_scan_predicate_to_scan_ir;
    match optimize(*lp_top, flags, &mut ir, &mut exprs, &mut Vec::new(), scans) {
        Ok(top) => IRPlan { lp_top: top, lp_arena: ir, expr_arena: exprs },
        Err(_) => plan,
    }
}

/// The optimised plan.
///
/// # Errors
/// Polars' own.
pub(super) fn optimised(plan: LazyFrame) -> PolarsResult<IRPlan> {
    let (mut lp_arena, mut expr_arena) = (Arena::new(), Arena::new());
    let lp_top = into(plan, &mut lp_arena, &mut expr_arena)?;
    Ok(IRPlan { lp_top, lp_arena, expr_arena })
}

/// Optimises a plan and adds it to arenas that may have others.
///
/// # Errors
/// Polars' own.
pub(super) fn into(
    plan: LazyFrame,
    lp_arena: &mut Arena<IR>,
    expr_arena: &mut Arena<AExpr>,
) -> PolarsResult<Node> {
    let (known, mut flags) = (expr_arena.len(), flags());
    let top = to_alp(plan.logical_plan, expr_arena, lp_arena, &mut flags)?;
    keep_single_rows(top, lp_arena, expr_arena);
    let scans = apply_scan_predicate_to_scan_ir;
    let top = optimize(top, flags, lp_arena, expr_arena, &mut Vec::new(), scans)?;
    without_dynamic_predicates(expr_arena, known);
    Ok(top)
}

/// Marks aggregates of all rows, so that they stay one row whoever reads them.
fn keep_single_rows(top: Node, lp_arena: &mut Arena<IR>, expr_arena: &Arena<AExpr>) {
    let nodes: Vec<Node> = lp_arena.iter(top).map(|(node, _)| node).filter(|node| *node != top).collect();
    for node in nodes {
        let IR::Select { expr, .. } = lp_arena.get(node) else { continue };
        if !expr.is_empty() && expr.iter().all(|expr| is_scalar_ae(expr.node(), expr_arena)) {
            let select = lp_arena.get(node).clone();
            let input = lp_arena.add(select);
            lp_arena
                .replace(node, IR::MapFunction { input, function: marker::function(marker::Step::OneRow) });
        }
    }
}

/// Puts inner joins in a better order, if there is one.
///
/// # Errors
/// Polars' own.
pub(super) fn ordered(
    top: Node,
    lp_arena: &mut Arena<IR>,
    expr_arena: &mut Arena<AExpr>,
) -> PolarsResult<Node> {
    if !join_order::reorder(top, lp_arena, expr_arena) {
        return Ok(top);
    }
    // The new joins keep all columns; those that nobody reads go again.
    let known = expr_arena.len();
    let scans = apply_scan_predicate_to_scan_ir;
    let top = optimize(top, flags(), lp_arena, expr_arena, &mut Vec::new(), scans)?;
    without_dynamic_predicates(expr_arena, known);
    Ok(top)
}

/// A sort with a limit leaves a predicate in its scan that only the streaming engine sets while it sorts.
/// Elsewhere it is always true, and it cannot be turned back into an expression.
fn without_dynamic_predicates(exprs: &mut Arena<AExpr>, from: usize) {
    for node in (from..exprs.len()).map(Node) {
        if let AExpr::Function { function: IRFunctionExpr::DynamicPred { .. }, .. } = exprs.get(node) {
            exprs.replace(node, AExpr::Literal(Scalar::from(true).into()));
        }
    }
}
