use std::io::{self, IsTerminal, Write};

use partita_bridge::{MimeBundle, Stream};

use super::pictures::Pictures;
use crate::interpreter::{CellError, Output};

/// Puts outputs on the standard streams. Write errors are ignored: they mean that nobody reads, and
/// the cell runs all the same.
pub struct Printer {
    pictures: Pictures,
    /// Whether stdout is a terminal: what was printed can then be replaced.
    terminal: bool,
    /// Whether stderr is the terminal too: errors then have colours.
    shared: bool,
    stdout_open: bool,
    last_display: Option<Shown>,
}

/// The display printed last, while nothing came after it.
struct Shown {
    id: String,
    lines: usize,
}

impl Printer {
    /// A printer for this process's streams.
    pub fn new() -> Self {
        Self {
            pictures: Pictures::default(),
            terminal: io::stdout().is_terminal(),
            shared: io::stdout().is_terminal() && io::stderr().is_terminal(),
            stdout_open: false,
            last_display: None,
        }
    }

    /// Shows one output of a running cell.
    pub fn output(&mut self, output: &Output) {
        match output {
            Output::Text { stream, text } => self.text(*stream, text),
            Output::Display { id, bundle } => self.display(id.as_deref(), bundle),
            Output::UpdateDisplay { id, bundle } => {
                self.erase(id);
                self.display(Some(id), bundle);
            }
            // What a terminal has shown stays.
            Output::ClearOutput { .. } => {}
            Output::Comm(_) | Output::InputRequest { .. } | Output::Page(_) | Output::Events(_) => {}
        }
    }

    /// Shows the value of a cell's last expression.
    pub fn value(&mut self, bundle: &MimeBundle) {
        self.display(None, bundle);
    }

    /// Shows why a cell failed, on stderr.
    pub fn error(&mut self, error: &CellError) {
        let mut text = error.traceback.join("\n");
        if text.is_empty() {
            text = format!("{}: {}", error.name, error.message);
        }
        if !self.shared {
            text = without_colours(&text);
        }
        self.line_start();
        let _ = writeln!(io::stderr(), "{}", text.trim_end());
        self.last_display = None;
    }

    /// Ends the line a cell left open, so that a prompt stands on its own.
    pub fn line_start(&mut self) {
        if self.stdout_open {
            let _ = writeln!(io::stdout());
            self.stdout_open = false;
        }
    }

    fn text(&mut self, stream: Stream, text: &str) {
        if text.is_empty() {
            return;
        }
        let _ = match stream {
            Stream::Stdout => write_all(io::stdout(), text),
            Stream::Stderr => write_all(io::stderr(), text),
        };
        if stream == Stream::Stdout || self.shared {
            self.stdout_open = !text.ends_with('\n');
        }
        self.last_display = None;
    }

    fn display(&mut self, id: Option<&str>, bundle: &MimeBundle) {
        let mut text = bundle.get("text/plain").unwrap_or_default().trim_end().to_owned();
        let saved = match self.pictures.save(id, bundle) {
            Ok(Some(path)) => Some(format!("plot saved to {}", path.display())),
            Ok(None) => None,
            Err(error) => Some(format!("the plot could not be saved: {error}")),
        };
        if let Some(saved) = saved {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&saved);
        }
        if text.is_empty() && !bundle.is_empty() {
            let types: Vec<&str> = bundle.data.keys().map(String::as_str).collect();
            text = format!("(a value a terminal cannot show: {})", types.join(", "));
        }
        self.line_start();
        text.push('\n');
        self.text(Stream::Stdout, &text);
        if let Some(id) = id {
            self.last_display = Some(Shown { id: id.to_owned(), lines: text.lines().count() });
        }
    }

    /// Makes room for an update in place, where the terminal still shows the old state last.
    fn erase(&mut self, id: &str) {
        if self.terminal
            && let Some(shown) = self.last_display.take_if(|shown| shown.id == id)
        {
            let _ = write_all(io::stdout(), &format!("\x1b[{}A\x1b[J", shown.lines));
        }
    }
}

fn write_all(mut stream: impl Write, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.flush()
}

/// `text` without ANSI colour sequences.
pub fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("\x1b[") {
        plain.push_str(&rest[..start]);
        let sequence = &rest[start + 2..];
        let end = sequence.find(|c: char| ('@'..='~').contains(&c)).map_or(sequence.len(), |end| end + 1);
        rest = &sequence[end..];
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go_and_text_stays() {
        assert_eq!(without_colours("\x1b[1;31merror\x1b[0m: é [x]"), "error: é [x]");
        assert_eq!(without_colours("cut \x1b[3"), "cut ");
    }
}
