//! Random queries: plans as data that shrinks and prints well. Each is applied to plain Polars frames, which
//! say what is right, and to a dataset.
//!
//! `rows` makes the tables and `step` the steps. `shape` is what a step may build on: the columns that there
//! are, and whether rows have an order. `apply` puts steps into Polars' words, with `exprs`, `aggs` and `joins`;
//! `same` compares results.

// Not every test uses all of it.
#![allow(dead_code)]

mod aggs;
mod apply;
mod exprs;
mod joins;
mod next;
mod rows;
mod same;
mod shape;
mod step;

use std::panic::{AssertUnwindSafe, catch_unwind};

use partita::prelude::*;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

use self::next::Next;
pub use self::rows::Table;
use self::rows::tables;
use self::same::difference;
use self::shape::Shape;
use self::step::{Step, steps};

/// Two tables, the steps from the left one on, and the session's settings.
#[derive(Debug, Clone)]
pub struct Query {
    pub left: Table,
    pub right: Table,
    steps: Vec<Step>,
    shuffle_partitions: usize,
    broadcasts: bool,
}

pub fn queries() -> impl Strategy<Value = Query> {
    (tables(60), tables(20), steps(), 1usize..6, any::<bool>()).prop_map(
        |(left, right, steps, shuffle_partitions, broadcasts)| Query {
            left,
            right,
            steps,
            shuffle_partitions,
            broadcasts,
        },
    )
}

/// How a query gets to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Step by step from a dataset.
    Steps,
    /// As one plan over frames.
    Whole,
}

impl Query {
    /// The steps that fit the columns.
    fn resolved(&self) -> (Vec<Next>, Shape) {
        let shape = |table: &Table| Shape {
            schema: table.frame().schema().clone(),
            ordered: true,
            shown: false,
            most: table.rows.len(),
        };
        let (mut left, right) = (shape(&self.left), shape(&self.right));
        let empty = |shape: &Shape| DataFrame::empty_with_schema(&shape.schema).lazy();
        let mut list = Vec::new();
        for step in &self.steps {
            let Some(next) = step.next(&left, &right) else { continue };
            let schema =
                catch_unwind(AssertUnwindSafe(|| (next.build)(empty(&left), empty(&right)).collect_schema()));
            let Ok(Ok(schema)) = schema else { continue };
            if schema.is_empty() {
                continue;
            }
            left = Shape { schema, ordered: next.ordered, shown: next.shown, most: next.most };
            list.push(next);
        }
        (list, left)
    }

    /// The names of the steps that fit.
    pub fn names(&self) -> Vec<&'static str> {
        self.resolved().0.iter().map(|next| next.name).collect()
    }

    /// The query on a session, whose rows are those of the tables. `false` if Polars itself has no answer.
    ///
    /// # Errors
    /// When the answer is not Polars'.
    pub fn check(
        &self,
        session: &Session,
        way: Way,
        left: &Dataset,
        right: &Dataset,
    ) -> Result<bool, TestCaseError> {
        let (steps, shape) = self.resolved();
        let (rows, others) = (self.left.frame().lazy(), self.right.frame().lazy());
        let polars = steps.iter().fold(rows.clone(), |rows, next| {
            let build = next.oracle.as_ref().unwrap_or(&next.build);
            build(rows, others.clone())
        });
        let collected = |plan: LazyFrame| catch_unwind(AssertUnwindSafe(|| plan.collect())).ok()?.ok();
        let Some(expected) = collected(polars.clone()) else { return Ok(false) };

        session.set_shuffle_partitions(self.shuffle_partitions).unwrap();
        session.set_broadcast_threshold(if self.broadcasts { 10 << 20 } else { 0 });
        let ours = match way {
            Way::Whole => {
                let plan = steps.iter().fold(rows, |rows, next| (next.build)(rows, others.clone()));
                session.lazy(plan).map_err(|error| TestCaseError::fail(error.to_string()))?
            }
            Way::Steps => {
                let others = plan_of(right);
                steps.iter().fold(left.clone(), |rows, next| match &next.of_dataset {
                    Some(step) => step(&rows),
                    None => rows.query(|rows| (next.build)(rows, others.clone())),
                })
            }
        };
        let failed = |problem: String| {
            let plan = polars.describe_plan().unwrap_or_else(|error| error.to_string());
            let stages = ours.explain().unwrap_or_else(|error| error.to_string());
            let steps: Vec<&str> = steps.iter().map(|next| next.name).collect();
            TestCaseError::fail(format!("{problem}\n\nsteps: {steps:?}\n\n{plan}\n\n{stages}"))
        };
        let answer = ours.collect().map_err(|error| failed(error.to_string()))?;
        if let Some(problem) = difference(&answer, &expected, shape.shown) {
            // Polars' own optimiser is wrong at times; its plan as written is then the answer.
            let written = collected(polars.clone().without_optimizations());
            let as_written = written.is_some_and(|rows| difference(&answer, &rows, shape.shown).is_none());
            if !as_written {
                return Err(failed(problem));
            }
        }
        let count = ours.count().map_err(|error| failed(format!("count: {error}")))?;
        if count != answer.height() as u64 {
            return Err(failed(format!("count returns {count} of {} rows", answer.height())));
        }
        Ok(true)
    }
}

/// A dataset's plan, to be joined with in another one's query.
fn plan_of(dataset: &Dataset) -> LazyFrame {
    let mut plan = None;
    let _ = dataset.query(|rows| {
        plan = Some(rows.clone());
        rows
    });
    plan.expect("the closure runs when the step is written")
}

/// The number of queries of a test that has this part of a hundred of all: of 2,000, or as many as
/// `PARTITA_QUERY_CASES` says.
pub fn cases(of_a_hundred: u32) -> u32 {
    let all = std::env::var("PARTITA_QUERY_CASES").map_or(2000, |all| all.parse().unwrap());
    (all * of_a_hundred).div_ceil(100)
}

/// Runs random queries, and shrinks the first that fails. `check` returns `false` for a query that Polars
/// has no answer to; there may not be many.
pub fn run(cases: u32, check: impl Fn(Query) -> Result<bool, TestCaseError>) {
    // Each run is the same, unless a seed is given.
    let seed = std::env::var("PARTITA_QUERY_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(12);
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 4000,
        rng_seed: RngSeed::Fixed(seed),
        ..Config::default()
    };
    let unanswered = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(config);
    let result = runner.run(&queries(), |query| {
        if !check(query)? {
            unanswered.set(unanswered.get() + 1);
        }
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, query)) => panic!("{reason}\n\n{query:#?}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
    assert!(
        unanswered.get() * 10 <= cases,
        "Polars has no answer to {} of {cases} queries",
        unanswered.get()
    );
}
