use std::collections::HashMap;
use std::sync::Arc;

use partita_sql::{Column, Type};
use polars::prelude::*;
use polars::sql::SQLContext;

use super::Dataset;
use super::query::written;
use crate::error::{PartitaError, Result};
use crate::session::Session;

/// SQL over datasets.
impl Session {
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
        let mut tables = HashMap::new();
        let mut context = SQLContext::new();
        for (name, plan) in self.tables().lock().iter() {
            tables.insert(name.clone(), columns(&plan.schema));
            context.register(name, plan.lazy.clone());
        }
        let failed = |problem: String| {
            PartitaError::argument("sql", problem, format!("tables here: {}", self.table_names()))
        };
        let rewritten = partita_sql::rewrite(query, &tables).map_err(|error| failed(error.to_string()))?;
        for view in &rewritten.views {
            let rows = context.execute(&view.query).map_err(|cause| failed(words(&cause)))?;
            context.register(&view.name, rows.clone());
            let plan = written("sql", rows, &Schema::default(), self.slots())?;
            self.tables().lock().insert(view.name.clone(), Arc::new(plan));
        }
        let mut answer = None;
        for statement in &rewritten.statements {
            answer = Some(context.execute(statement).map_err(|cause| failed(words(&cause)))?);
        }
        let answer = match answer {
            Some(answer) => answer,
            None if rewritten.views.is_empty() => return Err(failed("there is no statement".to_owned())),
            None => {
                df!("views" => rewritten.views.iter().map(|view| view.name.as_str()).collect::<Vec<_>>())?
                    .lazy()
            }
        };
        Ok(Dataset::new(self.clone(), Ok(written("sql", answer, &Schema::default(), self.slots())?)))
    }

    fn table_names(&self) -> String {
        let tables = self.tables().lock();
        if tables.is_empty() {
            return "none; name one with session.register(\"name\", &dataset)?".to_owned();
        }
        tables.keys().cloned().collect::<Vec<_>>().join(", ")
    }
}

/// Polars' words without the plan that it appends.
fn words(cause: &PolarsError) -> String {
    let text = cause.to_string();
    text.split("\n\nResolved plan").next().unwrap_or(&text).to_owned()
}

/// The columns of a table as the rewriter of SQL knows them.
fn columns(schema: &Schema) -> Vec<Column> {
    let kind = |dtype: &DataType| match dtype {
        DataType::Decimal(_, scale) => Type::Decimal { scale: u32::try_from(*scale).unwrap_or(u32::MAX) },
        DataType::String | DataType::Categorical(..) | DataType::Enum(..) => Type::Text,
        DataType::Date => Type::Date,
        dtype if dtype.is_float() => Type::Float,
        dtype if dtype.is_integer() => Type::Integer,
        _ => Type::Other,
    };
    schema.iter().map(|(name, dtype)| Column::new(name.as_str(), kind(dtype))).collect()
}
