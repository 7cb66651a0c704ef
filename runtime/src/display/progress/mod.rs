//! Live progress of a loop: [`progress`] wraps an iterator, and a [`Progress`] is updated by hand. indicatif
//! keeps the figures. With a front end, a thread sends changes as updates of one display; without one,
//! indicatif draws to the terminal. `text` writes the figures.

mod iterator;
#[cfg(test)]
mod tests;
mod text;

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget};
use parking_lot::{Condvar, Mutex};

use self::text::terminal_style;
use super::show::fresh_id;
use super::{MimeBundle, MimeDisplay};
use crate::host::{self, Host, Shown};

pub use self::iterator::{ProgressIterator, progress};

/// The interval between updates. People see no more, and front ends redraw on each.
const INTERVAL: Duration = Duration::from_millis(100);
/// The time is updated after this interval even if nothing has changed.
const STILL: Duration = Duration::from_secs(1);

/// A progress bar that is updated by hand. It can be shared between threads. If it is dropped before
/// [`finish`](Self::finish), it shows where it stopped.
///
/// ```
/// use partita::display::Progress;
/// let bar = Progress::new(3);
/// for zone in ["Soho", "Harlem", "Inwood"] {
///     bar.set_message(zone);
///     bar.inc(1);
/// }
/// assert_eq!(bar.position(), 3);
/// bar.finish();
/// ```
#[derive(Debug)]
pub struct Progress {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    bar: ProgressBar,
    unit: Unit,
    target: Target,
    /// Held while something is sent, so that nothing follows the final state.
    ended: Mutex<bool>,
    wake: Condvar,
}

/// The unit of the count.
#[derive(Debug, Clone, Copy)]
enum Unit {
    Steps,
    Bytes,
}

/// Where the bar is shown.
enum Target {
    /// In a front end, as updates of one display.
    FrontEnd { id: String, host: Arc<dyn Host> },
    /// In the terminal, by indicatif, on standard error.
    Terminal,
    /// Standard error is not a terminal: only the final state is written.
    Log,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::FrontEnd { .. } => "FrontEnd",
            Self::Terminal => "Terminal",
            Self::Log => "Log",
        })
    }
}

/// How the bar ended.
enum End {
    Finished,
    /// Dropped before it was finished.
    Stopped,
    Panicked,
    Interrupted,
}

impl Progress {
    /// A bar of `total` steps.
    #[must_use]
    pub fn new(total: u64) -> Self {
        Self::start(Some(total))
    }

    /// A count of steps without a known total; [`set_total`](Self::set_total) makes it a bar.
    #[must_use]
    pub fn counter() -> Self {
        Self::start(None)
    }

    /// A count of bytes without a known total; [`set_total`](Self::set_total) makes it a bar.
    #[must_use]
    pub fn bytes() -> Self {
        Self::with_unit(None, Unit::Bytes)
    }

    fn start(total: Option<u64>) -> Self {
        Self::with_unit(total, Unit::Steps)
    }

    fn with_unit(total: Option<u64>, unit: Unit) -> Self {
        let host = host::current();
        let target = match host.replaces_displays() {
            true => Target::FrontEnd { id: fresh_id(), host: host.clone() },
            false if io::stderr().is_terminal() => Target::Terminal,
            false => Target::Log,
        };
        Self::with_target(total, unit, target)
    }

    fn with_target(total: Option<u64>, unit: Unit, target: Target) -> Self {
        let draw = match target {
            Target::Terminal => ProgressDrawTarget::stderr(),
            Target::FrontEnd { .. } | Target::Log => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(total, draw);
        let shared = Arc::new(Shared { bar, unit, target, ended: Mutex::new(false), wake: Condvar::new() });
        match &shared.target {
            Target::FrontEnd { id, host } => {
                host.show(Shown::New { id: id.clone(), bundle: shared.bundle(None) });
                let ticking = Arc::clone(&shared);
                // If the thread cannot start, only the first and the last state are shown.
                let _ = thread::Builder::new().name("progress".into()).spawn(move || ticking.tick());
            }
            Target::Terminal => {
                shared.bar.set_style(terminal_style(unit, total.is_some()));
                shared.bar.enable_steady_tick(INTERVAL);
            }
            Target::Log => {}
        }
        Self { shared }
    }

    /// Adds `steps` to the count. This is cheap: nothing is shown here.
    pub fn inc(&self, steps: u64) {
        self.shared.bar.inc(steps);
    }

    /// Sets the count to `steps`.
    pub fn set_position(&self, steps: u64) {
        self.shared.bar.set_position(steps);
    }

    /// Sets the total to `steps`.
    pub fn set_total(&self, steps: u64) {
        self.shared.bar.set_length(steps);
        if matches!(self.shared.target, Target::Terminal) {
            self.shared.bar.set_style(terminal_style(self.shared.unit, true));
        }
    }

    /// Sets the message beside the bar.
    pub fn set_message(&self, message: impl Into<String>) {
        self.shared.bar.set_message(message.into());
    }

    /// The number of steps done.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.shared.bar.position()
    }

    /// Ends the bar as complete and leaves its count as it is.
    pub fn finish(&self) {
        self.end(&End::Finished);
    }

    /// Ends the bar as complete, with a final message.
    pub fn finish_with_message(&self, message: impl Into<String>) {
        self.set_message(message);
        self.finish();
    }

    /// Shows the final state; later changes are not shown.
    fn end(&self, end: &End) {
        let shared = &*self.shared;
        let mut ended = shared.ended.lock();
        if std::mem::replace(&mut *ended, true) {
            return;
        }
        match &shared.target {
            Target::FrontEnd { id, host } => {
                host.show(Shown::Update { id: id.clone(), bundle: shared.bundle(Some(end)) });
            }
            Target::Terminal => {
                shared.bar.finish_and_clear();
                shared.log(end);
            }
            Target::Log => shared.log(end),
        }
        shared.wake.notify_all();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let done = self.shared.bar.length() == Some(self.position());
        self.end(&match (thread::panicking(), done) {
            (true, _) => End::Panicked,
            (false, true) => End::Finished,
            (false, false) => End::Stopped,
        });
    }
}

impl Shared {
    /// Sends changes, at most once per [`INTERVAL`], until the end.
    fn tick(&self) {
        let Target::FrontEnd { id, host } = &self.target else { return };
        let state = || (self.bar.position(), self.bar.length(), self.bar.message());
        let mut sent = (Instant::now(), state());
        let mut ended = self.ended.lock();
        while !*ended {
            let next = sent.0 + INTERVAL;
            let now = Instant::now();
            if now < next {
                // A wait may end early.
                self.wake.wait_for(&mut ended, next - now);
                continue;
            }
            let current = state();
            if current == sent.1 && (now < sent.0 + STILL || !host.is_running()) {
                self.wake.wait_for(&mut ended, INTERVAL);
                continue;
            }
            host.show(Shown::Update { id: id.clone(), bundle: self.bundle(None) });
            sent = (Instant::now(), current);
        }
    }

    fn log(&self, end: &End) {
        // If the stream is closed, nobody reads it.
        let _ = writeln!(io::stderr(), "{}", self.line(Some(end)));
    }
}

impl MimeDisplay for Progress {
    fn mime_bundle(&self) -> MimeBundle {
        self.shared.bundle(None)
    }
}
