//! An upper bound of a dataset's size, as far as it is known before anything runs.

use partita_engine::source::Piece;
use partita_engine::task::Step;
use polars::prelude::*;

use super::{Node, Op};

impl Node {
    /// An upper bound of the result's bytes in memory: from the plan, from what its sources report, or
    /// from the cache if all of it is cached.
    pub fn bytes_at_most(&self) -> Option<usize> {
        match &self.op {
            Op::Frames(frames) => Some(frames.iter().map(DataFrame::estimated_size).sum()),
            Op::Range { start, end, .. } => {
                usize::try_from(i128::from(*end) - i128::from(*start)).ok()?.checked_mul(8)
            }
            Op::Pieces(pieces) => pieces.iter().map(|piece| piece_bytes(piece)).sum(),
            Op::Narrow { input, step } => match **step {
                Step::Filter(_) | Step::Limit(_) | Step::Distinct(_) => input.bytes_at_most(),
                _ => None,
            },
            Op::Cache { input, lease, .. } => {
                lease.bytes(input.partitions()).or_else(|| input.bytes_at_most())
            }
            Op::Repartition { input, .. }
            | Op::Coalesce { input, .. }
            | Op::Limit { input, .. }
            | Op::Distinct { input, .. }
            | Op::Sort { input, .. } => input.bytes_at_most(),
            Op::Union(inputs) => inputs.iter().map(|input| input.bytes_at_most()).sum(),
            Op::Plans(_) | Op::GroupBy { .. } | Op::Join { .. } => None,
        }
    }
}

/// An upper bound of a file piece's bytes in memory: numbers by their widths; texts and the like by their
/// uncompressed size in the file plus one view per value.
fn piece_bytes(piece: &Piece) -> Option<usize> {
    let (rows, unpacked) =
        (usize::try_from(piece.rows()?).ok()?, usize::try_from(piece.unpacked_bytes()?).ok()?);
    let mut row = 0;
    let mut texts = false;
    for dtype in piece.schema().iter_values() {
        match width(dtype) {
            Some(width) => row += width,
            None => {
                texts = true;
                row += VIEW;
            }
        }
    }
    rows.checked_mul(row)?.checked_add(if texts { unpacked } else { 0 })
}

/// The bytes of the view or the offsets for a value without a fixed width.
const VIEW: usize = 16;

/// The bytes of a value, if all values of the type have the same.
fn width(dtype: &DataType) -> Option<usize> {
    use DataType as D;
    Some(match dtype {
        D::Boolean | D::Int8 | D::UInt8 => 1,
        D::Int16 | D::UInt16 => 2,
        D::Int32 | D::UInt32 | D::Float32 | D::Date | D::Categorical(..) | D::Enum(..) => 4,
        D::Int64 | D::UInt64 | D::Float64 | D::Datetime(..) | D::Duration(_) | D::Time => 8,
        _ => return None,
    })
}
