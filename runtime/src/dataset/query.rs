use std::sync::Arc;

use polars::prelude::*;
use polars::sql::SQLContext;

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

    /// Gives a dataset a name for [`sql`](Self::sql). It replaces one of the same name.
    ///
    /// # Errors
    /// When a step of the dataset is invalid, or it belongs to another session.
    pub fn register(&self, name: &str, dataset: &Dataset) -> Result<()> {
        if !self.is(dataset.session()) {
            let remedy = "register it in its own session, or collect() it and use frame()";
            return Err(PartitaError::argument("register", "the dataset belongs to another session", remedy));
        }
        self.tables().lock().insert(name.to_owned(), dataset.plan()?.clone());
        Ok(())
    }

    /// A dataset of an SQL query over registered datasets and files (`read_parquet('…')`, `read_csv('…')`).
    /// Nothing is collected.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let session = Session::embedded(2)?;
    /// session.register("numbers", &session.range(0, 100, 4))?;
    /// let odd = session.sql("select count(*) as n from numbers where id % 2 = 1")?;
    /// assert_eq!(odd.collect()?.column("n")?.get(0)?.try_extract::<i64>()?, 50);
    /// # Ok::<(), PartitaError>(())
    /// ```
    ///
    /// # Errors
    /// When the text is not SQL that is understood, or names a table or column that is not there.
    pub fn sql(&self, query: &str) -> Result<Dataset> {
        let mut context = SQLContext::new();
        for (name, plan) in self.tables().lock().iter() {
            context.register(name, plan.lazy.clone());
        }
        let plan = context.execute(query).map_err(|cause| {
            PartitaError::argument("sql", cause.to_string(), format!("tables here: {}", self.table_names()))
        })?;
        self.lazy(plan)
    }

    fn table_names(&self) -> String {
        let tables = self.tables().lock();
        if tables.is_empty() {
            return "none; name one with session.register(\"name\", &dataset)?".to_owned();
        }
        tables.keys().cloned().collect::<Vec<_>>().join(", ")
    }
}

/// A plan that somebody wrote over `columns`, with leaves of our own.
fn written(step: &str, plan: LazyFrame, columns: &Schema, partitions: usize) -> Result<Plan> {
    let plan = leaves::adopt(&plan.logical_plan, partitions)?;
    let mut lazy = LazyFrame::from(plan);
    let schema = lazy.collect_schema().map_err(|cause| PartitaError::plan(step, cause, columns))?;
    Ok(Plan { lazy, schema: Arc::clone(&schema), cache: None, dealt: false })
}
