//! The messages between the kernel and its evaluation process, and their framing.
//!
//! There is one Unix socket per kernel. The kernel listens. The evaluation process connects to the path in
//! [`SOCKET_VARIABLE`]. Each side sends one enum: [`FromEvaluation`] to the kernel, [`ToEvaluation`] to the
//! evaluation process. This crate knows neither Jupyter nor Polars: displayed values are sent as a
//! [`MimeBundle`], the progress of jobs as [`partita_events::Event`]s. It also has [`Table`] and [`nearest()`],
//! which both sides use to answer commands, so that the answers look the same.

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

/// Environment variable with the path of the socket for the evaluation process.
pub const SOCKET_VARIABLE: &str = "PARTITA_BRIDGE";

/// Environment variable with the directory for data that does not fit in memory. The kernel removes the
/// directory, because the evaluation process may end without cleaning up.
pub const SPILL_VARIABLE: &str = "PARTITA_SPILL";

/// The file in that directory where the evaluation process writes why it is about to end, when it can send
/// nothing any more: [`LastWords`] as text.
pub const LAST_WORDS_FILE: &str = "last-words";
