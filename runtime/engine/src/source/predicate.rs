//! A predicate that was pushed down into a scan: which rows pass, and which row groups cannot have any.

use std::sync::Arc;

use polars::polars_utils::arena::Arena;
use polars::prelude::*;
use polars_expr::prelude::{ExecutionState, PhysicalExpr};
use polars_expr::{ExpressionConversionState, create_physical_expr};
use polars_plan::plans::expr_ir::{ExprIR, OutputName};
use polars_plan::plans::predicates::{aexpr_to_skip_batch_predicate, null_count_dtype};
use polars_plan::plans::{ExprToIRContext, to_expr_ir};
use polars_plan::utils::aexpr_to_leaf_names_iter;

/// A predicate ready to be evaluated.
///
/// Polars turns it into a second predicate over minimum, maximum and null count, which is true only if no
/// row can pass. Its rules for nulls, NaN and inexact statistics are those that its own Parquet reader
/// relies on.
pub(super) struct RowFilter {
    rows: Arc<dyn PhysicalExpr>,
    /// Over a frame with the schema of `statistics_schema`; `None` if no rule applies.
    skip: Option<Arc<dyn PhysicalExpr>>,
    /// The columns that the predicate uses, in the order of the scan's output.
    live: SchemaRef,
}

impl RowFilter {
    /// Prepares a predicate over the columns of `schema`.
    pub(super) fn new(predicate: Expr, schema: &Schema) -> PolarsResult<Self> {
        let mut arena = Arena::new();
        let predicate = to_expr_ir(predicate, &mut ExprToIRContext::new(&mut arena, schema))?;
        let names: Vec<PlSmallStr> =
            aexpr_to_leaf_names_iter(predicate.node(), &arena).map(|name| (*name).clone()).collect();
        let live: SchemaRef = Arc::new(
            schema
                .iter()
                .filter(|(name, _)| names.contains(name))
                .map(|(name, dtype)| (name.clone(), dtype.clone()))
                .collect(),
        );
        // One task, one core: the expressions must not use other threads.
        let mut state = ExpressionConversionState::new(false);
        let rows = create_physical_expr(&predicate, &mut arena, &live, &mut state)?;
        let skip = match aexpr_to_skip_batch_predicate(predicate.node(), &mut arena, &live) {
            Some(node) => {
                let skip = ExprIR::new(node, OutputName::Alias(PlSmallStr::from_static("skip")));
                Some(create_physical_expr(&skip, &mut arena, &statistics_schema(&live), &mut state)?)
            }
            None => None,
        };
        Ok(Self { rows, skip, live })
    }

    /// The columns that the predicate uses.
    pub(super) fn live(&self) -> &Schema {
        &self.live
    }

    /// Whether statistics can rule out anything at all.
    pub(super) fn can_skip(&self) -> bool {
        self.skip.is_some()
    }

    /// Which rows of `live` pass, one bit per row, without nulls. A null does not pass.
    pub(super) fn passes(&self, live: &DataFrame) -> PolarsResult<BooleanChunked> {
        let mask = self.rows.evaluate(live, &ExecutionState::new())?;
        let mask = mask.bool().map_err(
            |_| polars_err!(ComputeError: "a filter must be true or false for each row, not {}", mask.dtype()),
        )?;
        truths(mask, live.height())
    }

    /// Which batches have no row that passes, given their statistics. If these cannot be evaluated, none
    /// is ruled out.
    pub(super) fn ruled_out(&self, statistics: &DataFrame) -> Option<BooleanChunked> {
        let skip = self.skip.as_ref()?.evaluate(statistics, &ExecutionState::new()).ok()?;
        truths(skip.bool().ok()?, statistics.height()).ok()
    }
}

/// The columns of the second predicate: `len`, and for each column its minimum, maximum and null count.
fn statistics_schema(live: &Schema) -> SchemaRef {
    let mut schema = Schema::with_capacity(1 + live.len() * 3);
    schema.insert(PlSmallStr::from_static("len"), IDX_DTYPE);
    for (name, dtype) in live.iter() {
        let [min, max, nulls] = statistics_names(name);
        schema.insert(min, dtype.clone());
        schema.insert(max, dtype.clone());
        schema.insert(nulls, null_count_dtype(dtype));
    }
    Arc::new(schema)
}

/// The names of a column's minimum, maximum and null count in a frame of statistics.
pub(super) fn statistics_names(column: &str) -> [PlSmallStr; 3] {
    ["min", "max", "nc"].map(|suffix| PlSmallStr::from_string(format!("{column}_{suffix}")))
}

/// A mask of `height` bits in one chunk, with nulls as false. A single value applies to every row.
fn truths(mask: &BooleanChunked, height: usize) -> PolarsResult<BooleanChunked> {
    if mask.len() == 1 && height != 1 {
        return Ok(BooleanChunked::full(mask.name().clone(), mask.get(0) == Some(true), height));
    }
    polars_ensure!(
        mask.len() == height,
        ShapeMismatch: "a filter gave {} values for {height} rows", mask.len()
    );
    let mask = if mask.has_nulls() { mask.fill_null_with_values(false)? } else { mask.clone() };
    Ok(mask.rechunk().into_owned())
}
