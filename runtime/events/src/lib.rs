//! What happens while jobs run, and what can be said about it.
//!
//! A session emits one stream of [`Event`]s. Everything that shows a job is made from that stream
//! here, once, so that no two views can tell different figures. This crate is a leaf: it knows neither
//! Polars nor a scheduler, a front end or a wire.

#![warn(missing_docs)]

mod event;
mod id;
mod skew;

pub use event::{Event, HotKey, TaskMetrics};
pub use id::{JobId, PartitionId, SessionId, ShuffleId, StageId, TaskId, WorkerId};
pub use skew::Skew;
