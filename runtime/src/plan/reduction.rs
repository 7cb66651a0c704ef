//! How each kind of aggregation is split and merged.

use std::collections::HashSet;
use std::sync::Arc;

use polars::polars_utils::arena::{Arena, Node};
use polars::polars_utils::idx_vec::UnitVec;
use polars::prelude::*;
use polars_plan::dsl::AggExpr;
use polars_plan::plans::{
    AExpr, IRAggExpr, IRBooleanFunction, IRFunctionExpr, ToFieldContext, is_elementwise,
    is_inherently_nondeterministic_top_level, node_to_expr,
};

use super::aggregate::is_row_by_row;

/// The partial columns and their merges, collected while aggregation nodes are replaced by columns.
pub(super) struct Reductions<'a> {
    schema: &'a Schema,
    prefix: String,
    partial: Vec<Expr>,
    merge: Vec<Expr>,
    replaced: HashSet<usize>,
}

impl<'a> Reductions<'a> {
    /// Creates a collection over rows of `schema`. No column created here has a name from `taken`.
    pub(super) fn new(schema: &'a Schema, taken: &[PlSmallStr]) -> Self {
        let mut prefix = String::from("__partita_agg");
        while taken.iter().any(|name| name.starts_with(&prefix)) {
            prefix.push('_');
        }
        Self { schema, prefix, partial: Vec::new(), merge: Vec::new(), replaced: HashSet::new() }
    }

    /// The aggregations over rows, and those over the partial columns, as aliased expressions.
    pub(super) fn into_exprs(self) -> (Vec<Expr>, Vec<Expr>) {
        let Self { prefix, partial, merge, .. } = self;
        let partial = partial.into_iter().enumerate().map(|(i, expr)| expr.alias(partial_name(&prefix, i)));
        let merge = merge.into_iter().enumerate().map(|(i, expr)| expr.alias(merged_name(&prefix, i)));
        (partial.collect(), merge.collect())
    }

    /// Replaces every aggregation under `root` by the column of its merge. `None` if one of them has no
    /// merge, or if something outside of them is not row by row over their results.
    pub(super) fn replace_in(&mut self, root: Node, arena: &mut Arena<AExpr>) -> Option<()> {
        let mut stack: UnitVec<Node> = UnitVec::new();
        stack.push(root);
        while let Some(node) = stack.pop() {
            if self.replaced.contains(&node.0) {
                continue;
            }
            let expr = arena.get(node);
            if is_aggregation(expr) {
                let merge = self.reduce(node, arena)?;
                let name = merged_name(&self.prefix, self.merge.len());
                self.merge.push(merge);
                arena.replace(node, AExpr::Column(name));
                self.replaced.insert(node.0);
                continue;
            }
            let refers_to_rows =
                matches!(expr, AExpr::Column(_) | AExpr::Eval { .. } | AExpr::StructEval { .. });
            if refers_to_rows
                || is_inherently_nondeterministic_top_level(expr)
                || !is_elementwise(&mut stack, expr, arena)
            {
                return None;
            }
        }
        Some(())
    }

