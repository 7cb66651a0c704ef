//! Whether a task that is run again leaves the same rows in the same blocks. If so, it can be run again
//! alone. If not, its stage and everything that has read it are run again together. This is decided from
//! the plan only; in doubt the answer is that rows vary, which costs time but never loses a row.

use std::collections::HashMap;

use partita_engine::shuffle::{Partitioner, ShuffleId};
use partita_engine::task::Input;
use partita_engine::task::fragment::Fragment;
use polars::polars_utils::arena::{Arena, Node};
use polars::polars_utils::idx_vec::UnitVec;
use polars::prelude::*;
use polars_plan::plans::{
    AExpr, FunctionIR, IR, IRAggExpr, IRBooleanFunction, IRFunctionExpr, IRListFunction, is_elementwise,
    is_inherently_nondeterministic_top_level,
};
use polars_plan::utils::has_aexpr;

use crate::plan::physical::{PhysicalPlan, Sink};

/// What stays the same when something is recomputed. Of several, the greatest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// The rows and their order.
    Same,
    /// The rows, possibly in another order.
    Shuffled,
    /// Not even the rows.
    Varies,
}

/// For each stage, what stays the same in each block that a task writes.
pub(super) fn of_stages(plan: &PhysicalPlan) -> Vec<Order> {
    let mut shuffles = HashMap::new();
    let mut orders = Vec::with_capacity(plan.stages.len());
    for stage in &plan.stages {
        let rows = stage.inputs.iter().map(|input| of_input(input, &shuffles)).max().unwrap_or(Order::Same);
        let order = match &stage.sink {
            sink if deals(sink) => {
                if rows == Order::Same {
                    Order::Same
                } else {
                    Order::Varies
                }
            }
            _ => rows,
        };
        if let Some(id) = stage.sink.shuffle() {
            shuffles.insert(id, order);
        }
        orders.push(order);
    }
    orders
}

/// Whether rows are dealt by their position.
fn deals(sink: &Sink) -> bool {
    match sink {
        Sink::Shuffle { partitioner, .. } => match **partitioner {
            Partitioner::RoundRobin { n } => n > 1,
            Partitioner::Salted { .. } => true,
            _ => false,
        },
        Sink::SaltedShuffle { copied, .. } => !copied,
        _ => false,
    }
}

fn of_input(input: &Input, shuffles: &HashMap<ShuffleId, Order>) -> Order {
    match input {
        // A broadcast is made once; a cached partition that is gone ends the job.
        Input::Frame(_) | Input::Range { .. } | Input::Piece(_) | Input::Broadcast { .. } | Input::Lost => {
            Order::Same
        }
        // Polars may run a plan of its own on many threads.
        Input::Plan(_) => Order::Shuffled,
        Input::Shuffle { id, .. } => match shuffles.get(id) {
            // Such blocks are never replaced one by one, so they stay the same as long as they exist.
            Some(Order::Varies) => Order::Same,
            Some(order) => *order,
            None => Order::Varies,
        },
        Input::Fragment { fragment, inputs } => {
            let inputs: Vec<Order> = inputs.iter().map(|input| of_input(input, shuffles)).collect();
            of_fragment(fragment, &inputs)
        }
        Input::Concat { inputs, .. } => {
            inputs.iter().map(|input| of_input(input, shuffles)).max().unwrap_or(Order::Same)
        }
        Input::Cache { input, .. } => of_input(input, shuffles).max(Order::Shuffled),
    }
}

/// A fragment's result over inputs of which this much stays the same.
fn of_fragment(fragment: &Fragment, inputs: &[Order]) -> Order {
    let plan = fragment.plan();
    let holes: HashMap<Node, usize> = fragment.holes().iter().copied().collect();
    // A node comes after those that it reads.
    let mut orders: Vec<Order> = Vec::with_capacity(plan.lp_arena.len());
    for node in (0..plan.lp_arena.len()).map(Node) {
        let ir = plan.lp_arena.get(node);
        orders.push(match holes.get(&node) {
            Some(input) => after(ir, inputs[*input], &plan.expr_arena),
            None => {
                let rows = ir.inputs().map(|below| orders[below.0]).max().unwrap_or(Order::Same);
                after(ir, rows, &plan.expr_arena)
            }
        });
    }
    orders[plan.lp_top.0]
}

