use std::ops::Range;

use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::ShuffleError;
use super::hash::hash_rows;
use super::keys::{evaluate, evaluate_one};
use super::range::{check_range, range_ids};
use super::salt::Salt;

/// The maximum number of partitions that a frame is split into.
pub const MAX_PARTITIONS: usize = 1 << 20;

/// One frame per partition, for each slice of the rows.
type Slices<'a> = Box<dyn Iterator<Item = Result<Vec<DataFrame>, ShuffleError>> + 'a>;

/// Splits a range of the rows into one frame per partition.
type Cut<'a> = Box<dyn Fn(Range<usize>) -> Result<Vec<DataFrame>, ShuffleError> + 'a>;

/// How rows are assigned to output partitions.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Partitioner {
    /// Even parts, whatever the rows are. Each part is a run of neighbouring rows, so nothing is copied.
    /// If rows do not divide evenly, the partitions that get one more depend on the map partition, so
    /// that many small inputs balance as well as one large one.
    RoundRobin {
        /// Number of output partitions.
        n: usize,
    },
    /// Equal keys go together and are otherwise spread evenly. Equality is that of `group_by` and `join`:
    /// nulls are equal, NaN are equal, -0.0 equals 0.0, and categories are compared by their strings.
    /// Integers of different widths are equal, and so are floats of different widths; an integer and a
    /// float are not. The same key goes to the same partition in every process that runs the same version
    /// of Polars.
    Hash {
        /// The keys.
        keys: Vec<Expr>,
        /// Number of output partitions.
        n: usize,
    },
    /// Ordered: the rows of a partition sort before or equal to those of the next, so that sorted
    /// partitions, one after the other, are the sorted whole. Rows equal to a bound go before it. There
    /// is one partition more than there are bounds.
    Range {
        /// The sort keys.
        by: Vec<Expr>,
        /// For each key, whether it is sorted descending.
        descending: Vec<bool>,
        /// Whether nulls sort after everything else, whichever the direction.
        nulls_last: bool,
        /// One column per key, sorted the same way: made by [`range_bounds`](super::range_bounds).
        bounds: DataFrame,
    },
    /// By the hash of the keys, but a salted key is in several partitions instead of one: its rows are
    /// dealt among them by position, so that each gets about as many.
    Salted {
        /// The keys.
        keys: Vec<Expr>,
        /// Number of output partitions.
        n: usize,
        /// The salted keys.
        salt: Salt,
    },
    /// The other side of a join whose first side is [`Salted`](Self::Salted) in the same way: rows of a
    /// salted key go to each of its partitions, so that every row of the first side meets them.
    Copied {
        /// The keys.
        keys: Vec<Expr>,
        /// Number of output partitions.
        n: usize,
        /// The salted keys.
        salt: Salt,
    },
    /// The expression returns the partition number, an integer in `0..n`.
    ByExpr {
        /// The expression.
        expr: Expr,
        /// Number of output partitions.
        n: usize,
    },
}

impl Partitioner {
    /// Number of output partitions.
    pub fn partitions(&self) -> usize {
        match self {
            Self::RoundRobin { n }
            | Self::Hash { n, .. }
            | Self::Salted { n, .. }
            | Self::Copied { n, .. }
            | Self::ByExpr { n, .. } => *n,
            Self::Range { bounds, .. } => bounds.height() + 1,
        }
    }

    /// Splits the rows of map partition number `map_partition` into one frame per output partition,
    /// including empty ones. Rows keep their order within each.
    ///
    /// The frames are slices of one reordered copy (round robin: of `df` itself). All of it stays in
    /// memory as long as any of them lives.
    ///
    /// # Errors
    /// When the number of partitions is zero or too large, or when an expression fails or returns
    /// something that rows cannot be partitioned by.
    pub fn split(&self, df: &DataFrame, map_partition: usize) -> Result<Vec<DataFrame>, ShuffleError> {
        let mut slices = self.split_in_slices(df, map_partition, usize::MAX)?;
        slices.next().unwrap_or(Err(ShuffleError::NoPartitions))
    }

