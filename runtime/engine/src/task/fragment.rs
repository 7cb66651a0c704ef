//! A fragment: the part of an optimised plan that the tasks of a stage run. It has a hole for each input of
//! a task. The planner cuts fragments out of the plan of the whole query, so a task optimises nothing.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use polars::polars_utils::arena::{Arena, Node};
use polars::prelude::*;
use polars_plan::dsl::FileScanIR;
use polars_plan::plans::prune::prune;
use polars_plan::plans::{AExpr, IR, IRPlan};

/// The place of an input in a plan, as a scan. It cannot be read: whoever runs the plan puts rows in its
/// place.
#[derive(Debug)]
pub struct Hole {
    number: u64,
    /// Whether it can be read as if it had no rows.
    empty: bool,
}

impl Hole {
    /// A hole unlike every other one of this process.
    #[expect(clippy::new_without_default, reason = "two new holes are never equal")]
    pub fn new() -> Self {
        // Process-wide: plans of several sessions may be put together before they are refused.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { number: NEXT.fetch_add(1, Ordering::Relaxed), empty: false }
    }

    /// A hole for a person's closure: whoever reads it gets no rows, instead of an error.
    pub fn placeholder() -> Self {
        Self { empty: true, ..Self::new() }
    }

    /// What tells it from others.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The hole that this node is, if it is one.
    pub fn of(ir: &IR) -> Option<&Self> {
        let IR::Scan { scan_type, .. } = ir else { return None };
        let FileScanIR::Anonymous { function, .. } = &**scan_type else { return None };
        function.as_any().downcast_ref()
    }

    /// The hole as a plan, for rows of `schema`.
    pub fn scan(self: &Arc<Self>, schema: &SchemaRef) -> LazyFrame {
        scan(self.clone(), "INPUT", schema)
    }

    /// The hole as a node, for rows of `schema`.
    pub fn node(self: &Arc<Self>, schema: &SchemaRef) -> IR {
        scan_node(self.clone(), "INPUT", schema)
    }
}

impl AnonymousScan for Hole {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn allows_projection_pushdown(&self) -> bool {
        true
    }

    fn scan(&self, args: AnonymousScanArgs) -> PolarsResult<DataFrame> {
        if self.empty {
            return Ok(DataFrame::empty_with_schema(args.output_schema.as_ref().unwrap_or(&args.schema)));
        }
        polars_bail!(ComputeError: "input {} of a plan is not filled", self.number)
    }
}

/// An anonymous scan as a plan. `name` is shown in plans.
pub fn scan(function: Arc<dyn AnonymousScan>, name: &'static str, schema: &SchemaRef) -> LazyFrame {
    let args = ScanArgsAnonymous { schema: Some(schema.clone()), name, ..ScanArgsAnonymous::default() };
    LazyFrame::anonymous_scan(function, args).expect("the schema is given")
}

/// An anonymous scan as a node.
pub fn scan_node(function: Arc<dyn AnonymousScan>, name: &'static str, schema: &SchemaRef) -> IR {
    let plan = scan(function, name, schema).to_alp().expect("a scan alone is always valid");
    plan.lp_arena.get(plan.lp_top).clone()
}

/// A plan of what `top` reaches, children first.
pub fn pruned(top: Node, ir: &Arena<IR>, exprs: &Arena<AExpr>) -> IRPlan {
    let (mut lp_arena, mut expr_arena) = (Arena::new(), Arena::new());
    let tops = prune(&[top], ir, exprs, &mut lp_arena, &mut expr_arena);
    IRPlan { lp_top: tops[0], lp_arena, expr_arena }
}

/// A plan with a hole for each input. Cheap to share, never changed.
pub struct Fragment {
    plan: IRPlan,
    /// The holes' nodes, each with the position of its input. Several may have the same input.
    holes: Vec<(Node, usize)>,
    splits: Vec<usize>,
}

impl Fragment {
    /// Copies what `top` reaches. `inputs` are the numbers of the holes, in the order of a task's inputs.
    ///
    /// # Panics
    /// When `top` reaches a hole that is not among `inputs`: a mistake of the planner.
    pub fn new(top: Node, ir: &Arena<IR>, exprs: &Arena<AExpr>, inputs: &[u64]) -> Self {
        let plan = pruned(top, ir, exprs);
        let holes = (0..plan.lp_arena.len()).map(Node).filter_map(|node| {
            let hole = Hole::of(plan.lp_arena.get(node))?;
            let input = inputs.iter().position(|number| *number == hole.number);
            Some((node, input.expect("every hole of a fragment has an input")))
        });
        let holes = holes.collect();
        Self { plan, holes, splits: Vec::new() }
    }

    /// Says which inputs may be read in parts, by their positions. See [`splits`](Self::splits).
    #[must_use]
    pub fn with_splits(mut self, inputs: Vec<usize>) -> Self {
        self.splits = inputs;
        self
    }

    /// A fragment that was received. `holes` are the nodes of its holes with their inputs.
    pub(crate) fn from_parts(plan: IRPlan, holes: Vec<(Node, usize)>) -> Self {
        Self { plan, holes, splits: Vec::new() }
    }

    /// The plan with its holes.
    pub fn plan(&self) -> &IRPlan {
        &self.plan
    }

    /// The holes' nodes, each with the position of its input.
    pub fn holes(&self) -> &[(Node, usize)] {
        &self.holes
    }

    /// The positions of inputs that may be read in parts: the results over the parts, taken together, are
    /// the result over the whole. Known only where the fragment was made.
    pub fn splits(&self) -> &[usize] {
        &self.splits
    }

    /// The columns of the result.
    pub fn schema(&self) -> SchemaRef {
        self.plan.root().schema(&self.plan.lp_arena).into_owned()
    }

    /// A copy of the plan to fill.
    pub(crate) fn copy(&self) -> IRPlan {
        let IRPlan { lp_top, lp_arena, expr_arena } = &self.plan;
        IRPlan { lp_top: *lp_top, lp_arena: lp_arena.clone(), expr_arena: expr_arena.clone() }
    }
}
