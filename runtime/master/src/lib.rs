//! The master of a pool. It keeps track of workers and sessions and decides which task gets which slot. It
//! does not know what a task computes; Polars is not linked.
//!
//! [`Master`] answers the calls of `runtime/proto/pool.proto` (`service`, `listen`). All its state is in one
//! place under one lock (`state`, with `workers` and `sessions`). Nothing waits while holding the lock:
//! outgoing messages go into bounded queues (`outbox`). `dispatch` decides which task goes where and knows no
//! sockets. Rows do not pass through the state: `blobs` are in files, `results` come from workers.
//!
//! The events that sessions send about their jobs go into a [`History`]. A [`Page`] shows the history and the
//! pool.

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
