//! Visits every plan and expression nested inside others. The matches name every variant, so that a new
//! one in Polars cannot bypass the checks based on this.

use polars::prelude::*;
use polars_plan::callback::PlanCallback;
use polars_plan::dsl::{
    DataTypeExpr, DataTypeFunction, DslPlan, MatchToSchemaPerColumn, MissingColumnsPolicyOrExpr,
    PartitionStrategy, RenameAliasFn, SinkType,
};
use polars_plan::plans::{DslFunction, StatsFunction};

use super::CodecError;
use super::packed::MAX_NESTED;

/// What is visited.
pub(super) enum Seen<'a> {
    Plan(&'a DslPlan),
    Expr(&'a Expr),
}

/// Visits `starts` and everything below them, without recursion, until `action` fails. `action` also gets
/// the depth.
pub(super) fn visit<'a, E>(
    start: impl IntoIterator<Item = Seen<'a>>,
    mut action: impl FnMut(&Seen<'a>, usize) -> Result<(), E>,
) -> Result<(), E> {
    let mut left: Vec<(Seen<'a>, usize)> = start.into_iter().map(|seen| (seen, 0)).collect();
    let mut below = Vec::new();
    while let Some((seen, depth)) = left.pop() {
        action(&seen, depth)?;
        match seen {
            Seen::Plan(plan) => {
                below_plan(plan, &mut below);
                below.extend(exprs_of(plan).into_iter().map(Seen::Expr));
            }
            Seen::Expr(expr) => below_expr(expr, &mut below),
        }
        left.extend(below.drain(..).map(|seen| (seen, depth + 1)));
    }
    Ok(())
}

fn below_plan<'a>(plan: &'a DslPlan, left: &mut Vec<Seen<'a>>) {
    match plan {
        DslPlan::Filter { input, .. }
        | DslPlan::Cache { input, .. }
        | DslPlan::Select { input, .. }
        | DslPlan::GroupBy { input, .. }
        | DslPlan::HStack { input, .. }
        | DslPlan::MatchToSchema { input, .. }
        | DslPlan::Pivot { input, .. }
        | DslPlan::Distinct { input, .. }
        | DslPlan::Sort { input, .. }
        | DslPlan::Slice { input, .. }
        | DslPlan::MapFunction { input, .. }
        | DslPlan::Sink { input, .. }
        | DslPlan::IR { dsl: input, .. } => left.push(Seen::Plan(input)),
        DslPlan::Join { input_left: one, input_right: other, .. }
        | DslPlan::Gather { input: one, idxs: other, .. }
        | DslPlan::MergeSorted { input_left: one, input_right: other, .. } => {
            left.extend([Seen::Plan(one), Seen::Plan(other)]);
        }
        DslPlan::ExtContext { input, contexts } => {
            left.push(Seen::Plan(input));
            left.extend(contexts.iter().map(Seen::Plan));
        }
        DslPlan::PipeWithSchema { input, .. } => left.extend(input.iter().map(Seen::Plan)),
        DslPlan::Union { inputs, .. }
        | DslPlan::HConcat { inputs, .. }
        | DslPlan::SinkMultiple { inputs } => {
            left.extend(inputs.iter().map(Seen::Plan));
        }
        DslPlan::DataFrameScan { .. } | DslPlan::Scan { .. } => {}
    }
}

/// The expressions that a plan's node contains directly.
pub(super) fn exprs_of<'a>(plan: &'a DslPlan) -> Vec<&'a Expr> {
    match plan {
        DslPlan::Filter { predicate, .. } => vec![predicate],
        DslPlan::Select { expr: exprs, .. } | DslPlan::HStack { exprs, .. } => exprs.iter().collect(),
        DslPlan::GroupBy { keys, predicates, aggs, .. } => {
            [keys, predicates, aggs].into_iter().flatten().collect()
        }
        DslPlan::Join { left_on, right_on, predicates, .. } => {
            [left_on, right_on, predicates].into_iter().flatten().collect()
        }
        DslPlan::MatchToSchema { per_column, .. } => {
            let inserted = |column: &'a MatchToSchemaPerColumn| match &column.missing_columns {
                MissingColumnsPolicyOrExpr::InsertWith(expr) => Some(expr),
                MissingColumnsPolicyOrExpr::Insert | MissingColumnsPolicyOrExpr::Raise => None,
            };
            per_column.iter().filter_map(inserted).collect()
        }
        DslPlan::Pivot { agg, .. } => vec![agg],
        DslPlan::Distinct { options, .. } => options.subset.iter().flatten().collect(),
        DslPlan::Sort { by_column, .. } => by_column.iter().collect(),
        DslPlan::MapFunction { function, .. } => match function {
            DslFunction::FillNan(expr) => vec![expr],
            DslFunction::Stats(StatsFunction::Quantile { quantile, .. }) => vec![quantile],
            DslFunction::RowIndex { .. }
            | DslFunction::Explode { .. }
            | DslFunction::Unpivot { .. }
            | DslFunction::Rename { .. }
            | DslFunction::Unnest { .. }
            | DslFunction::Stats(_)
            | DslFunction::FunctionIR(_)
            | DslFunction::Hint(_) => Vec::new(),
        },
        DslPlan::Sink { payload: SinkType::Partitioned(options), .. } => match &options.partition_strategy {
            PartitionStrategy::Keyed { keys, .. } => keys.iter().collect(),
            PartitionStrategy::FileSize => Vec::new(),
        },
        DslPlan::Cache { .. }
        | DslPlan::Scan { .. }
        | DslPlan::DataFrameScan { .. }
        | DslPlan::Gather { .. }
        | DslPlan::MergeSorted { .. }
        | DslPlan::PipeWithSchema { .. }
        | DslPlan::Slice { .. }
        | DslPlan::Union { .. }
        | DslPlan::HConcat { .. }
        | DslPlan::ExtContext { .. }
        | DslPlan::Sink { .. }
        | DslPlan::SinkMultiple { .. }
        | DslPlan::IR { .. } => Vec::new(),
    }
}

