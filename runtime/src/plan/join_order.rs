//! The order of inner joins. Polars keeps the order in which joins were written, which decides how many
//! rows are between them.
//!
//! Joins are put together greedily: of all pairs of parts that share a key, the one with the fewest rows is
//! joined first (L. Fegaras, "A New Heuristic for Optimizing Large Queries", DEXA 1998). The rows are guesses,
//! so the written order stays unless the other one is clearly better.

use polars::polars_utils::arena::{Arena, Node};
use polars::prelude::*;
use polars_plan::dsl::JoinOptionsIR;
use polars_plan::plans::expr_ir::ExprIR;
use polars_plan::plans::{AExpr, FunctionIR, IR};

use super::estimate::{self, Rows};
use super::marker;

/// How many times fewer rows there must be between the joins.
const BETTER: f64 = 2.0;

/// Puts the inner joins of a plan in another order where that saves rows. Returns whether it did.
pub(super) fn reorder(top: Node, ir: &mut Arena<IR>, exprs: &mut Arena<AExpr>) -> bool {
    let mut changed = false;
    let mut left = vec![top];
    while let Some(node) = left.pop() {
        if is_plain(node, ir, exprs) {
            let mut joins = Joins::default();
            joins.collect(node, ir, exprs);
            changed |= joins.rearranged(node, ir, exprs);
            left.extend(joins.parts.iter().flat_map(|part| ir.get(part.node).inputs()));
        } else {
            left.extend(ir.get(node).inputs());
        }
    }
    changed
}

/// An inner join of columns about which nobody said anything.
fn is_plain(node: Node, ir: &Arena<IR>, exprs: &Arena<AExpr>) -> bool {
    let IR::Join { input_left, left_on, right_on, options, .. } = ir.get(node) else { return false };
    let JoinArgs { how, validation, slice, nulls_equal, coalesce, maintain_order, .. } = &options.args;
    let columns = left_on.iter().chain(right_on).all(|key| matches!(exprs.get(key.node()), AExpr::Column(_)));
    *how == JoinType::Inner
        && *validation == JoinValidation::ManyToMany
        && slice.is_none()
        && !nulls_equal
        && *coalesce != JoinCoalesce::KeepColumns
        && *maintain_order == MaintainOrderJoin::None
        && options.options.is_none()
        && columns
        && !is_advised(*input_left, ir)
}

fn is_advised(mut node: Node, ir: &Arena<IR>) -> bool {
    loop {
        match ir.get(node) {
            IR::SimpleProjection { input, .. } => node = *input,
            IR::MapFunction { function: function @ FunctionIR::Opaque { .. }, .. } => {
                return marker::step_of(function)
                    .is_some_and(|step| matches!(*step, marker::Step::Advice(_)));
            }
            _ => return false,
        }
    }
}

/// A part that is joined: a node, or several that are joined already.
#[derive(Clone)]
struct Part {
    node: Node,
    rows: Rows,
    columns: Vec<PlSmallStr>,
}

/// Inner joins that are next to each other, as parts and the keys between them.
#[derive(Default)]
struct Joins {
    parts: Vec<Part>,
    keys: Vec<(PlSmallStr, PlSmallStr)>,
    /// The rows between the joins as written, all together.
    written: f64,
}

impl Joins {
    fn collect(&mut self, node: Node, ir: &Arena<IR>, exprs: &Arena<AExpr>) {
        match ir.get(node) {
            IR::Join { input_left, input_right, left_on, right_on, .. } if is_plain(node, ir, exprs) => {
                let name = |key: &ExprIR| match exprs.get(key.node()) {
                    AExpr::Column(name) => name.clone(),
                    _ => unreachable!("a plain join's keys are columns"),
                };
                self.keys.extend(left_on.iter().map(name).zip(right_on.iter().map(name)));
                self.written += estimate::rows(node, ir, exprs).now;
                let (left, right) = (*input_left, *input_right);
                self.collect(left, ir, exprs);
                self.collect(right, ir, exprs);
            }
            IR::SimpleProjection { input, .. } if is_plain(*input, ir, exprs) => {
                self.collect(*input, ir, exprs);
            }
            other => {
                let columns = other.schema(ir).iter_names_cloned().collect();
                self.parts.push(Part { node, rows: estimate::rows(node, ir, exprs), columns });
            }
        }
    }

