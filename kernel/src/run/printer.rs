use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use anstream::AutoStream;
use indicatif::{ProgressBar, ProgressStyle};
use partita_bridge::{MimeBundle, Stream};

use super::positions::Positions;
use partita_interpreter::{CellError, Output};

/// Prints the outputs of cells to the standard streams. Colours are removed if the stream is not a
/// terminal, or as NO_COLOR and CLICOLOR say. Write errors are ignored: they mean that nobody reads.
pub struct Printer {
    /// On stderr, and only if that is a terminal.
    progress: ProgressBar,
    /// Displays that were updated since they were printed.
    updated: BTreeMap<String, String>,
    open_line: bool,
}

impl Printer {
    /// A printer that shows which of `cells` cells is running.
    pub fn new(cells: usize) -> Self {
        let progress = if cells > 1 {
            ProgressBar::new(u64::try_from(cells).unwrap_or(u64::MAX))
        } else {
            ProgressBar::hidden()
        };
        if let Ok(style) = ProgressStyle::with_template("{spinner} cell {pos} of {len} {elapsed}") {
            progress.set_style(style);
        }
        progress.enable_steady_tick(std::time::Duration::from_millis(200));
        Self { progress, updated: BTreeMap::new(), open_line: false }
    }

    /// A cell begins.
    pub fn begin(&self, number: u32) {
        self.progress.set_position(number.into());
    }

    /// Prints one output of the running cell.
    pub fn output(&mut self, output: &Output, positions: Option<&Positions>) {
        match output {
            Output::Text { stream: Stream::Stdout, text } => self.stdout(text),
            Output::Text { stream: Stream::Stderr, text } => {
                // The interpreter's own notices contain positions; other text is left alone.
                let text = match positions {
                    Some(positions) if text.contains("\x1b[") => positions.translate_text(text),
                    _ => text.into(),
                };
                self.stderr(&text);
            }
            Output::Display { bundle, .. } => self.bundle(bundle),
            Output::UpdateDisplay { id, bundle } => {
                // Text in a pipe cannot be replaced, so only the last state is printed.
                self.updated.insert(id.clone(), plain(bundle));
            }
            Output::Page(bundle) => self.bundle(bundle),
            Output::ClearOutput { .. }
            | Output::Comm(_)
            | Output::InputRequest { .. }
            | Output::Events { .. }
            | Output::ProcessEnded => {}
        }
    }

    /// Prints the value of a cell's last expression.
    pub fn value(&mut self, bundle: &MimeBundle) {
        self.end_of_cell();
        self.bundle(bundle);
    }

    /// Prints what is left of a cell's outputs.
    pub fn end_of_cell(&mut self) {
        for text in std::mem::take(&mut self.updated).into_values() {
            self.line(&text);
        }
    }

    /// Prints why a cell failed.
    pub fn error(&mut self, error: &CellError) {
        self.end_of_cell();
        self.end_line();
        let mut text = error.traceback.join("\n");
        if text.is_empty() {
            text = format!("{}: {}", error.name, error.message);
        }
        self.stderr(&format!("{}\n", text.trim_end()));
    }

    /// Prints a cell's prompt for input.
    pub fn prompt(&mut self, prompt: &str) {
        self.stderr(prompt);
    }

    /// Ends a line that a cell has left open.
    pub fn end_line(&mut self) {
        if self.open_line {
            self.stdout("\n");
        }
    }

    fn bundle(&mut self, bundle: &MimeBundle) {
        if !bundle.is_empty() {
            self.line(&plain(bundle));
        }
    }

    fn line(&mut self, text: &str) {
        self.end_line();
        self.stdout(&format!("{}\n", text.trim_end()));
    }

    fn stdout(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.open_line = !text.ends_with('\n');
        self.progress.suspend(|| write(AutoStream::auto(io::stdout()), text));
    }

    fn stderr(&self, text: &str) {
        self.progress.suspend(|| write(AutoStream::auto(io::stderr()), text));
    }
}

impl Drop for Printer {
    fn drop(&mut self) {
        self.end_line();
        self.progress.finish_and_clear();
    }
}

fn write(mut stream: impl Write, text: &str) {
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
}

fn plain(bundle: &MimeBundle) -> String {
    match bundle.get("text/plain") {
        Some(text) => text.to_owned(),
        None => {
            let types: Vec<&str> = bundle.data.keys().map(String::as_str).collect();
            format!("(a value without text: {})", types.join(", "))
        }
    }
}
