use std::ops::Range;

use partita_bridge::MimeBundle;

use crate::{
    active_evaluator::ActiveEvaluator,
    evaluator::{Cell, CellError, Outcome},
    output::OutputSender,
};

/// What may follow a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// The rest of the line.
    Line,
    /// Lines up to one that ends in `;`, an empty line, or the next command.
    Query,
    /// The rest of the cell, as Rust.
    Code,
}

/// One command.
pub struct Entry {
    /// The name after the `:`.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// Its arguments as `:help` writes them; `[…]` is optional.
    pub arguments: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
    /// What text belongs to it.
    pub takes: Takes,
    /// The function that runs it; `None` if the evaluator reads it at the start of a cell.
    pub(super) run: Option<fn(Context<'_>) -> Answer>,
}

impl Entry {
    /// The command and its arguments: `:jobs [NUMBER]`.
    pub fn usage(&self) -> String {
        format!(":{} {}", self.name, self.arguments).trim_end().to_owned()
    }

    pub(super) fn needs_argument(&self) -> bool {
        !self.arguments.is_empty() && !self.arguments.starts_with('[')
    }
}

/// One command of a cell.
pub struct Step {
    /// As written: `:vars`, `%%sql`, `?`.
    pub word: String,
    /// The command; `None` if there is none of that name.
    pub entry: Option<&'static Entry>,
    /// The position of its argument.
    pub argument: Range<usize>,
    /// Whether it is a `%%` command, which takes the whole cell.
    pub whole_cell: bool,
}

/// A command's answer.
pub(super) type Answer = Result<Option<MimeBundle>, CellError>;

/// The context in which a command runs.
pub(crate) struct Context<'a> {
    pub(super) evaluator: &'a mut ActiveEvaluator,
    pub(super) outputs: &'a OutputSender,
    pub(super) cell: &'a Cell,
    pub(super) step: &'a Step,
    /// Every command.
    pub(super) table: &'static [Entry],
}

impl Context<'_> {
    /// The text after the command's name.
    pub(super) fn argument(&self) -> &str {
        self.cell.code[self.step.argument.clone()].trim()
    }
}

/// The command of this name or alias.
pub(super) fn find<'a>(table: &'a [Entry], name: &str) -> Option<&'a Entry> {
    table.iter().find(|entry| entry.name == name || entry.aliases.contains(&name))
}

/// The error for an unknown command, with a suggestion of the name that was meant.
pub(super) fn unknown(table: &[Entry], word: &str) -> CellError {
    let mark = word.trim_end_matches(|c: char| c != ':' && c != '%');
    let name = &word[mark.len()..];
    let known = table.iter().flat_map(|entry| std::iter::once(&entry.name).chain(entry.aliases));
    let meant = partita_bridge::nearest(name, known.copied().filter(|known| known.len() > 1));
    let hint = meant.map(|meant| format!("; did you mean `{mark}{meant}`?")).unwrap_or_default();
    refuse(format!("there is no command `{word}`{hint} (`:help` lists the commands)"))
}

/// The error of a command that cannot do what was asked.
pub(super) fn refuse(message: impl Into<String>) -> CellError {
    let message = message.into();
    let traceback = format!("\x1b[1;31mCommandError\x1b[0m: {message}").lines().map(str::to_owned).collect();
    CellError { name: "CommandError".into(), message, traceback }
}

/// Turns the outcome of a command that runs code into its answer.
pub(super) fn answer(outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Finished(bundle) => Ok(bundle),
        Outcome::Failed(error) => Err(error),
    }
}

/// `code` with a space for every character in `ranges`. Lines and columns stay the same.
pub(super) fn blank(code: &str, ranges: &[Range<usize>]) -> String {
    let hidden = |index: usize| ranges.iter().any(|range| range.contains(&index));
    code.char_indices().map(|(index, c)| if hidden(index) && c != '\n' { ' ' } else { c }).collect()
}
