use std::collections::BTreeMap;

use partita::Result;
use partita::display::MimeDisplay;
use polars::prelude::*;
use polars::sql::{SQLContext, extract_table_identifiers};

use super::tables::{self, Queryable};
use super::{Answer, CellFailure, Scope};

/// Runs a query over the variables that hold rows, shows the result, and keeps it if it has a name.
pub(super) fn run(query: &str, into: Option<&str>, scope: &Scope) -> Answer {
    let named = extract_table_identifiers(query, false, true).map_err(failure)?;
    let tables = tables::all(scope);
    // A dataset in the query runs a job, so errors in the query must be found before that.
    if named.iter().any(|name| matches!(tables.get(name), Some(Queryable::Dataset(_)))) {
        plan(query, &named, &tables, scope, Queryable::columns)?.collect_schema().map_err(failure)?;
    }
    // The streaming engine checks for interrupts and holds no more than it needs.
    let answer = plan(query, &named, &tables, scope, Queryable::rows)?.collect_with_engine(Engine::Streaming);
    let frame = answer.map_err(failure)?.unwrap_single();
    let bundle = frame.mime_bundle();
    if let Some(name) = into {
        scope.insert(name, frame);
    }
    Ok(Some(bundle))
}

/// Polars' error about a query, without the plan that Polars made of it, which nobody wrote.
fn failure(error: PolarsError) -> CellFailure {
    let text = error.to_string();
    let own = text.split("\n\nResolved plan until failure").next().unwrap_or(&text);
    CellFailure::new(own.trim_end())
}

fn plan(
    query: &str,
    named: &[String],
    tables: &BTreeMap<String, Queryable>,
    scope: &Scope,
    content: impl Fn(&Queryable) -> Result<LazyFrame>,
) -> std::result::Result<LazyFrame, CellFailure> {
    let mut context = SQLContext::new();
    for (name, table) in tables {
        // `SHOW TABLES` names no table and lists all; their rows are not needed.
        if named.is_empty() {
            context.register(name, table.columns()?);
        } else if named.contains(name) {
            context.register(name, content(table)?);
        }
    }
    context.execute(query).map_err(|error| {
        let text = error.to_string();
        let unknown = |name: &&String| text.contains(&format!("relation '{name}' was not found"));
        match named.iter().find(unknown) {
            Some(name) => tables::missing(name, tables, scope),
            None => failure(error),
        }
    })
}