fn below_expr<'a>(expr: &'a Expr, left: &mut Vec<Seen<'a>>) {
    let mut push = |expr: &'a Expr| left.push(Seen::Expr(expr));
    match expr {
        Expr::Element
        | Expr::Column(_)
        | Expr::Selector(_)
        | Expr::Literal(_)
        | Expr::Len
        | Expr::Field(_) => {}
        Expr::DataTypeFunction(function) => match function {
            DataTypeFunction::Display(dtype)
            | DataTypeFunction::Matches(dtype, _)
            | DataTypeFunction::DefaultValue { dt_expr: dtype, .. }
            | DataTypeFunction::Array(dtype, _)
            | DataTypeFunction::Struct(dtype, _) => below_dtype(dtype, left),
            DataTypeFunction::Eq(one, other) => {
                below_dtype(one, left);
                below_dtype(other, left);
            }
        },
        Expr::Alias(input, _)
        | Expr::KeepName(input)
        | Expr::RenameAlias { expr: input, .. }
        | Expr::Sort { expr: input, .. }
        | Expr::Explode { input, .. } => push(input),
        Expr::Cast { expr, dtype, .. } => {
            push(expr);
            below_dtype(dtype, left);
        }
        Expr::BinaryExpr { left: one, right: other, .. }
        | Expr::Gather { expr: one, idx: other, .. }
        | Expr::Filter { input: one, by: other }
        | Expr::Rolling { function: one, index_column: other, .. }
        | Expr::Eval { expr: one, evaluation: other, .. } => {
            push(one);
            push(other);
        }
        Expr::SortBy { expr, by, .. } => {
            push(expr);
            by.iter().for_each(push);
        }
        Expr::StructEval { expr, evaluation } => {
            push(expr);
            evaluation.iter().for_each(push);
        }
        Expr::Agg(agg) => match agg {
            AggExpr::Min { input, .. }
            | AggExpr::Max { input, .. }
            | AggExpr::Item { input, .. }
            | AggExpr::Implode { input, .. }
            | AggExpr::Count { input, .. }
            | AggExpr::Median(input)
            | AggExpr::NUnique(input)
            | AggExpr::First(input)
            | AggExpr::FirstNonNull(input)
            | AggExpr::Last(input)
            | AggExpr::LastNonNull(input)
            | AggExpr::Mean(input)
            | AggExpr::Sum(input)
            | AggExpr::AggGroups(input)
            | AggExpr::Std(input, _)
            | AggExpr::Var(input, _) => push(input),
        },
        Expr::Ternary { predicate: one, truthy: two, falsy: three }
        | Expr::Slice { input: one, offset: two, length: three } => {
            [one, two, three].into_iter().for_each(|e| push(e))
        }
        Expr::Function { input, .. }
        | Expr::AnonymousFunction { input, .. }
        | Expr::Display { inputs: input, .. } => input.iter().for_each(push),
        Expr::Over { function, partition_by, order_by, .. } => {
            push(function);
            partition_by.iter().for_each(&mut push);
            order_by.iter().for_each(|(expr, _)| push(expr));
        }
        Expr::SubPlan(plan, exprs) => {
            exprs.iter().for_each(|(_, expr)| push(expr));
            left.push(Seen::Plan(plan));
        }
    }
}

