//! Commands: lines that begin with `:` and cells that begin with `%%`. They work the same in every front
//! end, because the interpreter handles them before the evaluator does. `parse` takes them off a cell,
//! `table` lists them, and each answers as a cell would. The answers come from elsewhere: rows of
//! variables and jobs from the evaluation process, types and docs from `completion`. evcxr's own commands
//! are passed on to evcxr.

mod data;
mod help;
mod inspect;
mod parse;
mod session;
mod table;
mod timing;

use partita_bridge::{MimeBundle, nearest};

use self::{
    parse::{Step, parse},
    table::{TABLE, find},
};
pub use self::{
    parse::{begins_with_command, completeness},
    table::{Entry, Takes},
};
use super::{Cell, CellError, EvaluatorKind, Outcome, Output, OutputSender, facade::Workplace};

/// A command's answer.
type Answer = Result<Option<MimeBundle>, CellError>;

/// The context in which a command runs.
struct Desk<'a, 'b> {
    place: &'a mut Workplace<'b>,
    outputs: &'a OutputSender,
    cell: &'a Cell,
    step: &'a Step,
}

impl Desk<'_, '_> {
    /// The text after the command's name.
    fn argument(&self) -> &str {
        self.cell.code[self.step.argument.clone()].trim()
    }
}

/// All commands, in the order of `:help`.
pub fn all() -> &'static [Entry] {
    TABLE
}

/// The names that can follow a `:`, without the `:`.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|entry| entry.name)
}

/// Whether the cell asks a front end that can end to do so.
pub fn is_quit(cell: &str) -> bool {
    let name = cell.trim().strip_prefix(':').and_then(find).map(|entry| entry.name);
    name == Some("quit")
}

/// Runs a cell: its commands here, its code in the evaluator.
pub(super) fn execute(place: &mut Workplace<'_>, cell: &Cell, outputs: &OutputSender) -> Outcome {
    let variables = place.variables();
    // `name?` is Rust if the variable's type has `?`, and a question about the name otherwise.
    let can_fail = |name: &str| {
        let types = ["Result<", "Option<", "Poll<", "ControlFlow<"];
        variables.iter().any(|variable| {
            variable.name == name && types.iter().any(|ty| variable.type_name.starts_with(ty))
        })
    };
    let Some(parsed) = parse(&cell.code, place.kind(), can_fail) else {
        return place.run(cell, outputs);
    };
    let mut answer = None;
    for step in &parsed.steps {
        show(answer.take(), outputs);
        let desk = Desk { place, outputs, cell, step };
        let answered = match step.entry {
            Some(Entry { run: Some(run), .. }) => check(&desk).and_then(|()| run(desk)),
            Some(Entry { name, .. }) => Err(refuse(format!("`{}` is spelled `:{name}`", step.word))),
            None => Err(unknown(&step.word)),
        };
        match answered {
            Ok(bundle) => answer = bundle,
            Err(error) => return Outcome::Failed(error),
        }
    }
    match parsed.code {
        Some(code) => {
            show(answer, outputs);
            place.run(&Cell { code, ..*cell }, outputs)
        }
        None => Outcome::Finished(answer),
    }
}

/// Shows the answer of a command that is not the last one of the cell.
fn show(answer: Option<MimeBundle>, outputs: &OutputSender) {
    if let Some(bundle) = answer {
        // The front end may have gone; the cell runs anyway.
        let _ = outputs.blocking_send(Output::Display { id: None, bundle });
    }
}

fn check(desk: &Desk<'_, '_>) -> Result<(), CellError> {
    let Some(entry) = desk.step.entry else { return Ok(()) };
    let given = !desk.argument().is_empty();
    match entry.takes {
        Takes::Nothing if given => Err(refuse(format!(
            "`:{}` takes no argument, but got `{}`",
            entry.name,
            desk.argument().lines().next().unwrap_or_default()
        ))),
        Takes::Line | Takes::Query | Takes::Code if !given && entry.needs_argument() => {
            Err(refuse(format!("`:{}` needs an argument: {}", entry.name, entry.usage())))
        }
        _ => Ok(()),
    }
}

fn unknown(word: &str) -> CellError {
    let mark = word.trim_end_matches(|c: char| c != ':' && c != '%');
    let name = &word[mark.len()..];
    let known = TABLE.iter().flat_map(|entry| std::iter::once(&entry.name).chain(entry.aliases));
    let meant = nearest(name, known.copied().filter(|known| known.len() > 1));
    let hint = meant.map(|meant| format!("; did you mean `{mark}{meant}`?")).unwrap_or_default();
    refuse(format!("there is no command `{word}`{hint} (`:help` lists the commands)"))
}

fn refuse(message: impl Into<String>) -> CellError {
    let message = message.into();
    let traceback = format!("\x1b[1;31mCommandError\x1b[0m: {message}").lines().map(str::to_owned).collect();
    CellError { name: "CommandError".into(), message, traceback }
}

/// Turns the outcome of a command that runs code into its answer.
fn answer(outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Finished(bundle) => Ok(bundle),
        Outcome::Failed(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_command_is_answered_with_the_nearest() {
        assert!(unknown(":hepl").message.contains("did you mean `:help`?"));
        assert!(unknown("%%tiem").message.contains("did you mean `%%time`?"));
        let far = unknown(":xylophone").message;
        assert!(!far.contains("did you mean") && far.contains("`:help`"), "{far}");
    }

    #[test]
    fn only_the_whole_cell_quits() {
        assert!(is_quit(" :quit\n") && is_quit(":q") && is_quit(":exit"));
        assert!(!is_quit("quit") && !is_quit(":vars") && !is_quit(":quit\n1"));
    }
}
