use std::io;

use thiserror::Error;

use super::spec::SpecError;
use crate::{errors, evaluator::CellError};

/// Why the crates are not available. The session keeps what it had.
#[derive(Debug, Error)]
pub enum DependencyError {
    /// The request cannot be parsed.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// There is no directory to build in.
    #[error("there is no cache directory to build crates in; set XDG_CACHE_HOME or HOME")]
    NoCache,
    /// A file could not be read or created.
    #[error("{what}: {error}")]
    Io {
        /// What was attempted.
        what: String,
        /// The cause.
        error: io::Error,
    },
    /// Cargo could not be started.
    #[error("cannot run `cargo`: {0}; `:dep` needs the Rust toolchain from https://rustup.rs on the PATH")]
    NoCargo(io::Error),
    /// Cargo failed to build them.
    #[error("{headline}")]
    Cargo {
        /// The first error.
        headline: String,
        /// All of cargo's output.
        said: String,
    },
    /// A program was requested as a library.
    #[error("`{0}` has no library that cells could use")]
    NoLibrary(String),
    /// The crates cannot be linked into one shared library.
    #[error("the crates were built, but could not be linked for cells")]
    Link(String),
    /// A crate in a local directory was edited after cells had used it.
    #[error(
        "`{0}` has changed since this session loaded it; restart the kernel to use the new version (cells keep \
         using the old one)"
    )]
    Changed(String),
    /// The build was interrupted.
    #[error("interrupted")]
    Interrupted,
}

impl DependencyError {
    /// Converts it to the error of the cell that requested the crates.
    pub fn report(&self) -> CellError {
        if let Self::Interrupted = self {
            return errors::interrupted("stopped before the crates were built; nothing has changed");
        }
        errors::cell_error("DependencyError", self.to_string(), &[self.details().to_owned()])
    }

    /// Details beyond the headline, for the traceback.
    fn details(&self) -> &str {
        match self {
            Self::Cargo { said, .. } | Self::Link(said) => said,
            _ => "",
        }
    }

    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        |error| Self::Io { what, error }
    }
}
