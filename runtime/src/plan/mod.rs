//! The logical plan of a dataset: what the user wrote, in Spark's terms, over Polars expressions.
//! `physical` splits it into stages; nothing here runs anything.

pub(crate) mod explain;
pub(crate) mod physical;
mod size;

pub use partita_engine::task::aggregate;

use std::sync::Arc;

use partita_engine::cache::CacheLease;
use partita_engine::cache::StorageLevel;
use partita_engine::shuffle::MAX_PARTITIONS;
use partita_engine::source::Piece;
use partita_engine::task::{JoinStep, Step};
use polars::prelude::*;

use crate::error::{PartitaError, Result};

/// A step of a dataset with everything before it. Immutable and shared: two datasets built from a third
/// share its nodes.
pub(crate) struct Node {
    pub op: Op,
    /// The columns of the result.
    pub schema: SchemaRef,
}

pub(crate) type NodeRef = Arc<Node>;

/// How a `repartition` assigns rows to partitions.
#[derive(Debug, Clone)]
pub enum Partitioning {
    /// Each partition deals even runs of its rows to `n` partitions, whatever they contain.
    RoundRobin(usize),
    /// Rows with equal keys go to the same one of `n` partitions.
    Hash(Vec<Expr>, usize),
    /// Rows in the same range of a sort order go together. The ranges come from a sample, so they are
    /// about even.
    Range(Vec<Expr>, usize),
    /// The expression returns the partition, from 0 up to but excluding `n`.
    Expr(Expr, usize),
    /// Like [`Hash`](Self::Hash) into `n` partitions, but each key's rows are dealt evenly over several
    /// of them (the last number), so that a key with many rows does not fill a single one.
    Salted(Vec<Expr>, usize, usize),
}

impl Partitioning {
    /// The number of resulting partitions.
    pub fn partitions(&self) -> usize {
        match self {
            Self::RoundRobin(n) | Self::Hash(_, n) | Self::Range(_, n) | Self::Expr(_, n) => *n,
            Self::Salted(_, n, _) => *n,
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::RoundRobin(_) => "repartition: round robin",
            Self::Hash(..) => "repartition: hash",
            Self::Range(..) => "repartition: range",
            Self::Expr(..) => "repartition: expression",
            Self::Salted(..) => "repartition: hash, salted",
        }
    }
}

/// How a join brings keys together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JoinStrategy {
    /// Broadcast if the right side is known to be small
    /// ([`Session::set_broadcast_threshold`](crate::Session::set_broadcast_threshold)), else shuffle.
    #[default]
    Auto,
    /// All of the right side goes to every partition of the left; nothing is shuffled.
    Broadcast,
    /// Both sides are shuffled by the hash of their keys.
    Shuffle,
    /// Like [`Shuffle`](Self::Shuffle), but the left rows of hot keys are spread over this many
    /// partitions, and the right rows of those keys are copied to each of them. A sample of the left side
    /// finds the keys.
    Salted(usize),
}

/// The steps.
pub(crate) enum Op {
    /// Rows in memory, one frame per partition.
    Frames(Vec<DataFrame>),
    /// The integers from `start` up to but excluding `end`, in `partitions` equal parts.
    Range {
        start: i64,
        end: i64,
        partitions: usize,
    },
    /// Polars plans that read something, one per partition.
    Plans(Vec<LazyFrame>),
    /// Pieces of files, one per partition.
    Pieces(Vec<Arc<Piece>>),
    /// A step that needs no rows of other partitions.
    Narrow {
        input: NodeRef,
        step: Arc<Step>,
    },
    Repartition {
        input: NodeRef,
        by: Partitioning,
    },
    /// Merges neighbouring partitions without a shuffle.
    Coalesce {
        input: NodeRef,
        partitions: usize,
    },
    GroupBy {
        input: NodeRef,
        keys: Vec<Expr>,
        aggs: Vec<Expr>,
        partitions: usize,
        combine: bool,
        /// Over how many partitions a key's rows are spread before they are aggregated in two halves.
        salts: Option<usize>,
    },
    /// The strategy is decided already: never automatic.
    Join {
        left: NodeRef,
        right: NodeRef,
        join: Arc<JoinStep>,
        strategy: JoinStrategy,
        partitions: usize,
    },
    Sort {
        input: NodeRef,
        by: Vec<Expr>,
        descending: Vec<bool>,
        nulls_last: bool,
        partitions: usize,
    },
    Distinct {
        input: NodeRef,
        columns: Option<Vec<String>>,
        partitions: usize,
    },
    Limit {
        input: NodeRef,
        rows: usize,
    },
    Union(Vec<NodeRef>),
    Cache {
        input: NodeRef,
        lease: Arc<CacheLease>,
        level: StorageLevel,
    },
}

