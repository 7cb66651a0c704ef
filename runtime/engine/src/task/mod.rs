//! What a task is: one partition's input as a tree of sources and narrow steps, and what becomes of
//! the rows. Everything here is data and Polars plans, so that a task can travel.

pub mod aggregate;
mod reduction;
pub mod template;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use polars::prelude::*;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use self::aggregate::Decomposed;
use self::template::Template;
use crate::cache::{CacheLease, StorageLevel};
use crate::shuffle::{Partitioner, ShuffleId};
use crate::source::Piece;
use partita_events::TaskMetrics;

/// One partition's rows, not yet computed.
#[derive(Clone)]
pub enum Input {
    /// Rows in memory.
    Frame(DataFrame),
    /// The integers from `start` up to `end` in a column `id`.
    Range { start: i64, end: i64 },
    /// What a Polars plan of its own reads. Later steps are not pushed into it, so its rows count as
    /// rows that came in.
    Plan(Box<LazyFrame>),
    /// A piece of a file source.
    Piece(Arc<Piece>),
    /// What the map tasks of a shuffle left for one reduce partition: all of them, or those of `maps`.
    Shuffle { id: ShuffleId, partition: usize, maps: Option<Range<usize>>, schema: SchemaRef },
    /// All rows of an earlier stage of the same job, by its index in [`Task::broadcasts`].
    Broadcast { index: usize, schema: SchemaRef },
    /// A narrow step over another input.
    Step { input: Box<Input>, step: Arc<Step> },
    /// Several inputs one after another, as one partition.
    Concat { inputs: Vec<Input>, schema: SchemaRef },
    /// Two inputs whose keys were brought together.
    Join { left: Box<Input>, right: Box<Input>, join: Arc<JoinStep> },
    /// An input that is kept once it was computed.
    Cache { lease: Arc<CacheLease>, partition: usize, level: StorageLevel, input: Box<Input> },
    /// What a partition in the cache was made from, left out because it is there. If it has been
    /// evicted since, the task fails with [`TaskError::CacheLost`] and the job is planned again without
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

    /// Reads the shuffle `new` where it read `old`.
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

/// A step that needs no other partition's rows.
#[derive(Clone, Serialize, Deserialize)]
pub enum Step {
    Filter(Expr),
    Select(Vec<Expr>),
    WithColumns(Vec<Expr>),
    /// `map_partitions`: any Polars plan over the partition. It travels in a form of its own.
    #[serde(skip)]
    Map(Box<Template>),
    /// Aggregation of rows that are all here.
    Aggregate {
        keys: Vec<Expr>,
        aggs: Vec<Expr>,
    },
    /// The first half of an aggregation, before the shuffle.
    Partial(#[serde(with = "shared")] Arc<Decomposed>),
    /// The second half, after it.
    Merge(#[serde(with = "shared")] Arc<Decomposed>),
    Sort {
        by: Vec<Expr>,
        descending: Vec<bool>,
        nulls_last: bool,
    },
    Distinct(Option<Vec<String>>),
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

/// What is shared in this process travels as a copy.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<T: Serialize, S: Serializer>(shared: &Arc<T>, serializer: S) -> Result<S::Ok, S::Error> {
        (**shared).serialize(serializer)
    }

    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
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

/// What becomes of a task's rows.
#[derive(Clone)]
pub enum Output {
    /// They are split and kept for the reduce side.
    Shuffle { id: ShuffleId, partitioner: Arc<Partitioner> },
    /// A sample of the sort keys goes back, to find range bounds.
    Sample { by: Vec<Expr>, rows: usize },
    /// They go back.
    Collect,
    /// Only their number goes back.
    Count,
    /// They go to a Parquet file in this directory.
    Parquet { directory: PathBuf },
}

/// One attempt at one partition's work in one stage.
#[derive(Clone)]
// What other processes need to know of a task.
#[allow(dead_code)]
pub struct Task {
    pub job: usize,
    pub stage: usize,
    pub partition: usize,
    /// Counted from 0 for each partition; never used twice.
    pub attempt: usize,
    pub input: Arc<Input>,
    pub output: Output,
    /// Rows of earlier stages that every task of the job may need.
    pub broadcasts: Arc<Vec<DataFrame>>,
    pub queued: Instant,
    /// Set when the job is cancelled or failed: a task not yet started is dropped then.
    pub cancelled: Arc<AtomicBool>,
    /// Workers that must not run it: those that run another attempt beside this one.
    pub excluded: Vec<u64>,
}

/// What a task gives back.
#[derive(Debug)]
pub enum TaskResult {
    Nothing,
    /// Bytes left for each reduce partition; none where there are very many.
    Written(Vec<u64>),
    Frame(DataFrame),
    Count(u64),
}

/// Why an attempt at a task gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
// Threads of this process neither fetch from elsewhere nor get lost.
#[allow(dead_code)]
pub enum TaskError {
    /// Its own error or panic: it counts as a failed attempt.
    #[error("{0}")]
    Failed(String),
    /// It needs more memory than its worker has for a task: it would again, so it is not tried again.
    #[error("{0}")]
    TooLarge(String),
    /// What these map tasks left could not be read; they are run again, and then this one.
    #[error("shuffle {shuffle}: map partitions {map_partitions:?} could not be fetched: {cause}")]
    FetchFailed { shuffle: ShuffleId, map_partitions: Vec<usize>, cause: String },
    /// The worker that ran it is gone: it is run elsewhere.
    #[error("{0}")]
    WorkerLost(String),
    /// It counted on a cached partition which is gone: the job is planned again without the cache.
    #[error("a cached partition was evicted while the job was planned")]
    CacheLost,
    /// It was cancelled.
    #[error("cancelled")]
    Cancelled,
}

/// What the scheduler hears from an engine, in the order it happened.
#[allow(dead_code)]
pub enum TaskEvent {
    /// An attempt got a slot of a worker.
    Started { stage: usize, partition: usize, attempt: usize, worker: u64, slot: usize },
    /// An attempt has ended.
    Ended {
        stage: usize,
        partition: usize,
        attempt: usize,
        worker: u64,
        at: Instant,
        end: Box<Result<(TaskResult, TaskMetrics), TaskError>>,
    },
    /// What these map tasks of a shuffle had left is gone, with the worker that kept it.
    OutputsLost { shuffle: ShuffleId, map_partitions: Vec<usize>, cause: String },
}