    /// Adds the partial columns of one aggregation and returns the expression that merges them.
    fn reduce(&mut self, node: Node, arena: &Arena<AExpr>) -> Option<Expr> {
        let whole = node_to_expr(node, arena);
        let dtype_of = |node: Node| arena.get(node).to_dtype(&ToFieldContext::new(arena, self.schema)).ok();
        let input = match arena.get(node) {
            AExpr::Len => return Some(self.partial(whole).sum()),
            AExpr::Agg(agg) => agg.get_input().first(),
            AExpr::Function { input, .. } => match input.as_slice() {
                [only] => only.node(),
                _ => return None,
            },
            _ => return None,
        };
        if !is_separable(input, arena) {
            return None;
        }
        let (from, to) = (dtype_of(input)?, dtype_of(node)?);
        let values = node_to_expr(input, arena);

        match arena.get(node) {
            AExpr::Agg(IRAggExpr::Count { .. }) => Some(self.partial(whole).sum()),
            AExpr::Agg(IRAggExpr::Sum(_)) if is_number(&from) || from.is_duration() || from.is_decimal() => {
                Some(self.partial(whole).sum())
            }
            AExpr::Agg(IRAggExpr::Min { propagate_nans, .. }) if is_ordered(&from) => {
                let input = Arc::new(self.partial(whole));
                Some(Expr::Agg(AggExpr::Min { input, propagate_nans: *propagate_nans }))
            }
            AExpr::Agg(IRAggExpr::Max { propagate_nans, .. }) if is_ordered(&from) => {
                let input = Arc::new(self.partial(whole));
                Some(Expr::Agg(AggExpr::Max { input, propagate_nans: *propagate_nans }))
            }
            AExpr::Agg(IRAggExpr::Mean(_)) => self.mean(values, &from, to),
            AExpr::Agg(IRAggExpr::Var(_, ddof)) if is_number(&from) => {
                Some(self.variance(values, *ddof).cast(to))
            }
            AExpr::Agg(IRAggExpr::Std(_, ddof)) if is_number(&from) => {
                Some(self.variance(values, *ddof).sqrt().cast(to))
            }
            AExpr::Function { function, .. } => match function {
                IRFunctionExpr::NullCount => Some(self.partial(whole).sum()),
                // Whether a float product overflows on the way depends on the order.
                IRFunctionExpr::Product if is_number(&from) && !from.is_float() => {
                    Some(self.partial(whole).product())
                }
                IRFunctionExpr::Boolean(IRBooleanFunction::Any { ignore_nulls }) => {
                    Some(self.partial(whole).any(*ignore_nulls))
                }
                IRFunctionExpr::Boolean(IRBooleanFunction::All { ignore_nulls }) => {
                    Some(self.partial(whole).all(*ignore_nulls))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// The partial column with `expr`, shared by the aggregations that need it.
    fn partial(&mut self, expr: Expr) -> Expr {
        let index = self.partial.iter().position(|known| *known == expr).unwrap_or_else(|| {
            self.partial.push(expr);
            self.partial.len() - 1
        });
        col(partial_name(&self.prefix, index))
    }

    /// A mean from sums and counts. The sum is `f64`, as inside Polars' mean: a sum of integers could
    /// overflow where the mean does not.
    fn mean(&mut self, values: Expr, from: &DataType, to: DataType) -> Option<Expr> {
        let counted = self.partial(values.clone().count()).sum();
        if from.is_decimal() {
            // Sums of decimals are exact.
            let sum = self.partial(values.sum()).sum().cast(DataType::Float64);
            let mean = sum / counted.clone().cast(DataType::Float64);
            return Some(when(counted.gt(lit(0))).then(mean).otherwise(lit(NULL)).cast(to));
        }
        let floats = if *from == DataType::Float64 {
            // Unchanged, the sum is shared with a requested one.
            values
        } else if is_number(from) {
            values.cast(DataType::Float64)
        } else if to.is_temporal() {
            values.cast(to.clone()).to_physical().cast(DataType::Float64)
        } else {
            return None;
        };
        let mean = self.partial(floats.sum()).sum() / counted.clone().cast(DataType::Float64);
        let mean = when(counted.gt(lit(0))).then(mean).otherwise(lit(NULL));
        Some(if to.is_temporal() { mean.cast(DataType::Int64).cast(to) } else { mean.cast(to) })
    }

    /// A variance from counts, means and sums of squared deviations from those means (Chan, Golub and
    /// LeVeque). Unlike a sum of squares it loses no precision if the values are far from zero.
    fn variance(&mut self, values: Expr, ddof: u8) -> Expr {
        let floats = values.cast(DataType::Float64);
        let count = floats.clone().count().cast(DataType::Float64);
        let deviations = self.partial(floats.clone().var(0) * count.clone());
        let count = self.partial(count);
        let mean = self.partial(floats.mean());

        let counted = count.clone().sum();
        let grand_mean = (count.clone() * mean.clone()).sum() / counted.clone();
        let shift = mean - grand_mean;
        let deviations = deviations.sum() + (count * shift.clone() * shift).sum();
        let degrees = counted - lit(f64::from(ddof));
        when(degrees.clone().gt(lit(0.0))).then(deviations / degrees).otherwise(lit(NULL))
    }
}

fn partial_name(prefix: &str, index: usize) -> PlSmallStr {
    format!("{prefix}_partial_{index}").into()
}

fn merged_name(prefix: &str, index: usize) -> PlSmallStr {
    format!("{prefix}_merged_{index}").into()
}

fn is_aggregation(expr: &AExpr) -> bool {
    match expr {
        AExpr::Len | AExpr::Agg(_) => true,
        AExpr::Function { function, .. } => matches!(
            function,
            IRFunctionExpr::NullCount
                | IRFunctionExpr::Product
                | IRFunctionExpr::Boolean(IRBooleanFunction::Any { .. } | IRBooleanFunction::All { .. })
        ),
        _ => false,
    }
}

/// Whether the values over a partition's rows are that partition's part of the values over all rows.
/// Row-by-row expressions are separable. What drops or multiplies rows must work on separable values, and
/// what is above it may combine them with constants only: other lengths would match for the whole but not
/// for a part.
fn is_separable(node: Node, arena: &Arena<AExpr>) -> bool {
    if is_row_by_row(node, arena) {
        return true;
    }
    let expr = arena.get(node);
    match expr {
        AExpr::Filter { input, by } => is_row_by_row(*input, arena) && is_row_by_row(*by, arena),
        AExpr::Explode { expr, .. } => is_separable(*expr, arena),
        AExpr::Function { input, function: IRFunctionExpr::DropNulls | IRFunctionExpr::DropNans, .. } => {
            matches!(input.as_slice(), [only] if is_separable(only.node(), arena))
        }
        _ => {
            let mut inputs: UnitVec<Node> = UnitVec::new();
            if is_inherently_nondeterministic_top_level(expr) || !is_elementwise(&mut inputs, expr, arena) {
                return false;
            }
            let is_constant =
                |node: &Node| matches!(arena.get(*node), AExpr::Literal(value) if value.is_scalar());
            let mut varying = inputs.iter().filter(|input| !is_constant(input));
            matches!((varying.next(), varying.next()), (Some(only), None) if is_separable(*only, arena))
        }
    }
}

fn is_number(dtype: &DataType) -> bool {
    dtype.is_primitive_numeric() || dtype.is_bool()
}

fn is_ordered(dtype: &DataType) -> bool {
    is_number(dtype)
        || dtype.is_decimal()
        || dtype.is_temporal()
        || dtype.is_categorical()
        || dtype.is_enum()
        || matches!(dtype, DataType::String | DataType::Binary)
}
