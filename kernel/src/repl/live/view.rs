use std::time::{Duration, Instant};

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{JobView, render};
use partita_interpreter::Event;

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

    fn is_due(&self) -> bool {
        self.since.elapsed() >= SHOWN_AFTER
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
                    && (Some(shown.view.job) == event.job() || matches!(event, Event::JobSubmitted { .. }))
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

    /// Whether a job has lasted long enough to be shown.
    pub fn is_due(&self) -> bool {
        self.jobs.iter().any(Shown::is_due)
    }

    /// Draws the picture anew, below the line that the cell has begun and not ended.
    pub fn draw(&mut self, open_line: &str) {
        let (height, width) = size();
        let lasting: Vec<&Shown> = self.jobs.iter().filter(|job| job.is_due()).collect();
        if lasting.is_empty() && self.bar.is_none() {
            return;
        }
        // One line stays free for what was printed last, and one for the cursor.
        let room = height.saturating_sub(2).max(1);
        let mut lines = Vec::new();
        if !open_line.is_empty() {
            // What a carriage return has overwritten is not seen.
            let seen = open_line.rsplit('\r').find(|part| !part.is_empty()).unwrap_or_default();
            lines.push(console::truncate_str(seen, width, "…").into_owned());
        }
        for job in &lasting {
            let height = (room.saturating_sub(lines.len()) / lasting.len()).max(1);
            lines.extend(render::lines(&job.view, job.now(), width, height));
        }
        lines.truncate(room);
        let bar = self.bar.get_or_insert_with(|| {
            let target = ProgressDrawTarget::stdout_with_hz(20);
            let style =
                ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::with_draw_target(None, target).with_style(style)
        });
        bar.set_message(lines.join("\n"));
        bar.tick();
    }

    /// Takes the picture off the screen.
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

    /// The cell has ended: what it left of jobs is no longer followed.
    pub fn forget(&mut self) {
        self.jobs.clear();
    }
}

/// Rows and columns of the terminal; one column stays free, because some terminals begin a new line
/// when the last one is filled.
fn size() -> (usize, usize) {
    let (rows, columns) = Term::stdout().size_checked().unwrap_or(USUAL_SIZE);
    (rows.into(), usize::from(columns).saturating_sub(1).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submitted() -> Event {
        Event::JobSubmitted { job: 0, action: "collect".into(), slots: 2, at: Duration::ZERO }
    }

    fn ended(ms: u64) -> Event {
        Event::JobFinished { job: 0, error: None, cancelled: false, at: Duration::from_millis(ms) }
    }

    #[test]
    fn jobs_of_one_number_in_two_sessions_are_two_jobs() {
        let mut live = LiveView::default();
        live.apply(4, &[submitted()]);
        live.apply(5, &[submitted()]);
        let summaries = live.apply(4, &[ended(250)]);
        assert_eq!(summaries.len(), 1);
        assert!(summaries[0].contains("250 ms"), "{summaries:?}");
        assert!(live.is_running(), "the other session's job has not ended");
        live.apply(5, &[ended(300)]);
        assert!(!live.is_running());
    }

    #[test]
    fn a_job_too_short_to_be_seen_leaves_no_line() {
        let mut live = LiveView::default();
        assert_eq!(live.apply(0, &[submitted(), ended(20)]), Vec::<String>::new());
        assert!(!live.is_shown());
    }

    #[test]
    fn events_of_a_job_whose_beginning_nobody_saw_are_ignored() {
        let mut live = LiveView::default();
        assert_eq!(live.apply(0, &[ended(500)]), Vec::<String>::new());
    }
}
