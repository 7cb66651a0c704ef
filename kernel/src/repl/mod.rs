//! The terminal front end. It reads cells in an editor or from a pipe, shows their text, values,
//! pictures, errors and running jobs, asks for input, and interrupts. The interpreter knows what a cell
//! means; Jupyter is not known here.

mod editor;
mod exit_signals;
mod live;
mod pager;
mod pictures;
mod piped;
mod printer;
mod rows;
mod session;
mod terminal;
mod terminal_settings;

use std::io::IsTerminal;

use crate::evaluators::EvaluatorKind;
pub use pictures::PictureMode;

/// The options of the REPL.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReplOptions {
    /// The evaluator that runs the cells.
    pub evaluator: EvaluatorKind,
    /// Whether colours are turned off.
    pub no_color: bool,
}

impl ReplOptions {
    /// Whether output may have colours: it goes to a terminal, and nobody has turned colours off.
    fn colour(self) -> bool {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        !self.no_color && !set("NO_COLOR") && !dumb && std::io::stdout().is_terminal()
    }
}

/// Runs cells from standard input until it ends or the person leaves. On a terminal it uses a line
/// editor; other input is read to its end and run cell by cell.
///
/// # Errors
/// When the evaluator cannot be started. With piped input, also when a cell fails.
pub fn run(options: ReplOptions) -> anyhow::Result<()> {
    console::set_colors_enabled(options.colour());
    if std::io::stdin().is_terminal() { terminal::run(options) } else { piped::run(options) }
}
