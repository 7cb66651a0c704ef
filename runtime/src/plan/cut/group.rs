//! Grouping: in two halves where the aggregations allow it, so that a shuffle moves a row for each group
//! and partition instead of every row.

use std::sync::Arc;

use partita_engine::shuffle::{Partitioner, Salt};
use partita_engine::task::fragment::Hole;
use polars::polars_utils::arena::Node;
use polars::prelude::*;
use polars_plan::plans::expr_ir::ExprIR;
use polars_plan::plans::{AExpr, IR, IRAggExpr, is_elementwise_rec};
use polars_plan::utils::has_aexpr;

use super::Cutter;
use super::flow::Flow;
use super::placement::Placement;
use super::rows::nodes;
use super::size::Size;
use crate::plan::aggregate::{Decomposed, decompose};

impl Cutter<'_, '_> {
    pub(super) fn group_by(&mut self, ir: IR) -> PolarsResult<Flow> {
        let IR::GroupBy { input, keys, aggs, maintain_order, options, apply, .. } = &ir else {
            return self.whole(ir);
        };
        let plain = !options.is_dynamic() && !options.is_rolling();
        let by_rows = keys.iter().all(|key| is_elementwise_rec(key.node(), &self.planning.exprs));
        if apply.is_some() || !by_rows || *maintain_order {
            return self.whole(ir);
        }
        let (input, slice) = (*input, options.slice);
        let (keys, aggs) = (keys.clone(), aggs.clone());
        let mut ir = ir;
        if let IR::GroupBy { options, .. } = &mut ir
            && slice.is_some()
        {
            Arc::make_mut(options).slice = None;
        }
        let flow = if plain {
            self.grouped(ir, input, &keys, &aggs)?
        } else {
            if keys.is_empty() {
                return self.sliced_whole(ir, slice);
            }
            // Within a group the rows must be in the order of the index.
            let flow = self.cut(input, true)?;
            let flow = self.together(flow, &nodes(&keys), "group_by", false);
            let mut flow = self.push(flow, ir, Some("group_by"));
            flow.splits.clear();
            flow.placed.keep(&names(&keys));
            flow.size = Size::default();
            flow
        };
        match slice {
            Some((offset, len)) => self.slice(flow, offset, len),
            None => Ok(flow),
        }
    }

    fn sliced_whole(&mut self, ir: IR, slice: Option<(i64, usize)>) -> PolarsResult<Flow> {
        let flow = self.whole(ir)?;
        match slice {
            Some((offset, len)) => self.slice(flow, offset, len),
            None => Ok(flow),
        }
    }

    fn grouped(&mut self, ir: IR, input: Node, keys: &[ExprIR], aggs: &[ExprIR]) -> PolarsResult<Flow> {
        let halves = self.halves(input, keys, aggs);
        // What cannot be merged may depend on the order of rows, such as `first`.
        let mut flow = self.cut(input, halves.is_none())?;
        let advice = std::mem::take(&mut flow.advice);
        let n = self.planning.settings.shuffle_partitions;
        let (key_nodes, groups) = (nodes(keys), names(keys));
        let columns = self.columns(&key_nodes);
        let at_most = flow.size;
        let together = columns.as_ref().is_some_and(|columns| flow.placed.joins(columns));
        let cut = advice.combine.unwrap_or(true) || advice.salts.is_some();
        // Polars takes the variance of a single value to be 0, also of a null and NaN.
        let fragile = aggs.iter().any(|agg| has_aexpr(agg.node(), &self.planning.exprs, is_spread));
        let halves = halves.filter(|_| fragile || (cut && !together));
        let mut flow = match halves {
            None => {
                if !flow.alone() && !together {
                    let partitioner = Partitioner::Hash { keys: self.expressions(&key_nodes), n };
                    flow = self.shuffle(flow, "shuffle by hash", partitioner);
                    flow.placed = columns.map(Placement::by).unwrap_or_default();
                }
                let renamed = |flow: &mut Flow| {
                    let pairs: Vec<(Option<PlSmallStr>, PlSmallStr)> = keys
                        .iter()
                        .map(|key| {
                            (
                                self.columns(&[key.node()]).and_then(|mut name| name.pop()),
                                key.output_name().clone(),
                            )
                        })
                        .collect();
                    flow.placed.rename(&|name| {
                        pairs
                            .iter()
                            .filter(|(from, _)| from.as_ref() == Some(name))
                            .map(|(_, to)| to.clone())
                            .collect()
                    });
                };
                renamed(&mut flow);
                self.push(flow, ir, Some("group_by"))
            }
            Some(halves) => {
                let alone = flow.alone();
                if let Some(salts) = advice.salts.filter(|_| !alone) {
                    let salted =
                        Partitioner::Salted { keys: self.expressions(&key_nodes), n, salt: Salt::all(salts) };
                    flow = self.shuffle(flow, "shuffle by hash, salted", salted);
                }
                // One partition needs no shuffle, but uses the same two halves, so that its time is
                // comparable with the times of many partitions.
                if !cut && !together && !alone {
                    let hash = Partitioner::Hash { keys: self.expressions(&key_nodes), n };
                    flow = self.shuffle(flow, "shuffle by hash", hash);
                }
                let mut flow = self.half(flow, "group_by: partial", |rows| halves.partial(rows))?;
                if cut && !together && !alone {
                    let hash = Partitioner::Hash { keys: halves.merge_keys().to_vec(), n };
                    flow = self.shuffle(flow, "shuffle by hash", hash);
                }
                let mut flow = self.half(flow, "group_by: final", |rows| halves.merge(rows))?;
                flow.placed = Placement::by(groups);
                flow
            }
        };
        flow.splits.clear();
        flow.ordered = true;
        flow.size = Size { rows: at_most.rows, bytes: None }.with_columns(&self.schema(flow.top));
        Ok(flow)
    }

