//! Whether a task that is run again leaves the same rows in the same blocks. If so, it can be run again
//! alone. If not, its stage and everything that has read it are run again together. This is decided from
//! the plan only; in doubt the answer is that rows vary, which costs time but never loses a row.

use std::collections::HashMap;

use partita_engine::shuffle::{Partitioner, ShuffleId};
use partita_engine::task::{Input, Step};
use polars::prelude::Expr;
use polars_plan::dsl::FunctionExpr;

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
        Input::Step { input, step } => after(step, of_input(input, shuffles)),
        Input::Concat { inputs, .. } => {
            inputs.iter().map(|input| of_input(input, shuffles)).max().unwrap_or(Order::Same)
        }
        Input::Join { left, right, .. } => {
            of_input(left, shuffles).max(of_input(right, shuffles)).max(Order::Shuffled)
        }
        Input::Cache { input, .. } => of_input(input, shuffles).max(Order::Shuffled),
    }
}

fn after(step: &Step, rows: Order) -> Order {
    match step {
        Step::Filter(_) | Step::Select(_) | Step::WithColumns(_) | Step::Sort { .. } => rows,
        // The order of groups is not defined.
        Step::Partial(_) | Step::Merge(_) => rows.max(Order::Shuffled),
        Step::Distinct(None) => rows.max(Order::Shuffled),
        Step::Map(template) if template.is_random() => Order::Varies,
        Step::Aggregate { aggs, .. } if aggs.iter().any(is_random) => Order::Varies,
        // What they keep can depend on the order of rows: `first`, any of several rows with equal keys,
        // or whatever a plan does.
        Step::Aggregate { .. } | Step::Map(_) if rows == Order::Same => Order::Shuffled,
        Step::Limit(_) if rows == Order::Same => Order::Same,
        Step::Aggregate { .. } | Step::Map(_) | Step::Limit(_) | Step::Distinct(Some(_)) => Order::Varies,
    }
}

/// Whether it draws random numbers without a seed.
fn is_random(expr: &Expr) -> bool {
    expr.into_iter()
        .any(|part| matches!(part, Expr::Function { function: FunctionExpr::Random { seed: None, .. }, .. }))
}
