//! Begins flows at the leaves of a plan.

use std::sync::Arc;

use partita_engine::task::Input;
use polars::polars_utils::arena::Node;
use polars::polars_utils::slice_enum::Slice;
use polars::prelude::*;
use polars_plan::dsl::FileScanIR;
use polars_plan::plans::{IR, is_elementwise_rec};

use super::flow::Flow;
use super::size::Size;
use super::{Cutter, Planning, Want};
use crate::plan::Settings;
use crate::plan::exact;
use crate::plan::leaf::{Cached, Leaf, Source};
use partita_engine::task::fragment::Hole;

impl Cutter<'_, '_> {
    /// A scan of one of our own leaves, with what is requested of it.
    pub(super) fn leaf(&mut self, node: Node) -> PolarsResult<Flow> {
        let (flow, limit) = self.limited_leaf(node)?;
        match limit {
            Some((offset, len)) => self.slice(flow, offset as i64, len),
            None => Ok(flow),
        }
    }

    /// Like [`leaf`](Self::leaf), without the limit that the scan has.
    pub(super) fn limited_leaf(&mut self, node: Node) -> PolarsResult<(Flow, Option<(usize, usize)>)> {
        let mut scan = self.planning.ir.get(node).clone();
        let IR::Scan { scan_type, unified_scan_args, predicate, output_schema, file_info, .. } = &mut scan
        else {
            polars_bail!(ComputeError: "a leaf of the plan is not a scan");
        };
        let FileScanIR::Anonymous { function, .. } = &mut **scan_type else {
            polars_bail!(ComputeError: "a scan of the plan was not made a leaf");
        };
        let leaf = function.clone();
        let Some(leaf) = leaf.as_any().downcast_ref::<Leaf>() else {
            polars_bail!(ComputeError: "a scan of the plan is unknown");
        };
        let columns = output_schema.as_ref().unwrap_or(&file_info.schema).clone();
        let slice = unified_scan_args.pre_slice.take();
        let limit = match slice {
            None => None,
            Some(Slice::Positive { offset, len }) => Some((offset, len)),
            Some(Slice::Negative { .. }) => {
                polars_bail!(ComputeError: "a scan of the plan is limited from its end")
            }
        };
        // A limit counts before the predicate; and a predicate of more than its row needs all rows.
        let apart = predicate.take_if(|predicate| {
            limit.is_some() || !is_elementwise_rec(predicate.node(), &self.planning.exprs)
        });

        let mut flow = match &leaf.source {
            Source::Pieces(pieces) => {
                let hole = Arc::new(Hole::new());
                *function = hole.clone();
                let inputs = pieces.iter().cloned().map(Input::Piece).collect();
                let mut flow = self.begin(inputs, &leaf.schema, "scan");
                flow.holes = vec![hole.number()];
                flow.top = self.planning.ir.add(scan);
                flow.size = Size::of_pieces(pieces.iter().map(|piece| &**piece), &columns);
                flow
            }
            Source::Plans(plans) => {
                let request = predicate.take().map(|predicate| predicate.to_expr(&self.planning.exprs));
                let names: Vec<Expr> = columns.iter_names_cloned().map(exact).collect();
                let read = |plan: &LazyFrame| {
                    let plan = plan.clone();
                    let plan = match &request {
                        Some(predicate) => plan.filter(predicate.clone()),
                        None => plan,
                    };
                    Input::Plan(Box::new(if names.len() < leaf.schema.len() {
                        plan.select(&names)
                    } else {
                        plan
                    }))
                };
                let inputs = plans.iter().map(read).collect();
                self.begin(inputs, &columns, "scan")
            }
            Source::Frames(frames) => {
                let inputs = frames.iter().cloned().map(Input::Frame).collect();
                let mut flow = self.begin(inputs, &leaf.schema, "frame");
                flow.size = Size::of_frames(frames);
                self.project(flow, &columns)
            }
            Source::Range { start, end, partitions } => {
                let inputs = ranges(*start, *end, *partitions).collect();
                let mut flow = self.begin(inputs, &leaf.schema, "range");
                let rows = u64::try_from(i128::from(*end) - i128::from(*start)).ok();
                flow.size = Size { rows, bytes: None }.with_columns(&leaf.schema);
                flow
            }
            Source::Cached(cached) => {
                let flow = self.cached(cached, &leaf.schema)?;
                self.project(flow, &columns)
            }
            Source::Keys(_) => polars_bail!(ComputeError: "a repartition has lost its rows"),
        };
        let Some(predicate) = apart else { return Ok((flow, limit)) };
        if let Some((offset, len)) = limit {
            flow = self.slice(flow, offset as i64, len)?;
        }
        let filter = IR::Filter { input: flow.top, predicate: predicate.clone() };
        Ok((self.row_by_row_over(filter, flow, &[predicate], "filter", true)?, None))
    }

    /// Rows that Polars has made a frame of while it optimised.
    pub(super) fn frame(&mut self, node: Node) -> PolarsResult<Flow> {
        let IR::DataFrameScan { df, schema, output_schema } = self.planning.ir.get(node) else {
            polars_bail!(ComputeError: "a leaf of the plan is not a frame");
        };
        let columns = output_schema.as_ref().unwrap_or(schema).clone();
        let rows = df.select(columns.iter_names_cloned())?;
        let mut flow = self.begin(vec![Input::Frame(rows.clone())], &columns, "frame");
        flow.size = Size::of_frames(&[rows]);
        Ok(flow)
    }

    /// Only these columns.
    fn project(&mut self, flow: Flow, columns: &SchemaRef) -> Flow {
        if *self.schema(flow.top) == **columns {
            return flow;
        }
        let (input, columns) = (flow.top, columns.clone());
        self.push(flow, IR::SimpleProjection { input, columns }, None)
    }

    /// The rows of a plan of its own, which are kept once they are computed. A dataset that is cached
    /// completely needs nothing of its plan.
    fn cached(&mut self, cached: &Cached, schema: &SchemaRef) -> PolarsResult<Flow> {
        let (tasks, mut names, after, ordered) = if (self.stages.kept)(cached.lease.id()) == cached.partitions
        {
            (vec![Input::Lost; cached.partitions], vec!["cached".to_owned()], Vec::new(), true)
        } else {
            // Its partitions must be the same each time, whatever was measured.
            let settings = Settings { adaptive: false, ..cached.settings };
            let sealed = Planning::new(&cached.plan, Want::Rows, settings)?.sealed(self.stages)?;
            (sealed.tasks, sealed.names, sealed.after, sealed.ordered)
        };
        let keep = |(partition, input)| Input::Cache {
            lease: cached.lease.clone(),
            partition,
            level: cached.level,
            input: Box::new(input),
        };
        let inputs = tasks.into_iter().enumerate().map(keep).collect();
        let flow = self.begin(inputs, schema, "cache");
        names.push("cache".into());
        let size = Size { rows: None, bytes: cached.lease.bytes(cached.partitions) };
        Ok(Flow { names, after, ordered, size, ..flow })
    }
}

fn ranges(start: i64, end: i64, n: usize) -> impl Iterator<Item = Input> {
    let (start, n) = (i128::from(start), n as i128);
    let rows = (i128::from(end) - start).max(0);
    let at = move |i: i128| (start + rows * i / n) as i64;
    (0..n).map(move |i| Input::Range { start: at(i), end: at(i + 1) })
}
