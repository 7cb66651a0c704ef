use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a plot cannot be drawn, and what to do about it.
#[derive(Debug, Error)]
pub enum PlotError {
    /// The frame does not have the requested column.
    #[error("column \"{column}\" is not in the DataFrame; it has {}", quoted(available))]
    NoColumn {
        /// The requested name.
        column: String,
        /// The names that exist.
        available: Vec<String>,
    },
    /// A column is not numeric, but numbers are needed.
    #[error(
        "column \"{column}\" is {dtype}, and {role} needs numbers; cast it first, \
         as in col(\"{column}\").cast(DataType::Float64)"
    )]
    NotNumeric {
        /// The column's name.
        column: String,
        /// Its data type as Polars prints it.
        dtype: String,
        /// What the numbers are for.
        role: &'static str,
    },
    /// There is no row to draw.
    #[error("nothing to draw: {reason}")]
    Empty {
        /// What was checked, and what to do.
        reason: String,
    },
    /// A value of zero or less is on a logarithmic axis.
    #[error(
        "column \"{column}\" holds {value}, which a logarithmic axis cannot show; \
         filter such rows out or use the linear axis"
    )]
    NotPositive {
        /// The column's name.
        column: String,
        /// The first such value.
        value: f64,
    },
    /// Two rows have the same position.
    #[error("{place} has more than one row; aggregate first, as in group_by([…]).agg([…])")]
    Repeated {
        /// The position of both.
        place: String,
    },
    /// A task ends before it starts.
    #[error(
        "row {row}: column \"{end_column}\" holds {end}, before its start {start} in \"{start_column}\"; \
         are the two columns swapped?"
    )]
    EndsBeforeStart {
        /// 0-based row.
        row: usize,
        /// The start column's name.
        start_column: String,
        /// The end column's name.
        end_column: String,
        /// The row's start.
        start: f64,
        /// The row's end.
        end: f64,
    },
    /// There are more marks than fit into a readable picture.
    #[error("{count} {what} do not fit into one plot, which shows at most {limit}; filter or aggregate them")]
    TooMany {
        /// The kind of mark.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many fit.
        limit: usize,
    },
    /// The picture size is out of bounds.
    #[error("a plot of {width} × {height} pixels is out of bounds; use 240 × 160 up to 4000 × 4000")]
    Size {
        /// The requested width.
        width: u32,
        /// The requested height.
        height: u32,
    },
    /// The file name ends in neither `.svg` nor `.png`.
    #[error("{} has no known format; end it in .svg or .png", .0.display())]
    Format(PathBuf),
    /// The file could not be written.
    #[error("cannot write the plot to {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The drawing library failed.
    #[error("drawing failed: {0}")]
    Draw(String),
}

impl PlotError {
    /// Wraps an error of the drawing library; its type depends on the backend.
    pub(super) fn draw(error: impl std::fmt::Display) -> Self {
        Self::Draw(error.to_string())
    }
}

fn quoted(names: &[String]) -> String {
    if names.is_empty() {
        return "no columns".to_owned();
    }
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}
