//! Steps about the order and number of rows: sort, limit and slice, distinct.

use partita_engine::shuffle::Partitioner;
use partita_engine::task::Input;
use polars::polars_utils::arena::Node;
use polars::polars_utils::slice_enum::Slice;
use polars::prelude::*;
use polars_plan::plans::expr_ir::ExprIR;
use polars_plan::plans::{AExpr, IR, is_elementwise_rec};

use super::Cutter;
use super::flow::Flow;
use super::placement::Placement;
use super::rows::nodes;

impl Cutter<'_, '_> {
    pub(super) fn sort(&mut self, ir: IR) -> PolarsResult<Flow> {
        let IR::Sort { input, by_column, slice, sort_options } = &ir else { return self.whole(ir) };
        let by_rows = by_column.iter().all(|by| is_elementwise_rec(by.node(), &self.planning.exprs));
        if !by_rows {
            return self.whole(ir);
        }
        let mut flow = self.cut(*input, sort_options.maintain_order)?;
        flow.splits.clear();
        match slice {
            Some((offset, len, _)) if *offset >= 0 => {
                let (offset, len) = (*offset as usize, *len);
                if flow.alone() {
                    return Ok(self.push(flow, ir, Some("sort")));
                }
                // The first rows of all are among the first rows of each.
                let mut first = ir.clone();
                if let IR::Sort { slice, .. } = &mut first {
                    *slice = Some((0, offset.saturating_add(len), None));
                }
                let mut flow = self.push(flow, first, Some("top k"));
                flow.size = flow.size.at_most(len as u64);
                let flow = self.gather(flow, "top k");
                Ok(self.push(flow, ir, Some("sort")))
            }
            Some(_) => {
                let flow = self.gather(flow, "sort");
                Ok(self.push(flow, ir, Some("sort")))
            }
            None => {
                let (by, options) = (by_column.clone(), sort_options.clone());
                self.sorted(flow, ir.clone(), &by, &options)
            }
        }
    }

    fn sorted(
        &mut self,
        flow: Flow,
        ir: IR,
        by: &[ExprIR],
        options: &SortMultipleOptions,
    ) -> PolarsResult<Flow> {
        let flag = |flags: &[bool], at: usize| *flags.get(at).or(flags.first()).unwrap_or(&false);
        let descending: Vec<bool> = (0..by.len()).map(|at| flag(&options.descending, at)).collect();
        let nulls_last: Vec<bool> = (0..by.len()).map(|at| flag(&options.nulls_last, at)).collect();
        let mut flow = if flow.alone() {
            flow
        } else if nulls_last.iter().any(|last| *last != nulls_last[0]) {
            self.gather(flow, "sort")
        } else {
            let n = self.planning.settings.shuffle_partitions;
            let by = self.expressions(&nodes(by));
            self.shuffle_by_range(flow, "shuffle by range", by, descending, nulls_last[0], n)
        };
        flow.splits.clear();
        flow.placed = Placement::default();
        let mut flow = self.push(flow, ir, Some("sort"));
        flow.ordered = true;
        Ok(flow)
    }

    /// Some of the rows, by their number.
    pub(super) fn slice(&mut self, flow: Flow, offset: i64, len: usize) -> PolarsResult<Flow> {
        let rows = IdxSize::try_from(len).unwrap_or(IdxSize::MAX);
        let slice = |input: Node, offset: i64, len: IdxSize| IR::Slice { input, offset, len };
        let mut flow = flow;
        flow.splits.clear();
        if !flow.alone() {
            // What is needed of all is needed of each, at most.
            if offset >= 0 {
                flow = self.first(flow, len.saturating_add(offset as usize));
            } else {
                let most = IdxSize::try_from(offset.unsigned_abs()).unwrap_or(IdxSize::MAX);
                let top = flow.top;
                flow = self.push(flow, slice(top, offset, most), Some("limit"));
            }
            flow = self.gather(flow, "limit");
        }
        let top = flow.top;
        let mut flow = self.push(flow, slice(top, offset, rows), Some("limit"));
        flow.size = flow.size.at_most(len as u64);
        flow.placed = Placement::default();
        Ok(flow)
    }

    /// The first rows of each partition. Where it is known how, no others are made or read.
    pub(super) fn first(&mut self, mut flow: Flow, rows: usize) -> Flow {
        flow.splits.clear();
        let len = IdxSize::try_from(rows).unwrap_or(IdxSize::MAX);
        let bare = matches!(self.planning.ir.get(flow.top), IR::Scan { predicate: None, .. });
        if bare {
            for input in flow.tasks.iter_mut().flatten() {
                match input {
                    Input::Range { start, end } => {
                        let most = i64::try_from(rows).unwrap_or(i64::MAX);
                        *end = (*end).min(start.saturating_add(most));
                    }
                    Input::Frame(frame) => *frame = frame.head(Some(rows)),
                    _ => {}
                }
            }
            let mut scan = self.planning.ir.get(flow.top).clone();
            let pieces = flow.tasks.iter().flatten().all(|input| matches!(input, Input::Piece(_)));
            if let IR::Scan { unified_scan_args, .. } = &mut scan
                && pieces
            {
                unified_scan_args.pre_slice = Some(Slice::Positive { offset: 0, len: rows });
                flow.top = self.planning.ir.add(scan);
            }
        }
        let input = flow.top;
        self.push(flow, IR::Slice { input, offset: 0, len }, Some("limit"))
    }

    pub(super) fn distinct(&mut self, mut ir: IR, order: bool) -> PolarsResult<Flow> {
        let IR::Distinct { input, options } = &mut ir else { return self.whole(ir) };
        let (input, slice, keep) = (*input, options.slice.take(), options.keep_strategy);
        let flow = if options.maintain_order {
            self.whole(ir)?
        } else {
            let first = !matches!(keep, UniqueKeepStrategy::Any | UniqueKeepStrategy::None);
            let subset: Option<Vec<PlSmallStr>> = options.subset.as_deref().map(<[_]>::to_vec);
            let names = subset.unwrap_or_else(|| self.schema(input).iter_names_cloned().collect());
            let keys: Vec<Node> =
                names.into_iter().map(|name| self.planning.exprs.add(AExpr::Column(name))).collect();
            let mut flow = self.cut(input, first || order)?;
            let ready =
                flow.alone() || self.columns(&keys).is_some_and(|columns| flow.placed.joins(&columns));
            // Each row that is to be seen alone must be compared with all others.
            if !ready && keep != UniqueKeepStrategy::None {
                flow = self.push(flow, ir.clone(), Some("distinct"));
            }
            let mut flow = if ready { flow } else { self.distinct_shuffle(flow, &keys) };
            flow.splits.clear();
            self.push(flow, ir, Some("distinct"))
        };
        match slice {
            Some((offset, len)) => self.slice(flow, offset, len),
            None => Ok(flow),
        }
    }

    /// Rows keep their order within each key, so `first` and `last` stay what they are.
    fn distinct_shuffle(&mut self, flow: Flow, keys: &[Node]) -> Flow {
        let n = self.planning.settings.shuffle_partitions;
        let columns = self.columns(keys);
        let partitioner = Partitioner::Hash { keys: self.expressions(keys), n };
        let mut flow = self.shuffle(flow, "shuffle by hash", partitioner);
        flow.placed = columns.map(Placement::by).unwrap_or_default();
        flow
    }
}