fn below_dtype<'a>(dtype: &'a DataTypeExpr, left: &mut Vec<Seen<'a>>) {
    let mut dtypes = vec![dtype];
    while let Some(dtype) = dtypes.pop() {
        match dtype {
            DataTypeExpr::Literal(_) | DataTypeExpr::SelfDtype => {}
            DataTypeExpr::OfExpr(expr) => left.push(Seen::Expr(expr)),
            DataTypeExpr::InnerDataType { input, .. }
            | DataTypeExpr::Int(input, _)
            | DataTypeExpr::Struct(input, _)
            | DataTypeExpr::WrapInList(input)
            | DataTypeExpr::WrapInArray(input, _) => dtypes.push(input),
            DataTypeExpr::StructWithFields(fields) => dtypes.extend(fields.iter().map(|(_, dtype)| dtype)),
        }
    }
}

/// Rejects what cannot be sent: closures, and what is nested too deep.
pub(super) fn can_travel<'a>(
    what: &str,
    start: impl IntoIterator<Item = Seen<'a>>,
) -> Result<(), CodecError> {
    let closure = |text: String| Err(CodecError::Closure(text));
    visit(start, |seen, depth| match seen {
        _ if depth > MAX_NESTED => {
            let cause = format!("it is nested more than {MAX_NESTED} deep; compute it in several steps");
            Err(CodecError::CannotTravel { what: what.to_owned(), cause })
        }
        Seen::Expr(expr @ Expr::AnonymousFunction { .. }) => closure(abbreviated(expr)),
        Seen::Expr(expr @ Expr::RenameAlias { function: RenameAliasFn::Map(PlanCallback::Rust(_)), .. }) => {
            closure(abbreviated(expr))
        }
        Seen::Plan(DslPlan::GroupBy { apply: Some(_), .. }) => closure("group_by(…).apply(…)".to_owned()),
        Seen::Plan(DslPlan::PipeWithSchema { .. }) => closure("pipe_with_schema(…)".to_owned()),
        Seen::Plan(DslPlan::MapFunction { function: DslFunction::FunctionIR(function), .. }) => {
            closure(format!("map(…) of a whole frame ({function})"))
        }
        Seen::Plan(DslPlan::Sink { payload: SinkType::Callback(_), .. }) => {
            closure("sink_batches(…)".to_owned())
        }
        _ => Ok(()),
    })
}

/// An expression roughly as people write it; long ones are cut off.
fn abbreviated(expr: &Expr) -> String {
    const LONGEST: usize = 160;
    let text = expr.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
