//! Encodes fragments: the nodes of a plan, one after another, each after those that it refers to. A hole is
//! sent as an empty node. What the plan requests of its input is beside the nodes.
//!
//! Nodes are listed one by one, not as the arenas that Polars keeps them in: an arena has a number of its
//! own, and equal plans would have different bytes.

use std::sync::Arc;

use polars::polars_utils::arena::{Arena, Node};
use polars::polars_utils::slice_enum::Slice;
use polars::prelude::*;
use polars_plan::plans::expr_ir::ExprIR;
use polars_plan::plans::{AExpr, IR, IRPlan};
use serde::{Deserialize, Serialize};

use super::shared::Part;
use super::{CodecError, nodes, packed};
use crate::task::fragment::{Fragment, Hole};

/// A fragment as it is sent. The last node is the result.
#[derive(Serialize, Deserialize)]
struct WireFragment<N, E> {
    nodes: Vec<N>,
    exprs: Vec<E>,
    holes: Vec<WireHole>,
}

/// A hole as it is sent.
#[derive(Serialize, Deserialize)]
pub(super) struct WireHole {
    pub node: usize,
    /// The position of its input.
    input: usize,
    /// All columns of the input.
    schema: Schema,
    /// The columns that are read, in this order; `None` if all.
    columns: Option<Vec<PlSmallStr>>,
    /// How many rows are read, before the predicate; `None` if all.
    rows: Option<usize>,
    pub predicate: Option<ExprIR>,
}

/// The fragment's bytes.
pub(super) fn encode(fragment: &Fragment) -> Result<Vec<u8>, CodecError> {
    let mut plan = fragment.copy();
    let mut holes = Vec::with_capacity(fragment.holes().len());
    for &(node, input) in fragment.holes() {
        holes.push(WireHole::new(node, input, &plan.lp_arena.take(node))?);
    }
    for node in (0..plan.lp_arena.len()).map(Node) {
        // Only the streaming engine sets it, and its number would make equal plans differ.
        if let IR::Sort { slice: Some((_, _, dynamic)), .. } = plan.lp_arena.get_mut(node) {
            *dynamic = None;
        }
    }
    nodes::check(&plan, &holes)?;
    let wire = WireFragment { nodes: items(&plan.lp_arena), exprs: items(&plan.expr_arena), holes };
    let bytes = packed::to_bytes(&wire).map_err(|error| CodecError::cannot_travel("a plan", error))?;
    super::fits("a plan", &bytes)?;
    Ok(bytes)
}

/// The fragment in these bytes, checked.
pub(super) fn decode(bytes: &[u8]) -> Result<Part<Fragment>, CodecError> {
    let malformed = |cause: String| CodecError::malformed("a plan", cause);
    let WireFragment { nodes, exprs, holes }: WireFragment<IR, AExpr> =
        packed::from_bytes(bytes).map_err(|cause| malformed(cause.to_string()))?;
    let top = nodes.len().checked_sub(1).ok_or_else(|| malformed("it is empty".to_owned()))?;
    let mut plan = IRPlan { lp_top: Node(top), lp_arena: arena(nodes), expr_arena: arena(exprs) };
    nodes::check(&plan, &holes)?;
    let is_plain = is_plain(&plan, bytes);
    let mut places = Vec::with_capacity(holes.len());
    for hole in holes {
        let (node, input) = (Node(hole.node), hole.input);
        let scan = hole.scan().map_err(|error| malformed(error.to_string()))?;
        plan.lp_arena.replace(node, scan);
        places.push((node, input));
    }
    let fragment = Fragment::from_parts(plan, places);
    Ok(if is_plain { Part::Shared(fragment) } else { Part::Own(fragment) })
}

impl WireHole {
    fn new(node: Node, input: usize, scan: &IR) -> Result<Self, CodecError> {
        let IR::Scan { file_info, output_schema, unified_scan_args, predicate, .. } = scan else {
            return Err(CodecError::unsupported("an input that is no scan"));
        };
        let rows = match &unified_scan_args.pre_slice {
            None => None,
            Some(Slice::Positive { offset: 0, len }) => Some(*len),
            Some(_) => return Err(CodecError::unsupported("a slice of an input")),
        };
        // Polars sets the names of the columns together with their schema.
        let columns = output_schema.as_ref().map(|read| read.iter_names_cloned().collect());
        let schema = (*file_info.schema).clone();
        Ok(Self { node: node.0, input, schema, columns, rows, predicate: predicate.clone() })
    }

    /// The scan that it was made of.
    fn scan(self) -> PolarsResult<IR> {
        let schema = Arc::new(self.schema);
        let mut hole = Arc::new(Hole::new()).node(&schema);
        if let IR::Scan { output_schema, unified_scan_args, predicate, .. } = &mut hole {
            if let Some(columns) = self.columns {
                let read = schema.try_project(&columns)?;
                polars_ensure!(read.len() == columns.len(), Duplicate: "a column is read twice");
                *output_schema = Some(Arc::new(read));
                unified_scan_args.projection = Some(columns.into());
            }
            unified_scan_args.pre_slice = self.rows.map(|len| Slice::Positive { offset: 0, len });
            *predicate = self.predicate;
        }
        Ok(hole)
    }
}

fn items<T>(arena: &Arena<T>) -> Vec<&T> {
    (0..arena.len()).map(|at| arena.get(Node(at))).collect()
}

fn arena<T>(items: Vec<T>) -> Arena<T> {
    let mut arena = Arena::with_capacity(items.len());
    for item in items {
        arena.add(item);
    }
    arena
}

/// Whether a plan means the same in every task and holds no memory of its own: literals may be whole
/// columns, and a categorical type keeps its strings as long as it exists.
fn is_plain(plan: &IRPlan, bytes: &[u8]) -> bool {
    // Wherever a plan has such a type, the type's name is in the bytes.
    const CATEGORICAL: &[u8] = b"Categorical";
    let is_small = |expr: &AExpr| match expr {
        AExpr::Literal(LiteralValue::Scalar(value)) => !value.dtype().is_nested(),
        AExpr::Literal(value) => value.is_scalar(),
        _ => true,
    };
    items(&plan.expr_arena).into_iter().all(is_small)
        && !bytes.windows(CATEGORICAL.len()).any(|window| window == CATEGORICAL)
}
