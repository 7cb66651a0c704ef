//! Why a source cannot be opened, found before any row is read.

use std::path::PathBuf;

use polars::prelude::PolarsError;

/// Why a source cannot be opened. Every message names the file and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A path without wildcards that does not exist.
    #[error(
        "`{pattern}` does not exist (looked in {cwd}): check the spelling, or give an absolute path",
        pattern = pattern, cwd = cwd.display()
    )]
    NotFound {
        /// The path.
        pattern: String,
        /// The directory that a relative path refers to.
        cwd: PathBuf,
    },

    /// A pattern with wildcards that matches no file.
    #[error(
        "no file matches `{pattern}` (looked in {cwd}): check the pattern; `*` does not cross directories, `**` does",
        pattern = pattern, cwd = cwd.display()
    )]
    NoMatch {
        /// The pattern.
        pattern: String,
        /// The directory that a relative pattern refers to.
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
        /// The file name endings searched for.
        wanted: String,
    },

    /// A pattern that is not a valid glob.
    #[error("`{pattern}` is not a valid pattern ({reason}): put special characters in brackets, as in `[[]`")]
    BadPattern {
        /// The pattern.
        pattern: String,
        /// The glob parser's reason.
        reason: String,
    },

    /// The operating system refused.
    #[error("cannot read `{path}` ({source}): check that it is a file you may read", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
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
        /// The footer reader's reason.
        reason: String,
    },

    /// A column has a type that this build of Polars does not have.
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

    /// A file is not the one that a piece was made from.
    #[error(
        "`{path}` no longer has the row groups that this piece was made from: open the source again",
        path = path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
    },

    /// A file has other columns than the first file.
    #[error(
        "the files do not share a schema: column `{column}` of `{path}` {what} in `{first}`; \
         open them separately, or write the files again with one schema",
        path = path.display(), first = first.display()
    )]
    SchemaDiffers {
        /// The file that differs.
        path: PathBuf,
        /// The first file, which determines the source's schema.
        first: PathBuf,
        /// The first column that differs.
        column: String,
        /// How it differs, as in `is i64 but is str`.
        what: String,
    },

    /// A CSV file has no line to take a schema from.
    #[error(
        "`{path}` has no line to take a schema from: remove it, or write a header line into it",
        path = path.display()
    )]
    EmptyCsv {
        /// The file.
        path: PathBuf,
    },

    /// The options give a type for a column that does not exist.
    #[error(
        "the options give a type for the column `{column}`, which `{path}` does not have: its columns are {known}",
        path = path.display()
    )]
    NoSuchColumn {
        /// The file.
        path: PathBuf,
        /// The column named in the options.
        column: String,
        /// The existing columns.
        known: String,
    },

    /// A CSV file whose beginning Polars cannot parse.
    #[error(
        "cannot parse the start of `{path}` as CSV ({reason}): check the separator, the header and the options",
        path = path.display()
    )]
    BadCsv {
        /// The file.
        path: PathBuf,
        /// Polars' reason.
        reason: String,
    },
}

/// The first line of Polars' message; the rest is advice for another library's options.
pub(super) fn first_line(error: &PolarsError) -> String {
    error.to_string().lines().next().unwrap_or_default().trim_end_matches('.').to_owned()
}
