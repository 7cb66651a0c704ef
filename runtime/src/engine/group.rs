//! Grouping on one core as Polars' streaming engine does it: one pass that finds each row's group in a
//! hash table and reduces into it. The in-memory engine would first list each group's rows and gather
//! them, which takes about three times as long for a few thousand groups. Polars' own tables and
//! reductions do the work; only the loop around them is here.

use std::sync::Arc;

use polars::polars_utils::arena::Node;
use polars::prelude::*;
use polars_expr::groups::new_hash_grouper;
use polars_expr::hash_keys::HashKeys;
use polars_expr::planner::{ExpressionConversionState, create_physical_expr};
use polars_expr::prelude::PhysicalExpr;
use polars_expr::reduce::{GroupedReduction, into_reduction};
use polars_expr::state::ExecutionState;
use polars_plan::plans::expr_ir::ExprIR;
use polars_plan::plans::{AExpr, IR, IRAggExpr, IRPlan, ToFieldContext, is_elementwise_rec};
use polars_plan::utils::has_aexpr;

/// Rows taken at a time: a few columns of so many values stay in a core's second-level cache.
const RUN_ROWS: usize = 1 << 15;

/// A `group_by` in a plan that can be done in one pass.
pub(super) struct OnePass {
    /// The plan of the rows to group.
    pub input: Node,
    keys: Vec<ExprIR>,
    aggs: Vec<ExprIR>,
    schema: SchemaRef,
}

impl OnePass {
    /// The `group_by` at this node, if there is one, its keys are computed row by row and its
    /// aggregations are sums, means, extremes and counts of what is computed row by row.
    pub fn at(node: Node, plan: &IRPlan) -> Option<Self> {
        let IR::GroupBy { input, keys, aggs, schema, maintain_order: false, options, apply: None } =
            plan.lp_arena.get(node)
        else {
            return None;
        };
        let row_by_row = |node| is_elementwise_rec(node, &plan.expr_arena);
        let reads_column = |node| has_aexpr(node, &plan.expr_arena, |expr| matches!(expr, AExpr::Column(_)));
        let rows = plan.lp_arena.get(*input).schema(&plan.lp_arena);
        // Reductions refuse some types for which Polars gives null.
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
        (plain && fits).then(|| Self {
            input: *input,
            keys: keys.clone(),
            aggs: aggs.clone(),
            schema: schema.clone(),
        })
    }

    /// Groups the rows of the input, a run of rows after another, each small enough for the cache.
    pub fn run(&self, rows: &DataFrame, plan: &mut IRPlan) -> PolarsResult<DataFrame> {
        let schema = rows.schema().clone();
        let keys: Vec<Compute> =
            self.keys.iter().map(|key| Compute::new(key, plan, &schema)).collect::<PolarsResult<_>>()?;
        let mut aggs: Vec<(Box<dyn GroupedReduction>, Vec<Compute>)> = Vec::new();
        for agg in &self.aggs {
            let (reduction, inputs) = into_reduction(agg.node(), &mut plan.expr_arena, &schema, true)?;
            let inputs = inputs
                .into_iter()
                .map(|node| Compute::new(&ExprIR::from_node(node, &plan.expr_arena), plan, &schema))
                .collect::<PolarsResult<_>>()?;
            aggs.push((reduction, inputs));
        }

        let key_schema: Arc<Schema> = Arc::new(self.schema.iter_fields().take(keys.len()).collect());
        let mut grouper = new_hash_grouper(key_schema.clone());
        let random_state = PlRandomState::default();
        let every_row: Vec<IdxSize> = (0..rows.height().min(RUN_ROWS) as IdxSize).collect();
        let mut group_of = Vec::with_capacity(every_row.len());
        let columns = |exprs: &[Compute], run: &DataFrame| {
            exprs.iter().map(|expr| expr.on(run)).collect::<PolarsResult<Vec<Column>>>()
        };
        for start in (0..rows.height()).step_by(RUN_ROWS) {
            let run = rows.slice(start as i64, RUN_ROWS);
            let every_row = &every_row[..run.height()];
            let keys = DataFrame::new(run.height(), columns(&keys, &run)?)?;
            let hashed = HashKeys::from_df(&keys, random_state.clone(), true, false);
            group_of.clear();
            // SAFETY: the indices are those of the run's rows, and the keys have as many rows.
            unsafe { grouper.insert_keys_subset(&hashed, every_row, Some(&mut group_of)) };
            for (reduction, inputs) in &mut aggs {
                let inputs = columns(inputs, &run)?;
                let inputs: Vec<&Column> = inputs.iter().collect();
                reduction.resize(grouper.num_groups());
                // SAFETY: row indices are in the columns' bounds, and group indices come from the
                // grouper, to whose number of groups the reduction was resized.
                unsafe { reduction.update_groups_subset(&inputs, every_row, &group_of, start as u64)? };
            }
        }

        let mut columns = grouper.get_keys_in_group_order(&key_schema).into_columns();
        for (agg, (mut reduction, _)) in self.aggs.iter().zip(aggs) {
            reduction.resize(grouper.num_groups());
            columns.push(reduction.finalize()?.with_name(agg.output_name().clone()).into_column());
        }
        DataFrame::new(grouper.num_groups() as usize, columns)
    }
}

fn is_number(dtype: &DataType) -> bool {
    dtype.is_primitive_numeric() || dtype.is_bool()
}

/// An expression ready to be computed over runs of rows.
struct Compute(Arc<dyn PhysicalExpr>);

impl Compute {
    fn new(expr: &ExprIR, plan: &mut IRPlan, schema: &SchemaRef) -> PolarsResult<Self> {
        let mut state = ExpressionConversionState::new(false);
        Ok(Self(create_physical_expr(expr, &mut plan.expr_arena, schema, &mut state)?))
    }

    /// One value a row, in one chunk.
    fn on(&self, run: &DataFrame) -> PolarsResult<Column> {
        let column = self.0.evaluate(run, &ExecutionState::new())?;
        let whole =
            if column.len() == run.height() { column } else { column.new_from_index(0, run.height()) };
        Ok(whole.rechunk())
    }
}
