use std::any::Any;
use std::collections::BTreeMap;

use partita::Dataset;
use partita::Result;
use partita_bridge::nearest;
use polars::prelude::*;

use super::{CellFailure, Scope};

/// A variable that holds rows. This is a cheap shared reference.
pub(super) enum Queryable {
    Frame(DataFrame),
    Lazy(Box<LazyFrame>),
    Dataset(Dataset),
}

impl Queryable {
    fn of(value: &dyn Any) -> Option<Self> {
        if let Some(frame) = value.downcast_ref::<DataFrame>() {
            Some(Self::Frame(frame.clone()))
        } else if let Some(lazy) = value.downcast_ref::<LazyFrame>() {
            Some(Self::Lazy(Box::new(lazy.clone())))
        } else {
            value.downcast_ref::<Dataset>().map(|dataset| Self::Dataset(dataset.clone()))
        }
    }

    /// Its type, as people write it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Frame(_) => "DataFrame",
            Self::Lazy(_) => "LazyFrame",
            Self::Dataset(_) => "Dataset",
        }
    }

    /// Converts it to a table for a query. A dataset is collected, which runs a job.
    pub(super) fn rows(&self) -> Result<LazyFrame> {
        Ok(match self {
            Self::Frame(frame) => frame.clone().lazy(),
            Self::Lazy(lazy) => (**lazy).clone(),
            Self::Dataset(dataset) => dataset.collect()?.lazy(),
        })
    }

    /// Only the columns, without running anything.
    pub(super) fn columns(&self) -> Result<LazyFrame> {
        Ok(match self {
            Self::Frame(frame) => frame.clear().lazy(),
            Self::Lazy(lazy) => (**lazy).clone(),
            Self::Dataset(dataset) => DataFrame::empty_with_schema(&*dataset.schema()?).lazy(),
        })
    }
}

/// The variables that hold rows, by name.
pub(super) fn all(scope: &Scope) -> BTreeMap<String, Queryable> {
    let mut tables = BTreeMap::new();
    scope.each(|name, value| {
        if let Some(table) = Queryable::of(value) {
            tables.insert(name.to_owned(), table);
        }
    });
    tables
}

/// The variable `name`, if it holds rows.
pub(super) fn find(name: &str, scope: &Scope) -> std::result::Result<Queryable, CellFailure> {
    let mut tables = all(scope);
    match tables.remove(name) {
        Some(table) => Ok(table),
        None => Err(missing(name, &tables, scope)),
    }
}

/// The error for a `name` that does not hold rows; it lists those that do.
pub(super) fn missing(name: &str, tables: &BTreeMap<String, Queryable>, scope: &Scope) -> CellFailure {
    let mut text = if scope.contains(name) {
        format!("the variable `{name}` is not a DataFrame, LazyFrame or Dataset")
    } else {
        format!("there is no variable `{name}`")
    };
    if let Some(near) = nearest(name, tables.keys().map(String::as_str)) {
        text.push_str(&format!("; did you mean `{near}`?"));
    }
    if tables.is_empty() {
        text.push_str("\nno variable holds a DataFrame, LazyFrame or Dataset yet: bind one with `let`");
    } else {
        let list: Vec<String> =
            tables.iter().map(|(name, table)| format!("`{name}` ({})", table.kind())).collect();
        text.push_str(&format!("\nthere are: {}", list.join(", ")));
    }
    CellFailure::new(text)
}