/// The result of one node over rows of which this much stays the same.
fn after(ir: &IR, rows: Order, exprs: &Arena<AExpr>) -> Order {
    if ir.exprs().any(|expr| has_aexpr(expr.node(), exprs, varies)) {
        return Order::Varies;
    }
    let ignored = match ir {
        IR::GroupBy { keys, aggs, .. } => {
            keys.iter().all(|key| ignores_order(key.node(), exprs, false))
                && aggs.iter().all(|agg| ignores_order(agg.node(), exprs, true))
        }
        ir => ir.exprs().all(|expr| ignores_order(expr.node(), exprs, false)),
    };
    if rows != Order::Same && !ignored {
        return Order::Varies;
    }
    let order = match ir {
        IR::Scan { .. }
        | IR::DataFrameScan { .. }
        | IR::Filter { .. }
        | IR::SimpleProjection { .. }
        | IR::Select { .. }
        | IR::HStack { .. }
        | IR::Slice { .. }
        | IR::Sort { .. }
        | IR::Union { .. } => rows,
        IR::MapFunction { function, .. } => match function {
            FunctionIR::Explode { .. }
            | FunctionIR::Unpivot { .. }
            | FunctionIR::Unnest { .. }
            | FunctionIR::Rechunk
            | FunctionIR::Hint(_) => rows,
            FunctionIR::RowIndex { .. } => by_position(rows),
            FunctionIR::Opaque { .. } | FunctionIR::FastCount { .. } => Order::Varies,
        },
        // The order of groups is not defined.
        IR::GroupBy { apply: None, .. } => rows.max(Order::Shuffled),
        // Of several matches that are equally near, any is taken.
        IR::Join { options, .. } if matches!(options.args.how, JoinType::AsOf(_)) => any_of(rows),
        IR::Join { .. } => rows.max(Order::Shuffled),
        IR::Distinct { options, .. } => match (&options.subset, options.keep_strategy) {
            (None, _) | (_, UniqueKeepStrategy::None) => rows.max(Order::Shuffled),
            _ => any_of(rows),
        },
        IR::HConcat { .. } | IR::Gather { .. } | IR::MergeSorted { .. } => by_position(rows),
        IR::GroupBy { apply: Some(_), .. }
        | IR::Cache { .. }
        | IR::ExtContext { .. }
        | IR::Sink { .. }
        | IR::SinkMultiple { .. }
        | IR::UnoptimizedDispatch { .. }
        | IR::Invalid => Order::Varies,
    };
    if has_slice(ir) { by_position(order) } else { order }
}

/// What depends on the position of rows.
fn by_position(rows: Order) -> Order {
    if rows == Order::Same { Order::Same } else { Order::Varies }
}

/// Rows of which some are kept: which ones depends on the order.
fn any_of(rows: Order) -> Order {
    if rows == Order::Same { Order::Shuffled } else { Order::Varies }
}

/// Whether only a range of the node's rows is kept.
fn has_slice(ir: &IR) -> bool {
    match ir {
        IR::Slice { .. } => true,
        IR::Scan { unified_scan_args, .. } => unified_scan_args.pre_slice.is_some(),
        IR::Sort { slice, .. } => slice.is_some(),
        IR::GroupBy { options, .. } => options.slice.is_some(),
        IR::Join { options, .. } => options.args.slice.is_some(),
        IR::Distinct { options, .. } => options.slice.is_some(),
        IR::Union { options, .. } => options.slice.is_some(),
        _ => false,
    }
}

/// Whether an expression's values, or their order, can be different each time: it draws random numbers
/// without a seed, or is computed in an order that is not defined.
fn varies(expr: &AExpr) -> bool {
    match expr {
        AExpr::Over { mapping: WindowMapping::Explode, .. }
        | AExpr::Agg(IRAggExpr::Implode { maintain_order: false, .. }) => true,
        AExpr::Function { function, .. } => match function {
            IRFunctionExpr::Random { seed, .. }
            | IRFunctionExpr::ListExpr(IRListFunction::Sample { seed, .. }) => seed.is_none(),
            IRFunctionExpr::Rank { options, seed } => {
                matches!(options.method, RankMethod::Random) && seed.is_none()
            }
            IRFunctionExpr::Unique(false)
            | IRFunctionExpr::Mode { maintain_order: false }
            | IRFunctionExpr::ValueCounts { .. } => true,
            _ => false,
        },
        _ => false,
    }
}

