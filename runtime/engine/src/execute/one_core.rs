//! Collects a plan on the calling thread only.
//!
//! Two things in Polars leave the thread: its rayon pool, which is turned off on a slot's thread, and the
//! streaming engine, to which even the in-memory engine passes a `group_by` of few groups. Without a
//! streaming engine to pass it to, the work stays here.

use std::sync::Arc;

use partita_grouping::OnePass;
use polars::polars_utils::arena::Node;
use polars::prelude::*;
use polars_expr::state::ExecutionState;
use polars_mem_engine::create_physical_plan;
use polars_plan::plans::{ArenaLpIter, IR, IRPlan};

use crate::source::Frames;

/// Runs an optimised plan on this thread.
pub(super) fn collect(mut ir: IRPlan) -> PolarsResult<DataFrame> {
    // Innermost first: the input of an outer one may contain an inner one.
    let nodes: Vec<Node> = ir.lp_arena.iter(ir.lp_top).map(|(node, _)| node).collect();
    for node in nodes.into_iter().rev() {
        if let Some(group_by) = OnePass::at(node, &ir) {
            let groups = in_one_pass(&group_by, &mut ir)?;
            let schema = groups.schema().clone();
            ir.lp_arena
                .replace(node, IR::DataFrameScan { df: Arc::new(groups), schema, output_schema: None });
        } else if let IR::GroupBy { input, keys, schema, .. } = ir.lp_arena.get(node)
            && !keys.is_empty()
        {
            // Some aggregations fail over no groups, so rows are computed first, to see if there are any.
            let (input, groups) = (*input, schema.clone());
            let rows = execute(&mut ir, input)?;
            let (at, df) = match rows.height() {
                0 => (node, DataFrame::empty_with_schema(&groups)),
                _ => (input, rows),
            };
            let schema = df.schema().clone();
            ir.lp_arena.replace(at, IR::DataFrameScan { df: Arc::new(df), schema, output_schema: None });
        }
    }
    let top = ir.lp_top;
    execute(&mut ir, top)
}

/// Groups the rows of the source. A piece of a file is read one row group at a time, so that only one is
/// in memory.
fn in_one_pass(group_by: &OnePass, ir: &mut IRPlan) -> PolarsResult<DataFrame> {
    let mut pass = group_by.start(ir)?;
    match Frames::of(ir.lp_arena.get(group_by.source()), &ir.expr_arena)? {
        Some(frames) => frames.read(&mut |rows| pass.add(&rows))?,
        None => pass.add(&execute(ir, group_by.source())?)?,
    }
    pass.finish()
}

fn execute(ir: &mut IRPlan, node: Node) -> PolarsResult<DataFrame> {
    create_physical_plan(node, &mut ir.lp_arena, &mut ir.expr_arena, None)?
        .execute(&mut ExecutionState::new())
}
