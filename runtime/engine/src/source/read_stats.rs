//! Counters of what a reader did, shared by the pieces of a task or stage.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use polars::prelude::PlSmallStr;
use serde::{Deserialize, Serialize};

/// What was read so far. Cheap to update, and safe to read while a task runs.
#[derive(Debug, Default)]
pub struct ReadStats {
    bytes_read: AtomicU64,
    rows_read: AtomicU64,
    row_groups_read: AtomicU64,
    row_groups_skipped: AtomicU64,
    nanoseconds: AtomicU64,
    columns: Mutex<BTreeSet<PlSmallStr>>,
}

/// The values of [`ReadStats`] at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadSnapshot {
    /// Bytes read from files: compressed column chunks for Parquet, lines for CSV.
    pub bytes_read: u64,
    /// Rows decoded, before any predicate.
    pub rows_read: u64,
    /// Row groups with at least one decoded column.
    pub row_groups_read: u64,
    /// Row groups that were not read because their statistics ruled them out.
    pub row_groups_skipped: u64,
    /// The time spent reading and decoding.
    pub time: Duration,
    /// The names of the requested columns.
    pub columns: Vec<String>,
}

impl ReadStats {
    /// The current values.
    pub fn snapshot(&self) -> ReadSnapshot {
        let columns = self.columns.lock();
        ReadSnapshot {
            bytes_read: self.bytes_read.load(Relaxed),
            rows_read: self.rows_read.load(Relaxed),
            row_groups_read: self.row_groups_read.load(Relaxed),
            row_groups_skipped: self.row_groups_skipped.load(Relaxed),
            time: Duration::from_nanos(self.nanoseconds.load(Relaxed)),
            columns: columns.iter().map(|name| name.to_string()).collect(),
        }
    }

    pub(super) fn add_bytes(&self, bytes: u64) {
        self.bytes_read.fetch_add(bytes, Relaxed);
    }

    pub(super) fn add_time(&self, took: Duration) {
        self.nanoseconds.fetch_add(took.as_nanos() as u64, Relaxed);
    }

    pub(super) fn add_rows(&self, rows: usize) {
        self.rows_read.fetch_add(rows as u64, Relaxed);
    }

    pub(super) fn add_row_group_read(&self) {
        self.row_groups_read.fetch_add(1, Relaxed);
    }

    pub(super) fn add_row_group_skipped(&self) {
        self.row_groups_skipped.fetch_add(1, Relaxed);
    }

    pub(super) fn add_columns<'a>(&self, names: impl Iterator<Item = &'a PlSmallStr>) {
        self.columns.lock().extend(names.cloned());
    }
}
