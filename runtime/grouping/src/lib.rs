//! Grouping on one core: a `group_by` of a Polars plan in one pass over its rows, a run of rows after
//! another, each small enough for a core's cache. Polars' in-memory engine would first filter and compute
//! all rows, then list each group's rows and gather them; its streaming engine does what is done here, but
//! cannot be held to one thread.
//!
//! [`OnePass`] finds a `group_by` that can be done so, with the filters and projections below it (`steps`),
//! and does it: expressions are computed by Polars, and by kernels of their own where those pay (`compute`,
//! `kernels`); keys that span little are numbered in a table, others in Polars' hash tables (`groups`,
//! `dense`, `axis`); rows are reduced by loops of their own or by Polars' reductions (`reduce`).
//!
//! It is a crate of its own because its loops want the compiler's full optimisation, which `partita` does
//! without. Not here: reading the rows, and running the rest of a plan.
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
