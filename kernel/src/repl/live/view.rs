use std::time::{Duration, Instant};

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{JobView, render};
use crate::interpreter::Event;

/// Jobs that end sooner are not shown: a picture that flashes by says nothing.
const SHOWN_AFTER: Duration = Duration::from_millis(100);

/// How often the picture is redrawn while nothing happens, for the times on it.
pub const REDRAWN_EVERY: Duration = Duration::from_millis(100);

/// Used where the terminal does not tell its size.
const USUAL_SIZE: (u16, u16) = (24, 80);

/// The picture of the running jobs below what the cell prints.
#[derive(Default)]
pub struct LiveView {
    jobs: Vec<Shown>,
    bar: Option<ProgressBar>,
    /// The line that the cell has begun and not ended; it stands above the picture.
    open_line: String,
}

struct Shown {
    session: u64,
    view: JobView,
    /// When the last event came, to know the session's clock now.
    heard: Instant,
    since: Instant,
}

impl Shown {
    fn now(&self) -> Duration {
        self.view.last + self.heard.elapsed()
    }
}

impl LiveView {
    /// Takes events of a session's jobs; returns the summaries of those shown that have ended.
    pub fn apply(&mut self, session: u64, events: &[Event]) -> Vec<String> {
        let mut summaries = Vec::new();
        for event in events {
            if matches!(event, Event::JobSubmitted { .. }) {
                let since = Instant::now();
                self.jobs.push(Shown { session, view: JobView::default(), heard: since, since });
            }
            let known = self.jobs.iter().rposition(|shown| {
                shown.session == session
                    && (shown.view.job == event.job() || matches!(event, Event::JobSubmitted { .. }))
            });
            let Some(index) = known else { continue };
            let shown = &mut self.jobs[index];
            shown.view.apply(event);
            shown.heard = Instant::now();
            if shown.view.end.is_some() {
                let ended = self.jobs.remove(index);
                if ended.view.elapsed() >= SHOWN_AFTER {
                    summaries.push(render::summary(&ended.view, size().1));
                }
            }
        }
        summaries
    }

    /// Whether there is a job whose picture changes as time goes by.
    pub fn is_running(&self) -> bool {
        !self.jobs.is_empty()
    }

    /// Whether the picture is on the screen.
    pub fn is_shown(&self) -> bool {
        self.bar.is_some()
    }

    /// Draws the picture anew, or removes it when no job is left that lasts.
    pub fn draw(&mut self) {
        let (height, width) = size();
        let lasting: Vec<&Shown> = self.jobs.iter().filter(|job| job.since.elapsed() >= SHOWN_AFTER).collect();
        if lasting.is_empty() {
            self.clear();
            return;
        }
        // One line stays free for what was printed last, and one for the cursor.
        let room = height.saturating_sub(2).max(1);
        let mut lines = Vec::new();
        if !self.open_line.is_empty() {
            lines.push(console::truncate_str(&self.open_line, width, "…").into_owned());
        }
        for job in &lasting {
            let height = (room.saturating_sub(lines.len()) / lasting.len()).max(1);
            lines.extend(render::lines(&job.view, job.now(), width, height));
        }
        lines.truncate(room);
        let bar = self.bar.get_or_insert_with(|| {
            let target = ProgressDrawTarget::stdout_with_hz(20);
            let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::with_draw_target(None, target).with_style(style)
        });
        bar.set_message(lines.join("\n"));
        bar.tick();
    }

    /// Takes the picture off the screen; what the cell has left of a line is returned by
    /// [`take_open_line`](Self::take_open_line).
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Prints above the picture, which is gone while `print` runs.
    pub fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Adds text to the line that the cell has begun, and returns the lines that are whole now.
    pub fn add_text(&mut self, text: &str) -> String {
        self.open_line.push_str(text);
        match self.open_line.rfind('\n') {
            Some(end) => {
                let rest = self.open_line.split_off(end + 1);
                std::mem::replace(&mut self.open_line, rest)
            }
            None => String::new(),
        }
    }

    /// What the cell has printed of a line and not ended.
    pub fn take_open_line(&mut self) -> String {
        std::mem::take(&mut self.open_line)
    }

    /// The cell has ended: what it left of jobs is no longer followed.
    pub fn end(&mut self) {
        self.clear();
        self.jobs.clear();
    }
}

/// Rows and columns of the terminal; one column stays free, because some terminals begin a new line
/// when the last one is filled.
fn size() -> (usize, usize) {
    let (rows, columns) = Term::stdout().size_checked().unwrap_or(USUAL_SIZE);
    (rows.into(), usize::from(columns).saturating_sub(1).max(1))
}
