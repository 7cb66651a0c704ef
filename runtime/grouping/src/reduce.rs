//! Reduces the rows of each group: counts and sums by loops of their own, the rest by Polars' reductions.

use polars::prelude::*;
use polars_arrow::array::{Array, PrimitiveArray};
use polars_arrow::types::NativeType;
use polars_expr::reduce::{GroupedReduction, into_reduction};
use polars_plan::plans::expr_ir::ExprIR;
use polars_plan::plans::{AExpr, IRAggExpr, IRPlan, ToFieldContext};

use crate::compute::Compute;

/// Partial sums per group. Additions to one sum wait for each other; additions to several do not.
const LANES: usize = 4;
/// With more groups than this, neighbouring rows are seldom of the same group.
const MOST_LANED: usize = 1 << 10;

/// The aggregations of a `group_by` over the rows so far.
pub(crate) struct Reductions {
    each: Vec<Reduction>,
    /// The number of rows of each group, if an aggregation counts them.
    rows: Option<Vec<u64>>,
    every_row: Vec<IdxSize>,
}

enum Reduction {
    Len,
    /// The number of rows that are not null here.
    Count {
        input: Compute,
        nulls: Vec<u64>,
    },
    Floats {
        input: Compute,
        sums: Vec<f64>,
    },
    Integers {
        input: Compute,
        sums: Vec<i64>,
    },
    Polars {
        reduction: Box<dyn GroupedReduction>,
        inputs: Vec<Compute>,
    },
}

impl Reductions {
    pub fn new(aggs: &[ExprIR], plan: &mut IRPlan, schema: &SchemaRef) -> PolarsResult<Self> {
        let each =
            aggs.iter().map(|agg| Reduction::new(agg, plan, schema)).collect::<PolarsResult<Vec<_>>>()?;
        let counts = each.iter().any(|one| matches!(one, Reduction::Len | Reduction::Count { .. }));
        Ok(Self { each, rows: counts.then(Vec::new), every_row: Vec::new() })
    }

    /// Adds a run of rows. All groups in `group_of` are below `groups`.
    pub fn add(&mut self, run: &DataFrame, group_of: &[IdxSize], groups: usize, at: u64) -> PolarsResult<()> {
        assert!(group_of.len() == run.height());
        assert!(group_of.iter().fold(true, |all, group| all & ((*group as usize) < groups)));
        if let Some(rows) = &mut self.rows {
            rows.resize(groups, 0);
            // SAFETY: all groups are below `groups`.
            unsafe { add(rows, group_of, std::iter::repeat(1), |sum, one| *sum += one) };
        }
        for reduction in &mut self.each {
            match reduction {
                Reduction::Len => {}
                Reduction::Count { input, nulls } => {
                    nulls.resize(groups, 0);
                    let column = input.on(run)?;
                    if column.null_count() > 0 {
                        let null = column.is_null();
                        for (group, null) in group_of.iter().zip(null.iter()) {
                            nulls[*group as usize] += u64::from(null == Some(true));
                        }
                    }
                }
                Reduction::Floats { input, sums } => {
                    sums.resize(groups, 0.0);
                    let column = input.on(run)?;
                    let values = column.f64()?.downcast_as_array();
                    // SAFETY: all groups are below `groups`.
                    unsafe { sum(sums, group_of, values, |sum, value| *sum += value) };
                }
                Reduction::Integers { input, sums } => {
                    sums.resize(groups, 0);
                    let column = input.on(run)?;
                    let values = column.i64()?.downcast_as_array();
                    // SAFETY: all groups are below `groups`.
                    unsafe { sum(sums, group_of, values, |sum, value| *sum = sum.wrapping_add(value)) };
                }
                Reduction::Polars { reduction, inputs } => {
                    let inputs =
                        inputs.iter().map(|input| input.on(run)).collect::<PolarsResult<Vec<Column>>>()?;
                    let inputs: Vec<&Column> = inputs.iter().collect();
                    self.every_row.extend(self.every_row.len() as IdxSize..run.height() as IdxSize);
                    let every_row = &self.every_row[..run.height()];
                    reduction.resize(groups as IdxSize);
                    // SAFETY: row indices are within the columns, and group indices are below the number of
                    // groups to which the reduction was resized.
                    unsafe { reduction.update_groups_subset(&inputs, every_row, group_of, at)? };
                }
            }
        }
        Ok(())
    }

