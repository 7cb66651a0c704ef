//! The master of a pool: which workers and sessions there are, and which task gets which slot. What a
//! task computes is not known here; Polars is not linked.
//!
//! [`Master`] answers the calls of `runtime/proto/pool.proto` (`service`, `listen`). What it knows is in
//! one place under one lock (`state`, with `workers` and `sessions`), nobody waits while holding it: what
//! is to be sent goes into bounded queues (`outbox`). Which task goes where is decided in `dispatch`,
//! which knows no sockets. Rows do not pass through the state: `blobs` lie in files, `results` come from
//! workers.
//!
//! What sessions tell of their jobs goes into a [`History`], and a [`Page`] shows that and the pool.

#![warn(missing_docs)]

mod blobs;
mod dispatch;
mod history;
mod listen;
mod liveness;
mod master;
mod metrics;
mod options;
mod outbox;
mod results;
mod service;
mod sessions;
mod state;
mod view;
mod web;
mod workers;

pub use history::{History, HistoryLimits, LogError, LogOptions, ReplayError, Replayed};
pub use master::Master;
pub use options::{Limits, MasterError, MasterOptions};
pub use view::{Cluster, LostWorker, Recorder, SessionView, Totals, View, WorkerView};
pub use web::{Page, PageError};
