//! What can go wrong with trip records, and what to do about it.

use std::path::PathBuf;

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
