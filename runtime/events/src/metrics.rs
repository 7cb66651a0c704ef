use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::PartitionId;
use crate::seconds;

/// What one task did. Bytes are of Arrow memory, except `bytes_read`: bytes of file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskMetrics {
    /// The slot that ran it.
    pub slot: usize,
    /// Queued until a slot was free.
    #[serde(with = "seconds")]
    pub queue: Duration,
    /// Waited inside the task for shuffle blocks to arrive and be put together.
    #[serde(with = "seconds")]
    pub fetch: Duration,
    /// Reading and decoding files, in `run`.
    #[serde(with = "seconds", default)]
    pub read: Duration,
    /// Cutting rows into shuffle blocks and keeping them, or writing a Parquet file.
    #[serde(with = "seconds")]
    pub write: Duration,
    /// From the slot taking the task to its output being in place, `fetch` and `write` included.
    #[serde(with = "seconds")]
    pub run: Duration,
    /// Processor time of the slot's thread in `run`.
    #[serde(with = "seconds")]
    pub cpu: Duration,
    /// Rows that came in from sources, shuffles and caches.
    pub rows_in: u64,
    /// Rows that went out.
    pub rows_out: u64,
    /// Bytes read from files, compressed as they lie there.
    pub bytes_read: u64,
    /// Row groups whose statistics ruled the filter out, so that they were not read.
    pub row_groups_skipped: u64,
    /// Bytes of shuffle blocks that came in.
    pub shuffle_in: u64,
    /// Bytes of shuffle blocks that went out.
    pub shuffle_out: u64,
    /// Bytes that went to disk because memory was short.
    pub spilled: u64,
    /// Partitions that came from the cache.
    pub cache_hits: u64,
    /// Keys with at least a twentieth of the rows that went into the shuffle, by a sample; at most three.
    #[serde(default)]
    pub hot_keys: Vec<HotKey>,
}

/// A key that has many of a map task's rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HotKey {
    /// The key columns, as in a cell.
    pub columns: String,
    /// The key, as it prints; long ones are cut.
    pub value: String,
    /// The reduce partition that its rows go to.
    pub partition: PartitionId,
    /// How many rows it has, about.
    pub rows: u64,
}

impl TaskMetrics {
    /// Adds what another task did. `slot` and `hot_keys` belong to one task and stay as they are.
    pub fn add(&mut self, other: &Self) {
        self.merge(other, Duration::saturating_add, u64::saturating_add);
    }

    /// Takes away what [`add`](Self::add) added.
    pub fn subtract(&mut self, other: &Self) {
        self.merge(other, Duration::saturating_sub, u64::saturating_sub);
    }

    /// Time on the slot that was neither fetching nor writing.
    pub fn compute(&self) -> Duration {
        self.run.saturating_sub(self.fetch).saturating_sub(self.write)
    }

    /// Bytes that came in, of files and shuffles.
    pub fn bytes_in(&self) -> u64 {
        self.bytes_read.saturating_add(self.shuffle_in)
    }

    fn merge(
        &mut self,
        other: &Self,
        time: impl Fn(Duration, Duration) -> Duration,
        number: impl Fn(u64, u64) -> u64,
    ) {
        // Named one by one, so that a new field cannot be forgotten.
        let Self {
            slot: _,
            queue,
            fetch,
            read,
            write,
            run,
            cpu,
            rows_in,
            rows_out,
            bytes_read,
            row_groups_skipped,
            shuffle_in,
            shuffle_out,
            spilled,
            cache_hits,
            hot_keys: _,
        } = other;
        self.queue = time(self.queue, *queue);
        self.fetch = time(self.fetch, *fetch);
        self.read = time(self.read, *read);
        self.write = time(self.write, *write);
        self.run = time(self.run, *run);
        self.cpu = time(self.cpu, *cpu);
        self.rows_in = number(self.rows_in, *rows_in);
        self.rows_out = number(self.rows_out, *rows_out);
        self.bytes_read = number(self.bytes_read, *bytes_read);
        self.row_groups_skipped = number(self.row_groups_skipped, *row_groups_skipped);
        self.shuffle_in = number(self.shuffle_in, *shuffle_in);
        self.shuffle_out = number(self.shuffle_out, *shuffle_out);
        self.spilled = number(self.spilled, *spilled);
        self.cache_hits = number(self.cache_hits, *cache_hits);
    }
}
