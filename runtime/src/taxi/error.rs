//! Errors of trip records.

use std::path::{Path, PathBuf};

use polars::prelude::PolarsError;

use super::sources::Era;

/// An error of the taxi module. Every message names the problem, the place and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaxiError {
    /// The path or pattern matches no file.
    #[error(
        "no trip files at `{pattern}`: name a .csv, .csv.gz or .parquet file, a folder of them, or a pattern such as `trips/*.parquet`"
    )]
    NoFiles {
        /// The requested path or pattern.
        pattern: String,
    },
    /// The pattern is invalid.
    #[error("`{pattern}` is not a valid file pattern ({source}): write it like `trips/yellow_*.csv`")]
    Pattern {
        /// The requested pattern.
        pattern: String,
        /// The error in the pattern.
        source: glob::PatternError,
    },
    /// The file is neither CSV nor Parquet.
    #[error("`{}` is neither CSV nor Parquet: trip files end in .csv, .csv.gz or .parquet", path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// The columns match none of the known schemas.
    #[error(
        "these are not TLC taxi trips: found the columns {}; {}. Rename the columns to one of these schemas, \
         or read the file as a plain CSV or Parquet dataset",
        quoted(found, 30),
        lacks(missing)
    )]
    UnknownSchema {
        /// The columns found.
        found: Vec<String>,
        /// For every known schema, the columns that are missing.
        missing: Vec<(Era, Vec<String>)>,
    },
    /// One of the files has an error.
    #[error("`{}`: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error.
        source: Box<TaxiError>,
    },
    /// A file or folder cannot be read or written.
    #[error("cannot {doing} `{}`: {source}. Check that the path is right and that you may {doing} it", path.display())]
    Io {
        /// `read` or `write`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// Polars failed.
    #[error("cannot {doing}: {source}")]
    Polars {
        /// The operation that failed.
        doing: &'static str,
        /// Polars' error.
        source: PolarsError,
    },
    /// The specification is invalid for a generator.
    #[error("TripSpec::{field} is {value}: {remedy}")]
    Spec {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// How to correct it.
        remedy: &'static str,
    },
    /// The folder contains generated trips of an earlier run, which would mix with the new ones.
    #[error(
        "`{}` already holds other generated trips ({found}), which would be read together with the new ones: \
         choose an empty folder, or delete them first", dir.display()
    )]
    Occupied {
        /// The folder.
        dir: PathBuf,
        /// A file of the earlier run.
        found: String,
    },
    /// The text is not a month.
    #[error(
        "`{month}` is not a month of trip records: write it with two digits for the month, from 2009-01 on, such as `2019-03`"
    )]
    Month {
        /// The text.
        month: String,
    },
    /// The text is not a day.
    #[error("`{day}` is not a day: write it with two digits for month and day, such as `2019-03-08`")]
    Day {
        /// The text.
        day: String,
    },
    /// There is no file for that month.
    #[error(
        "there are no yellow taxi trips of {month} at {address}: TLC publishes a month about two months after its end"
    )]
    NotPublished {
        /// The month.
        month: String,
        /// The address that was tried.
        address: String,
    },
    /// The server refuses to send the file.
    #[error(
        "the server refused {address} ({status}): check the address, and whether there is a proxy in between"
    )]
    Refused {
        /// The requested address.
        address: String,
        /// The server's answer.
        status: String,
    },
    /// The connection broke repeatedly.
    #[error(
        "the download of {address} broke off ({cause}), and several retries failed too: check the network and \
         call it again; {}", kept(*bytes, file)
    )]
    Broken {
        /// The address.
        address: String,
        /// The last error.
        cause: String,
        /// The target file.
        file: PathBuf,
        /// The number of bytes kept.
        bytes: u64,
    },
    /// The user interrupted the cell.
    #[error("the download was interrupted; {}", kept(*bytes, file))]
    Interrupted {
        /// The target file.
        file: PathBuf,
        /// The number of bytes kept.
        bytes: u64,
    },
    /// The server's data is not a month of trips.
    #[error(
        "what {address} sent is not a Parquet file of taxi trips ({why}), and was deleted: check the address, and call it again"
    )]
    NotTrips {
        /// The address.
        address: String,
        /// What is wrong with it.
        why: String,
    },
}

impl TaxiError {
    pub(super) fn polars(doing: &'static str) -> impl FnOnce(PolarsError) -> TaxiError {
        move |source| TaxiError::Polars { doing, source }
    }

    pub(super) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> TaxiError {
        move |source| TaxiError::Io { doing, path: path.into(), source }
    }
}

/// The first few names of a list.
fn quoted(names: &[String], shown: usize) -> String {
    if names.is_empty() {
        return "(none)".to_owned();
    }
    let mut text = names.iter().take(shown).map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    if names.len() > shown {
        text += &format!(" and {} more", names.len() - shown);
    }
    text
}

fn lacks(missing: &[(Era, Vec<String>)]) -> String {
    missing.iter().map(|(era, m)| format!("{era} lacks {}", quoted(m, 5))).collect::<Vec<_>>().join("; ")
}

/// What happens to the partial download.
fn kept(bytes: u64, file: &Path) -> String {
    if bytes == 0 {
        return "nothing has been downloaded yet".to_owned();
    }
    format!(
        "the {:.1} MB downloaded so far are kept beside `{}`, and the next call resumes there",
        bytes as f64 / 1e6,
        file.display()
    )
}
