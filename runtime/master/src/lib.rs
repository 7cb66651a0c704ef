//! The master of a pool: which workers and sessions there are, and which task gets which slot. What a
//! task computes is not known here; Polars is not linked.

#![warn(missing_docs)]

mod view;

pub use view::{Cluster, LostWorker, Recorder, SessionView, Totals, View, WorkerView};
