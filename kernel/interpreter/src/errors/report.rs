//! The error reports for cells that did not finish.

use std::collections::BTreeSet;

use partita_bridge::Panic;

use super::{
    advice::advice,
    blame::Blame,
    render::{is_about, render},
    wording::{clean, library_file},
};
use crate::{
    evaluation_process::ProcessDeath,
    evaluator::CellError,
    source::{CellSource, SourceFile},
    state::{Items, Variables},
    toolchain::{CompilerMessages, Diagnostic},
};

const RED: &str = "\x1b[1;31m";
const PLAIN: &str = "\x1b[0m";
const DIM: &str = "\x1b[2m";

/// The maximum length of the one-line form of an error.
const MESSAGE_CHARS: usize = 300;

/// The error of a cell, with `details` below its headline.
pub fn cell_error(name: &str, message: String, details: &[String]) -> CellError {
    let mut traceback: Vec<String> =
        format!("{RED}{name}{PLAIN}: {message}").lines().map(str::to_owned).collect();
    traceback.extend(details.iter().flat_map(|detail| detail.lines()).map(str::to_owned));
    CellError { name: name.to_owned(), message: one_line(&message), traceback }
}

/// The first line that is not empty.
fn one_line(message: &str) -> String {
    let mut lines = message.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let mut short: String = first.chars().take(MESSAGE_CHARS).collect();
    if short.len() < first.len() || lines.next().is_some() {
        short.push_str(" …");
    }
    short
}

/// The cell is fine, but something around it failed.
pub fn evaluator_error(message: &str) -> CellError {
    cell_error("EvaluatorError", message.to_owned(), &[])
}

/// The loader rejected the compiled cell.
pub fn not_loaded(why: &str) -> CellError {
    let Some(symbol) = undefined_symbol(why) else {
        return evaluator_error(&format!("the cell could not be run: {why}"));
    };
    let name = format!("{:#}", rustc_demangle::demangle(symbol));
    let message = format!("`{name}` is declared but not defined anywhere");
    let help = format!(
        "help: no loaded library defines it. If `{name}` is in a C library, name that library above the \
         `extern` block: `#[link(name = \"…\")]`. Nothing has run, and nothing has changed"
    );
    cell_error("CompileError", message, &[help])
}

/// The symbol in the loader's message: `/tmp/cell.so: undefined symbol: name`.
fn undefined_symbol(why: &str) -> Option<&str> {
    let (_, rest) = why.split_once("undefined symbol: ")?;
    rest.split([',', ' ']).next().filter(|symbol| !symbol.is_empty())
}

/// Brackets nest deeper than the compiler can handle.
pub fn too_deep(depth: usize, deepest: usize) -> CellError {
    let message = format!(
        "the brackets of this cell nest {depth} deep, and the compiler's stack is not made for much more than \
         {deepest}: give the inner parts names of their own"
    );
    cell_error("CompileError", message, &[])
}

/// The person stopped it.
pub fn interrupted(message: &str) -> CellError {
    cell_error("Interrupted", message.to_owned(), &[])
}

/// The compiler rejected the cell.
pub fn compile_error(
    messages: &CompilerMessages,
    blames: &[Blame],
    files: &[SourceFile],
    variables: &Variables,
) -> CellError {
    let errors: Vec<Diagnostic> = messages.errors().map(clean).collect();
    // Errors about generated code are consequences, unless there are no others.
    let own = blames.contains(&Blame::Cell);
    let shown: Vec<&Diagnostic> = errors
        .iter()
        .zip(blames)
        .filter(|(_, blame)| !own || **blame == Blame::Cell)
        .map(|(error, _)| error)
        .collect();
    let mut traceback: Vec<String> = Vec::new();
    let mut given = BTreeSet::new();
    for diagnostic in &shown {
        let mut hints: Vec<String> = hint(diagnostic, variables).into_iter().collect();
        // Give each piece of advice once per cell.
        hints.extend(advice(diagnostic).filter(|advice| given.insert(*advice)).map(str::to_owned));
        traceback.extend(render(diagnostic, files, &hints).lines().map(str::to_owned));
        traceback.push(String::new());
    }
    if shown.is_empty() {
        return compiler_failed(messages);
    }
    traceback.pop_if(|line| line.is_empty());
    let message = match shown.first() {
        Some(first) if first.code().is_empty() => first.message.clone(),
        Some(first) => format!("{} [{}]", first.message, first.code()),
        None => "the compiler failed".to_owned(),
    };
    CellError { name: "CompileError".into(), message, traceback }
}

