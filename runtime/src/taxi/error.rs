//! What can go wrong with trip records, and what to do about it.

use std::path::{Path, PathBuf};

use polars::prelude::PolarsError;

use super::sources::Era;

/// An error of the taxi module. Every message names the thing, the place and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaxiError {
    /// The path or pattern matches no file.
    #[error(
        "no trip files at `{pattern}`: give a .csv, .csv.gz or .parquet file, a folder of them, or a pattern such as `trips/*.parquet`"
    )]
    NoFiles {
        /// What was asked for.
        pattern: String,
    },
    /// The pattern cannot be understood.
    #[error("`{pattern}` is not a valid file pattern ({source}): write it like `trips/yellow_*.csv`")]
    Pattern {
        /// What was asked for.
        pattern: String,
        /// Where the pattern goes wrong.
        source: glob::PatternError,
    },
    /// The file is neither CSV nor Parquet.
    #[error("`{}` is neither CSV nor Parquet: trip files end in .csv, .csv.gz or .parquet", path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// The columns belong to none of the known schemas.
    #[error(
        "these are not TLC taxi trips: found the columns {}; {}. Rename the columns to one of these schemas, \
         or read the file as a plain CSV or Parquet dataset",
        quoted(found, 30),
        lacks(missing)
    )]
    UnknownSchema {
        /// The columns that are there.
        found: Vec<String>,
        /// For every known schema, the columns it would need as well.
        missing: Vec<(Era, Vec<String>)>,
    },
    /// Something is wrong with one of the files.
    #[error("`{}`: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<TaxiError>,
    },
    /// A file or folder cannot be read or written.
    #[error("cannot {doing} `{}`: {source}. Check that the path is right and that you may {doing} it", path.display())]
    Io {
        /// `read` or `write`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Polars could not do its part.
    #[error("cannot {doing}: {source}")]
    Polars {
        /// What was being done.
        doing: &'static str,
        /// What Polars said.
        source: PolarsError,
    },
    /// A generator cannot work with this specification.
    #[error("TripSpec::{field} is {value}: {remedy}")]
    Spec {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What would do.
        remedy: &'static str,
    },
    /// The folder holds generated trips from an earlier run that would mix with the new ones.
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
    /// The text names no month.
    #[error(
        "`{month}` is no month of trip records: give year and month with two digits each, from 2009-01 on, such as `2019-03`"
    )]
    Month {
        /// What was asked for.
        month: String,
    },
    /// The text names no day.
    #[error(
        "`{day}` is no day: give year, month and day with two digits each for the latter, such as `2019-03-08`"
    )]
    Day {
        /// What was asked for.
        day: String,
    },
    /// There is no file for that month.
    #[error(
        "there are no yellow taxi trips of {month} at {address}: TLC publishes a month about two months after its end"
    )]
    NotPublished {
        /// The month.
        month: String,
        /// Where it was looked for.
        address: String,
    },
    /// The server does not give the file out.
    #[error("{address} was refused ({status}): check the address, and whether a proxy stands in between")]
    Refused {
        /// What was asked for.
        address: String,
        /// How the server answered.
        status: String,
    },
    /// The connection broke again and again.
    #[error(
        "the download of {address} broke off ({cause}) and several further tries got no further: check the network and \
         call it again; {}", kept(*bytes, file)
    )]
    Broken {
        /// Where it comes from.
        address: String,
        /// What happened last.
        cause: String,
        /// The file it was to become.
        file: PathBuf,
        /// Bytes that are here.
        bytes: u64,
    },
    /// The person interrupted the cell.
    #[error("the download was interrupted; {}", kept(*bytes, file))]
    Interrupted {
        /// The file it was to become.
        file: PathBuf,
        /// Bytes that are here.
        bytes: u64,
    },
    /// What came is not a month of trips.
    #[error(
        "what {address} sent is not a Parquet file of taxi trips ({why}), and was deleted: check the address, and call it again"
    )]
    NotTrips {
        /// Where it came from.
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

/// The first few of any number of names.
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

/// What becomes of the bytes that have come.
fn kept(bytes: u64, file: &Path) -> String {
    if bytes == 0 {
        return "nothing of it is here yet".to_owned();
    }
    format!(
        "the {:.1} MB that are here are kept beside `{}`, and the next call goes on from there",
        bytes as f64 / 1e6,
        file.display()
    )
}
