//! A task: one partition's input as a tree of sources and narrow steps, and what to do with the rows.
//! Everything here is data and Polars plans, so a task can be sent to another process.

pub mod aggregate;
mod reduction;
pub mod template;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use partita_events::{JobId, PartitionId, StageId, TaskMetrics, WorkerId};
use polars::prelude::*;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use self::aggregate::Decomposed;
use self::template::Template;
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
    /// What a separate Polars plan reads. Later steps are not pushed into it, so its rows count as rows
    /// read.
    Plan(Box<LazyFrame>),
    /// A piece of a file source.
    Piece(Arc<Piece>),
    /// What the map tasks of a shuffle have left for one reduce partition: all of them, or only those of
    /// `maps`.
    Shuffle { id: ShuffleId, partition: usize, maps: Option<Range<usize>>, schema: SchemaRef },
    /// All rows of an earlier stage of the same job, by its index in [`Task::broadcasts`].
    Broadcast { index: usize, schema: SchemaRef },
    /// A narrow step over another input.
    Step { input: Box<Input>, step: Arc<Step> },
    /// Several inputs one after another, as one partition.
    Concat { inputs: Vec<Input>, schema: SchemaRef },
    /// Two inputs that are partitioned by the same keys.
    Join { left: Box<Input>, right: Box<Input>, join: Arc<JoinStep> },
    /// An input that is cached once it was computed.
    Cache { lease: Arc<CacheLease>, partition: usize, level: StorageLevel, input: Box<Input> },
    /// The lineage of a cached partition, left out because the partition is cached. If it has been
    /// evicted since, the task fails with [`TaskError::CacheLost`], and the job is planned again without
    /// the cache.
    Lost,
}

impl Input {
    /// Whether it reads a shuffle.
    pub fn reads(&self, shuffle: ShuffleId) -> bool {
        match self {
            Self::Shuffle { id, .. } => *id == shuffle,
            Self::Step { input, .. } | Self::Cache { input, .. } => input.reads(shuffle),
            Self::Concat { inputs, .. } => inputs.iter().any(|input| input.reads(shuffle)),
            Self::Join { left, right, .. } => left.reads(shuffle) || right.reads(shuffle),
            _ => false,
        }
    }

    /// Makes it read the shuffle `new` instead of `old`.
    pub fn read_instead(&mut self, old: ShuffleId, new: ShuffleId) {
        match self {
            Self::Shuffle { id, .. } if *id == old => *id = new,
            Self::Step { input, .. } | Self::Cache { input, .. } => input.read_instead(old, new),
            Self::Concat { inputs, .. } => inputs.iter_mut().for_each(|input| input.read_instead(old, new)),
            Self::Join { left, right, .. } => {
                left.read_instead(old, new);
                right.read_instead(old, new);
            }
            _ => {}
        }
    }
}

/// A step that needs no rows of other partitions.
#[derive(Clone, Serialize, Deserialize)]
pub enum Step {
    /// Keeps the rows for which the expression is true.
    Filter(Expr),
    /// These columns, and only these.
    Select(Vec<Expr>),
    /// These columns too, or instead.
    WithColumns(Vec<Expr>),
    /// `map_partitions`: any Polars plan over the partition. It is encoded in a form of its own.
    #[serde(skip)]
    Map(Box<Template>),
    /// An aggregation of rows that are all here.
    Aggregate { keys: Vec<Expr>, aggs: Vec<Expr> },
    /// The first half of an aggregation, before the shuffle.
    Partial(#[serde(with = "shared")] Arc<Decomposed>),
    /// The second half, after the shuffle.
    Merge(#[serde(with = "shared")] Arc<Decomposed>),
    /// The rows of the partition in order.
    Sort { by: Vec<Expr>, descending: Vec<bool>, nulls_last: bool },
    /// One row for each combination of values, in these columns or in all.
    Distinct(Option<Vec<String>>),
    /// The first rows.
    Limit(usize),
}

impl Step {
    /// Adds the step to a plan.
    pub fn apply(&self, input: LazyFrame) -> LazyFrame {
        match self {
            Self::Filter(predicate) => input.filter(predicate.clone()),
            Self::Select(exprs) => input.select(exprs),
            Self::WithColumns(exprs) => input.with_columns(exprs),
            Self::Map(template) => template.fill(input),
            Self::Aggregate { keys, aggs } => input.group_by(keys).agg(aggs),
            Self::Partial(aggregation) => aggregation.partial(input),
            Self::Merge(aggregation) => aggregation.merge(input),
            Self::Sort { by, descending, nulls_last } => input.sort_by_exprs(
                by,
                SortMultipleOptions::default()
                    .with_order_descending_multi(descending.iter().copied())
                    .with_nulls_last(*nulls_last)
                    .with_multithreaded(false),
            ),
            Self::Distinct(columns) => {
                let subset = columns.as_ref().map(|names| cols(names.iter().map(String::as_str)));
                input.unique(subset, UniqueKeepStrategy::Any)
            }
            Self::Limit(n) => input.limit(IdxSize::try_from(*n).unwrap_or(IdxSize::MAX)),
        }
    }
}

/// Sends a copy of what is shared in this process.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        shared: &Arc<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        (**shared).serialize(serializer)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<T>, D::Error> {
        T::deserialize(deserializer).map(Arc::new)
    }
}

/// A join of two co-partitioned inputs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JoinStep {
    pub left_on: Vec<Expr>,
    pub right_on: Vec<Expr>,
    pub how: JoinType,
}

impl JoinStep {
    /// The join as a plan.
    pub fn apply(&self, left: LazyFrame, right: LazyFrame) -> LazyFrame {
        left.join_builder()
            .with(right)
            .left_on(&self.left_on)
            .right_on(&self.right_on)
            .how(self.how.clone())
            .allow_parallel(false)
            .finish()
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
