//! Splits a script into cells.

use partita_interpreter::{Completeness, commands::begins_with_command, is_complete};

/// A part of a script that is run as one cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its lines.
    pub code: String,
    /// The number of its first line in the script, from 1.
    pub line: usize,
}

/// Splits a script into cells. A cell ends with the first line that completes it, unless the next line
/// continues it (it is indented, or begins with something that cannot begin a statement). A first line
/// that names an interpreter (`#!`) is skipped.
pub fn cut(source: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut open = String::new();
    let mut first = 0;
    let mut lines = source.lines().enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let shebang = index == 0 && line.starts_with("#!") && !line.starts_with("#![");
        if open.is_empty() && (line.trim().is_empty() || shebang) {
            continue;
        }
        if open.is_empty() {
            first = index + 1;
        } else {
            open.push('\n');
        }
        open.push_str(line);
        let ends = !matches!(is_complete(&open), Completeness::Incomplete { .. })
            && !lines.peek().is_some_and(|(_, next)| asks_on(&open, next) || goes_on_after(&open, next));
        if ends {
            pieces.push(Piece { code: std::mem::take(&mut open), line: first });
        }
    }
    if !open.trim().is_empty() {
        pieces.push(Piece { code: open, line: first });
    }
    pieces
}

/// Whether `line` is a `:dep` that follows others: crates requested in a row are added together.
fn asks_on(open: &str, line: &str) -> bool {
    let asks = |line: &str| line.starts_with(":dep ");
    asks(line) && open.lines().all(asks)
}

/// Whether `line` continues what is open. After code, a `%` or a `?` continues it; after a command, they
/// begin a new one.
fn goes_on_after(open: &str, line: &str) -> bool {
    let only_commands = open.lines().all(begins_with_command);
    let command = line.starts_with("%%") || only_commands && begins_with_command(line);
    goes_on(line) && !command
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

    fn cells(source: &str) -> Vec<String> {
        cut(source).into_iter().map(|piece| piece.code).collect()
    }

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
        assert_eq!(cells(":dep a\n:dep b\n:vars\n1"), [":dep a\n:dep b", ":vars", "1"]);
        assert_eq!(cells("fn f() {"), ["fn f() {"]);
    }

    #[test]
    fn pieces_know_their_first_line_and_a_line_for_the_shell_is_none() {
        let lines: Vec<usize> = cut("#!/usr/bin/env -S partita run\n\nlet a =\n    1;\n\n\na")
            .iter()
            .map(|piece| piece.line)
            .collect();
        assert_eq!(lines, [3, 7]);
        assert_eq!(cells("#![allow(unused)]\n1"), ["#![allow(unused)]", "1"]);
    }
}