/// The compiler ended without an error of its own: it crashed, or the linker failed.
fn compiler_failed(messages: &CompilerMessages) -> CellError {
    let (message, details) = match &messages.ended_by {
        Some(signal) => (
            format!("the compiler itself crashed on this cell (signal {signal}); nothing has changed"),
            "help: it may have run out of stack or memory: write what is deeply nested or very long in \
             smaller pieces"
                .to_owned(),
        ),
        None => ("the compiler failed".to_owned(), messages.other.clone()),
    };
    cell_error("CompileError", message, &[details])
}

/// For a name that is not found: what happened to the variable of that name.
fn hint(diagnostic: &Diagnostic, variables: &Variables) -> Option<String> {
    // E0423: the prelude has a module or type of that name.
    if !matches!(diagnostic.code(), "E0425" | "E0423") {
        return None;
    }
    let mut quoted = diagnostic.message.split('`').skip(1).step_by(2);
    quoted.find_map(|name| Some(format!("variable `{name}` {}", variables.why_absent(name)?)))
}

/// The warnings about this cell, rendered.
pub fn warnings(diagnostics: &[Diagnostic], label: &str, files: &[SourceFile]) -> Vec<String> {
    diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.level == "warning" && is_about(diagnostic, label, files))
        .map(|diagnostic| format!("{}\n", render(&clean(diagnostic), files, &[])))
        .collect()
}

/// The notice about what a redefinition made unusable.
pub fn removal_notice(variables: &[String], items: &[String]) -> Option<String> {
    let mut notice = String::new();
    if !variables.is_empty() {
        let list: Vec<String> = variables.iter().map(|name| format!("`{name}`")).collect();
        notice.push_str(&format!(
            "dropped, because what they are made of was redefined: {}\n",
            list.join(", ")
        ));
    }
    if !items.is_empty() {
        notice.push_str(&format!(
            "removed, because they do not match the new definitions: {}\n",
            items.join(", ")
        ));
    }
    (!notice.is_empty()).then_some(notice)
}

/// The notice about a static that has an instance in each cell.
pub fn reset_static_notice(name: &str) -> String {
    format!(
        "note: {name} starts anew in every cell: only a `static` outside functions, modules and macros keeps its \
         value; move it there, or keep the value in a variable\n"
    )
}

/// A `?` ended the cell.
pub fn cell_failed(chain: &[String], interrupted: bool) -> CellError {
    let causes: Vec<String> = chain.iter().skip(1).map(|cause| format!("  caused by: {cause}")).collect();
    let message = chain.first().cloned().unwrap_or_default();
    cell_error(if interrupted { "Interrupted" } else { "Error" }, message, &causes)
}

/// The cell panicked. `calls` are the calls that led there, one per line.
pub fn panic(panic: &Panic, source: &CellSource, items: &Items, calls: Vec<String>) -> CellError {
    let cells = items.kept.iter().map(|item| &*item.cell);
    let cell = std::iter::once(source).chain(cells).find(|cell| {
        panic.file.strip_prefix(&cell.label).is_some_and(|rest| rest.is_empty() || rest.starts_with(" ("))
    });
    let mut details = match cell {
        Some(cell) => {
            let line = usize::try_from(panic.line).unwrap_or_default();
            let text = cell.code.lines().nth(line.saturating_sub(1)).unwrap_or_default();
            let place = format!("  at {}, line {line}: ", cell.label);
            let column = usize::try_from(panic.column).unwrap_or_default().saturating_sub(1);
            let indent = text.chars().take_while(|c| c.is_whitespace()).count();
            // Tabs and wide characters shift the mark a little; the line is right anyway.
            let before = place.chars().count() + column.saturating_sub(indent);
            vec![format!("{place}{}", text.trim()), format!("{}{RED}^{PLAIN}", " ".repeat(before))]
        }
        None if panic.file.is_empty() => Vec::new(),
        None => vec![format!("  at {}, line {}", library_file(&panic.file), panic.line)],
    };
    // The position of the panic is enough if the cell's own code caused it.
    let said = cell.is_some() && calls.len() <= 1;
    details.extend(calls.into_iter().filter(|_| !said));
    cell_error("Panic", panic.message.clone(), &details)
}

