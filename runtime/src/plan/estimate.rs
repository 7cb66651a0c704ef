//! How many rows the nodes of a plan have, guessed before anything runs. Only choices that change speed, and
//! never results, may depend on a guess.

use polars::polars_utils::arena::{Arena, Node};
use polars::prelude::*;
use polars_plan::plans::{AExpr, IR, IRBooleanFunction, IRFunctionExpr};

use super::leaf::{Leaf, Source};

/// Rows of a leaf about which nothing is known.
const UNKNOWN: f64 = 1e6;
/// The share of rows that an equality with a constant keeps.
const EQUAL: f64 = 0.05;
/// The share that a comparison keeps, and any predicate that is not understood. System R's third
/// (Selinger et al., "Access Path Selection", 1979).
const COMPARED: f64 = 1.0 / 3.0;

/// A node's rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rows {
    /// What it has.
    pub now: f64,
    /// What it would have without predicates: about how many different keys there can be.
    pub unfiltered: f64,
}

/// Guesses the rows of a node.
pub(super) fn rows(node: Node, ir: &Arena<IR>, exprs: &Arena<AExpr>) -> Rows {
    let below = |input: Node| rows(input, ir, exprs);
    let same = |rows: f64| Rows { now: rows, unfiltered: rows };
    match ir.get(node) {
        scan @ IR::Scan { predicate, unified_scan_args, .. } => {
            let all = Leaf::of(scan).map_or(UNKNOWN, leaf_rows);
            let all = unified_scan_args.pre_slice.as_ref().map_or(all, |slice| all.min(slice.len() as f64));
            let share = predicate.as_ref().map_or(1.0, |predicate| share(predicate.node(), exprs));
            Rows { now: all * share, unfiltered: all }
        }
        IR::DataFrameScan { df, .. } => same(df.height() as f64),
        IR::Filter { input, predicate } => {
            let Rows { now, unfiltered } = below(*input);
            Rows { now: now * share(predicate.node(), exprs), unfiltered }
        }
        IR::Slice { input, len, .. } => same(below(*input).now.min(f64::from(*len))),
        // As a rule of thumb a group has ten rows.
        IR::GroupBy { input, .. } | IR::Distinct { input, .. } => same((below(*input).now / 10.0).max(1.0)),
        IR::Join { input_left, input_right, options, left_on, .. } => {
            let (left, right) = (below(*input_left), below(*input_right));
            match options.args.how {
                JoinType::Semi | JoinType::Anti => Rows { now: left.now / 2.0, unfiltered: left.unfiltered },
                JoinType::Cross if left_on.is_empty() => same(left.now * right.now),
                _ => same(joined(left, right)),
            }
        }
        IR::Union { inputs, .. } => {
            let sum = inputs.iter().map(|input| below(*input));
            sum.fold(same(0.0), |sum, rows| Rows {
                now: sum.now + rows.now,
                unfiltered: sum.unfiltered + rows.unfiltered,
            })
        }
        IR::Select { expr, .. }
            if expr.iter().all(|expr| polars_plan::plans::is_scalar_ae(expr.node(), exprs)) =>
        {
            same(1.0)
        }
        other => other.inputs().map(below).reduce(|one, _| one).unwrap_or(same(UNKNOWN)),
    }
}

/// The rows of a join on keys of which one side has each once.
pub(super) fn joined(left: Rows, right: Rows) -> f64 {
    (left.now * right.now / left.unfiltered.max(right.unfiltered).max(1.0)).max(1.0)
}

fn leaf_rows(leaf: &Leaf) -> f64 {
    match &leaf.source {
        Source::Frames(frames) => frames.iter().map(|frame| frame.height() as f64).sum(),
        Source::Range { start, end, .. } => (*end as f64 - *start as f64).max(0.0),
        Source::Pieces(pieces) => pieces
            .iter()
            .map(|piece| piece.rows().map(|rows| rows as f64))
            .sum::<Option<f64>>()
            .unwrap_or(UNKNOWN),
        Source::Plans(_) | Source::Cached(_) | Source::Keys(_) => UNKNOWN,
    }
}

/// The share of rows that a predicate keeps.
fn share(predicate: Node, exprs: &Arena<AExpr>) -> f64 {
    match exprs.get(predicate) {
        AExpr::BinaryExpr { left, op, right } => match op {
            Operator::And | Operator::LogicalAnd => share(*left, exprs) * share(*right, exprs),
            Operator::Or | Operator::LogicalOr => (share(*left, exprs) + share(*right, exprs)).min(1.0),
            Operator::Eq | Operator::EqValidity => EQUAL,
            Operator::NotEq | Operator::NotEqValidity => 1.0 - EQUAL,
            _ => COMPARED,
        },
        AExpr::Function { function: IRFunctionExpr::Boolean(function), .. } => match function {
            IRBooleanFunction::Not => 0.7,
            IRBooleanFunction::IsNotNull => 0.9,
            IRBooleanFunction::IsIn { .. } => 4.0 * EQUAL,
            IRBooleanFunction::IsBetween { .. } => COMPARED * COMPARED * 2.0,
            _ => COMPARED,
        },
        AExpr::Literal(_) => 1.0,
        _ => COMPARED,
    }
}