    /// Like [`split`](Self::split), but at most `rows` rows at a time, so that not all of the reordered
    /// copy must be in memory at once. Returns at least one slice, possibly of empty frames. If nothing
    /// is copied, it is one slice whatever `rows` is.
    ///
    /// # Errors
    /// As `split`.
    pub(crate) fn split_in_slices<'a>(
        &'a self,
        df: &'a DataFrame,
        map_partition: usize,
        rows: usize,
    ) -> Result<Slices<'a>, ShuffleError> {
        let n = self.partitions();
        match n {
            0 => return Err(ShuffleError::NoPartitions),
            n if n > MAX_PARTITIONS => return Err(ShuffleError::TooManyPartitions(n)),
            _ => {}
        }
        let whole = |blocks| Box::new(std::iter::once(Ok(blocks)));
        let cut = |split: Cut<'a>| {
            let rows = rows.max(1);
            let slices = df.height().div_ceil(rows).max(1);
            Ok(Box::new((0..slices).map(move |slice| {
                let start = slice * rows;
                split(start..start.saturating_add(rows).min(df.height()))
            })) as Slices<'a>)
        };
        if let Self::Copied { keys, salt, .. } = self {
            salt.check()?;
            let hashes = hash_rows(df, not_none(keys)?)?;
            return cut(Box::new(move |range| {
                let (rows, ids) = salt.copies(&hashes[range.clone()], n);
                gather(&df.slice(range.start as i64, range.len()), Some(&rows), &ids, n)
            }));
        }
        match self.ids(df, map_partition)? {
            None => Ok(whole(deal(df, n, map_partition))),
            Some(_) if n == 1 => Ok(whole(vec![df.clone()])),
            Some(ids) => cut(Box::new(move |range| {
                gather(&df.slice(range.start as i64, range.len()), None, &ids[range], n)
            })),
        }
    }

    /// The partition of each row (with copies, the first one); `None` if it does not depend on the row.
    pub(super) fn ids(&self, df: &DataFrame, map_partition: usize) -> Result<Option<Vec<u32>>, ShuffleError> {
        let n = self.partitions();
        Ok(Some(match self {
            Self::RoundRobin { .. } => return Ok(None),
            Self::Hash { keys, .. } if n == 1 => {
                evaluate(df, not_none(keys)?).map(|_| vec![0; df.height()])?
            }
            Self::Hash { keys, .. } | Self::Copied { keys, .. } => {
                hash_rows(df, not_none(keys)?)?.into_iter().map(|hash| scale(hash, n)).collect()
            }
            Self::Salted { keys, salt, .. } => {
                salt.check()?;
                salt.deal(&hash_rows(df, not_none(keys)?)?, n, map_partition)
            }
            Self::Range { by, descending, nulls_last, bounds } => {
                check_range(by.len(), descending)?;
                range_ids(df, by, descending, *nulls_last, bounds)?
            }
            Self::ByExpr { expr, .. } => expr_ids(df, expr, n)?,
        }))
    }
}

fn not_none(keys: &[Expr]) -> Result<&[Expr], ShuffleError> {
    if keys.is_empty() { Err(ShuffleError::NoKeys) } else { Ok(keys) }
}

/// Contiguous even parts. The `rows % n` extra rows go to partitions that rotate with the map partition.
fn deal(df: &DataFrame, n: usize, map_partition: usize) -> Vec<DataFrame> {
    let (each, extra) = (df.height() / n, df.height() % n);
    let start = (map_partition % n) * stride(n) % n;
    let mut offset = 0;
    (0..n)
        .map(|partition| {
            let length = each + usize::from((partition + n - start) % n < extra);
            let piece = df.slice(offset as i64, length);
            offset += length;
            piece
        })
        .collect()
}

/// A step that visits all of `0..n` before it repeats and keeps consecutive visits apart: close to the
/// golden section and coprime to `n`.
fn stride(n: usize) -> usize {
    let coprime = |step: &usize| {
        let (mut a, mut b) = (n, *step);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a == 1
    };
    let golden = (n as f64 * 0.618_033_988_75) as usize;
    (golden.max(1)..=n).find(coprime).unwrap_or(1)
}

/// Maps a hash to `0..n` by its high bits, evenly for every `n`.
pub(super) fn scale(hash: u64, n: usize) -> u32 {
    ((u128::from(hash) * n as u128) >> 64) as u32
}

/// The checked partition numbers that an expression returns.
fn expr_ids(df: &DataFrame, expr: &Expr, n: usize) -> Result<Vec<u32>, ShuffleError> {
    let values = evaluate_one(df, expr)?;
    if !values.dtype().is_integer() {
        return Err(ShuffleError::NotAnInteger { expr: expr.to_string(), dtype: values.dtype().clone() });
    }
    // A u64 beyond the range of i64 becomes null and so stays out of range.
    let numbers = values.cast(&DataType::Int64)?;
    let mut ids = Vec::with_capacity(values.len());
    let mut bad = 0;
    let mut first_bad = None;
    for (row, number) in numbers.i64()?.iter().enumerate() {
        match number.and_then(|number| u32::try_from(number).ok()).filter(|id| (*id as usize) < n) {
            Some(id) => ids.push(id),
            None => {
                bad += 1;
                first_bad.get_or_insert(row);
            }
        }
    }
    match first_bad {
        None => Ok(ids),
        Some(row) => Err(ShuffleError::OutOfRange {
            expr: expr.to_string(),
            value: values.get(row)?.to_string(),
            bad,
            rows: df.height(),
            partitions: n,
        }),
    }
}

/// Groups the rows by partition with one counting sort and one gather. `ids` belong to the frame's rows,
/// or to the range `rows` of them.
fn gather(
    df: &DataFrame,
    rows: Option<&[IdxSize]>,
    ids: &[u32],
    n: usize,
) -> Result<Vec<DataFrame>, ShuffleError> {
    let mut lengths = vec![0usize; n];
    for id in ids {
        lengths[*id as usize] += 1;
    }
    let mut next: Vec<usize> = Vec::with_capacity(n);
    let mut total = 0;
    for length in &lengths {
        next.push(total);
        total += length;
    }
    let mut order: Vec<IdxSize> = vec![0; ids.len()];
    for (place, id) in ids.iter().enumerate() {
        let slot = &mut next[*id as usize];
        order[*slot] = rows.map_or(place as IdxSize, |rows| rows[place]);
        *slot += 1;
    }
    let gathered = df.take(&IdxCa::from_vec(PlSmallStr::EMPTY, order))?;
    // `next` has advanced to the end of each partition.
    let pieces = lengths.iter().zip(&next);
    Ok(pieces.map(|(length, end)| gathered.slice((end - length) as i64, *length)).collect())
}
