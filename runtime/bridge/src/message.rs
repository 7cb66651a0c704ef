use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::MimeBundle;

/// Which standard stream a piece of text belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A variable in the evaluation process's store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// The name the cell gave it.
    pub name: String,
    /// The type as `std::any::type_name` prints it: for people, not always writable in code.
    pub type_name: String,
}

/// Where and with what a cell panicked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Panic {
    /// The panic's message.
    pub message: String,
    /// Source file as the compiler was told it.
    pub file: String,
    /// 1-based line in `file`.
    pub line: u32,
    /// 1-based column in `file`.
    pub column: u32,
}

/// How a loaded cell ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CellOutcome {
    /// It ran to its end; the last expression's value, if there is one to show.
    Finished(Option<MimeBundle>),
    /// A `?` left the cell early: the error's text and its chain of causes, outermost first.
    Failed(Vec<String>),
    /// It panicked.
    Panicked(Panic),
    /// The shared object could not be loaded.
    NotLoaded(String),
}

/// One compiled cell to load and run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadCell {
    /// The cell's shared object.
    pub library: PathBuf,
    /// The function in it to call.
    pub symbol: String,
    /// Variables to drop before the cell runs, because it redefines their type.
    pub forget: Vec<String>,
}

/// Messages to the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromEvaluation {
    /// First message on the socket: the evaluation process is up.
    Ready {
        /// The `partita` version inside it, which must be the kernel's.
        version: String,
        /// The compiler that built it, which must be the one that compiles the cells.
        rustc: String,
    },
    /// Text printed by a cell, in the order it was printed.
    Text {
        /// Which stream.
        stream: Stream,
        /// The text as printed.
        text: String,
    },
    /// Something to show; with an id it can be updated later.
    Display {
        /// Front-end-wide id of the display, if it is to be updated.
        id: Option<String>,
        /// What to show.
        bundle: MimeBundle,
    },
    /// Replaces what a display with this id shows.
    UpdateDisplay {
        /// The id given to `Display`.
        id: String,
        /// What to show instead.
        bundle: MimeBundle,
    },
    /// Clears the running cell's output.
    ClearOutput {
        /// Wait until there is something new to show.
        wait: bool,
    },
    /// The cell asked for by the last [`ToEvaluation::Run`] ended; variables now in the store.
    Done {
        /// How it ended.
        outcome: CellOutcome,
        /// Everything in the store now.
        variables: Vec<Variable>,
    },
}

/// Messages to the evaluation process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToEvaluation {
    /// Load a cell and run it.
    Run(LoadCell),
    /// Cancel the running job, if there is one.
    Interrupt,
    /// Leave.
    Shutdown,
}
