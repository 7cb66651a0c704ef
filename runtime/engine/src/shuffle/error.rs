use polars::prelude::{DataType, PolarsError};
use thiserror::Error;

use super::MAX_PARTITIONS;

/// Why a frame could not be partitioned.
#[derive(Debug, Error)]
pub enum ShuffleError {
    /// Partitioning into nothing.
    #[error("cannot partition rows into 0 partitions; ask for at least 1")]
    NoPartitions,
    /// More partitions than [`MAX_PARTITIONS`].
    #[error(
        "cannot partition rows into {0} partitions, the limit is {MAX_PARTITIONS}; ask for fewer (a few \
         times the number of slots is plenty)"
    )]
    TooManyPartitions(usize),
    /// Partitioning by the values of no expression at all.
    #[error("cannot partition by no keys; give at least one key, or repartition round robin")]
    NoKeys,
    /// Spreading keys over nothing.
    #[error("cannot spread a key over 0 partitions; salt it over at least 1")]
    NoSalts,
    /// A key or partition expression failed on the rows.
    #[error("partitioning by {expr} failed: {source}")]
    Expression {
        /// The expression.
        expr: String,
        /// Polars' reason.
        source: PolarsError,
    },
    /// A key or partition expression does not give one value per row.
    #[error(
        "partitioning by {expr}: it gave {values} values for {rows} rows; use an expression that gives one \
         value per row (no filter, explode or unique)"
    )]
    Length {
        /// The expression.
        expr: String,
        /// How many values it gave.
        values: usize,
        /// How many it should have given.
        rows: usize,
    },
    /// A partition number that is not an integer.
    #[error(
        "partitioning by {expr}: it is of dtype {dtype}, but a partition number is an integer; cast it \
         (`.cast(DataType::Int64)`), or repartition by hash to spread arbitrary values"
    )]
    NotAnInteger {
        /// The expression.
        expr: String,
        /// What it gave instead.
        dtype: DataType,
    },
    /// Partition numbers that are null or outside of the range.
    #[error(
        "partitioning by {expr}: {bad} of {rows} rows have no partition in 0..{partitions}, the first of them \
         gave {value}; take the number modulo {partitions}, fill nulls, or ask for more partitions"
    )]
    OutOfRange {
        /// The expression.
        expr: String,
        /// The first offending value.
        value: String,
        /// How many rows offend.
        bad: usize,
        /// How many rows there are.
        rows: usize,
        /// How many partitions there are.
        partitions: usize,
    },
    /// Keys of a dtype that has no hash or no order.
    #[error("partitioning by {expr}: values of dtype {dtype} cannot be {verb}; use another key or cast it")]
    Unsupported {
        /// The expression.
        expr: String,
        /// Its dtype.
        dtype: DataType,
        /// What cannot be done with them: "hashed" or "ordered".
        verb: &'static str,
    },
    /// Range bounds that do not belong to the keys.
    #[error(
        "partitioning by range: the keys are of dtypes {keys:?}, the bounds of {bounds:?}; make the bounds from \
         samples of the same keys"
    )]
    Bounds {
        /// Dtypes of the keys.
        keys: Vec<DataType>,
        /// Dtypes of the bounds.
        bounds: Vec<DataType>,
    },
    /// `descending` of the wrong length.
    #[error("partitioning by range: {keys} keys but {flags} `descending` flags; give one flag per key")]
    Descending {
        /// How many keys there are.
        keys: usize,
        /// How many flags.
        flags: usize,
    },
    /// Moving rows failed.
    #[error("partitioning rows failed: {0}")]
    Polars(#[from] PolarsError),
}
