use std::sync::Arc;

use polars::prelude::*;

use super::Dataset;
use crate::error::{PartitaError, Result};
use crate::plan::{Plan, leaves};
use crate::session::Session;

/// Whole queries in Polars' own words.
impl Dataset {
    /// Adds any Polars steps over the whole dataset: windows, as-of joins, `explode`, what `LazyFrame` has. Where
    /// rows must meet they are shuffled; what cannot be done in partitions runs in one, and
    /// [`explain`](Self::explain) says which step. For each partition by itself there is
    /// [`map_partitions`](Self::map_partitions).
    ///
    /// ```
    /// use partita::prelude::*;
    /// let session = Session::embedded(2)?;
    /// let shares = session.range(0, 10, 4).query(|rows| rows.select([col("id") / col("id").sum()]));
    /// assert_eq!(shares.count()?, 10);
    /// # Ok::<(), PartitaError>(())
    /// ```
    #[must_use]
    pub fn query(&self, build: impl FnOnce(LazyFrame) -> LazyFrame) -> Self {
        let slots = self.session().slots();
        self.step("query", |input| written("query", build(input.lazy.clone()), &input.schema, slots))
    }
}

/// Whole queries.
impl Session {
    /// A dataset of any Polars plan. Its files and frames are split into partitions, and its steps run on
    /// this session.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let session = Session::embedded(2)?;
    /// let frame = df!("k" => [1, 2, 1], "v" => [10, 20, 30])?;
    /// let sums = session.lazy(frame.lazy().group_by(["k"]).agg([col("v").sum()]))?;
    /// assert_eq!(sums.count()?, 2);
    /// # Ok::<(), PartitaError>(())
    /// ```
    ///
    /// # Errors
    /// When the plan is not valid, or a file of it cannot be read.
    pub fn lazy(&self, plan: LazyFrame) -> Result<Dataset> {
        Ok(Dataset::new(self.clone(), Ok(written("lazy", plan, &Schema::default(), self.slots())?)))
    }
}

/// A plan that somebody wrote over `columns`, with leaves of our own.
pub(super) fn written(step: &str, plan: LazyFrame, columns: &Schema, partitions: usize) -> Result<Plan> {
    let plan = leaves::adopt(&plan.logical_plan, partitions)?;
    let mut lazy = LazyFrame::from(plan);
    let schema = lazy.collect_schema().map_err(|cause| PartitaError::plan(step, cause, columns))?;
    Ok(Plan { lazy, schema: Arc::clone(&schema), cache: None, dealt: false })
}
