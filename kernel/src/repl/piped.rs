use std::io::Read;
use std::thread;

use anyhow::{Context, bail};

use super::ReplOptions;
use super::session::Session;
use crate::interpreter::commands::{self, begins_with_command};
use crate::interpreter::{Completeness, Outcome, is_complete};

/// Runs everything on standard input, cell by cell; stops at the first that fails.
pub fn run(options: ReplOptions) -> anyhow::Result<()> {
    let mut source = String::new();
    std::io::stdin().read_to_string(&mut source).context("cannot read cells from standard input")?;
    let (mut session, mut idle_outputs) = Session::start(options)?;
    // Nobody waits for what comes after the last cell, but a full channel would stop the evaluator.
    thread::spawn(move || while idle_outputs.blocking_recv().is_some() {});
    for cell in cells(&source) {
        if commands::is_quit(&cell) {
            break;
        }
        let number = session.next_cell();
        if let Outcome::Failed(error) = session.run(&cell) {
            bail!("cell {number} failed: {}", error.message);
        }
    }
    session.printer.line_start();
    Ok(())
}

/// Cuts a script into cells: a cell ends with the first line that completes it, unless the next line
/// goes on from it (it is indented, or begins with what cannot begin a statement).
fn cells(source: &str) -> Vec<String> {
    let mut cells = Vec::new();
    let mut open = String::new();
    let mut lines = source.lines().peekable();
    while let Some(line) = lines.next() {
        if open.is_empty() && line.trim().is_empty() {
            continue;
        }
        if !open.is_empty() {
            open.push('\n');
        }
        open.push_str(line);
        let ends = !matches!(is_complete(&open), Completeness::Incomplete { .. })
            && !lines.peek().is_some_and(|next| goes_on(next) && !is_command_after(&open, next));
        if ends {
            cells.push(std::mem::take(&mut open));
        }
    }
    if !open.trim().is_empty() {
        cells.push(open);
    }
    cells
}

/// Whether `line` is a command: after code, a `%` or a `?` goes on from it.
fn is_command_after(open: &str, line: &str) -> bool {
    line.starts_with("%%") || begins_with_command(open) && begins_with_command(line)
}

fn goes_on(line: &str) -> bool {
    let text = line.trim_start();
    let indented = text.len() < line.len() && !text.is_empty();
    let word = text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    indented
        || text.starts_with(['.', '?', ')', ']', '}', '+', '/', '%', '^', '=', '<', '>', ',', ';'])
            && !text.starts_with("//")
        || text.starts_with("&&")
        || text.starts_with("||")
        || matches!(word, "else" | "where" | "as")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_chain_over_lines_is_one_cell() {
        let script = "let a = 1;\ndf.lazy()\n    .collect()?\n\na + 1\n";
        assert_eq!(cells(script), ["let a = 1;", "df.lazy()\n    .collect()?", "a + 1"]);
        assert_eq!(cells("a\n.b()\n.c()"), ["a\n.b()\n.c()"]);
    }

    #[test]
    fn an_item_runs_when_its_last_bracket_closes() {
        let script = "fn f(x: u8) -> u8 {\n\n    x\n}\nf(1)";
        assert_eq!(cells(script), ["fn f(x: u8) -> u8 {\n\n    x\n}", "f(1)"]);
        assert_eq!(cells("if a {\n}\nelse {\n}\nb"), ["if a {\n}\nelse {\n}", "b"]);
    }

    #[test]
    fn a_command_is_a_cell_of_its_own_and_an_open_rest_still_runs() {
        assert_eq!(cells(":vars\n1"), [":vars", "1"]);
        assert_eq!(cells(":vars\n%%time\n1\n% 2\n?a"), [":vars", "%%time\n1\n% 2\n?a"]);
        assert_eq!(cells("%%sql\nSELECT 1\nFROM a;\n1"), ["%%sql\nSELECT 1\nFROM a;", "1"]);
        assert_eq!(cells("%%sql busy\nSELECT 1\n\n1"), ["%%sql busy\nSELECT 1\n", "1"]);
        assert_eq!(cells("fn f() {"), ["fn f() {"]);
    }
}