impl Node {
    /// The number of resulting partitions according to the plan. A broadcast and a shuffle return the
    /// same number.
    pub fn partitions(&self) -> usize {
        match &self.op {
            Op::Frames(frames) => frames.len(),
            Op::Range { partitions, .. } => *partitions,
            Op::Plans(plans) => plans.len(),
            Op::Pieces(pieces) => pieces.len(),
            Op::Narrow { input, .. } | Op::Cache { input, .. } => input.partitions(),
            Op::Repartition { by, .. } => by.partitions(),
            Op::Coalesce { input, partitions } => (*partitions).min(input.partitions()),
            Op::GroupBy { input, keys, partitions, .. } => {
                if keys.is_empty() {
                    1
                } else {
                    (*partitions).min(shuffled(input, *partitions))
                }
            }
            Op::Sort { input, partitions, .. } | Op::Distinct { input, partitions, .. } => {
                shuffled(input, *partitions)
            }
            Op::Join { left, right, partitions, .. } => {
                if self.broadcasts() {
                    left.partitions()
                } else {
                    shuffled_pair(left, right, *partitions)
                }
            }
            Op::Limit { .. } => 1,
            Op::Union(inputs) => inputs.iter().map(|input| input.partitions()).sum(),
        }
    }

    /// Whether a join node broadcasts its right side.
    pub fn broadcasts(&self) -> bool {
        match &self.op {
            Op::Join { join, strategy, .. } => {
                *strategy == JoinStrategy::Broadcast || matches!(join.how, JoinType::Cross)
            }
            _ => false,
        }
    }
}

/// Whether every left row can be joined without knowing the other left rows.
pub(crate) fn can_broadcast(how: &JoinType) -> bool {
    matches!(how, JoinType::Inner | JoinType::Left | JoinType::Semi | JoinType::Anti | JoinType::Cross)
}

/// A single partition is not shuffled: all its rows are together already.
fn shuffled(input: &Node, partitions: usize) -> usize {
    if input.partitions() <= 1 { 1 } else { partitions }
}

fn shuffled_pair(left: &Node, right: &Node, partitions: usize) -> usize {
    if left.partitions() <= 1 && right.partitions() <= 1 { 1 } else { partitions }
}

/// The columns that a plan has over an empty frame of `schema`.
pub(crate) fn schema_after(
    schema: &SchemaRef,
    build: impl FnOnce(LazyFrame) -> LazyFrame,
) -> PolarsResult<SchemaRef> {
    build(DataFrame::empty_with_schema(schema).lazy()).collect_schema()
}

/// An error unless `n` is a number of partitions that can be worked with.
pub(crate) fn check_partitions(step: &str, n: usize) -> Result<()> {
    match n {
        0 => Err(PartitaError::argument(step, "0 partitions cannot hold any rows", "give at least 1")),
        n if n > MAX_PARTITIONS => Err(PartitaError::argument(
            step,
            format!("{n} partitions are more than the limit of {MAX_PARTITIONS}"),
            "a few per slot are enough",
        )),
        _ => Ok(()),
    }
}
