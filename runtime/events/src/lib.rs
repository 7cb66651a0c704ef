//! What happens while jobs run, and what can be said about it.
//!
//! A session emits one stream of [`Event`]s. [`fold`] turns that stream into the state of its jobs,
//! stages, attempts and workers; [`figures`] and [`summary`] put numbers of that state into words;
//! [`changes`] sends it to a page piece by piece. Everything that shows a job reads these and computes
//! no figure of its own, so no two views can tell different numbers.
//!
//! This crate is a leaf: it knows neither Polars nor a scheduler, a front end or a transport.

#![warn(missing_docs)]

pub mod changes;
mod event;
pub mod figures;
pub mod fold;
mod id;
mod metrics;
mod seconds;
mod skew;
pub mod summary;

pub use event::Event;
pub use id::{JobId, PartitionId, SessionId, ShuffleId, StageId, TaskId, WorkerId};
pub use metrics::{HotKey, TaskMetrics};
pub use skew::Skew;
