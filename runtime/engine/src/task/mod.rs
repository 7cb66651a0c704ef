//! A task: one partition's input as a tree of sources and fragments of plans, and what to do with the rows.
//! Everything here is data and Polars plans, so a task can be sent to another process.

pub mod fragment;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use partita_events::{JobId, PartitionId, StageId, TaskMetrics, WorkerId};
use polars::prelude::*;
use thiserror::Error;

use self::fragment::Fragment;
use crate::cache::{CacheLease, StorageLevel};
use crate::shuffle::{Partitioner, ShuffleId};
use crate::source::Piece;

/// The rows of one partition, not computed yet.
#[derive(Clone)]
pub enum Input {
    /// Rows in memory.
    Frame(DataFrame),
    /// The integers from `start` up to but excluding `end`, in a column `id`.
    Range { start: i64, end: i64 },
    /// What a separate Polars plan reads, with Polars' own readers and threads.
    Plan(Box<LazyFrame>),
    /// A piece of a file source.
    Piece(Arc<Piece>),
    /// What the map tasks of a shuffle have left for one reduce partition: all of them, or only those of
    /// `maps`.
    Shuffle { id: ShuffleId, partition: usize, maps: Option<Range<usize>>, schema: SchemaRef },
    /// All rows of an earlier stage of the same job, by its index in [`Task::broadcasts`].
    Broadcast { index: usize, schema: SchemaRef },
    /// Part of the query's plan over other inputs.
    Fragment { fragment: Arc<Fragment>, inputs: Vec<Input> },
    /// Several inputs one after another, as one partition.
    Concat { inputs: Vec<Input>, schema: SchemaRef },
    /// An input that is cached once it was computed.
    Cache { lease: Arc<CacheLease>, partition: usize, level: StorageLevel, input: Box<Input> },
    /// The lineage of a cached partition, left out because the partition is cached. If it has been
    /// evicted since, the task fails with [`TaskError::CacheLost`], and the job is planned again without
    /// the cache.
    Lost,
}

impl Input {
    /// The inputs that it is computed from.
    pub fn below(&self) -> &[Input] {
        match self {
            Self::Fragment { inputs, .. } | Self::Concat { inputs, .. } => inputs,
            Self::Cache { input, .. } => std::slice::from_ref(input),
            Self::Frame(_)
            | Self::Range { .. }
            | Self::Plan(_)
            | Self::Piece(_)
            | Self::Shuffle { .. }
            | Self::Broadcast { .. }
            | Self::Lost => &[],
        }
    }

    /// Whether it reads a shuffle.
    pub fn reads(&self, shuffle: ShuffleId) -> bool {
        match self {
            Self::Shuffle { id, .. } => *id == shuffle,
            other => other.below().iter().any(|input| input.reads(shuffle)),
        }
    }

    /// Makes it read the shuffle `new` instead of `old`.
    pub fn read_instead(&mut self, old: ShuffleId, new: ShuffleId) {
        match self {
            Self::Shuffle { id, .. } if *id == old => *id = new,
            Self::Cache { input, .. } => input.read_instead(old, new),
            Self::Fragment { inputs, .. } | Self::Concat { inputs, .. } => {
                inputs.iter_mut().for_each(|input| input.read_instead(old, new));
            }
            _ => {}
        }
    }
}

/// What to do with a task's rows.
#[derive(Clone)]
pub enum Output {
    /// Split them and keep them for the reduce side.
    Shuffle { id: ShuffleId, partitioner: Arc<Partitioner> },
    /// Return a sample of the sort keys, to find range bounds.
    Sample { by: Vec<Expr>, rows: usize },
    /// Return them.
    Collect,
    /// Return only their number.
    Count,
    /// Write them to a Parquet file in this directory.
    Parquet { directory: PathBuf },
}

/// One attempt at the work for one partition in one stage.
#[derive(Clone)]
pub struct Task {
    pub job: JobId,
    pub stage: StageId,
    pub partition: PartitionId,
    /// Counted from 0 for each partition; never reused.
    pub attempt: usize,
    pub input: Arc<Input>,
    pub output: Output,
    /// Rows of earlier stages that every task of the job may need.
    pub broadcasts: Arc<Vec<DataFrame>>,
    pub queued: Instant,
    /// Set when the job is cancelled or has failed; a task that has not started is then dropped.
    pub cancelled: Arc<AtomicBool>,
    /// Workers that must not run it: those that run another attempt of it.
    pub excluded: Vec<WorkerId>,
}

/// A task's result.
#[derive(Debug)]
pub enum TaskResult {
    /// Nothing to send: the rows were written to a file.
    Nothing,
    /// The bytes left for each reduce partition; empty if there are very many.
    Written(Vec<u64>),
    /// The rows.
    Frame(DataFrame),
    /// The number of rows.
    Count(u64),
}

/// Why an attempt of a task has no result.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TaskError {
    /// Its own error or panic. It counts as a failed attempt.
    #[error("{0}")]
    Failed(String),
    /// It needs more memory than its worker has for a task. It is not retried, because it would fail
    /// again.
    #[error("{0}")]
    TooLarge(String),
    /// The output of these map tasks could not be read. They are run again, and then this task.
    #[error("shuffle {shuffle}: map partitions {map_partitions:?} could not be fetched: {cause}")]
    FetchFailed { shuffle: ShuffleId, map_partitions: Vec<usize>, cause: String },
    /// The worker that ran it is lost; it is run elsewhere.
    #[error("{0}")]
    WorkerLost(String),
    /// It relied on a cached partition that is gone. The job is planned again without the cache.
    #[error("a cached partition was evicted while the job was planned")]
    CacheLost,
    /// It was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl From<PolarsError> for TaskError {
    fn from(error: PolarsError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// What an engine reports to the scheduler, in order.
pub enum TaskEvent {
    /// An attempt got a slot of a worker.
    Started { stage: StageId, partition: PartitionId, attempt: usize, worker: WorkerId, slot: usize },
    /// An attempt has ended.
    Ended {
        stage: StageId,
        partition: PartitionId,
        attempt: usize,
        worker: WorkerId,
        at: Instant,
        end: Box<Result<(TaskResult, TaskMetrics), TaskError>>,
    },
    /// The output of these map tasks of a shuffle is lost, with the worker that kept it.
    OutputsLost { shuffle: ShuffleId, map_partitions: Vec<usize>, cause: String },
}