    /// Aggregates of all rows.
    pub(super) fn one_row(&mut self, ir: IR, input: Node, exprs: &[ExprIR]) -> PolarsResult<Flow> {
        let ordered = self.halves(input, &[], exprs).is_none();
        let flow = self.cut(input, ordered)?;
        self.one_row_over(ir, flow, exprs)
    }

    /// Aggregates of all rows of a flow.
    pub(super) fn one_row_over(&mut self, ir: IR, mut flow: Flow, exprs: &[ExprIR]) -> PolarsResult<Flow> {
        let halves = self.halves(flow.top, &[], exprs);
        let advice = std::mem::take(&mut flow.advice);
        let mut flow = match halves.filter(|_| advice.combine.unwrap_or(true)) {
            None => {
                let flow = self.gather(flow, "agg");
                self.push(flow, ir, Some("group_by"))
            }
            Some(halves) => {
                let flow = self.half(flow, "group_by: partial", |rows| halves.partial(rows))?;
                let flow = self.gather(flow, "agg");
                self.half(flow, "group_by: final", |rows| halves.merge(rows))?
            }
        };
        flow.splits.clear();
        flow.placed = Placement::default();
        flow.size = Size { rows: Some(1), bytes: None }.with_columns(&self.schema(flow.top));
        flow.size.bytes.get_or_insert(1 << 10);
        Ok(flow)
    }

    fn halves(&self, input: Node, keys: &[ExprIR], aggs: &[ExprIR]) -> Option<Decomposed> {
        let exprs = |exprs: &[ExprIR]| {
            exprs.iter().map(|expr| expr.to_expr(&self.planning.exprs)).collect::<Vec<_>>()
        };
        decompose(&exprs(keys), &exprs(aggs), &self.schema(input))
    }

    /// Adds one half of an aggregation. The first half may be done in parts: the second one merges them.
    fn half(
        &mut self,
        flow: Flow,
        name: &str,
        build: impl FnOnce(LazyFrame) -> LazyFrame,
    ) -> PolarsResult<Flow> {
        let hole = Arc::new(Hole::new());
        let plan = build(hole.scan(&self.schema(flow.top)));
        let mut flow = self.graft(flow, plan, hole.number())?;
        flow.names.push(name.to_owned());
        Ok(flow)
    }
}

/// Whether it is a variance or standard deviation.
fn is_spread(expr: &AExpr) -> bool {
    matches!(expr, AExpr::Agg(IRAggExpr::Var(..) | IRAggExpr::Std(..)))
}

fn names(exprs: &[ExprIR]) -> Vec<PlSmallStr> {
    exprs.iter().map(|expr| expr.output_name().clone()).collect()
}
