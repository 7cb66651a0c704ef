use polars::chunked_array::cast::CastOptions;
use polars::chunked_array::ops::row_encode;
use polars::polars_utils::aliases::SeedableFromU64SeedExt;
use polars::prelude::*;

use super::ShuffleError;
use super::keys::{evaluate_one, is_encodable, without_categories};

/// The value does not matter but must never change: every process must send a key to the same partition.
const SEED: u64 = 0x7061_7274_6974_6121;

/// One hash per row, equal for keys that `group_by` and `join` consider equal.
pub(super) fn hash_rows(df: &DataFrame, keys: &[Expr]) -> Result<Vec<u64>, ShuffleError> {
    let state = PlSeedableRandomStateQuality::seed_from_u64(SEED);
    let mut hashes = Vec::new();
    for (i, key) in keys.iter().enumerate() {
        let values = canonical(key, evaluate_one(df, key)?)?;
        if i == 0 {
            values.vec_hash(state.clone(), &mut hashes)?;
        } else {
            values.vec_hash_combine(state.clone(), &mut hashes)?;
        }
    }
    Ok(hashes)
}

/// The values in a form in which equal keys have equal hashes. Polars hashes -0.0 like 0.0, all NaN alike
/// and all nulls alike. But it hashes the same number differently in different widths, and does not hash
/// nested values.
fn canonical(key: &Expr, values: Column) -> Result<Series, ShuffleError> {
    let values = without_categories(values)?;
    let values = match values.dtype() {
        // A bijection is enough, so the upper half of u64 may wrap.
        dtype if dtype.is_integer() => {
            values.cast_with_options(&DataType::Int64, CastOptions::Overflowing)?
        }
        DataType::Float32 => values.cast(&DataType::Float64)?,
        dtype if dtype.is_nested() => {
            if !is_encodable(dtype) {
                return Err(ShuffleError::Unsupported {
                    expr: key.to_string(),
                    dtype: dtype.clone(),
                    verb: "hashed",
                });
            }
            row_encode::encode_rows_unordered(&[values])?.into_column()
        }
        _ => values,
    };
    Ok(values.take_materialized_series())
}
