use std::path::Path;

use anyhow::{Context, Result};
use clap::ValueEnum;
use partita_tpch::texts::{Text, sql};
use partita_tpch::{NAMES, Tables, lazy};
use polars::prelude::{DataFrame, LazyFrame};
use polars::sql::SQLContext;

use crate::session::PartitaSession;

/// What runs queries.
#[derive(Clone, Copy, ValueEnum)]
pub enum EngineName {
    /// Polars' in-memory engine.
    Polars,
    /// Polars' streaming engine.
    PolarsStreaming,
    /// Partita on two slots of this process.
    Embedded,
    /// Partita on the pool that PARTITA_MASTER names.
    Pool,
}

/// How queries are written.
#[derive(Clone, Copy, ValueEnum)]
pub enum Form {
    /// As LazyFrames.
    Lazy,
    /// As the specification's SQL.
    Sql,
}

/// Bytes that a query moved, where the engine counts them.
#[derive(Clone, Copy)]
pub struct Moved {
    /// Read from files.
    pub read: u64,
    /// Written into shuffles.
    pub shuffled: u64,
}

/// An engine with TPC-H's tables.
pub struct Engine {
    form: Form,
    tables: Tables,
    runs_on: RunsOn,
}

enum RunsOn {
    Polars(polars::prelude::Engine, Box<SQLContext>),
    Partita(PartitaSession),
}

impl Engine {
    /// Starts an engine, or connects to it, and gives it the tables.
    pub fn start(name: EngineName, form: Form, data: &Path) -> Result<Self> {
        let tables = Tables::scan(data)?;
        let runs_on = match name {
            EngineName::Polars => {
                RunsOn::Polars(polars::prelude::Engine::InMemory, Box::new(context(&tables)?))
            }
            EngineName::PolarsStreaming => {
                RunsOn::Polars(polars::prelude::Engine::Streaming, Box::new(context(&tables)?))
            }
            EngineName::Embedded => RunsOn::Partita(PartitaSession::embedded(&tables)?),
            EngineName::Pool => RunsOn::Partita(PartitaSession::pool(&tables)?),
        };
        Ok(Self { form, tables, runs_on })
    }

    /// Runs a query, from its LazyFrame or text to its rows.
    pub fn run(&mut self, number: usize) -> Result<DataFrame> {
        match self.form {
            Form::Lazy => {
                let query = lazy(number, &self.tables)?;
                match &self.runs_on {
                    RunsOn::Polars(engine, _) => collect(query, *engine),
                    RunsOn::Partita(session) => session.lazy(query),
                }
            }
            Form::Sql => {
                let text = sql(number).context("no such query")?;
                match &mut self.runs_on {
                    RunsOn::Polars(engine, context) => polars_sql(context, &text, *engine),
                    RunsOn::Partita(session) => session.sql(&text),
                }
            }
        }
    }

    /// The bytes that the last query moved.
    pub fn moved(&self) -> Option<Moved> {
        match &self.runs_on {
            RunsOn::Polars(..) => None,
            RunsOn::Partita(session) => session.moved(),
        }
    }
}

fn context(tables: &Tables) -> Result<SQLContext> {
    let context = SQLContext::new();
    for name in NAMES {
        context.register(name, tables.get(name)?);
    }
    Ok(context)
}

fn collect(query: LazyFrame, engine: polars::prelude::Engine) -> Result<DataFrame> {
    Ok(query.collect_with_engine(engine)?.unwrap_single())
}

fn polars_sql(context: &mut SQLContext, text: &Text, engine: polars::prelude::Engine) -> Result<DataFrame> {
    if let Some(view) = text.before {
        // Polars does so at once; the frame that it returns is its confirmation.
        let _ = context.execute(view)?;
    }
    let answer = collect(context.execute(text.query)?, engine)?;
    if let Some(view) = text.after {
        let _ = context.execute(view)?;
    }
    Ok(answer)
}
