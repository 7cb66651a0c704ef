use std::io::{self, IsTerminal, Write};

use console::{Term, measure_text_width, strip_ansi_codes};
use partita_bridge::{MimeBundle, Stream};
use partita_events::Event;

use super::live::LiveView;
use super::pager;
use super::pictures::{Picture, Pictures};
use super::rows::rows;
use partita_interpreter::{CellError, Output};

/// A longer line counts as ended.
const LONGEST_OPEN_LINE: usize = 16 << 10;

/// Prints outputs to the standard streams, above the view of running jobs if there is one. Write errors
/// are ignored: they mean that nobody reads, and the cell goes on.
pub struct Printer {
    pictures: Pictures,
    /// Whether stdout is a terminal, in which printed text can be replaced.
    terminal: bool,
    /// Whether stderr is a terminal too; errors then have colours.
    shared: bool,
    /// Whether errors and values may have colours.
    colour: bool,
    /// The view of running jobs, if it can be shown.
    live: Option<LiveView>,
    /// The part of the current line that was printed but not ended.
    open_line: String,
    last_display: Option<Shown>,
    /// The rows that the cell has printed; `None` after a picture, whose height is unknown.
    rows: Option<usize>,
    /// Whether the next output replaces the cell's earlier ones.
    clear_next: bool,
    /// Texts for the pager when the cell has ended.
    pages: Vec<MimeBundle>,
}

/// The display printed last, as long as nothing follows it.
struct Shown {
    id: String,
    rows: usize,
}

impl Printer {
    /// A printer for this process's streams. `interactive` means that a person is present.
    pub fn new(interactive: bool, colour: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        Self {
            pictures: Pictures::new(terminal),
            terminal: terminal && !dumb,
            shared: terminal && io::stderr().is_terminal(),
            colour,
            live: (interactive && terminal && !dumb).then(LiveView::default),
            open_line: String::new(),
            last_display: None,
            rows: Some(0),
            clear_next: false,
            pages: Vec::new(),
        }
    }

    /// Shows one output of a running cell.
    pub fn output(&mut self, output: Output) {
        match output {
            Output::Text { stream, text } => self.text(stream, &text),
            Output::Display { id, bundle } => self.display(id.as_deref(), &bundle),
            Output::UpdateDisplay { id, bundle } => {
                self.erase(&id);
                self.display(Some(&id), &bundle);
            }
            Output::ClearOutput { wait: true } => self.clear_next = true,
            Output::ClearOutput { wait: false } => self.clear(),
            Output::Page(bundle) => self.pages.push(bundle),
            Output::Events { session, events } => self.events(session, &events),
            Output::ProcessEnded => self.forget_sessions(),
            // A terminal has no front-end code for comms; requests for input are answered elsewhere.
            Output::Comm(_) | Output::InputRequest { .. } => {}
        }
    }

    /// Whether [`refresh`](Self::refresh) should be called periodically.
    pub fn is_live(&self) -> bool {
        self.live.as_ref().is_some_and(LiveView::is_running)
    }

    /// Redraws the running jobs.
    pub fn refresh(&mut self) {
        let Some(live) = &mut self.live else { return };
        if !live.is_due() {
            self.hide_jobs();
            return;
        }
        if !live.is_shown() && !self.open_line.is_empty() {
            // From here on the view shows the line.
            let width = usize::from(Term::stdout().size().1);
            let fits = measure_text_width(&self.open_line) < width;
            let _ = write_all(io::stdout(), if fits { "\r\x1b[K" } else { "\n" });
            if !fits {
                self.open_line.clear();
            }
        }
        live.draw(&self.open_line);
    }

    /// Removes the running jobs from the screen until they are next drawn.
    pub fn hide_jobs(&mut self) {
        if let Some(live) = &mut self.live
            && live.is_shown()
        {
            live.clear();
            let _ = write_all(io::stdout(), &self.open_line);
        }
    }

    fn forget_jobs(&mut self) {
        self.hide_jobs();
        if let Some(live) = &mut self.live {
            live.forget();
        }
    }

    fn forget_sessions(&mut self) {
        self.hide_jobs();
        if let Some(live) = &mut self.live {
            live.forget_sessions();
        }
    }

    /// Takes an output that arrived while no cell ran: it can change which workers sessions have.
    pub fn catch_up(&mut self, output: &Output) {
        match (output, &mut self.live) {
            (Output::Events { session, events }, Some(live)) => {
                events.iter().for_each(|event| live.apply_to_workers(*session, event));
            }
            (Output::ProcessEnded, _) => self.forget_sessions(),
            _ => {}
        }
    }

    /// The cell has ended: stops showing its jobs and shows its texts for the pager.
    pub fn end_cell(&mut self) {
        self.forget_jobs();
        for page in std::mem::take(&mut self.pages) {
            let text = self.plain_or_coloured(page.get("text/plain").unwrap_or_default());
            if self.live.is_none() || !pager::show(&text) {
                self.note(&format!("{}\n", text.trim_end()));
            }
        }
        self.rows = Some(0);
        self.clear_next = false;
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
        if !self.shared || !self.colour {
            text = strip_ansi_codes(&text).into_owned();
        }
        self.line_start();
        let _ = writeln!(io::stderr(), "{}", text.trim_end());
        self.last_display = None;
    }

    /// Prints text of the REPL itself.
    fn note(&mut self, text: &str) {
        self.line_start();
        self.text(Stream::Stdout, text);
    }