/// Whether each row has the same value in whatever order the rows are: the expression is row by row over
/// columns and over aggregations that return the same for rows in any order. In a group, a column that is
/// not aggregated is a list of its values, which has an order.
fn ignores_order(root: Node, exprs: &Arena<AExpr>, in_group: bool) -> bool {
    let mut left = vec![(root, in_group)];
    while let Some((node, in_group)) = left.pop() {
        let expr = exprs.get(node);
        let mut below: UnitVec<Node> = UnitVec::new();
        if is_symmetric(expr) {
            let mut values = Vec::new();
            expr.inputs_rev(&mut values);
            values.into_iter().for_each(|node| push_kept(node, exprs, &mut below));
            left.extend(below.iter().map(|node| (*node, false)));
            continue;
        }
        let is_list = in_group && matches!(expr, AExpr::Column(_));
        if is_list
            || is_inherently_nondeterministic_top_level(expr)
            || !is_elementwise(&mut below, expr, exprs)
        {
            return false;
        }
        left.extend(below.iter().map(|node| (*node, in_group)));
    }
    true
}

/// Pushes an aggregation's values: what is row by row below the filters that drop some of them.
fn push_kept(mut node: Node, exprs: &Arena<AExpr>, kept: &mut UnitVec<Node>) {
    loop {
        match exprs.get(node) {
            AExpr::Function {
                input, function: IRFunctionExpr::DropNulls | IRFunctionExpr::DropNans, ..
            } if input.len() == 1 => {
                node = input[0].node();
            }
            AExpr::Filter { input, by } => {
                kept.push(*input);
                kept.push(*by);
                return;
            }
            _ => {
                kept.push(node);
                return;
            }
        }
    }
}

