//! Partita's runtime: partitioned datasets on Polars that show what their partitions do.
//!
//! Dependencies point one way: `dataset` builds a `plan`, the `scheduler` cuts it into stages and
//! runs their tasks on an `engine`; `events` is a leaf that all of them emit to; `plot`, `experiment`, `taxi`
//! and `lesson` sit on top and nothing below uses them. `display` says how values look, and `input` asks the
//! person. In a plain Rust program `display` prints text and `input` reads a line; in a notebook, cells and
//! widgets are the matter of `partita-notebook`, which this crate does not know.

#![warn(missing_docs)]

// What tests share names this crate as programs do.
#[cfg(test)]
extern crate self as partita;

pub mod cache;
pub mod cancel;
pub mod dataset;
pub mod display;
mod engine;
mod error;
pub mod events;
pub mod experiment;
pub mod input;
pub mod lesson;
mod memory;
mod own_directory;
pub mod plan;
pub mod plot;
pub mod prelude;
mod scheduler;
pub mod session;
pub mod shuffle;
pub mod source;
pub mod taxi;
pub mod worker;

pub use dataset::Dataset;
pub use engine::pool::{PoolError, PoolOptions};
pub use error::{PartitaError, Result};
/// The Polars that everything here is made of.
pub use polars;
pub use session::Session;

/// The compiler that built this library, as `rustc --version` prints it.
pub const RUSTC_VERSION: &str = env!("PARTITA_RUSTC_VERSION");
