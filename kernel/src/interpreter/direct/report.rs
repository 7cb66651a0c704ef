//! What a person is told when a cell did not finish.

use partita_bridge::Panic;

use super::{
    blame::Blame,
    compile::{Compiled, Diagnostic},
    dependencies::DependencyError,
    diagnostics::{is_about, render},
    items::Items,
    source::{CellSource, SourceFile},
    variables::Variables,
};
use crate::interpreter::{CellError, evaluation_process::Gone};

const RED: &str = "\x1b[1;31m";
const PLAIN: &str = "\x1b[0m";

fn error(name: &str, message: String, details: &[String]) -> CellError {
    let mut traceback: Vec<String> =
        format!("{RED}{name}{PLAIN}: {message}").lines().map(str::to_owned).collect();
    traceback.extend(details.iter().flat_map(|detail| detail.lines()).map(str::to_owned));
    CellError { name: name.to_owned(), message, traceback }
}

/// Something around the cell is wrong, not the cell.
pub fn trouble(message: &str) -> CellError {
    error("EvaluatorError", message.to_owned(), &[])
}

/// Crates that were asked for are not there.
pub fn dependency(problem: &DependencyError) -> CellError {
    if let DependencyError::Interrupted = problem {
        return interrupted("stopped before the crates were built; nothing has changed");
    }
    error("DependencyError", problem.to_string(), &[problem.details().to_owned()])
}

/// The person stopped it.
pub fn interrupted(message: &str) -> CellError {
    error("Interrupted", message.to_owned(), &[])
}

/// The compiler refused the cell.
pub fn compile_error(
    compiled: &Compiled,
    blames: &[Blame],
    files: &[SourceFile],
    variables: &Variables,
) -> CellError {
    let errors: Vec<&Diagnostic> =
        compiled.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
    // Errors about generated code are consequences, unless there are no others.
    let own = blames.contains(&Blame::Cell);
    let shown: Vec<&Diagnostic> = errors
        .iter()
        .zip(blames)
        .filter(|(_, blame)| !own || **blame == Blame::Cell)
        .map(|(error, _)| *error)
        .collect();
    let mut traceback: Vec<String> = Vec::new();
    for diagnostic in &shown {
        let hints: Vec<String> = hint(diagnostic, variables).into_iter().collect();
        traceback.extend(render(diagnostic, files, &hints).lines().map(str::to_owned));
        traceback.push(String::new());
    }
    if shown.is_empty() {
        traceback.extend(compiled.other.lines().map(str::to_owned));
    }
    traceback.pop_if(|line| line.is_empty());
    let message = match shown.first() {
        Some(first) if first.code().is_empty() => first.message.clone(),
        Some(first) => format!("{} [{}]", first.message, first.code()),
        None => "the compiler failed".to_owned(),
    };
    CellError { name: "CompileError".into(), message, traceback }
}

/// For a name that is not found: what became of the variable it once was.
fn hint(diagnostic: &Diagnostic, variables: &Variables) -> Option<String> {
    // E0423: the prelude has a module or type of that name.
    if !matches!(diagnostic.code(), "E0425" | "E0423") {
        return None;
    }
    let mut quoted = diagnostic.message.split('`').skip(1).step_by(2);
    quoted.find_map(|name| Some(format!("variable `{name}` {}", variables.why_absent(name)?)))
}

/// Warnings about this cell, rendered.
pub fn warnings(diagnostics: &[Diagnostic], label: &str, files: &[SourceFile]) -> Vec<String> {
    diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.level == "warning" && is_about(diagnostic, label, files))
        .map(|diagnostic| format!("{}\n", render(diagnostic, files, &[])))
        .collect()
}

/// What a redefinition made unusable.
pub fn left_behind(variables: &[String], items: &[String]) -> Option<String> {
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
            "removed, because they do not fit the new definitions: {}\n",
            items.join(", ")
        ));
    }
    (!notice.is_empty()).then_some(notice)
}

/// A static that has an instance in each cell.
pub fn begins_anew(name: &str) -> String {
    format!(
        "note: {name} begins anew in every cell: only a `static` outside functions, modules and macros keeps its \
         value; move it there, or keep the value in a variable\n"
    )
}

/// A `?` left the cell.
pub fn failure(chain: &[String], interrupted: bool) -> CellError {
    let causes: Vec<String> = chain.iter().skip(1).map(|cause| format!("  caused by: {cause}")).collect();
    let message = chain.first().cloned().unwrap_or_default();
    error(if interrupted { "Interrupted" } else { "Error" }, message, &causes)
}

/// The cell panicked.
pub fn panic(panic: &Panic, source: &CellSource, items: &Items) -> CellError {
    let cells = items.kept.iter().map(|item| &*item.cell);
    let cell = std::iter::once(source).chain(cells).find(|cell| {
        panic.file.strip_prefix(&cell.label).is_some_and(|rest| rest.is_empty() || rest.starts_with(" ("))
    });
    let details = match cell {
        Some(cell) => {
            let line = usize::try_from(panic.line).unwrap_or_default();
            let text = cell.code.lines().nth(line.saturating_sub(1)).unwrap_or_default();
            vec![format!("  at {}, line {line}: {}", cell.label, text.trim())]
        }
        None if panic.file.is_empty() => Vec::new(),
        None => vec![format!("  at {}:{}", panic.file, panic.line)],
    };
    error("Panic", panic.message.clone(), &details)
}

/// The evaluation process ended under the cell.
pub fn death(gone: &Gone, by_interrupt: bool, not_restarted: Option<String>) -> CellError {
    let mut details = Vec::new();
    if let Some(why) = not_restarted {
        details.push(format!("It could not be started again: {why}"));
    }
    if by_interrupt {
        let message = "the evaluation process was ended; all variables are lost, items are kept".to_owned();
        return error("Interrupted", message, &details);
    }
    let message = format!("the evaluation process {}; all variables are lost, items are kept", gone.0);
    error("EvaluationProcessDied", message, &details)
}
