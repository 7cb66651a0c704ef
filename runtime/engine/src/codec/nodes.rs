//! Checks the nodes of a plan, which refer to each other by number. A node may refer to earlier ones only,
//! and no two to the same one: a walk along references cannot go in circles or take longer than the plan
//! is. Nodes that the planner never makes are refused, so that no plan from a peer reads or writes files
//! or calls code. The matches name every variant, so that a new one in Polars cannot bypass this.

use std::collections::HashMap;

use polars::polars_utils::arena::Node;
use polars_plan::plans::{
    AExpr, FunctionIR, IR, IRFunctionExpr, IRListFunction, IRPlan, IRStructFunction,
    is_inherently_nondeterministic_top_level, node_to_expr,
};

use super::CodecError;
use super::fragments::WireHole;
use super::packed::MAX_NESTED;
use super::visit::abbreviated;

/// The maximum nesting of steps. Running them takes about 400 bytes of a slot's stack for each.
const MAX_STEPS: usize = 10_000;

/// Checks a plan in which the nodes of `holes` are [`IR::Invalid`] and the last node is the result.
pub(super) fn check(plan: &IRPlan, holes: &[WireHole]) -> Result<(), CodecError> {
    let mut exprs = Links::default();
    let mut below = Vec::new();
    for node in (0..plan.expr_arena.len()).map(Node) {
        below.clear();
        plan.expr_arena.get(node).children_rev(&mut below);
        exprs.add(below.iter().copied())?;
    }

    let mut take_expr = |node, what: &str| match exprs.take(node)? {
        depth if depth > MAX_NESTED => Err(CodecError::too_deep(what, MAX_NESTED)),
        _ => Ok(()),
    };
    let mut open: HashMap<usize, &WireHole> = holes.iter().map(|hole| (hole.node, hole)).collect();
    if open.len() < holes.len() {
        return Err(malformed("two holes in one place"));
    }
    let mut nodes = Links::default();
    for node in (0..plan.lp_arena.len()).map(Node) {
        let ir = match (plan.lp_arena.get(node), open.remove(&node.0)) {
            (ir, None) => ir,
            (IR::Invalid, Some(hole)) => {
                if let Some(predicate) = &hole.predicate {
                    take_expr(predicate.node(), "filter")?;
                }
                nodes.add([])?;
                continue;
            }
            (_, Some(_)) => return Err(malformed("a hole in place of a step")),
        };
        let name = accepted(ir)?;
        if nodes.add(ir.inputs())? > MAX_STEPS {
            return Err(CodecError::too_deep("a plan", MAX_STEPS));
        }
        for expr in ir.exprs() {
            take_expr(expr.node(), name)?;
        }
    }
    if !open.is_empty() {
        return Err(malformed("a hole that is not in it"));
    }
    check_exprs(plan, &exprs)
}

fn check_exprs(plan: &IRPlan, links: &Links) -> Result<(), CodecError> {
    for node in (0..plan.expr_arena.len()).map(Node) {
        let expr = plan.expr_arena.get(node);
        if let AExpr::Function { function, options, .. } = expr
            && !options.check_lengths()
            && !matches!(function, IRFunctionExpr::Fused(_))
        {
            // Polars would believe lengths that a function does not have.
            return Err(malformed("a function whose lengths are not checked"));
        }
        if calls_closure(expr) {
            // A node that nothing refers to can still be deep.
            return Err(match links.depth(node) {
                depth if depth > MAX_NESTED => CodecError::too_deep("an expression", MAX_NESTED),
                _ => CodecError::Closure(abbreviated(&node_to_expr(node, &plan.expr_arena))),
            });
        }
    }
    Ok(())
}

/// Nodes in the order in which they were added, each with its depth and whether another refers to it.
#[derive(Default)]
struct Links(Vec<(usize, bool)>);

impl Links {
    /// Adds a node that refers to nodes added before. Returns its depth.
    fn add(&mut self, below: impl IntoIterator<Item = Node>) -> Result<usize, CodecError> {
        let mut depth = 0;
        for node in below {
            depth = depth.max(self.take(node)?);
        }
        self.0.push((depth + 1, false));
        Ok(depth + 1)
    }

    /// Refers to a node, which must be the first reference to it. Returns its depth. Were nodes shared, a
    /// plan of a few could stand for one of very many.
    fn take(&mut self, node: Node) -> Result<usize, CodecError> {
        match self.0.get_mut(node.0) {
            Some((depth, taken @ false)) => {
                *taken = true;
                Ok(*depth)
            }
            Some((_, true)) => Err(malformed("a node that is used twice")),
            None => Err(malformed("a node that is used before it is defined")),
        }
    }

