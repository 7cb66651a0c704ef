//! Commands: questions about the state that cells have left, answered without a compiler. Each takes the
//! variables and answers as a cell would, with something to show or an error. The kernel defines their
//! names and syntax.

mod environment;
mod jobs;
mod sql;
mod tables;
mod workers;

use partita::display::html::escape;
use partita_bridge::{CellOutcome, Command, MimeBundle};

use self::tables::Queryable;
use super::{CellFailure, Scope};

/// What a command shows, or why it failed.
type Answer = Result<Option<MimeBundle>, CellFailure>;

/// Runs a command over the variables. A panic in a library ends only the command.
pub(super) fn run(command: &Command, scope: &Scope) -> CellOutcome {
    scope.run(|| {
        scope.show(answer(command, scope)?);
        Ok(())
    });
    scope.outcome()
}

fn answer(command: &Command, scope: &Scope) -> Answer {
    match command {
        Command::Sql { query, into } => sql::run(query, into.as_deref(), scope),
        Command::Explain { variable } => explain(variable, scope),
        Command::Jobs { job: None } => jobs::list(),
        Command::Jobs { job: Some(job) } => jobs::whole(*job),
        Command::Workers => workers::list(),
        Command::Environment => environment::list(),
    }
}

fn explain(variable: &str, scope: &Scope) -> Answer {
    let plan = match tables::find(variable, scope)? {
        Queryable::Lazy(lazy) => lazy.describe_optimized_plan()?,
        Queryable::Dataset(dataset) => dataset.explain()?,
        Queryable::Frame(frame) => {
            let (rows, columns) = frame.shape();
            return Err(CellFailure::new(format!(
                "`{variable}` is a DataFrame with {rows} rows and {columns} columns: it is computed and has \
                 no plan; a LazyFrame (`{variable}.lazy()`) or a Dataset has one"
            )));
        }
    };
    let html = format!("<pre>{}</pre>", escape(plan.trim_end()));
    Ok(Some(MimeBundle::text(plan.trim_end()).with("text/html", html)))
}
