//! What can be wrong with a source before a row of it is read.

use std::path::PathBuf;

use polars::prelude::PolarsError;

/// Why a source cannot be opened. Every message names the file and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A path without wildcards that is not there.
    #[error(
        "`{pattern}` does not exist (looked in {cwd}): check the spelling, or give an absolute path",
        pattern = pattern, cwd = cwd.display()
    )]
    NotFound {
        /// What was asked for.
        pattern: String,
        /// Where a relative path was looked up.
        cwd: PathBuf,
    },

    /// A pattern with wildcards that no file matches.
    #[error(
        "no file matches `{pattern}` (looked in {cwd}): check the pattern; `*` does not cross directories, `**` does",
        pattern = pattern, cwd = cwd.display()
    )]
    NoMatch {
        /// What was asked for.
        pattern: String,
        /// Where a relative pattern was looked up.
        cwd: PathBuf,
    },

    /// A directory without any file of the wanted kind.
    #[error(
        "the directory `{path}` holds no {wanted} file: give a path or a pattern that names the files themselves",
        path = path.display()
    )]
    EmptyDirectory {
        /// The directory.
        path: PathBuf,
        /// The endings looked for.
        wanted: String,
    },

    /// A pattern that is not a valid glob.
    #[error("`{pattern}` is not a valid pattern ({reason}): put special characters in brackets, as in `[[]`")]
    BadPattern {
        /// What was asked for.
        pattern: String,
        /// What the glob parser says.
        reason: String,
    },

    /// The operating system refuses.
    #[error("cannot read `{path}` ({source}): check that it is a file you may read", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },

    /// A file without a readable Parquet footer.
    #[error(
        "`{path}` is not a complete Parquet file ({reason}): write it again, or open it with the reader for its format",
        path = path.display()
    )]
    NotParquet {
        /// The file.
        path: PathBuf,
        /// What the footer reader says.
        reason: String,
    },

    /// A column of a type that Polars, as it is built here, does not have.
    #[error(
        "column `{column}` of `{path}` has the type {dtype}, which is not supported: write the file without it, \
         or with another type",
        path = path.display()
    )]
    UnsupportedType {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// Its type, as Arrow names it.
        dtype: String,
    },

    /// A file that is not the one a piece was cut from.
    #[error(
        "`{path}` no longer has the row groups this piece was cut from: open the source again",
        path = path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
    },

    /// A file whose columns are not those of the first file.
    #[error(
        "the files do not share a schema: column `{column}` of `{path}` {what} in `{first}`; \
         open them separately, or write the files again with one schema",
        path = path.display(), first = first.display()
    )]
    SchemaDiffers {
        /// The file that differs.
        path: PathBuf,
        /// The first file, whose schema is the source's.
        first: PathBuf,
        /// The first column that differs.
        column: String,
        /// How, as in `is i64 but is str`.
        what: String,
    },

    /// A CSV file from which no schema can be had.
    #[error(
        "`{path}` has no line to take a schema from: remove it, or write a header line into it",
        path = path.display()
    )]
    EmptyCsv {
        /// The file.
        path: PathBuf,
    },

    /// A type given for a column that is not there.
    #[error(
        "the options give a type for the column `{column}`, which `{path}` does not have: its columns are {known}",
        path = path.display()
    )]
    NoSuchColumn {
        /// The file.
        path: PathBuf,
        /// The column named in the options.
        column: String,
        /// The columns there are.
        known: String,
    },

    /// A CSV file that Polars cannot make sense of.
    #[error(
        "cannot understand the head of `{path}` as CSV ({reason}): check the separator, the header and the options",
        path = path.display()
    )]
    BadCsv {
        /// The file.
        path: PathBuf,
        /// What Polars says.
        reason: String,
    },
}

/// The first line of what Polars says: the rest is advice for another library's options.
pub(super) fn first_line(error: &PolarsError) -> String {
    error.to_string().lines().next().unwrap_or_default().trim_end_matches('.').to_owned()
}
