//! The messages between the kernel and its evaluation process, and how they are framed.
//!
//! One Unix socket per kernel. The kernel listens, the evaluation process dials the path it finds in
//! [`SOCKET_VARIABLE`]. Each side sends one enum: [`FromEvaluation`] towards the kernel,
//! [`ToEvaluation`] towards the evaluation process. This crate knows neither Jupyter nor Polars: what
//! a value looks like travels as a [`MimeBundle`], what a job does as [`partita_events::Event`]s, and nothing else about
//! either is said. What both sides answer commands with, [`Table`] and [`nearest`], is here too, so that
//! it looks the same.

mod frame;
mod last_words;
mod message;
mod mime;
mod nearest;
mod table;

pub use frame::{FrameError, MAX_FRAME_BYTES, read_frame, write_frame};
pub use last_words::LastWords;
pub use message::{
    CellOutcome, Comm, CommAction, Command, Frame, FromEvaluation, LoadCell, Panic, Spent, Stream,
    ToEvaluation, Variable, Viewer,
};
pub use mime::MimeBundle;
pub use nearest::nearest;
pub use table::Table;

/// Environment variable that carries the socket's path to the evaluation process.
pub const SOCKET_VARIABLE: &str = "PARTITA_BRIDGE";

/// Environment variable that names the directory for data that does not fit in memory. The kernel
/// removes it: the evaluation process may end without cleaning up.
pub const SPILL_VARIABLE: &str = "PARTITA_SPILL";

/// The file in that directory where the evaluation process says why it is about to end, when it can
/// say nothing else any more: [`LastWords`] as text.
pub const LAST_WORDS_FILE: &str = "last-words";
