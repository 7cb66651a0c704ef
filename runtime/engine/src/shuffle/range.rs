use polars::chunked_array::ops::row_encode;
use polars::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::index;

use super::ShuffleError;
use super::keys::{evaluate, is_encodable, without_categories};

/// The column of a sample that tells how many rows each sampled row represents.
pub(super) const WEIGHT: &str = "weight";

/// A random sample of the sort keys of one map partition: all rows if there are at most `size`, else
/// `size` of them, the same for the same seed. The columns are the keys `key_0`, `key_1`, … and `weight`,
/// the number of rows that each sampled row represents, so that a large partition counts for more.
///
/// # Errors
/// When a key fails or has no order.
pub fn sample(df: &DataFrame, by: &[Expr], size: usize, seed: u64) -> Result<DataFrame, ShuffleError> {
    if by.is_empty() {
        return Err(ShuffleError::NoKeys);
    }
    let rows = df.height();
    let keys = DataFrame::new(rows, sort_keys(df, by)?)?;
    let mut sampled = if rows <= size {
        keys
    } else {
        // Polars' own sampling visits every row.
        let mut places = index::sample(&mut StdRng::seed_from_u64(seed), rows, size).into_vec();
        places.sort_unstable();
        keys.take(&places.into_iter().map(|place| place as IdxSize).collect_ca(PlSmallStr::EMPTY))?
    };
    let weight = rows as f64 / sampled.height().max(1) as f64;
    sampled.with_column(Column::new_scalar(WEIGHT.into(), weight.into(), sampled.height()))?;
    Ok(sampled)
}

/// Bounds that split the sampled rows into `n` parts as evenly as the keys allow: sorted, at most `n -
/// 1`, all different. `samples` come from [`sample`], one per map partition.
///
/// # Errors
/// When there are no samples, when they do not belong together, or when `n` is zero.
pub fn range_bounds(
    samples: Vec<DataFrame>,
    descending: &[bool],
    nulls_last: bool,
    n: usize,
) -> Result<DataFrame, ShuffleError> {
    if n == 0 {
        return Err(ShuffleError::NoPartitions);
    }
    check_range(descending.len(), descending)?;
    let mut samples = samples.into_iter();
    let mut all = samples.next().ok_or(ShuffleError::NoKeys)?;
    for sample in samples {
        all.vstack_mut_owned(sample)?;
    }
    let weights = all.drop_in_place(WEIGHT)?;
    check_range(all.width(), descending)?;

    let encoded = encode(all.columns(), descending, nulls_last)?;
    let encoded = encoded.downcast_as_array();
    let mut order: Vec<usize> = (0..all.height()).collect();
    order.sort_by(|a, b| encoded.value(*a).cmp(encoded.value(*b)));

    let weights = weights.f64()?;
    let mut left = weights.sum().unwrap_or(0.0);
    let mut chosen: Vec<IdxSize> = Vec::new();
    let mut filled = 0.0;
    let mut rows = order.into_iter().peekable();
    while let Some(row) = rows.next() {
        filled += weights.get(row).unwrap_or(0.0);
        // A key cannot be split, and nothing comes after the last one.
        let ends_key = rows.peek().is_some_and(|next| encoded.value(*next) != encoded.value(row));
        let parts_left = n - chosen.len();
        // What remains is divided again each time; otherwise a heavy key would leave later parts empty.
        if ends_key && parts_left > 1 && filled >= left / parts_left as f64 {
            chosen.push(row as IdxSize);
            left -= filled;
            filled = 0.0;
        }
    }
    Ok(all.take(&IdxCa::from_vec(PlSmallStr::EMPTY, chosen))?)
}

/// The partition of each row: the number of bounds that sort before it.
pub(super) fn range_ids(
    df: &DataFrame,
    by: &[Expr],
    descending: &[bool],
    nulls_last: bool,
    bounds: &DataFrame,
) -> Result<Vec<u32>, ShuffleError> {
    let keys = sort_keys(df, by)?;
    if !keys.iter().map(Column::dtype).eq(bounds.columns().iter().map(Column::dtype)) {
        let dtypes = |columns: &[Column]| columns.iter().map(|column| column.dtype().clone()).collect();
        return Err(ShuffleError::Bounds { keys: dtypes(&keys), bounds: dtypes(bounds.columns()) });
    }
    let encoded = encode(&keys, descending, nulls_last)?;
    let bounds = encode(bounds.columns(), descending, nulls_last)?;
    let bounds: Vec<(u128, &[u8])> =
        bounds.downcast_as_array().values_iter().map(|bound| (prefix(bound), bound)).collect();
    let keys = encoded.downcast_as_array().values_iter();
    Ok(keys.map(|key| bounds_before(key, &bounds) as u32).collect())
}

/// The number of sorted bounds that are less than the key. Most are decided by their first bytes.
fn bounds_before(key: &[u8], bounds: &[(u128, &[u8])]) -> usize {
    let start = prefix(key);
    let less = bounds.partition_point(|(bound, _)| *bound < start);
    let undecided = bounds[less..].iter().take_while(|(bound, rest)| *bound == start && *rest < key);
    less + undecided.count()
}

/// The first bytes as a number that compares as they do.
fn prefix(bytes: &[u8]) -> u128 {
    let mut first = [0; 16];
    match bytes.first_chunk() {
        Some(chunk) => first = *chunk,
        None => first[..bytes.len()].copy_from_slice(bytes),
    }
    u128::from_be_bytes(first)
}

/// Checks that each sort key has a direction.
pub(super) fn check_range(keys: usize, descending: &[bool]) -> Result<(), ShuffleError> {
    match (keys, descending.len()) {
        (0, _) => Err(ShuffleError::NoKeys),
        (keys, flags) if keys != flags => Err(ShuffleError::Descending { keys, flags }),
        _ => Ok(()),
    }
}

/// The keys under positional names, in a form whose order does not depend on the frame.
fn sort_keys(df: &DataFrame, by: &[Expr]) -> Result<Vec<Column>, ShuffleError> {
    let columns = evaluate(df, by)?;
    let named = columns.into_iter().zip(by).enumerate().map(|(i, (column, expr))| {
        if !is_encodable(column.dtype()) {
            let (expr, dtype) = (expr.to_string(), column.dtype().clone());
            return Err(ShuffleError::Unsupported { expr, dtype, verb: "ordered" });
        }
        Ok(without_categories(column)?.with_name(format!("key_{i}").into()))
    });
    named.collect()
}

/// Rows as bytes that compare as Polars sorts the rows, including nulls and NaN.
fn encode(keys: &[Column], descending: &[bool], nulls_last: bool) -> PolarsResult<BinaryOffsetChunked> {
    let nulls_last = vec![nulls_last; keys.len()];
    row_encode::_get_rows_encoded_ca(PlSmallStr::EMPTY, keys, descending, &nulls_last, false)
}
