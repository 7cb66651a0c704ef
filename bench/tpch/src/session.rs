//! The one place where this program meets Partita's sessions.

use anyhow::Result;
use partita::Session;
use partita_tpch::texts::Text;
use partita_tpch::{NAMES, Tables};
use polars::prelude::{DataFrame, LazyFrame};

use crate::engine::Moved;

/// Partita's slots on the two cores that every engine has.
const SLOTS: usize = 2;

/// A session that knows TPC-H's tables.
pub struct PartitaSession {
    session: Session,
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
        for name in NAMES {
            session.register(name, &session.lazy(tables.get(name)?)?)?;
        }
        Ok(Self { session })
    }

    /// Runs a LazyFrame.
    pub fn lazy(&self, query: LazyFrame) -> Result<DataFrame> {
        Ok(self.session.lazy(query)?.collect()?)
    }

    /// Runs a query's statements.
    pub fn sql(&self, text: &Text) -> Result<DataFrame> {
        let statements = [text.before, Some(text.query), text.after];
        let text: Vec<&str> = statements.into_iter().flatten().collect();
        Ok(self.session.sql(&text.join(";\n"))?.collect()?)
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
