//! Datasets: rows in partitions, and the steps from one dataset to the next. A step only extends the plan; an
//! action (in `actions`) runs it. An invalid step is recorded and reported by the action, as in a Polars
//! `LazyFrame`, so steps chain without `?`.

mod actions;
mod check;
mod group;
mod join;
mod show;
mod sources;
mod wide;

use std::sync::Arc;

use partita_engine::cache::StorageLevel;
use partita_engine::panic_text;
use partita_engine::task::Step;
use partita_engine::task::template::Template;
use polars::prelude::*;

pub use group::GroupedDataset;
pub use join::JoinOn;

use crate::error::{PartitaError, Result};
use crate::plan::{Node, NodeRef, Op, schema_after};
use crate::session::Session;

/// Rows in partitions, computed when an action runs. Cheap to clone.
#[derive(Clone)]
pub struct Dataset {
    session: Session,
    plan: Result<NodeRef>,
}

impl Dataset {
    fn new(session: Session, plan: Result<NodeRef>) -> Self {
        Self { session, plan }
    }

    /// The columns and their types.
    ///
    /// # Errors
    /// When an earlier step is invalid.
    pub fn schema(&self) -> Result<SchemaRef> {
        Ok(self.node()?.schema.clone())
    }

    /// The number of partitions.
    ///
    /// # Errors
    /// When an earlier step is invalid.
    pub fn partitions(&self) -> Result<usize> {
        Ok(self.node()?.partitions())
    }

    /// The session it runs on.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Keeps the rows for which the predicate is true.
    #[must_use]
    pub fn filter(&self, predicate: Expr) -> Self {
        self.narrow("filter", Step::Filter(predicate))
    }

    /// Computes the given columns, and only those, row by row.
    #[must_use]
    pub fn select(&self, exprs: impl AsRef<[Expr]>) -> Self {
        self.narrow("select", Step::Select(exprs.as_ref().to_vec()))
    }

    /// Adds or replaces columns, row by row.
    #[must_use]
    pub fn with_columns(&self, exprs: impl AsRef<[Expr]>) -> Self {
        self.narrow("with_columns", Step::WithColumns(exprs.as_ref().to_vec()))
    }

    /// Applies any Polars plan to each partition separately: sorting within the partition, totals per
    /// partition, windows. The closure runs once, now, on a placeholder for the partition; tasks receive the
    /// plan that it builds.
    #[must_use]
    pub fn map_partitions(&self, build: impl FnOnce(LazyFrame) -> LazyFrame) -> Self {
        self.step("map_partitions", |input| {
            let template = Template::new(&input.schema, build).ok_or_else(|| {
                PartitaError::argument(
                    "map_partitions",
                    "the closure's result is not built on the partition that it received",
                    "build on its LazyFrame argument and do not collect it: |lf| lf.filter(…)",
                )
            })?;
            let schema = template
                .lazy()
                .collect_schema()
                .map_err(|cause| PartitaError::plan("map_partitions", cause, &input.schema))?;
            let step = Arc::new(Step::Map(Box::new(template)));
            Ok(Node { op: Op::Narrow { input: input.clone(), step }, schema })
        })
    }

    /// Keeps computed partitions in memory, and on disk those that do not fit.
    #[must_use]
    pub fn cache(&self) -> Self {
        self.persist(StorageLevel::default())
    }

    /// Keeps computed partitions at this storage level. The next action that needs them fills the cache.
    /// [`unpersist`](Self::unpersist) frees it, and so does dropping the last dataset built on it.
    #[must_use]
    pub fn persist(&self, level: StorageLevel) -> Self {
        let lease = self.session.lease_cache();
        self.step("persist", |input| {
            let schema = input.schema.clone();
            Ok(Node { op: Op::Cache { input: input.clone(), lease, level }, schema })
        })
    }

    /// Frees what the last `cache` or `persist` keeps. The dataset stays usable and is computed again. It has
    /// no effect on a dataset that ends in another step.
    pub fn unpersist(&self) -> &Self {
        if let Ok(node) = self.node()
            && let Op::Cache { lease, .. } = &node.op
        {
            self.session.engine().remove_cache(lease.id());
        }
        self
    }

    /// The numbers of partitions of this `cache`d dataset that are kept now: in memory, on disk.
    pub fn cached_partitions(&self) -> (usize, usize) {
        match self.node().map(|node| &node.op) {
            Ok(Op::Cache { lease, .. }) => self.session.engine().cached_partitions(lease.id()),
            _ => (0, 0),
        }
    }

    /// Partitions are in a session's engine: datasets of two sessions cannot be combined.
    fn same_session(&self, other: &Self, step: &str) -> Result<()> {
        if self.session.is(&other.session) {
            return Ok(());
        }
        let remedy =
            "create both in one session, or collect() one and pass it to the other session's frame()";
        Err(PartitaError::argument(step, "the two datasets belong to different sessions", remedy))
    }

    fn node(&self) -> Result<&NodeRef> {
        self.plan.as_ref().map_err(Clone::clone)
    }

    fn narrow(&self, name: &'static str, step: Step) -> Self {
        self.step(name, |input| {
            check::elementwise(name, &step, &input.schema)?;
            let schema = schema_after(&input.schema, |lf| step.apply(lf))
                .map_err(|cause| PartitaError::plan(name, cause, &input.schema))?;
            Ok(Node { op: Op::Narrow { input: input.clone(), step: Arc::new(step) }, schema })
        })
    }

    /// Adds one step, unless an earlier step is invalid. Polars panics on some plans that it cannot type; a
    /// mistake in a cell must not unwind through it.
    fn step(&self, name: &'static str, build: impl FnOnce(&NodeRef) -> Result<Node>) -> Self {
        let plan = self.node().and_then(|input| {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| build(input))).unwrap_or_else(|panic| {
                let problem = format!("building the step failed with a {}", panic_text(&*panic));
                Err(PartitaError::argument(name, problem, "check the expressions or the closure"))
            })
        });
        Self { session: self.session.clone(), plan: plan.map(Arc::new) }
    }
}
