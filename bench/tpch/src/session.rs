//! The one place where this program meets Partita's sessions.

use anyhow::Result;
use partita::Session;
use partita_tpch::texts::Text;
use partita_tpch::{NAMES, Tables};
use polars::prelude::{DataFrame, LazyFrame};
use polars::sql::SQLContext;

use crate::engine::Moved;

/// Partita's slots on the two cores that every engine has.
const SLOTS: usize = 2;

/// A session that knows TPC-H's tables.
pub struct PartitaSession {
    session: Session,
    context: SQLContext,
}

impl PartitaSession {
    /// A session in this process.
    pub fn embedded(tables: &Tables) -> Result<Self> {
        Self::on(Session::embedded(SLOTS)?, tables)
    }

    /// A session on the pool that `PARTITA_MASTER` names.
    pub fn pool(tables: &Tables) -> Result<Self> {
        Self::on(Session::connect(&std::env::var("PARTITA_MASTER")?)?, tables)
    }

    fn on(session: Session, tables: &Tables) -> Result<Self> {
        let context = SQLContext::new();
        for name in NAMES {
            context.register(name, tables.get(name)?);
        }
        Ok(Self { session, context })
    }

    /// Runs a LazyFrame. A session without a planner for whole queries runs it as one task.
    pub fn lazy(&self, query: LazyFrame) -> Result<DataFrame> {
        Ok(self.session.scans([query])?.collect()?)
    }

    /// Runs a query's statements.
    pub fn sql(&mut self, text: &Text) -> Result<DataFrame> {
        if let Some(view) = text.before {
            let _ = self.context.execute(view)?;
        }
        let query = self.context.execute(text.query)?;
        let answer = self.lazy(query)?;
        if let Some(view) = text.after {
            let _ = self.context.execute(view)?;
        }
        Ok(answer)
    }

    /// The bytes that the last job moved.
    pub fn moved(&self) -> Option<Moved> {
        let report = self.session.last_report()?;
        Some(Moved {
            read: report.total(|task| task.bytes_read),
            shuffled: report.total(|task| task.shuffle_out),
        })
    }
}
