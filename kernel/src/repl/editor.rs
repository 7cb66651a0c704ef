use std::borrow::Cow;
use std::ops::Range;

use proc_macro2::{TokenStream, TokenTree};
use rustyline::completion::Completer;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Config, Editor, Helper, history::FileHistory};

use crate::interpreter::{Completeness, is_complete};

/// The line editor of the REPL.
pub type LineEditor = Editor<CellHelper, FileHistory>;

/// Makes the line editor; `history` is read if it exists.
pub fn new(history: Option<&std::path::Path>) -> rustyline::Result<LineEditor> {
    let config = Config::builder().auto_add_history(true).history_ignore_dups(true)?.build();
    let mut editor = LineEditor::with_config(config)?;
    editor.set_helper(Some(CellHelper));
    if let Some(path) = history {
        // The first session has none yet.
        let _ = editor.load_history(path);
    }
    Ok(editor)
}

/// Keeps a cell open until it is complete and colours it while it is typed.
pub struct CellHelper;

impl Helper for CellHelper {}

impl Completer for CellHelper {
    type Candidate = String;
}

impl Hinter for CellHelper {
    type Hint = String;
}

impl Validator for CellHelper {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        let input = context.input();
        // An empty last line runs what is there: the compiler then says what is missing.
        let forced = input.ends_with('\n');
        Ok(match is_complete(input) {
            Completeness::Incomplete { .. } if !forced => ValidationResult::Incomplete,
            _ => ValidationResult::Valid(None),
        })
    }
}

impl Highlighter for CellHelper {
    fn highlight<'l>(&self, line: &'l str, _pos: usize) -> Cow<'l, str> {
        let colours = colours(line);
        if colours.is_empty() {
            return Cow::Borrowed(line);
        }
        let mut coloured = String::with_capacity(line.len() + colours.len() * 9);
        let mut done = 0;
        for (range, colour) in colours {
            coloured.push_str(&line[done..range.start]);
            coloured.push_str(&format!("\x1b[{colour}m{}\x1b[0m", &line[range.clone()]));
            done = range.end;
        }
        coloured.push_str(&line[done..]);
        Cow::Owned(coloured)
    }

    fn highlight_char(&self, _line: &str, _pos: usize, kind: CmdKind) -> bool {
        kind != CmdKind::MoveCursor
    }
}

const KEYWORDS: &[&str] = &[
    "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern", "false",
    "fn", "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return",
    "self", "Self", "static", "struct", "super", "trait", "true", "type", "unsafe", "use", "where", "while",
];

/// What to colour in `line`, in order: keywords and literals. Nothing while brackets are open, which
/// the tokenizer refuses.
fn colours(line: &str) -> Vec<(Range<usize>, &'static str)> {
    let mut found = Vec::new();
    if let Ok(tokens) = line.parse::<TokenStream>() {
        collect(tokens, &mut found);
    }
    // Otherwise the tokenizer keeps the text of every key pressed.
    proc_macro2::extra::invalidate_current_thread_spans();
    found.retain(|(range, _)| line.get(range.clone()).is_some());
    found
}

fn collect(tokens: TokenStream, found: &mut Vec<(Range<usize>, &'static str)>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => collect(group.stream(), found),
            TokenTree::Ident(ident) if KEYWORDS.iter().any(|keyword| ident == keyword) => {
                found.push((ident.span().byte_range(), "35"));
            }
            TokenTree::Literal(literal) => found.push((literal.span().byte_range(), "33")),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_and_literals_are_coloured_and_nothing_else() {
        let shown = CellHelper.highlight("let é = \"a\";", 0).into_owned();
        assert_eq!(shown, "\u{1b}[35mlet\u{1b}[0m é = \u{1b}[33m\"a\"\u{1b}[0m;");
    }

    #[test]
    fn text_that_is_no_rust_stays_as_typed() {
        for text in ["let s = \"", "fn f() {", ":vars", ""] {
            let plain: String = strip(&CellHelper.highlight(text, 0));
            assert_eq!(plain, text);
        }
    }

    fn strip(text: &str) -> String {
        super::super::printer::without_colours(text)
    }
}
