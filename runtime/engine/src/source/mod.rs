//! File sources, split into pieces, one piece per task.
//!
//! A source ([`ParquetSource`], [`CsvSource`]) examines its files once, on the driver: it checks that
//! they agree on a schema and decides which [`Piece`]s they can be split into. A piece becomes the first
//! step of a task's plan with [`Piece::scan`], an anonymous scan of Polars. So projection, predicate and
//! slice pushdown reach it. Its reader works on the calling thread only, because one task uses one core.
//! [`ReadStats`] counts what was read and what was skipped.
//!
//! Not here: writing files, generated sources, and anything that knows a plan, a stage or an engine. A
//! frame with such a scan needs Polars' in-memory engine; the streaming engine has no anonymous scans.

mod csv;
mod error;
mod files;
mod pages;
mod parquet;
mod piece;
mod predicate;
mod pushdown;
mod read_stats;
mod records;
mod row_groups;
mod split;
#[cfg(test)]
mod tests;
mod wire;

pub use csv::{CsvOptions, CsvSource};
pub use error::SourceError;
pub use parquet::ParquetSource;
pub(crate) use piece::Frames;
pub use piece::{Part, Piece};
pub use pushdown::{Pushdown, pushed_down};
pub use read_stats::{ReadSnapshot, ReadStats};
pub(crate) use wire::{Opened, WirePiece};
