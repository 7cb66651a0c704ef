//! How large a flow's rows are, as far as it is known before anything runs.

use partita_engine::source::Piece;
use polars::prelude::*;

/// Upper bounds; `None` where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub rows: Option<u64>,
    /// In memory.
    pub bytes: Option<usize>,
}

impl Size {
    pub fn of_frames(frames: &[DataFrame]) -> Self {
        let rows = frames.iter().map(|frame| frame.height() as u64).sum();
        Self { rows: Some(rows), bytes: Some(frames.iter().map(DataFrame::estimated_size).sum()) }
    }

    /// File pieces of which these columns are read: numbers by their widths; texts and the like by the
    /// uncompressed size of the file plus one view per value.
    pub fn of_pieces<'a>(pieces: impl IntoIterator<Item = &'a Piece>, columns: &Schema) -> Self {
        let mut sum = Self { rows: Some(0), bytes: Some(0) };
        for piece in pieces {
            sum = sum + Self::of_piece(piece, columns);
        }
        sum
    }

    fn of_piece(piece: &Piece, columns: &Schema) -> Self {
        let Some(rows) = piece.rows() else { return Self::default() };
        let has_texts = columns.iter_values().any(|dtype| width(dtype).is_none());
        let texts = if has_texts { piece.unpacked_bytes_of(columns) } else { Some(0) };
        let bytes = texts.and_then(|texts| {
            let numbers = usize::try_from(rows).ok()?.checked_mul(Self::row_width(columns))?;
            numbers.checked_add(usize::try_from(texts).ok()?)
        });
        Self { rows: Some(rows), bytes }
    }

    /// The bytes of a row, without those of its texts.
    pub fn row_width(columns: &Schema) -> usize {
        columns.iter_values().map(|dtype| width(dtype).unwrap_or(VIEW)).sum()
    }

    /// At most this many rows.
    #[must_use]
    pub fn at_most(self, rows: u64) -> Self {
        Self { rows: Some(self.rows.map_or(rows, |known| known.min(rows))), ..self }
    }

    /// As many rows with other columns.
    #[must_use]
    pub fn with_columns(self, columns: &Schema) -> Self {
        let fixed = columns.iter_values().all(|dtype| width(dtype).is_some());
        let bytes = self
            .rows
            .filter(|_| fixed)
            .and_then(|rows| usize::try_from(rows).ok()?.checked_mul(Self::row_width(columns)));
        Self { rows: self.rows, bytes }
    }
}

impl std::ops::Add for Size {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            rows: self.rows.zip(other.rows).map(|(one, other)| one + other),
            bytes: self.bytes.zip(other.bytes).map(|(one, other)| one + other),
        }
    }
}

/// The column that is cheapest to read.
pub(super) fn narrowest(columns: &Schema) -> Option<PlSmallStr> {
    let column = columns.iter().min_by_key(|(_, dtype)| width(dtype).unwrap_or(usize::MAX))?;
    Some(column.0.clone())
}

/// The bytes of the view or the offsets for a value without a fixed width.
const VIEW: usize = 16;

/// The bytes of a value, if all values of the type have the same.
fn width(dtype: &DataType) -> Option<usize> {
    use DataType as D;
    Some(match dtype {
        D::Boolean | D::Int8 | D::UInt8 => 1,
        D::Int16 | D::UInt16 | D::Float16 => 2,
        D::Int32 | D::UInt32 | D::Float32 | D::Date | D::Categorical(..) | D::Enum(..) => 4,
        D::Int64 | D::UInt64 | D::Float64 | D::Datetime(..) | D::Duration(_) | D::Time => 8,
        D::Int128 | D::UInt128 | D::Decimal(..) => 16,
        _ => return None,
    })
}
