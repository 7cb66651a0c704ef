use polars::prelude::{DataType, PolarsError};
use thiserror::Error;

use super::MAX_PARTITIONS;

/// Why a frame could not be partitioned.
#[derive(Debug, Error)]
pub enum ShuffleError {
    /// The number of partitions is 0.
    #[error("cannot partition rows into 0 partitions; ask for at least 1")]
    NoPartitions,
    /// More partitions than [`MAX_PARTITIONS`].
    #[error(
        "cannot partition rows into {0} partitions, the limit is {MAX_PARTITIONS}; ask for fewer (a few \
         times the number of slots is enough)"
    )]
    TooManyPartitions(usize),
    /// There are no keys.
    #[error("cannot partition by no keys; give at least one key, or repartition round robin")]
    NoKeys,
    /// Keys are spread over 0 partitions.
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
    /// A key or partition expression does not return one value per row.
    #[error(
        "partitioning by {expr}: it returned {values} values for {rows} rows; use an expression that returns one \
         value per row (no filter, explode or unique)"
    )]
    Length {
        /// The expression.
        expr: String,
        /// How many values it returned.
        values: usize,
        /// How many were expected.
        rows: usize,
    },
    /// A partition number is not an integer.
    #[error(
        "partitioning by {expr}: it is of dtype {dtype}, but a partition number is an integer; cast it \
         (`.cast(DataType::Int64)`), or repartition by hash to spread arbitrary values"
    )]
    NotAnInteger {
        /// The expression.
        expr: String,
        /// The type it returned.
        dtype: DataType,
    },
    /// Partition numbers are null or out of range.
    #[error(
        "partitioning by {expr}: {bad} of {rows} rows have no partition in 0..{partitions}, the first of them \
         gave {value}; take the number modulo {partitions}, fill nulls, or ask for more partitions"
    )]
    OutOfRange {
        /// The expression.
        expr: String,
        /// The first invalid value.
        value: String,
        /// How many rows have no valid partition.
        bad: usize,
        /// How many rows there are.
        rows: usize,
        /// How many partitions there are.
        partitions: usize,
    },
    /// Keys have a dtype without a hash or an order.
    #[error("partitioning by {expr}: values of dtype {dtype} cannot be {verb}; use another key or cast it")]
    Unsupported {
        /// The expression.
        expr: String,
        /// Its dtype.
        dtype: DataType,
        /// What cannot be done with them: "hashed" or "ordered".
        verb: &'static str,
    },
    /// The range bounds do not match the keys.
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
    /// `descending` has the wrong length.
    #[error("partitioning by range: {keys} keys but {flags} `descending` flags; give one flag per key")]
    Descending {
        /// The number of keys.
        keys: usize,
        /// The number of flags.
        flags: usize,
    },
    /// Moving rows failed.
    #[error("partitioning rows failed: {0}")]
    Polars(#[from] PolarsError),
}
