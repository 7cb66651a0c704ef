//! The plan of a dataset: what was written, as one Polars plan. Its leaves are Partita's own scans
//! (`leaf`); steps that only Partita has stand in it as markers (`marker`), so that columns and predicates
//! pass them. `optimise` calls Polars' optimiser, `cut` cuts the result into the stages of `physical`.
//! Nothing here runs anything.

pub mod aggregate;
mod cut;
mod estimate;
pub(crate) mod explain;
mod join_order;
pub(crate) mod leaf;
pub(crate) mod leaves;
pub(crate) mod marker;
mod optimise;
pub(crate) mod physical;
mod reduction;
pub(crate) mod template;

use std::sync::Arc;

use partita_engine::cache::CacheLease;
use partita_engine::shuffle::MAX_PARTITIONS;
use polars::prelude::*;

pub(crate) use self::cut::{Planning, Want, partitions_of};
use crate::error::{PartitaError, Result};

/// What a dataset will compute. Immutable and shared: two datasets built from a third share its plan.
pub(crate) struct Plan {
    /// As written.
    pub lazy: LazyFrame,
    /// The columns of the result.
    pub schema: SchemaRef,
    /// The cache that the last step is, if it is one.
    pub cache: Option<Arc<CacheLease>>,
    /// Whether rows were dealt to partitions whatever they contain, and no step has moved them since.
    pub dealt: bool,
}

/// A session's settings that decide what a plan becomes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// The number of partitions after a shuffle.
    pub shuffle_partitions: usize,
    /// The largest side of a join, in bytes, that is broadcast automatically.
    pub broadcast_threshold: usize,
    /// Whether the bytes that stages leave decide how the next ones work.
    pub adaptive: bool,
    /// Whether inner joins are put in another order than written.
    pub join_reorder: bool,
}

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

/// Whether every left row can be joined without knowing the other left rows.
pub(crate) fn can_broadcast(how: &JoinType) -> bool {
    matches!(how, JoinType::Inner | JoinType::Left | JoinType::Semi | JoinType::Anti | JoinType::Cross)
}

/// The column with exactly this name, even if Polars would take the name for a pattern.
pub(crate) fn exact(name: PlSmallStr) -> Expr {
    by_name([name], true, false).as_expr()
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