    /// Whether a column's name says which part it is of.
    fn has_clear_names(&self) -> bool {
        let mut seen = PlHashSet::new();
        self.parts.iter().flat_map(|part| &part.columns).all(|name| seen.insert(name))
    }

    /// Replaces the joins at `top` if another order is better.
    fn rearranged(&self, top: Node, ir: &mut Arena<IR>, exprs: &mut Arena<AExpr>) -> bool {
        if self.parts.len() < 3 || !self.has_clear_names() {
            return false;
        }
        let mut parts = self.parts.clone();
        let mut steps = Vec::new();
        let mut between = 0.0;
        while parts.len() > 1 {
            let Some((one, other, rows)) = self.cheapest(&parts) else { return false };
            between += rows;
            let (other, one) = (parts.remove(other), parts.remove(one));
            // The larger side is the one that is read along.
            let (left, right) = if one.rows.now >= other.rows.now { (one, other) } else { (other, one) };
            let columns: Vec<PlSmallStr> = left.columns.iter().chain(&right.columns).cloned().collect();
            let unfiltered = left.rows.unfiltered.max(right.rows.unfiltered);
            let number = steps.len();
            steps.push((left, right));
            // Its node is made once the order is chosen.
            parts.push(Part {
                node: Node(usize::MAX - number),
                rows: Rows { now: rows, unfiltered },
                columns,
            });
        }
        if between * BETTER > self.written {
            return false;
        }
        let mut made: Vec<Node> = Vec::with_capacity(steps.len());
        for (left, right) in &steps {
            let node_of = |part: &Part| match usize::MAX - part.node.0 {
                number if number < made.len() => made[number],
                _ => part.node,
            };
            let (input_left, input_right) = (node_of(left), node_of(right));
            let join = self.join(left, right, input_left, input_right, ir, exprs);
            made.push(ir.add(join));
        }
        let Some(&input) = made.last() else { return false };
        let columns = ir.get(top).schema(ir).into_owned();
        ir.replace(top, IR::SimpleProjection { input, columns });
        true
    }

    /// The two parts whose join has the fewest rows, the one with the smaller number first.
    fn cheapest(&self, parts: &[Part]) -> Option<(usize, usize, f64)> {
        let mut best: Option<(usize, usize, f64)> = None;
        for one in 0..parts.len() {
            for other in one + 1..parts.len() {
                if self.between(&parts[one], &parts[other]).next().is_none() {
                    continue;
                }
                let rows = estimate::joined(parts[one].rows, parts[other].rows);
                if best.is_none_or(|(.., least)| rows < least) {
                    best = Some((one, other, rows));
                }
            }
        }
        best
    }

    /// The keys between two parts, those of the first one first.
    fn between<'a>(
        &'a self,
        one: &'a Part,
        other: &'a Part,
    ) -> impl Iterator<Item = (&'a PlSmallStr, &'a PlSmallStr)> {
        self.keys.iter().filter_map(move |(a, b)| {
            if one.columns.contains(a) && other.columns.contains(b) {
                Some((a, b))
            } else if one.columns.contains(b) && other.columns.contains(a) {
                Some((b, a))
            } else {
                None
            }
        })
    }

    /// A join that keeps the columns of both sides.
    fn join(
        &self,
        left: &Part,
        right: &Part,
        input_left: Node,
        input_right: Node,
        ir: &Arena<IR>,
        exprs: &mut Arena<AExpr>,
    ) -> IR {
        let (mut left_on, mut right_on) = (Vec::new(), Vec::new());
        for (one, other) in self.between(left, right) {
            left_on.push(ExprIR::from_column_name(one.clone(), exprs));
            right_on.push(ExprIR::from_column_name(other.clone(), exprs));
        }
        let (one, other) = (ir.get(input_left).schema(ir), ir.get(input_right).schema(ir));
        let schema: Schema =
            one.iter().chain(other.iter()).map(|(name, dtype)| (name.clone(), dtype.clone())).collect();
        let args = JoinArgs::new(JoinType::Inner).with_coalesce(JoinCoalesce::KeepColumns);
        let options = JoinOptionsIR { allow_parallel: false, force_parallel: false, args, options: None };
        IR::Join {
            input_left,
            input_right,
            schema: schema.into(),
            left_on,
            right_on,
            options: options.into(),
        }
    }
}