    fn depth(&self, node: Node) -> usize {
        self.0[node.0].0
    }
}

fn malformed(cause: &str) -> CodecError {
    CodecError::malformed("a plan", format!("it has {cause}"))
}

/// The name of a node's step, if tasks may have it.
fn accepted(ir: &IR) -> Result<&'static str, CodecError> {
    let refused = match ir {
        IR::Slice { .. } => return Ok("limit"),
        IR::Filter { .. } => return Ok("filter"),
        IR::SimpleProjection { .. } | IR::Select { .. } => return Ok("select"),
        IR::HStack { .. } => return Ok("with_columns"),
        IR::Sort { .. } => return Ok("sort"),
        IR::GroupBy { apply: None, .. } => return Ok("group_by"),
        IR::Join { .. } => return Ok("join"),
        IR::Gather { .. } => return Ok("gather"),
        IR::Distinct { .. } => return Ok("distinct"),
        IR::MergeSorted { .. } => return Ok("merge_sorted"),
        IR::Union { inputs, .. } | IR::HConcat { inputs, .. } if inputs.is_empty() => {
            return Err(malformed("a union of nothing"));
        }
        IR::Union { .. } => return Ok("union"),
        IR::HConcat { .. } => return Ok("hconcat"),
        IR::MapFunction { function, .. } => match function {
            FunctionIR::RowIndex { .. } => return Ok("with_row_index"),
            FunctionIR::Unnest { .. } => return Ok("unnest"),
            FunctionIR::Explode { .. } => return Ok("explode"),
            FunctionIR::Unpivot { .. } => return Ok("unpivot"),
            FunctionIR::Rechunk | FunctionIR::Hint(_) => return Ok("select"),
            FunctionIR::Opaque { .. } => {
                return Err(CodecError::Closure(format!("map(…) of a whole frame ({function})")));
            }
            FunctionIR::FastCount { .. } => "a count of a file's rows",
        },
        IR::GroupBy { apply: Some(_), .. } => {
            return Err(CodecError::Closure("group_by(…).apply(…)".to_owned()));
        }
        // Polars puts one in place of rows that no filter or limit lets pass.
        IR::DataFrameScan { df, .. } if df.height() == 0 => return Ok("an empty frame"),
        IR::DataFrameScan { .. } => "a frame inside of a plan",
        IR::Scan { .. } => "a scan inside of a plan",
        IR::Cache { .. } => "a cache inside of a plan",
        IR::ExtContext { .. } => "with_context",
        IR::Sink { .. } | IR::SinkMultiple { .. } => "a sink",
        IR::UnoptimizedDispatch { .. } => "a step of the streaming engine",
        IR::Invalid => return Err(malformed("an empty node that is no hole")),
    };
    Err(CodecError::unsupported(refused))
}

/// Whether an expression calls code that is not Polars' own. What is below it is not looked at.
fn calls_closure(expr: &AExpr) -> bool {
    match expr {
        AExpr::AnonymousFunction { .. } | AExpr::AnonymousAgg { .. } => true,
        AExpr::Function { function, .. } => match function {
            IRFunctionExpr::StructExpr(IRStructFunction::MapFieldNames(_)) => true,
            // They draw random numbers, or depend on the streaming engine.
            IRFunctionExpr::Random { .. }
            | IRFunctionExpr::Rank { .. }
            | IRFunctionExpr::ListExpr(IRListFunction::Sample { .. })
            | IRFunctionExpr::DynamicPred { .. } => false,
            // Polars' list of functions that run code it does not know has every function in it.
            _ => is_inherently_nondeterministic_top_level(expr),
        },
        AExpr::Element
        | AExpr::Explode { .. }
        | AExpr::Column(_)
        | AExpr::StructField(_)
        | AExpr::Literal(_)
        | AExpr::BinaryExpr { .. }
        | AExpr::Cast { .. }
        | AExpr::Sort { .. }
        | AExpr::Gather { .. }
        | AExpr::SortBy { .. }
        | AExpr::Filter { .. }
        | AExpr::Agg(_)
        | AExpr::Ternary { .. }
        | AExpr::Eval { .. }
        | AExpr::StructEval { .. }
        | AExpr::Over { .. }
        | AExpr::Rolling { .. }
        | AExpr::Slice { .. }
        | AExpr::Len => false,
    }
}
