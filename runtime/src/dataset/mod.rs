//! Datasets: rows in partitions, and the steps from one dataset to the next. A step only extends the plan; an
//! action (in `actions`) runs it. An invalid step is recorded and reported by the action, as in a Polars
//! `LazyFrame`, so steps chain without `?`.

mod actions;
mod check;
mod columns;
mod group;
mod join;
mod query;
mod show;
mod sources;
mod sql;
mod wide;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use partita_engine::cache::StorageLevel;
use partita_engine::panic_text;
use polars::prelude::*;

pub use group::GroupedDataset;
pub use join::JoinOn;

use crate::error::{PartitaError, Result};
use crate::plan::leaf::{Cached, Leaf, Source};
use crate::plan::marker::{Step, mark};
use crate::plan::template::Template;
use crate::plan::{Plan, partitions_of, schema_after};
use crate::session::Session;

/// Rows in partitions, computed when an action runs. Cheap to clone.
#[derive(Clone)]
pub struct Dataset {
    session: Session,
    plan: Result<Arc<Plan>>,
}

impl Dataset {
    fn new(session: Session, plan: Result<Plan>) -> Self {
        Self { session, plan: plan.map(Arc::new) }
    }

    /// The columns and their types.
    ///
    /// # Errors
    /// When an earlier step is invalid.
    pub fn schema(&self) -> Result<SchemaRef> {
        Ok(self.plan()?.schema.clone())
    }

    /// The names of the columns.
    ///
    /// # Errors
    /// When an earlier step is invalid.
    pub fn columns(&self) -> Result<Vec<PlSmallStr>> {
        Ok(self.plan()?.schema.iter_names_cloned().collect())
    }

    /// The number of partitions that the plan has now. It depends on the session's settings and may change
    /// while a job runs.
    ///
    /// # Errors
    /// When an earlier step is invalid.
    pub fn partitions(&self) -> Result<usize> {
        Ok(partitions_of(self.plan()?, self.session.settings())?)
    }

    /// The session it runs on.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Keeps the rows for which the predicate is true.
    #[must_use]
    pub fn filter(&self, predicate: Expr) -> Self {
        self.narrow("filter", |lf| lf.filter(predicate.clone()))
    }

    /// Computes the given columns, and only those. Aggregates such as `col("a").sum()` are those of the whole
    /// dataset, and so are windows, shifts and running totals.
    #[must_use]
    pub fn select(&self, exprs: impl AsRef<[Expr]>) -> Self {
        self.narrow("select", |lf| lf.select(exprs.as_ref()))
    }

    /// Adds or replaces columns. Aggregates, windows, shifts and running totals are those of the whole dataset.
    #[must_use]
    pub fn with_columns(&self, exprs: impl AsRef<[Expr]>) -> Self {
        self.narrow("with_columns", |lf| lf.with_columns(exprs.as_ref()))
    }

    /// Applies any Polars plan to each partition separately: sorting within the partition, totals per
    /// partition, windows. The closure runs once, now, on a placeholder for the partition; tasks receive the
    /// plan that it builds. For a plan over the whole dataset use [`query`](Self::query).
    #[must_use]
    pub fn map_partitions(&self, build: impl FnOnce(LazyFrame) -> LazyFrame) -> Self {
        self.step("map_partitions", |input| {
            let template = Template::new(&input.schema, build)
                .map_err(|cause| PartitaError::plan("map_partitions", cause, &input.schema))?;
            let template = template.ok_or_else(|| {
                PartitaError::argument(
                    "map_partitions",
                    "the closure's result is not built on the partition that it received",
                    "build on its LazyFrame argument and do not collect it: |lf| lf.filter(…)",
                )
            })?;
            let rows = match template.columns() {
                Some(columns) => {
                    input.lazy.clone().select([by_name(columns.to_vec(), true, false).as_expr()])
                }
                None => input.lazy.clone(),
            };
            let schema = template.schema().clone();
            let lazy = mark(rows, Step::EachPartition(Box::new(template)));
            Ok(Plan { lazy, schema, cache: None, dealt: false })
        })
    }

    /// Keeps computed partitions in memory, and on disk those that do not fit.
    #[must_use]
    pub fn cache(&self) -> Self {
        self.persist(StorageLevel::default())
    }

    /// Keeps computed partitions at this storage level. The next action that needs them fills the cache.
    /// [`unpersist`](Self::unpersist) frees it, and so does dropping the last dataset built on it. The
    /// partitions are those that the dataset has now, whatever is read of them later.
    #[must_use]
    pub fn persist(&self, level: StorageLevel) -> Self {
        let lease = self.session.lease_cache();
        let settings = self.session.settings();
        self.step("persist", |input| {
            let partitions = partitions_of(input, settings)?;
            let plan = input.clone();
            let cached = Cached { plan, lease: lease.clone(), level, settings, partitions };
            let lazy = Leaf::scan(Source::Cached(cached), &input.schema);
            Ok(Plan { lazy, schema: input.schema.clone(), cache: Some(lease), dealt: false })
        })
    }

    /// Frees what the last `cache` or `persist` keeps. The dataset stays usable and is computed again. It has
    /// no effect on a dataset that ends in another step.
    pub fn unpersist(&self) -> &Self {
        if let Ok(Plan { cache: Some(lease), .. }) = self.plan().map(|plan| &**plan) {
            self.session.engine().remove_cache(lease.id());
        }
        self
    }

    /// The numbers of partitions of this `cache`d dataset that are kept now: in memory, on disk.
    pub fn cached_partitions(&self) -> (usize, usize) {
        match self.plan().map(|plan| &plan.cache) {
            Ok(Some(lease)) => self.session.engine().cached_partitions(lease.id()),
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

    fn plan(&self) -> Result<&Arc<Plan>> {
        self.plan.as_ref().map_err(Clone::clone)
    }

    /// Adds a step of Polars' own that leaves rows in their partitions.
    fn narrow(&self, name: &'static str, build: impl Fn(LazyFrame) -> LazyFrame) -> Self {
        self.step(name, |input| Ok(Plan { dealt: input.dealt, ..extended(name, input, build)? }))
    }

    /// Adds a step of Polars' own that may move rows to other partitions.
    fn wide(&self, name: &'static str, build: impl Fn(LazyFrame) -> LazyFrame) -> Self {
        self.step(name, |input| extended(name, input, build))
    }

    /// Adds one step, unless an earlier step is invalid. Polars panics on some plans that it cannot type; a
    /// mistake in a cell must not unwind through it.
    fn step(&self, name: &'static str, build: impl FnOnce(&Arc<Plan>) -> Result<Plan>) -> Self {
        let plan = self.plan().and_then(|input| {
            catch_unwind(AssertUnwindSafe(|| build(input))).unwrap_or_else(|panic| {
                let problem = format!("building the step failed with a {}", panic_text(&*panic));
                Err(PartitaError::argument(name, problem, "check the expressions or the closure"))
            })
        });
        Self::new(self.session.clone(), plan)
    }
}

/// The plan with one more step, if the step fits its columns. Only the step is typed, over an empty frame:
/// asking the whole plan each time would be quadratic.
fn extended(name: &str, input: &Plan, build: impl Fn(LazyFrame) -> LazyFrame) -> Result<Plan> {
    let schema = schema_after(&input.schema, &build)
        .map_err(|cause| PartitaError::plan(name, cause, &input.schema))?;
    Ok(Plan { lazy: build(input.lazy.clone()), schema, cache: None, dealt: false })
}
