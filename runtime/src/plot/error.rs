use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a plot cannot be drawn, and what to do about it.
#[derive(Debug, Error)]
pub enum PlotError {
    /// A column was asked for that the frame does not have.
    #[error("column \"{column}\" is not in the DataFrame; it has {}", quoted(available))]
    NoColumn {
        /// The name asked for.
        column: String,
        /// The names there are.
        available: Vec<String>,
    },
    /// A column of another type stands where numbers are needed.
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
    /// No row is left to draw.
    #[error("nothing to draw: {reason}")]
    Empty {
        /// What was looked at and what to check.
        reason: String,
    },
    /// A logarithmic axis met zero or less.
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
    /// Two rows claim the same place.
    #[error("{place} has more than one row; aggregate first, as in group_by([…]).agg([…])")]
    Repeated {
        /// The place both claim.
        place: String,
    },
    /// A task that ends before it starts.
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
    /// More marks than a picture of a readable size holds.
    #[error("{count} {what} do not fit one plot, which shows at most {limit}; filter or aggregate them")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many fit.
        limit: usize,
    },
    /// A picture size out of bounds.
    #[error("a plot of {width} × {height} pixels is out of bounds; use 240 × 160 up to 4000 × 4000")]
    Size {
        /// Width asked for.
        width: u32,
        /// Height asked for.
        height: u32,
    },
    /// A file name with neither a `.svg` nor a `.png` ending.
    #[error("{} does not say which format to write; end it in .svg or .png", .0.display())]
    Format(PathBuf),
    /// The file could not be written.
    #[error("cannot write the plot to {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The drawing library failed.
    #[error("drawing failed: {0}")]
    Draw(String),
}

impl PlotError {
    /// Wraps an error of the drawing library, whose type depends on the backend.
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
