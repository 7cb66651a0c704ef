//! Partita's runtime: partitioned datasets on Polars that show what their partitions do.
//!
//! Dependencies point one way: `dataset` builds a `plan`, the `scheduler` cuts it into stages and
//! runs their tasks on one of the `engines`. What a task is, and the files, shuffles and caches it
//! stands on, is the crate `partita-engine`. `events` is a leaf that all of them emit to; `plot`,
//! `experiment`, `taxi`, `lesson` and `widgets` sit on top and nothing below uses them. `display` says how values look;
//! `comm` and `input` reach the person's front end from inside a cell;
//! `evaluation` is the half of a notebook kernel that lives beside the data: it loads compiled cells
//! and keeps their variables. Nothing here knows Jupyter: in a plain Rust program the same code runs
//! and `display` prints text.

#![warn(missing_docs)]

// What tests share names this crate as programs do.
#[cfg(test)]
extern crate self as partita;

pub mod cancel;
pub mod comm;
pub mod dataset;
pub mod display;
mod engines;
mod error;
pub mod evaluation;
pub mod events;
pub mod experiment;
pub mod input;
pub mod lesson;
pub mod plan;
pub mod plot;
pub mod prelude;
mod scheduler;
pub mod session;
pub mod taxi;
pub mod widgets;

pub use dataset::Dataset;
pub use engines::pool::{PoolError, PoolOptions};
pub use error::{PartitaError, Result};
/// Cached partitions and where they are kept.
pub mod cache {
    pub use partita_engine::cache::{CacheId, StorageLevel, UnknownStorageLevel};
}

/// Moving rows between partitions.
pub mod shuffle {
    pub use partita_engine::shuffle::{
        MAX_PARTITIONS, Partitioner, Salt, ShuffleError, ShuffleId, range_bounds, sample,
    };
}

/// Files cut into pieces, one piece a task.
pub mod source {
    pub use partita_engine::source::{
        CsvOptions, CsvSource, ParquetSource, Part, Piece, Pushdown, ReadSnapshot, ReadStats, SourceError,
        pushed_down,
    };
}

/// The Polars that everything here is made of.
pub use polars;
pub use session::Session;

/// The compiler that built this library, as `rustc --version` prints it.
pub const RUSTC_VERSION: &str = env!("PARTITA_RUSTC_VERSION");