    /// The values of all groups, one series per aggregation.
    pub fn finish(self, groups: usize) -> PolarsResult<Vec<Series>> {
        let mut rows = self.rows.unwrap_or_default();
        rows.resize(groups, 0);
        let finish = |reduction| match reduction {
            Reduction::Len => counted(rows.iter().copied()),
            Reduction::Count { mut nulls, .. } => {
                nulls.resize(groups, 0);
                counted(rows.iter().zip(nulls).map(|(rows, nulls)| rows - nulls))
            }
            Reduction::Floats { mut sums, .. } => {
                sums.resize(groups, 0.0);
                Ok(Float64Chunked::from_vec(PlSmallStr::EMPTY, sums).into_series())
            }
            Reduction::Integers { mut sums, .. } => {
                sums.resize(groups, 0);
                Ok(Int64Chunked::from_vec(PlSmallStr::EMPTY, sums).into_series())
            }
            Reduction::Polars { mut reduction, .. } => {
                reduction.resize(groups as IdxSize);
                reduction.finalize()
            }
        };
        self.each.into_iter().map(finish).collect()
    }
}

impl Reduction {
    fn new(agg: &ExprIR, plan: &mut IRPlan, schema: &SchemaRef) -> PolarsResult<Self> {
        let compute =
            |node, plan: &mut IRPlan| Compute::new(&ExprIR::from_node(node, &plan.expr_arena), plan, schema);
        match plan.expr_arena.get(agg.node()) {
            AExpr::Len => return Ok(Self::Len),
            AExpr::Agg(IRAggExpr::Count { input, include_nulls }) => {
                let (input, include_nulls) = (*input, *include_nulls);
                return match include_nulls {
                    true => Ok(Self::Len),
                    false => Ok(Self::Count { input: compute(input, plan)?, nulls: Vec::new() }),
                };
            }
            AExpr::Agg(IRAggExpr::Sum(input)) => {
                let input = *input;
                let field = ToFieldContext::new(&plan.expr_arena, schema);
                match plan.expr_arena.get(input).to_dtype(&field)? {
                    DataType::Float64 => {
                        return Ok(Self::Floats { input: compute(input, plan)?, sums: Vec::new() });
                    }
                    DataType::Int64 => {
                        return Ok(Self::Integers { input: compute(input, plan)?, sums: Vec::new() });
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        let (reduction, inputs) = into_reduction(agg.node(), &mut plan.expr_arena, schema, true)?;
        let inputs = inputs.into_iter().map(|node| compute(node, plan)).collect::<PolarsResult<_>>()?;
        Ok(Self::Polars { reduction, inputs })
    }
}

/// Adds values to the sums of their groups; a null adds nothing.
///
/// # Safety
/// Every group must have a sum.
unsafe fn sum<T: NativeType>(
    sums: &mut [T],
    group_of: &[IdxSize],
    values: &PrimitiveArray<T>,
    plus: impl Fn(&mut T, T),
) {
    let given = values.values().iter().copied();
    match values.validity() {
        Some(validity) if values.null_count() > 0 => {
            let given =
                given.zip(validity.iter()).map(|(value, valid)| if valid { value } else { T::default() });
            // SAFETY: guaranteed by the caller.
            unsafe { add(sums, group_of, given, plus) }
        }
        // SAFETY: guaranteed by the caller.
        _ => unsafe { add(sums, group_of, given, plus) },
    }
}

/// Adds values to the sums of their groups.
///
/// # Safety
/// Every group must have a sum.
unsafe fn add<T: Copy + Default>(
    sums: &mut [T],
    group_of: &[IdxSize],
    values: impl Iterator<Item = T>,
    plus: impl Fn(&mut T, T),
) {
    if sums.len() > MOST_LANED.min(group_of.len() / LANES) {
        for (group, value) in group_of.iter().zip(values) {
            // SAFETY: guaranteed by the caller.
            plus(unsafe { sums.get_unchecked_mut(*group as usize) }, value);
        }
        return;
    }
    let mut lanes = vec![[T::default(); LANES]; sums.len()];
    for (at, (group, value)) in group_of.iter().zip(values).enumerate() {
        // SAFETY: there are as many lanes as sums; guaranteed by the caller.
        plus(&mut unsafe { lanes.get_unchecked_mut(*group as usize) }[at % LANES], value);
    }
    for (sum, lanes) in sums.iter_mut().zip(lanes) {
        lanes.into_iter().for_each(|lane| plus(sum, lane));
    }
}

/// Counts in Polars' type for them.
fn counted(counts: impl Iterator<Item = u64>) -> PolarsResult<Series> {
    let narrow = |count: u64| {
        IdxSize::try_from(count).map_err(
            |_| polars_err!(ComputeError: "a group has {count} rows, which is more than Polars can count"),
        )
    };
    let counts = counts.map(narrow).collect::<PolarsResult<Vec<IdxSize>>>()?;
    Ok(IdxCa::from_vec(PlSmallStr::EMPTY, counts).into_series())
}
