//! The master of a pool: which workers and sessions there are, and which task gets which slot. What a
//! task computes is not known here; Polars is not linked.

#![warn(missing_docs)]

mod history;
mod metrics;
mod view;
mod web;

pub use history::{History, HistoryLimits, LogError, LogOptions, ReplayError, Replayed};
pub use view::{Cluster, LostWorker, Recorder, SessionView, Totals, View, WorkerView};
pub use web::{Page, PageError};
