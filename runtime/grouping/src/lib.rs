//! Grouping on one core: runs a `group_by` of a Polars plan in one pass over its rows. It takes one run of
//! rows after another, each small enough for a core's cache. Polars' in-memory engine would first filter and
//! compute all rows, then list and gather each group's rows. Its streaming engine works as this crate does,
//! but cannot be limited to one thread.
//!
//! [`OnePass`] finds a `group_by` that supports this, with the filters and projections below it (`steps`),
//! and runs it. Expressions are computed by Polars, or by kernels of their own where those pay (`compute`,
//! `kernels`). Keys that span few values are numbered in a table, others in Polars' hash tables (`groups`,
//! `dense`, `axis`). Rows are reduced by loops of their own or by Polars' reductions (`reduce`).
//!
//! It is a separate crate because its loops need the compiler's full optimisation, which `partita` does
//! without. Reading the rows and running the rest of a plan are not here.
#![warn(missing_docs)]

mod axis;
mod compute;
mod dense;
mod groups;
mod kernels;
mod one_pass;
mod reduce;
mod steps;

pub use one_pass::{OnePass, Pass};
