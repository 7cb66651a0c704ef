use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use partita_events::Event;
use partita_events::fold::{Job, Workers};

use super::{LIMITS, render};

/// Jobs that end sooner are not shown: a picture that flashes by says nothing.
const SHOWN_AFTER: Duration = Duration::from_millis(100);

/// How often the picture is redrawn while nothing happens, for the times on it.
pub const REDRAWN_EVERY: Duration = Duration::from_millis(100);

/// Used where the terminal does not tell its size.
const USUAL_SIZE: (u16, u16) = (24, 80);

/// Sessions whose workers are remembered; the oldest are forgotten.
const SESSIONS: usize = 64;

/// The picture of the running jobs below what the cell prints.
#[derive(Default)]
pub struct LiveView {
    jobs: Vec<Shown>,
    /// The workers of each session.
    workers: BTreeMap<u64, Workers>,
    bar: Option<ProgressBar>,
}

struct Shown {
    session: u64,
    job: Job,
    /// When the last event came, to know the session's clock now.
    heard: Instant,
    since: Instant,
}

impl Shown {
    fn now(&self) -> Duration {
        self.job.last + self.heard.elapsed()
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
            self.apply_to_workers(session, event);
            let now = Instant::now();
            if let Some(job) = Job::submitted_by(event, LIMITS) {
                self.jobs.push(Shown { session, job, heard: now, since: now });
                continue;
            }
            let of = |shown: &Shown| shown.session == session && Some(shown.job.job) == event.job();
            let Some(index) = self.jobs.iter().rposition(of) else { continue };
            let shown = &mut self.jobs[index];
            shown.job.apply(event);
            shown.heard = now;
            if shown.job.has_ended() {
                let ended = self.jobs.remove(index);
                if ended.job.wall() >= SHOWN_AFTER {
                    summaries.push(render::summary(&ended.job, size().1));
                }
            }
        }
        summaries
    }

    /// Takes what happened to a session's workers while no cell ran.
    pub fn apply_to_workers(&mut self, session: u64, event: &Event) {
        self.workers.entry(session).or_insert_with(|| Workers::new(LIMITS)).apply(event);
        if self.workers.len() > SESSIONS {
            self.workers.pop_first();
        }
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
            let workers = self.workers.get(&job.session).map(|workers| job.job.workers(workers));
            lines.extend(render::lines(&job.job, &workers.unwrap_or_default(), job.now(), width, height));
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

    /// The evaluation process has ended, and its sessions with it.
    pub fn forget_sessions(&mut self) {
        self.forget();
        self.workers.clear();
    }
}

/// Rows and columns of the terminal; one column stays free, because some terminals begin a new line
/// when the last one is filled.
fn size() -> (usize, usize) {
    let (rows, columns) = Term::stdout().size_checked().unwrap_or(USUAL_SIZE);
    (rows.into(), usize::from(columns).saturating_sub(1).max(1))
}
