//! Partita's runtime: partitioned datasets on Polars that show what their partitions do.
//!
//! Dependencies point one way: `dataset` builds a `plan`, the `scheduler` splits it into stages and runs
//! their tasks on one of the `engines`. Tasks, and the files, shuffles and caches they are built on, are
//! in the crate `partita-engine`. `events` is a leaf that all of them emit to. `plot`, `experiment`,
//! `taxi` and `lesson` are on top and nothing below uses them. `display` defines how values look.
//!
//! The library asks the program that it runs inside for everything through one trait,
//! [`Host`](host::Host). In a plain Rust program that is the terminal: displays are printed, and `input`
//! reads a line. A notebook's cells, comms and widgets are in `partita-notebook`, which this crate does
//! not know.

#![warn(missing_docs)]

// Shared test code names this crate as programs do.
#[cfg(test)]
extern crate self as partita;

pub mod cancel;
pub mod dataset;
pub mod display;
mod engines;
mod error;
pub mod events;
pub mod experiment;
pub mod host;
pub mod input;
pub mod lesson;
pub mod plan;
pub mod plot;
pub mod prelude;
mod scheduler;
pub mod session;
pub mod taxi;

pub use dataset::Dataset;
pub use engines::pool::{PoolError, PoolOptions};
pub use error::{PartitaError, Result};
/// Cached partitions and their storage.
pub mod cache {
    pub use partita_engine::cache::{CacheId, StorageLevel, UnknownStorageLevel};
}

/// Moving rows between partitions.
pub mod shuffle {
    pub use partita_engine::shuffle::{
        MAX_PARTITIONS, Partitioner, Salt, ShuffleError, ShuffleId, range_bounds, sample,
    };
}

/// Files split into pieces, one piece per task.
pub mod source {
    pub use partita_engine::source::{
        CsvOptions, CsvSource, ParquetSource, Part, Piece, Pushdown, ReadSnapshot, ReadStats, SourceError,
        pushed_down,
    };
}

/// The Polars that this library is built on.
pub use polars;
pub use session::Session;

/// The compiler that built this library, as `rustc --version` prints it.
pub const RUSTC_VERSION: &str = env!("PARTITA_RUSTC_VERSION");
