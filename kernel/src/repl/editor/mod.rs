//! The line editor: rustyline, extended with knowledge of cells. It keeps a cell open until it is
//! complete, indents and colours it, completes names and suggests earlier input. The interpreter provides
//! completions; the session runs cells.

mod colours;
mod complete;
mod history;
mod keys;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, Write};

use rustyline::completion::{Completer, Pair};
use rustyline::config::{BellStyle, ColorMode, CompletionType};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter, HistoryHinter};
use rustyline::history::{FileHistory, MemHistory};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Config, Context, Editor, Helper};

use partita_interpreter::{Completeness, Interpreter, is_complete};

pub use history::History;

/// The number of spaces per level of brackets.
const INDENT: usize = 4;

/// The line editor of the REPL.
pub type LineEditor = Editor<CellHelper, FileHistory>;

/// Creates the line editor.
pub fn new(colour: bool) -> rustyline::Result<LineEditor> {
    let config = Config::builder()
        .max_history_size(history::ENTRIES)?
        .history_ignore_dups(true)?
        .auto_add_history(true)
        .completion_type(CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        .tab_stop(INDENT as u8)
        .indent_size(INDENT as u8)
        .bell_style(BellStyle::None)
        .color_mode(if colour { ColorMode::Enabled } else { ColorMode::Disabled })
        .build();
    let mut editor = LineEditor::with_config(config)?;
    // Only its colour distinguishes a suggestion from typed text.
    editor.set_helper(Some(CellHelper { offers: colour, ..CellHelper::default() }));
    keys::bind(&mut editor);
    Ok(editor)
}

/// Answers rustyline's questions about the cell being typed.
#[derive(Default)]
pub struct CellHelper {
    /// Provides completions; `None` until the evaluator has started.
    pub interpreter: Option<Interpreter>,
    /// Whether suggestions are shown after the cursor.
    offers: bool,
    history: HistoryHinter,
    /// The declarations of the names completed so far.
    signatures: RefCell<HashMap<String, String>>,
    /// The position of the cursor, if the brackets around it should be marked.
    marked: std::cell::Cell<Option<usize>>,
}

impl Helper for CellHelper {}

impl Completer for CellHelper {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        if let Some(found) = complete::command(line, pos) {
            return Ok(found);
        }
        let Some(interpreter) = &self.interpreter else { return Ok((pos, Vec::new())) };
        let found = interpreter.complete(line, pos);
        complete::remember(&mut self.signatures.borrow_mut(), &found);
        Ok((found.start.min(pos), complete::candidates(found)))
    }
}

/// Grey text after the cursor.
pub struct Offer {
    shown: String,
    inserted: Option<String>,
}

impl Hint for Offer {
    fn display(&self) -> &str {
        &self.shown
    }

    fn completion(&self) -> Option<&str> {
        self.inserted.as_deref()
    }
}

impl Hinter for CellHelper {
    type Hint = Offer;

    fn hint(&self, line: &str, pos: usize, context: &Context<'_>) -> Option<Offer> {
        if pos < line.len() || !self.offers {
            return None;
        }
        if let Some(signature) = complete::signature_at_end(&self.signatures.borrow(), line) {
            return Some(Offer { shown: format!("  {signature}"), inserted: None });
        }
        let rest = self.history.hint(line, pos, context)?;
        let shown = match rest.split_once('\n') {
            Some((first, _)) => format!("{first} …"),
            None => rest.clone(),
        };
        Some(Offer { shown, inserted: Some(rest) })
    }
}

impl Validator for CellHelper {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        Ok(if goes_on(context.input()).is_some() {
            ValidationResult::Incomplete
        } else {
            ValidationResult::Valid(None)
        })
    }
}

/// The start of the next line if the cell is not complete. An empty last line runs the cell anyway, so
/// that the compiler says what is missing.
fn goes_on(input: &str) -> Option<String> {
    let forced = input.rsplit_once('\n').is_some_and(|(_, last)| last.trim().is_empty());
    match is_complete(input) {
        Completeness::Incomplete { indent } if !forced => Some(indent),
        _ => None,
    }
}

impl Highlighter for CellHelper {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        colours::coloured(line, self.marked.get())
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(format!("\x1b[2m{hint}\x1b[0m"))
    }

    fn highlight_char(&self, _: &str, pos: usize, kind: CmdKind) -> bool {
        // The final drawing of a cell stays on the screen without a cursor.
        self.marked.set((kind != CmdKind::ForcedRefresh).then_some(pos));
        true
    }
}

/// Asks for a line of input for a running cell.
///
/// # Errors
/// When there is no line: the person pressed Ctrl-C or Ctrl-D, or the terminal has closed.
pub fn ask(prompt: &str, password: bool) -> rustyline::Result<String> {
    // Without colours rustyline would not call the highlighter, which hides the password.
    let colours = if password { ColorMode::Forced } else { ColorMode::Enabled };
    let config = Config::builder().color_mode(colours).bell_style(BellStyle::None).build();
    let mut editor = Editor::<Answer, MemHistory>::with_history(config, MemHistory::new())?;
    editor.set_helper(Some(Answer { password }));
    // Only the last line of a prompt can be followed by an editable line.
    let (above, prompt) = prompt.rsplit_once('\n').unwrap_or(("", prompt));
    if !above.is_empty() {
        // A terminal that has closed gives no input either.
        let _ = writeln!(io::stdout(), "{above}");
    }
    editor.readline(prompt)
}

/// The editor for an answer; it hides passwords.
struct Answer {
    password: bool,
}

impl Helper for Answer {}
impl Completer for Answer {
    type Candidate = String;
}
impl Hinter for Answer {
    type Hint = String;
}
impl Validator for Answer {}

impl Highlighter for Answer {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if self.password {
            Cow::Owned("*".repeat(console::measure_text_width(line)))
        } else {
            Cow::Borrowed(line)
        }
    }

    fn highlight_char(&self, _: &str, _: usize, _: CmdKind) -> bool {
        self.password
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_goes_on_indented_until_it_is_complete_or_a_line_is_left_empty() {
        assert_eq!(goes_on("fn f() {"), Some("    ".into()));
        assert_eq!(goes_on("fn f() { g("), Some("        ".into()));
        assert_eq!(goes_on("fn f() {\n    "), None);
        assert_eq!(goes_on("1 + 1"), None);
        assert_eq!(goes_on(""), None);
    }

    #[test]
    fn a_password_is_drawn_as_stars() {
        let hidden = Answer { password: true };
        assert_eq!(hidden.highlight("sécret", 0), "******");
        assert_eq!(Answer { password: false }.highlight("name", 0), "name");
    }
}
