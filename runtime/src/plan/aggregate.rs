//! Map-side combine: splits an aggregation into a partial one per partition and a merge of the partial
//! results, so that a shuffle moves one row per group and partition instead of every row.

use polars::polars_utils::arena::{Arena, Node};
use polars::prelude::*;
use polars_plan::plans::expr_ir::ExprIR;
use polars_plan::plans::{AExpr, IR, IRPlan, is_elementwise_rec, is_inherently_nondeterministic};
use polars_plan::utils::has_aexpr;
use serde::{Deserialize, Serialize};

use super::reduction::Reductions;

/// An aggregation in two halves, made by [`decompose`].
///
/// [`partial`](Self::partial) aggregates the rows of each partition. The results are brought together by
/// key, and [`merge`](Self::merge) turns them into the result of the whole aggregation. Without keys
/// there is one partial row per partition, even for an empty one, and all of them are merged.
///
/// Names, dtypes and nulls are exactly those of the whole aggregation. Floating-point results can differ
/// in the last bits, because the additions happen in another order. A mean of dates or times is computed
/// as a mean of floats and can differ by one unit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Decomposed {
    keys: Vec<Expr>,
    partial: Vec<Expr>,
    merge_keys: Vec<Expr>,
    merge: Vec<Expr>,
    finish: Vec<Expr>,
}

impl Decomposed {
    /// The first half, over the rows of one partition: the keys, then the partial columns.
    pub fn partial(&self, rows: LazyFrame) -> LazyFrame {
        rows.group_by(self.keys.clone()).agg(self.partial.clone())
    }

    /// The second half, over all partial results of the keys in them: the keys, then the requested
    /// aggregations.
    pub fn merge(&self, partials: LazyFrame) -> LazyFrame {
        partials.group_by(self.merge_keys.clone()).agg(self.merge.clone()).select(self.finish.clone())
    }

    /// Every expression in it.
    pub fn exprs(&self) -> impl Iterator<Item = &Expr> {
        [&self.keys, &self.partial, &self.merge_keys, &self.merge, &self.finish].into_iter().flatten()
    }

    /// The keys as columns of the partial results, by which to shuffle them.
    pub fn merge_keys(&self) -> &[Expr] {
        &self.merge_keys
    }
}

/// Splits `group_by(keys).agg(aggs)` over rows of `input_schema` into two halves. Returns `None` if the
/// rows must be shuffled and aggregated once.
///
/// It can be split if all aggregations are arithmetic (or any other row-by-row expression) over `sum`,
/// `min`, `max`, `mean`, `count`, `len`, `null_count`, `product`, `any`, `all`, `var` and `std`, each
/// over a row-by-row expression of columns that may be filtered. It cannot be split if the result depends
/// on the order of rows (`first`), needs all values at once (`median`, `n_unique`, `implode`, windows),
/// calls closures, or is not a valid aggregation: running it whole then gives Polars' own error.
pub fn decompose(keys: &[Expr], aggs: &[Expr], input_schema: &Schema) -> Option<Decomposed> {
    // Polars resolves wildcards, selectors, names and casts. Simplification would only obscure the
    // structure.
    let rows = DataFrame::empty_with_schema(input_schema).lazy().with_simplify_expr(false);
    let IRPlan { lp_top, lp_arena, mut expr_arena } = rows.clone().group_by(keys).agg(aggs).to_alp().ok()?;
    let (keys, aggs, output_schema) = match lp_arena.get(lp_top) {
        IR::GroupBy { keys, aggs, schema, apply: None, .. } => (keys.clone(), aggs.clone(), schema.clone()),
        // Polars' form of a group_by without keys.
        IR::Select { expr, schema, .. } if keys.is_empty() => (Vec::new(), expr.clone(), schema.clone()),
        _ => return None,
    };

    if !keys.iter().all(|key| is_row_by_row(key.node(), &expr_arena)) {
        return None;
    }
    let names: Vec<PlSmallStr> = keys.iter().map(|key| key.output_name().clone()).collect();
    let merge_keys: Vec<Expr> = names.iter().cloned().map(col).collect();

    let mut reductions = Reductions::new(input_schema, &names);
    for agg in &aggs {
        reductions.replace_in(agg.node(), &mut expr_arena)?;
    }
    let finish = merge_keys.iter().cloned().chain(to_exprs(&aggs, &expr_arena)).collect();
    let (partial, merge) = reductions.into_exprs();
    if keys.is_empty() && partial.is_empty() {
        return None;
    }

    let decomposed =
        Decomposed { keys: to_exprs(&keys, &expr_arena).collect(), partial, merge_keys, merge, finish };
    let restored = decomposed.merge(decomposed.partial(rows)).collect_schema().ok()?;
    (restored == output_schema).then_some(decomposed)
}

fn to_exprs<'a>(exprs: &'a [ExprIR], arena: &'a Arena<AExpr>) -> impl Iterator<Item = Expr> + 'a {
    exprs.iter().map(|expr| expr.to_expr(arena))
}

/// Whether the expression returns one value per row from that row's columns alone.
pub(super) fn is_row_by_row(node: Node, arena: &Arena<AExpr>) -> bool {
    is_elementwise_rec(node, arena)
        && !is_inherently_nondeterministic(node, arena)
        && has_aexpr(node, arena, |expr| matches!(expr, AExpr::Column(_)))
}
