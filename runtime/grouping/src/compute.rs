//! An expression that is ready to be computed over runs of rows.

use std::sync::Arc;

use polars::polars_utils::arena::{Arena, Node};
use polars::prelude::*;
use polars_expr::planner::{ExpressionConversionState, create_physical_expr};
use polars_expr::prelude::PhysicalExpr;
use polars_expr::state::ExecutionState;
use polars_plan::plans::expr_ir::ExprIR;
use polars_plan::plans::{AExpr, IRFunctionExpr, IRPlan, IRTemporalFunction, ToFieldContext};

use crate::kernels::{self, Clock};

/// Computes one value per row from the row's columns.
pub(crate) struct Compute {
    expr: Arc<dyn PhysicalExpr>,
    quick: Option<Quick>,
}

/// A kernel that computes the outermost part of an expression faster than Polars does.
struct Quick {
    kernel: Kernel,
    input: Arc<dyn PhysicalExpr>,
    name: PlSmallStr,
}

enum Kernel {
    /// A float converted to an integer, as in many bucket keys.
    Whole { floor: bool, dtype: DataType },
    /// A part of a time without time zone.
    Clock(Clock),
}

impl Compute {
    pub fn new(expr: &ExprIR, plan: &mut IRPlan, schema: &SchemaRef) -> PolarsResult<Self> {
        let physical = |expr: &ExprIR, arena: &mut Arena<AExpr>| {
            // One core: no expression may spread over threads.
            let mut state = ExpressionConversionState::new(false);
            create_physical_expr(expr, arena, schema, &mut state)
        };
        let quick = match Kernel::of(expr.node(), &plan.expr_arena, schema) {
            Some((kernel, input)) => {
                let input = physical(&ExprIR::from_node(input, &plan.expr_arena), &mut plan.expr_arena)?;
                Some(Quick { kernel, input, name: expr.output_name().clone() })
            }
            None => None,
        };
        Ok(Self { expr: physical(expr, &mut plan.expr_arena)?, quick })
    }

    /// One value per row, in one chunk.
    pub fn on(&self, run: &DataFrame) -> PolarsResult<Column> {
        let state = ExecutionState::new();
        if let Some(quick) = &self.quick {
            let input = quick.input.evaluate(run, &state)?;
            if input.len() == run.height()
                && let Some(column) = quick.kernel.on(input.rechunk().as_materialized_series())
            {
                return Ok(column.with_name(quick.name.clone()).into_column());
            }
        }
        let column = self.expr.evaluate(run, &state)?;
        let whole =
            if column.len() == run.height() { column } else { column.new_from_index(0, run.height()) };
        Ok(whole.rechunk())
    }
}

impl Kernel {
    /// The kernel for this expression, and its input.
    fn of(node: Node, arena: &Arena<AExpr>, schema: &Schema) -> Option<(Self, Node)> {
        let dtype_of = |node: Node| arena.get(node).to_dtype(&ToFieldContext::new(arena, schema)).ok();
        match arena.get(node) {
            AExpr::Cast { expr, dtype, .. }
                if dtype.is_integer() && dtype_of(*expr)? == DataType::Float64 =>
            {
                let (floor, input) = match arena.get(*expr) {
                    AExpr::Function { input, function: IRFunctionExpr::Floor, .. } => {
                        (true, input.first()?.node())
                    }
                    _ => (false, *expr),
                };
                let takes = dtype_of(input)? == DataType::Float64 && kernels::has_whole(dtype);
                takes.then(|| (Self::Whole { floor, dtype: dtype.clone() }, input))
            }
            AExpr::Function { input, function: IRFunctionExpr::TemporalExpr(function), .. } => {
                let clock = match function {
                    IRTemporalFunction::Hour => Clock::Hour,
                    IRTemporalFunction::Minute => Clock::Minute,
                    IRTemporalFunction::Second => Clock::Second,
                    _ => return None,
                };
                let input = input.first()?.node();
                matches!(dtype_of(input)?, DataType::Datetime(_, None)).then_some((Self::Clock(clock), input))
            }
            _ => None,
        }
    }

    /// The values, or `None` if some need Polars' own rules.
    fn on(&self, input: &Series) -> Option<Series> {
        match self {
            Self::Whole { floor, dtype } => kernels::whole(input.f64().ok()?, *floor, dtype),
            Self::Clock(clock) => {
                let datetimes = input.datetime().ok()?;
                kernels::clock(datetimes.physical(), datetimes.time_unit(), *clock)
            }
        }
    }
}
