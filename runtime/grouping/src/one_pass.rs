use std::sync::Arc;

use polars::polars_utils::arena::Node;
use polars::prelude::*;
use polars_plan::plans::expr_ir::ExprIR;
use polars_plan::plans::{AExpr, IR, IRAggExpr, IRPlan, ToFieldContext, is_elementwise_rec};
use polars_plan::utils::has_aexpr;

use crate::compute::Compute;
use crate::groups::Groups;
use crate::reduce::Reductions;
use crate::steps::{self, Step};

/// Rows per run: a few columns of this many values stay in a core's second-level cache.
const RUN_ROWS: usize = 1 << 15;

/// A `group_by` in a plan that can run in one pass, with the row-by-row steps below it.
#[derive(Debug, Clone)]
pub struct OnePass {
    source: Node,
    /// From the source upwards.
    steps: Vec<Node>,
    keys: Vec<ExprIR>,
    aggs: Vec<ExprIR>,
    schema: SchemaRef,
}

impl OnePass {
    /// The `group_by` at this node. Returns `None` if there is none, if its keys are not computed row by row,
    /// or if its aggregations are not sums, means, extremes and counts of expressions computed row by row.
    pub fn at(node: Node, plan: &IRPlan) -> Option<Self> {
        let IR::GroupBy { input, keys, aggs, schema, maintain_order: false, options, apply: None } =
            plan.lp_arena.get(node)
        else {
            return None;
        };
        let row_by_row = |node| is_elementwise_rec(node, &plan.expr_arena);
        let reads_column = |node| has_aexpr(node, &plan.expr_arena, |expr| matches!(expr, AExpr::Column(_)));
        let rows = plan.lp_arena.get(*input).schema(&plan.lp_arena);
        // Reductions refuse some types for which Polars returns null.
        let is = |node: &Node, fits: fn(&DataType) -> bool| {
            let field = ToFieldContext::new(&plan.expr_arena, &rows);
            let dtype = plan.expr_arena.get(*node).to_dtype(&field);
            row_by_row(*node) && reads_column(*node) && dtype.is_ok_and(|dtype| fits(&dtype))
        };
        let reduces = |agg: &ExprIR| match plan.expr_arena.get(agg.node()) {
            AExpr::Len => true,
            AExpr::Agg(IRAggExpr::Sum(input)) => is(input, |dtype| is_number(dtype) || dtype.is_duration()),
            AExpr::Agg(IRAggExpr::Mean(input)) => is(input, |dtype| is_number(dtype) || dtype.is_temporal()),
            AExpr::Agg(IRAggExpr::Min { input, .. } | IRAggExpr::Max { input, .. }) => {
                is(input, |dtype| is_number(dtype) || dtype.is_temporal() || dtype.is_string())
            }
            AExpr::Agg(IRAggExpr::Count { input, .. }) => is(input, |_| true),
            _ => false,
        };
        let plain = options.slice.is_none() && !options.is_dynamic() && !options.is_rolling();
        let fits =
            !keys.is_empty() && keys.iter().all(|key| row_by_row(key.node())) && aggs.iter().all(reduces);
        if !plain || !fits {
            return None;
        }
        let (source, steps) = steps::below(*input, plan);
        Some(Self { source, steps, keys: keys.clone(), aggs: aggs.clone(), schema: schema.clone() })
    }

    /// The node of the plan that provides the rows of the pass.
    pub fn source(&self) -> Node {
        self.source
    }

    /// Starts a pass. Call it before the plan of the source runs, because that may consume the plan.
    ///
    /// # Errors
    /// When an expression cannot be computed over rows of the source.
    pub fn start(&self, plan: &mut IRPlan) -> PolarsResult<Pass> {
        let schema_at =
            |node: Node, plan: &IRPlan| plan.lp_arena.get(node).schema(&plan.lp_arena).into_owned();
        let mut schema = schema_at(self.source, plan);
        let mut steps = Vec::with_capacity(self.steps.len());
        for &node in &self.steps {
            steps.push(Step::new(node, plan, &schema)?);
            schema = schema_at(node, plan);
        }
        let keys: Vec<Compute> =
            self.keys.iter().map(|key| Compute::new(key, plan, &schema)).collect::<PolarsResult<_>>()?;
        let key_schema: Arc<Schema> = Arc::new(self.schema.iter_fields().take(keys.len()).collect());
        Ok(Pass {
            steps,
            keys,
            groups: Groups::new(key_schema),
            reductions: Reductions::new(&self.aggs, plan, &schema)?,
            names: self.aggs.iter().map(|agg| agg.output_name().clone()).collect(),
            group_of: Vec::new(),
            rows: 0,
        })
    }
}

/// A pass over rows, which may arrive in several frames.
pub struct Pass {
    steps: Vec<Step>,
    keys: Vec<Compute>,
    groups: Groups,
    reductions: Reductions,
    names: Vec<PlSmallStr>,
    group_of: Vec<IdxSize>,
    rows: u64,
}

impl Pass {
    /// Adds rows of the source. Only their groups' values are kept.
    ///
    /// # Errors
    /// Errors of computing an expression.
    pub fn add(&mut self, rows: &DataFrame) -> PolarsResult<()> {
        for start in (0..rows.height()).step_by(RUN_ROWS) {
            self.add_run(rows.slice(start as i64, RUN_ROWS))?;
        }
        Ok(())
    }

    fn add_run(&mut self, mut run: DataFrame) -> PolarsResult<()> {
        for step in &self.steps {
            match step.on(run)? {
                Some(left) => run = left,
                None => return Ok(()),
            }
        }
        let keys = self.keys.iter().map(|key| key.on(&run)).collect::<PolarsResult<_>>()?;
        self.groups.add(&DataFrame::new(run.height(), keys)?, &mut self.group_of)?;
        self.reductions.add(&run, &self.group_of, self.groups.len(), self.rows)?;
        self.rows += run.height() as u64;
        Ok(())
    }

    /// The groups in order of appearance, with the columns of the plan's schema.
    ///
    /// # Errors
    /// When a group has more rows than Polars can count.
    pub fn finish(self) -> PolarsResult<DataFrame> {
        let groups = self.groups.len();
        let mut columns = self.groups.keys()?.into_columns();
        let values = self.reductions.finish(groups)?;
        columns.extend(
            values.into_iter().zip(self.names).map(|(values, name)| values.with_name(name).into_column()),
        );
        DataFrame::new(groups, columns)
    }
}

fn is_number(dtype: &DataType) -> bool {
    dtype.is_primitive_numeric() || dtype.is_bool()
}