/// Whether it is an aggregation that returns the same for rows in any order.
fn is_symmetric(expr: &AExpr) -> bool {
    match expr {
        AExpr::Len => true,
        AExpr::Agg(agg) => match agg {
            IRAggExpr::Min { .. }
            | IRAggExpr::Max { .. }
            | IRAggExpr::Median(_)
            | IRAggExpr::NUnique(_)
            | IRAggExpr::Item { .. }
            | IRAggExpr::Mean(_)
            | IRAggExpr::Sum(_)
            | IRAggExpr::Count { .. }
            | IRAggExpr::Std(..)
            | IRAggExpr::Var(..) => true,
            IRAggExpr::First(_)
            | IRAggExpr::FirstNonNull(_)
            | IRAggExpr::Last(_)
            | IRAggExpr::LastNonNull(_)
            | IRAggExpr::Implode { .. }
            | IRAggExpr::AggGroups(_) => false,
        },
        AExpr::Function { function, .. } => matches!(
            function,
            IRFunctionExpr::NullCount
                | IRFunctionExpr::Product
                | IRFunctionExpr::Quantile { .. }
                | IRFunctionExpr::Boolean(IRBooleanFunction::Any { .. } | IRBooleanFunction::All { .. })
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use partita_engine::task::fragment::Hole;

    use super::*;

    /// What stays the same of a plan's result over two inputs of which this much stays the same.
    fn order(rows: Order, plan: impl Fn(LazyFrame, LazyFrame) -> LazyFrame) -> Order {
        let fields = [
            ("k", DataType::Int64),
            ("v", DataType::Float64),
            ("l", DataType::List(Box::new(DataType::Int64))),
        ];
        let schema = Arc::new(Schema::from_iter(fields.map(|(name, dtype)| Field::new(name.into(), dtype))));
        let holes = [Arc::new(Hole::new()), Arc::new(Hole::new())];
        let [left, right] = &holes;
        let plan = plan(left.scan(&schema), right.scan(&schema)).to_alp_optimized().unwrap();
        let numbers: Vec<u64> = holes.iter().map(|hole| hole.number()).collect();
        let fragment = Fragment::new(plan.lp_top, &plan.lp_arena, &plan.expr_arena, &numbers);
        of_fragment(&fragment, &[rows, Order::Same])
    }

    /// The results over inputs that stay the same, and over those of which only the rows do.
    fn orders(plan: impl Fn(LazyFrame, LazyFrame) -> LazyFrame) -> (Order, Order) {
        assert_eq!(order(Order::Varies, &plan), Order::Varies);
        (order(Order::Same, &plan), order(Order::Shuffled, &plan))
    }

    use Order::{Same, Shuffled, Varies};

    #[test]
    fn steps_row_by_row_keep_what_they_are_given() {
        assert_eq!(orders(|lf, _| lf.filter(col("v").gt(lit(0.0)))), (Same, Shuffled));
        assert_eq!(orders(|lf, _| lf.with_columns([(col("v") + col("k")).alias("s")])), (Same, Shuffled));
        assert_eq!(orders(|lf, _| lf.select([col("v") / col("v").sum()])), (Same, Shuffled));
        assert_eq!(
            orders(|lf, _| lf.explode(
                by_name(["l"], true, false),
                ExplodeOptions { empty_as_null: true, keep_nulls: true }
            )),
            (Same, Shuffled)
        );
        assert_eq!(orders(|lf, _| lf.sort(["v"], SortMultipleOptions::default())), (Same, Shuffled));
        assert_eq!(orders(|lf, other| concat([lf, other], UnionArgs::default()).unwrap()), (Same, Shuffled));
    }

    #[test]
    fn what_depends_on_the_position_of_rows_varies_with_it() {
        assert_eq!(orders(|lf, _| lf.limit(3)), (Same, Varies));
        assert_eq!(orders(|lf, _| lf.sort(["v"], SortMultipleOptions::default()).limit(3)), (Same, Varies));
        assert_eq!(orders(|lf, _| lf.with_row_index("i", None)), (Same, Varies));
        assert_eq!(orders(|lf, _| lf.with_columns([col("v").cum_sum(false)])), (Same, Varies));
        assert_eq!(orders(|lf, _| lf.with_columns([col("v").shift(lit(1))])), (Same, Varies));
        assert_eq!(
            orders(|lf, _| lf.with_columns([col("v").sum().over([col("k")]).unwrap()])),
            (Same, Varies)
        );
    }

    #[test]
    fn groups_stay_the_same_if_their_aggregations_do_in_any_order() {
        let by = |aggs: Vec<Expr>| move |lf: LazyFrame, _| lf.group_by([col("k")]).agg(aggs.clone());
        let v = || col("v");
        assert_eq!(orders(by(vec![v().sum(), v().median().alias("m"), len()])), (Shuffled, Shuffled));
        let filtered = v().filter(v().gt(lit(0.0))).mean() / v().count();
        assert_eq!(orders(by(vec![filtered, v().drop_nulls().max().alias("m")])), (Shuffled, Shuffled));
        assert_eq!(orders(by(vec![v().first()])), (Shuffled, Varies));
        assert_eq!(orders(by(vec![v()])).1, Varies);
        assert_eq!(orders(by(vec![v().shift(lit(1)).sum()])), (Shuffled, Varies));
        // How many groups are kept is known, but not which.
        assert_eq!(orders(|lf, _| lf.group_by([col("k")]).agg([col("v").sum()]).limit(2)), (Varies, Varies));
    }

    #[test]
    fn joins_and_distinct_lose_the_order() {
        let on = || ([col("k")], [col("k")]);
        let join = |how: JoinType| {
            move |lf: LazyFrame, other: LazyFrame| {
                let (left, right) = on();
                lf.join(other, left, right, JoinArgs::new(how.clone()))
            }
        };
        for how in [JoinType::Inner, JoinType::Left, JoinType::Full, JoinType::Semi] {
            assert_eq!(orders(join(how)), (Shuffled, Shuffled));
        }
        let keys = || Some(by_name(["k"], true, false));
        assert_eq!(orders(|lf, _| lf.unique(None, UniqueKeepStrategy::Any)), (Shuffled, Shuffled));
        assert_eq!(orders(|lf, _| lf.unique(keys(), UniqueKeepStrategy::Any)), (Shuffled, Varies));
        assert_eq!(orders(|lf, _| lf.unique(keys(), UniqueKeepStrategy::None)), (Shuffled, Shuffled));
    }

    #[test]
    fn random_numbers_vary_unless_they_have_a_seed() {
        let drawn = |seed| move |lf: LazyFrame, _| lf.with_columns([col("v").shuffle(seed)]);
        assert_eq!(orders(drawn(None)), (Varies, Varies));
        assert_eq!(orders(drawn(Some(7))), (Same, Varies));
    }
}
