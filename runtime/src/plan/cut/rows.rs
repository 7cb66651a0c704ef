//! Steps of expressions: filter, select, with_columns. What their expressions see decides where they run.

use partita_engine::shuffle::Partitioner;
use polars::polars_utils::arena::{Arena, Node};
use polars::polars_utils::idx_vec::UnitVec;
use polars::prelude::*;
use polars_plan::dsl::WindowMapping;
use polars_plan::plans::expr_ir::ExprIR;
use polars_plan::plans::{AExpr, IR, is_elementwise, is_scalar_ae};

use super::Cutter;
use super::flow::Flow;
use super::placement::Placement;

/// What rows expressions need to see together.
enum Sees {
    /// Each row by itself.
    Row,
    /// Rows that agree in these expressions: windows.
    Keys(Vec<Node>),
    /// All of them.
    All,
}

/// Windows over the same keys are told from what is not row by row; what is inside of one does not matter.
fn sees(exprs: &[ExprIR], arena: &Arena<AExpr>) -> Sees {
    let mut keys: Option<Vec<Node>> = None;
    let mut stack: UnitVec<Node> = exprs.iter().map(ExprIR::node).collect();
    while let Some(node) = stack.pop() {
        match arena.get(node) {
            AExpr::Over { partition_by, mapping, .. } if !partition_by.is_empty() => {
                let equal = |(a, b): (&Node, &Node)| arena.get(*a).is_expr_equal_to(arena.get(*b), arena);
                let same = keys.as_ref().is_none_or(|keys| {
                    keys.len() == partition_by.len() && keys.iter().zip(partition_by).all(equal)
                });
                if !same || matches!(mapping, WindowMapping::Explode) {
                    return Sees::All;
                }
                keys = Some(partition_by.clone());
            }
            expr if !is_elementwise(&mut stack, expr, arena) => return Sees::All,
            _ => {}
        }
    }
    keys.map_or(Sees::Row, Sees::Keys)
}

/// Whether each row is enough for these expressions.
pub(super) fn needs_no_other(exprs: &[ExprIR], arena: &Arena<AExpr>) -> bool {
    matches!(sees(exprs, arena), Sees::Row)
}

impl Cutter<'_, '_> {
    /// A node over `input` that needs no other rows if its expressions do not.
    pub(super) fn row_by_row(
        &mut self,
        ir: IR,
        input: Node,
        exprs: &[ExprIR],
        name: &str,
        order: bool,
    ) -> PolarsResult<Flow> {
        let order = order || matches!(sees(exprs, &self.planning.exprs), Sees::All);
        let flow = self.cut(input, order)?;
        self.row_by_row_over(ir, flow, exprs, name, order)
    }

    /// Like [`row_by_row`](Self::row_by_row), over a flow. `order` says whether somebody sees the order of
    /// its rows.
    pub(super) fn row_by_row_over(
        &mut self,
        ir: IR,
        flow: Flow,
        exprs: &[ExprIR],
        name: &str,
        order: bool,
    ) -> PolarsResult<Flow> {
        let mut flow = match sees(exprs, &self.planning.exprs) {
            _ if flow.alone() => flow,
            Sees::Row => flow,
            Sees::Keys(keys) => self.together(flow, &keys, name, order),
            Sees::All => match self.with_totals(&ir, &flow, exprs)? {
                Some(flow) => return Ok(flow),
                None => self.gather(flow, name),
            },
        };
        let splits = match sees(exprs, &self.planning.exprs) {
            Sees::Row => std::mem::take(&mut flow.splits),
            Sees::Keys(_) | Sees::All => Vec::new(),
        };
        match &ir {
            IR::Filter { .. } => {}
            IR::HStack { .. } => {
                let written: Vec<PlSmallStr> = exprs
                    .iter()
                    .filter(|expr| !is_unchanged(expr, &self.planning.exprs))
                    .map(|e| e.output_name().clone())
                    .collect();
                flow.placed.overwrite(&written);
            }
            _ => {
                let arena = &self.planning.exprs;
                flow.placed.rename(&|name| {
                    let same = |expr: &&ExprIR| matches!(arena.get(expr.node()), AExpr::Column(column) if column == name);
                    exprs.iter().filter(same).map(|expr| expr.output_name().clone()).collect()
                });
            }
        }
        let mut flow = self.push(flow, ir, Some(name));
        flow.splits = splits;
        if name != "filter" {
            flow.size = flow.size.with_columns(&self.schema(flow.top));
        }
        Ok(flow)
    }

    /// `select`: also aggregates and constants, which are one row of the whole.
    pub(super) fn select(
        &mut self,
        ir: IR,
        input: Node,
        exprs: &[ExprIR],
        order: bool,
    ) -> PolarsResult<Flow> {
        if !exprs.is_empty() && exprs.iter().all(|expr| is_scalar_ae(expr.node(), &self.planning.exprs)) {
            return self.one_row(ir, input, exprs);
        }
        self.row_by_row(ir, input, exprs, "select", order)
    }

    /// Rows that agree in the keys in one partition. If somebody sees their order, all of them in one.
    pub(super) fn together(&mut self, flow: Flow, keys: &[Node], why: &str, order: bool) -> Flow {
        if flow.alone() {
            return flow;
        }
        if order && flow.ordered {
            return self.gather(flow, why);
        }
        let columns = self.columns(keys);
        if columns.as_ref().is_some_and(|columns| flow.placed.joins(columns)) {
            return flow;
        }
        let n = self.planning.settings.shuffle_partitions;
        let partitioner = Partitioner::Hash { keys: self.expressions(keys), n };
        let mut flow = self.shuffle(flow, "shuffle by hash", partitioner);
        flow.placed = columns.map(Placement::by).unwrap_or_default();
        flow
    }

    /// The names of the keys, if each is a column as it is.
    pub(super) fn columns(&self, keys: &[Node]) -> Option<Vec<PlSmallStr>> {
        let name = |key: &Node| match self.planning.exprs.get(*key) {
            AExpr::Column(name) => Some(name.clone()),
            _ => None,
        };
        keys.iter().map(name).collect()
    }

    pub(super) fn expressions(&self, keys: &[Node]) -> Vec<Expr> {
        keys.iter().map(|key| polars_plan::plans::node_to_expr(*key, &self.planning.exprs)).collect()
    }
}

/// Whether it is a column as it is.
fn is_unchanged(expr: &ExprIR, arena: &Arena<AExpr>) -> bool {
    matches!(arena.get(expr.node()), AExpr::Column(name) if name == expr.output_name())
}

/// The nodes of expressions.
pub(super) fn nodes(exprs: &[ExprIR]) -> Vec<Node> {
    exprs.iter().map(ExprIR::node).collect()
}