/// What a cell that did not finish leaves behind. `lost` are the variables lost with it, `unbound` those
/// it would have bound.
pub fn survivors(kept: usize, lost: &[String], unbound: &[String]) -> Option<String> {
    let list = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let mut sentences = Vec::new();
    if !lost.is_empty() {
        sentences.push(format!("Lost, because the cell had taken ownership: {}.", list(lost)));
    }
    match (kept, lost.is_empty()) {
        (0, _) => {}
        (_, true) => sentences.push("Every variable of earlier cells is kept.".into()),
        (_, false) => sentences.push("Every other variable is kept.".into()),
    }
    if !unbound.is_empty() {
        sentences.push(format!("Not bound, because the cell did not finish: {}.", list(unbound)));
    }
    (!sentences.is_empty()).then(|| format!("{DIM}{}{PLAIN}", sentences.join(" ")))
}

/// The evaluation process ended during the cell. `lost` is every variable, with the cell that made it.
pub fn process_died(
    death: &ProcessDeath,
    by_interrupt: bool,
    lost: &[(String, String)],
    not_restarted: Option<String>,
) -> CellError {
    let mut details = Vec::new();
    if lost.is_empty() {
        details
            .push("There were no variables to lose. Items (functions, types, imports) are kept.".to_owned());
    } else {
        let names: Vec<String> = lost.iter().map(|(name, cell)| format!("`{name}` ({cell})")).collect();
        details.push(format!("Lost: {}.", names.join(", ")));
        details.push(
            "Items (functions, types, imports) are kept. To get the variables back, run the cells that made \
             them."
                .to_owned(),
        );
    }
    match not_restarted {
        Some(why) => details.push(format!("It could not be restarted: {why}")),
        None => details.push("It was restarted; you can run the next cell.".to_owned()),
    }
    let lost = if lost.is_empty() { "" } else { "; all variables are lost, items are kept" };
    if by_interrupt {
        return cell_error("Interrupted", format!("the evaluation process was ended{lost}"), &details);
    }
    cell_error("EvaluationProcessDied", format!("the evaluation process {}{lost}", death.0), &details)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loaders_words_for_an_undefined_symbol_are_understood() {
        assert_eq!(undefined_symbol("/tmp/x/cell.so: undefined symbol: frob"), Some("frob"));
        assert_eq!(undefined_symbol("cell.so: undefined symbol: frob, version V_1"), Some("frob"));
        assert_eq!(undefined_symbol("libz.so: cannot open shared object file"), None);
    }

    #[test]
    fn a_long_message_is_one_line_and_its_rest_stays_in_the_traceback() {
        let failed = cell_failed(&["first\n\nsecond".into(), "cause".into()], false);
        assert_eq!(failed.message, "first …");
        assert_eq!(
            failed.traceback.iter().skip(1).map(String::as_str).collect::<Vec<_>>(),
            ["", "second", "  caused by: cause"]
        );
    }

    #[test]
    fn what_survives_is_said_by_name() {
        let lost = ["a".to_owned()];
        let said = survivors(2, &lost, &["b".to_owned()]).unwrap();
        assert!(
            said.contains("Lost, because the cell had taken ownership: `a`. Every other variable"),
            "{said}"
        );
        assert!(said.contains("Not bound, because the cell did not finish: `b`."), "{said}");
        assert_eq!(survivors(0, &[], &[]), None);
    }
}
