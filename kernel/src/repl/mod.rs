//! The terminal front end: reads cells line by line or from a pipe, shows their text, values and
//! errors, writes pictures as files, interrupts. What a cell means is the interpreter's matter, and
//! Jupyter is not known here.

mod editor;
mod leave;
mod pictures;
mod piped;
mod printer;
mod session;
mod terminal;

use std::io::IsTerminal;

use crate::interpreter::EvaluatorKind;

/// What the REPL is started with.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReplOptions {
    /// Which evaluator runs the cells.
    pub evaluator: EvaluatorKind,
}

/// Runs cells from standard input until it ends or the person leaves. A terminal gets a line editor;
/// anything else is read to its end and run cell by cell.
///
/// # Errors
/// When the evaluator cannot be started, and with piped input when a cell fails.
pub fn run(options: ReplOptions) -> anyhow::Result<()> {
    if std::io::stdin().is_terminal() { terminal::run(options) } else { piped::run(options) }
}
