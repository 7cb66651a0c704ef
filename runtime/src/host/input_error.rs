use std::io;

use thiserror::Error;

/// Why there is no line.
#[derive(Debug, Error)]
pub enum InputError {
    /// Nobody can be asked, for example when a notebook runs without a person.
    #[error("there is nobody to ask: {0}")]
    Unavailable(String),
    /// The person interrupted the cell instead.
    #[error("interrupted while waiting for input")]
    Interrupted,
    /// Standard input has ended.
    #[error("standard input has ended")]
    Ended,
    /// Standard input cannot be read, or the question cannot be shown.
    #[error("cannot ask for input: {0}")]
    Io(#[from] io::Error),
}
