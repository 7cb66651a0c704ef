//! Keys that have another meaning in a cell than in a line.

use rustyline::{
    Cmd, ConditionalEventHandler, Event, EventContext, EventHandler, KeyCode, KeyEvent, Modifiers, Movement,
    RepeatCount,
};

use super::{INDENT, LineEditor, goes_on};

/// Binds the keys.
pub fn bind(editor: &mut LineEditor) {
    let mut bind = |key, handler: Box<dyn ConditionalEventHandler>| {
        editor.bind_sequence(key, EventHandler::Conditional(handler));
    };
    bind(KeyEvent(KeyCode::Enter, Modifiers::NONE), Box::new(Enter));
    bind(KeyEvent(KeyCode::Tab, Modifiers::NONE), Box::new(Tab));
    bind(KeyEvent(KeyCode::Backspace, Modifiers::NONE), Box::new(Backspace));
    for bracket in ['}', ')', ']'] {
        bind(KeyEvent(KeyCode::Char(bracket), Modifiers::NONE), Box::new(Close(bracket)));
    }
    // Inserts a new line even if the cell is complete.
    editor.bind_sequence(KeyEvent(KeyCode::Enter, Modifiers::ALT), EventHandler::Simple(Cmd::Newline));
}

/// The text before the cursor on its line, if it is only spaces.
fn indentation<'a>(context: &'a EventContext<'_>) -> Option<&'a str> {
    let before = context.line().get(..context.pos())?;
    let line = before.rsplit('\n').next()?;
    line.chars().all(|c| c == ' ').then_some(line)
}

/// Begins the next line with the right indentation.
struct Enter;

impl ConditionalEventHandler for Enter {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, context: &EventContext) -> Option<Cmd> {
        if context.pos() < context.line().len() {
            return None;
        }
        let indent = goes_on(context.line())?;
        Some(Cmd::Insert(1, format!("\n{indent}")))
    }
}

/// Indents at the start of a line, and completes elsewhere.
struct Tab;

impl ConditionalEventHandler for Tab {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, context: &EventContext) -> Option<Cmd> {
        let line = indentation(context)?;
        // At an empty prompt, indenting would look as if nothing had happened.
        (!context.line().is_empty()).then(|| Cmd::Insert(1, " ".repeat(INDENT - line.len() % INDENT)))
    }
}

/// Replaces the line's indentation with `text`. Addresses it by the start of the line and not by a count,
/// because rustyline replaces a count with the key's own, 1.
fn instead_of_indentation(text: String) -> Cmd {
    Cmd::Replace(Movement::BeginningOfLine, Some(text))
}

/// Removes a whole level of indentation.
struct Backspace;

impl ConditionalEventHandler for Backspace {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, context: &EventContext) -> Option<Cmd> {
        let line = indentation(context)?;
        let whole = line.len() >= INDENT && line.len().is_multiple_of(INDENT);
        whole.then(|| instead_of_indentation(" ".repeat(line.len() - INDENT)))
    }
}

/// Unindents a closing bracket at the start of a line by one level.
struct Close(char);

impl ConditionalEventHandler for Close {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, context: &EventContext) -> Option<Cmd> {
        let before = indentation(context)?.len().checked_sub(INDENT)?;
        Some(instead_of_indentation(format!("{}{}", " ".repeat(before), self.0)))
    }
}