    /// Ends a line that a cell has left open, so that the prompt starts on a new one.
    pub fn line_start(&mut self) {
        if !self.open_line.is_empty() {
            self.put(Stream::Stdout, "\n");
        }
    }

    fn text(&mut self, stream: Stream, text: &str) {
        if text.is_empty() {
            return;
        }
        self.clear_if_asked();
        self.put(stream, text);
        self.last_display = None;
    }

    /// Writes text to its stream.
    fn put(&mut self, stream: Stream, text: &str) {
        let visible = stream == Stream::Stdout || self.shared;
        if !visible || !self.live.as_ref().is_some_and(LiveView::is_shown) {
            write_to(stream, text);
            if visible {
                self.take_lines(text);
            }
            return;
        }
        let whole = self.take_lines(text);
        if let Some(live) = &mut self.live {
            if !whole.is_empty() {
                live.suspend(|| write_to(stream, &whole));
            }
            live.draw(&self.open_line);
        }
    }

    /// Adds to the open line and returns the lines that are now complete.
    fn take_lines(&mut self, text: &str) -> String {
        self.open_line.push_str(text);
        let end = match self.open_line.rfind('\n') {
            Some(end) => end + 1,
            None if self.open_line.len() > LONGEST_OPEN_LINE => self.open_line.len(),
            None => return String::new(),
        };
        let rest = self.open_line.split_off(end);
        let whole = std::mem::replace(&mut self.open_line, rest);
        let width = usize::from(Term::stdout().size().1);
        self.rows = self.rows.map(|before| before + rows(&whole, width));
        whole
    }

    fn events(&mut self, session: u64, events: &[Event]) {
        let Some(live) = &mut self.live else { return };
        let summaries = live.apply(session, events);
        if !summaries.is_empty() {
            let text = summaries.join("\n") + "\n";
            if live.is_shown() {
                // Print above the cell's open line, which the view shows.
                live.suspend(|| write_to(Stream::Stdout, &text));
                self.rows = self.rows.map(|rows| rows + summaries.len());
                self.last_display = None;
            } else {
                self.note(&text);
            }
        }
        self.refresh();
    }

    fn display(&mut self, id: Option<&str>, bundle: &MimeBundle) {
        self.clear_if_asked();
        let mut text = self.plain_or_coloured(bundle.get("text/plain").unwrap_or_default().trim_end());
        let mut exact = true;
        let (drawn, said) = match self.pictures.show(id, bundle) {
            Ok(Some(Picture::Drawn(drawn))) => {
                exact = false;
                (drawn, None)
            }
            Ok(Some(Picture::Coarse(drawn, path))) => (drawn, Some(saved(&path))),
            Ok(Some(Picture::Saved(path))) => (String::new(), Some(saved(&path))),
            Ok(None) => (String::new(), None),
            Err(error) => (String::new(), Some(format!("the plot could not be saved: {error}"))),
        };
        for part in [drawn.trim_end_matches('\n'), said.as_deref().unwrap_or_default()] {
            if !text.is_empty() && !part.is_empty() {
                text.push('\n');
            }
            text.push_str(part);
        }
        if text.is_empty() && !bundle.is_empty() {
            let types: Vec<&str> = bundle.data.keys().map(String::as_str).collect();
            text = format!("(a value a terminal cannot show: {})", types.join(", "));
        }
        self.line_start();
        text.push('\n');
        self.put(Stream::Stdout, &text);
        let width = usize::from(Term::stdout().size().1);
        self.last_display =
            id.filter(|_| exact).map(|id| Shown { id: id.to_owned(), rows: rows(&text, width) });
        if !exact {
            self.rows = None;
        }
    }

    /// Makes room for an update in place if the old state is still the last thing on the terminal.
    fn erase(&mut self, id: &str) {
        if let Some(shown) = self.last_display.take_if(|shown| shown.id == id) {
            self.take_back(shown.rows);
        }
    }

    fn clear_if_asked(&mut self) {
        if std::mem::take(&mut self.clear_next) {
            self.clear();
        }
    }

    /// Removes what the cell has printed from the screen, as far as it has not scrolled away.
    fn clear(&mut self) {
        if let Some(rows) = self.rows {
            self.line_start();
            let now = self.rows.unwrap_or(rows);
            self.take_back(now);
        }
        self.last_display = None;
    }

    fn take_back(&mut self, rows: usize) {
        let screen = usize::from(Term::stdout().size().0);
        let rows = rows.min(screen.saturating_sub(1));
        if !self.terminal || rows == 0 || !self.open_line.is_empty() {
            return;
        }
        let sequence = format!("\x1b[{rows}A\x1b[J");
        match self.live.as_ref() {
            Some(live) => live.suspend(|| write_to(Stream::Stdout, &sequence)),
            None => write_to(Stream::Stdout, &sequence),
        }
        self.rows = self.rows.map(|before| before.saturating_sub(rows));
    }

    fn plain_or_coloured(&self, text: &str) -> String {
        if self.terminal && self.colour { text.to_owned() } else { strip_ansi_codes(text).into_owned() }
    }
}

fn saved(path: &std::path::Path) -> String {
    format!("plot saved to {}", path.display())
}

fn write_to(stream: Stream, text: &str) {
    let _ = match stream {
        Stream::Stdout => write_all(io::stdout(), text),
        Stream::Stderr => write_all(io::stderr(), text),
    };
}

fn write_all(mut stream: impl Write, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.flush()
}
