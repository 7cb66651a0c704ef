//! Live progress of a loop: [`progress`] wraps an iterator, and a [`Progress`] is updated by hand. indicatif
//! keeps the figures. With a front end, a thread sends changes as updates of one display; without one,
//! indicatif draws to the terminal.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{
    DecimalBytes, HumanCount, HumanDuration, HumanFloatCount, ProgressBar, ProgressDrawTarget, ProgressStyle,
};
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::html::escape;
use super::show::fresh_id;
use super::{MimeBundle, MimeDisplay};
use crate::cancel;
use crate::host::{self, Host, Shown};

/// The interval between updates. People see no more, and front ends redraw on each.
const INTERVAL: Duration = Duration::from_millis(100);
/// The time is updated after this interval even if nothing has changed.
const STILL: Duration = Duration::from_secs(1);
/// Characters of the bar in text: with the figures it fits into 80 columns.
const BAR_CHARS: u64 = 24;
/// The most characters of a message that are shown.
const MAX_MESSAGE_CHARS: usize = 60;

/// Shows the progress of a loop while it runs. The final state is accurate: a loop left early, by `break`,
/// `?` or a panic, shows where it stopped. An interrupt ends the loop, and the cell with it.
///
/// ```
/// use partita::display::progress;
/// let mut sum = 0;
/// for n in progress(1..=100) {
///     sum += n;
/// }
/// assert_eq!(sum, 5050);
/// ```
pub fn progress<I: IntoIterator>(items: I) -> ProgressIterator<I::IntoIter> {
    let items = items.into_iter();
    let total = match items.size_hint() {
        (least, Some(most)) if least == most => Some(most as u64),
        _ => None,
    };
    ProgressIterator { items, progress: Progress::start(total), started: false, token: cancel::current() }
}

/// The iterator that [`progress`] returns: the same items, counted.
#[derive(Debug)]
pub struct ProgressIterator<I> {
    items: I,
    progress: Progress,
    /// Whether an item was returned. It counts as done when the next one is requested.
    started: bool,
    token: cancel::Token,
}

impl<I> ProgressIterator<I> {
    /// Sets the message beside the bar.
    #[must_use]
    pub fn with_message(self, message: impl Into<String>) -> Self {
        self.progress.set_message(message);
        self
    }
}

impl<I: Iterator> Iterator for ProgressIterator<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        if std::mem::take(&mut self.started) {
            self.progress.inc(1);
        }
        if self.token.is_cancelled() {
            self.progress.end(&End::Interrupted);
            let state = self.progress.shared.describe(Some(&End::Interrupted));
            cancel::unwind(format!("the loop was {state}; the session and its variables are unchanged"));
        }
        let item = self.items.next();
        match item {
            Some(_) => self.started = true,
            None => self.progress.finish(),
        }
        item
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

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
        let mut ended = shared.lock();
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
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.ended.lock()
    }

    /// Sends changes, at most once per [`INTERVAL`], until the end.
    fn tick(&self) {
        let Target::FrontEnd { id, host } = &self.target else { return };
        let state = || (self.bar.position(), self.bar.length(), self.bar.message());
        let mut sent = (Instant::now(), state());
        let mut ended = self.lock();
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

    fn bundle(&self, end: Option<&End>) -> MimeBundle {
        let message = self.message();
        let figures = self.describe(end);
        let value = match (self.share(), end) {
            (Some(share), _) => format!(" value=\"{share:.4}\""),
            // A progress element without a value moves for ever, which would be wrong at the end.
            (None, Some(_)) => " value=\"1\"".to_owned(),
            (None, None) => String::new(),
        };
        let html = format!(
            "<div style=\"display:flex;flex-wrap:wrap;align-items:center\">\
             <span style=\"margin-right:0.8em\">{}</span>\
             <progress max=\"1\"{value} style=\"width:16em;margin-right:0.8em\"></progress>\
             <span>{}</span></div>",
            escape(&message),
            escape(&figures)
        );
        MimeBundle::text(self.line(end)).with("text/html", html)
    }

    /// Message, bar and figures. The message gets a line of its own if one line is too short.
    fn line(&self, end: Option<&End>) -> String {
        let message = self.message();
        let figures = self.describe(end);
        let line = match self.share() {
            Some(share) => {
                let full = (share * BAR_CHARS as f64).round() as usize;
                let bar = format!("{}{}", "█".repeat(full), "░".repeat(BAR_CHARS as usize - full));
                format!("{bar} {figures}")
            }
            None => figures,
        };
        match message.chars().count() {
            0 => line,
            length if length + line.chars().count() < 79 => format!("{message} {line}"),
            _ => format!("{message}\n{line}"),
        }
    }

    fn message(&self) -> String {
        let message = self.bar.message();
        let mut line: String = message.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE_CHARS).collect();
        if message.chars().count() > MAX_MESSAGE_CHARS {
            line.push('…');
        }
        line
    }

    /// The fraction that is done, from 0 to 1, if the total is known.
    fn share(&self) -> Option<f64> {
        let total = self.bar.length()?;
        // A total of 0 is complete.
        Some(if total == 0 { 1.0 } else { (self.bar.position() as f64 / total as f64).min(1.0) })
    }

    /// Text such as `40 %, 40/100, 3s, 5s left`, and the text of the final state.
    fn describe(&self, end: Option<&End>) -> String {
        let elapsed = self.bar.elapsed();
        let position = self.amount(self.bar.position());
        let (at, count) = match (self.share(), self.bar.length()) {
            // Rounded down, so that 100 % means complete.
            (Some(share), Some(total)) => {
                (format!("{:.0} %", (share * 100.0).floor()), format!("{position}/{}", self.amount(total)))
            }
            _ => (position, String::new()),
        };
        let in_brackets = if count.is_empty() { String::new() } else { format!(" ({count})") };
        match end {
            Some(End::Finished) => {
                let count = if count.is_empty() { at } else { count };
                format!("done: {count} in {}", time(elapsed))
            }
            Some(End::Stopped) => format!("stopped at {at}{in_brackets} after {}", time(elapsed)),
            Some(End::Panicked) => {
                format!("stopped at {at}{in_brackets} by a panic after {}", time(elapsed))
            }
            Some(End::Interrupted) => format!("interrupted at {at}{in_brackets} after {}", time(elapsed)),
            None => {
                let mut figures = vec![at, count, time(elapsed)];
                if self.bar.position() > 0 {
                    if self.bar.length().is_some() {
                        figures.push(format!("{} left", time(self.bar.eta())));
                    }
                    let rate = self.bar.per_sec();
                    figures.push(match self.unit {
                        Unit::Steps => format!("{:.1}/s", HumanFloatCount(rate)),
                        Unit::Bytes => format!("{}/s", DecimalBytes(rate as u64)),
                    });
                }
                figures.retain(|figure| !figure.is_empty());
                figures.join(", ")
            }
        }
    }

    fn amount(&self, count: u64) -> String {
        match self.unit {
            Unit::Steps => HumanCount(count).to_string(),
            Unit::Bytes => DecimalBytes(count).to_string(),
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

fn time(duration: Duration) -> String {
    if duration < Duration::from_secs(10) {
        format!("{:.1}s", duration.as_secs_f64())
    } else {
        format!("{:#}", HumanDuration(duration))
    }
}

/// indicatif's template, with the same figures as in a notebook.
fn terminal_style(unit: Unit, total_is_known: bool) -> ProgressStyle {
    let template = match (unit, total_is_known) {
        (Unit::Steps, true) => {
            "{msg} {bar:24} {percent} %, {human_pos}/{human_len}, {elapsed}, {eta} left, {per_sec}"
        }
        (Unit::Steps, false) => "{msg} {spinner} {human_pos}, {elapsed}, {per_sec}",
        (Unit::Bytes, true) => {
            "{msg} {bar:24} {percent} %, {decimal_bytes}/{decimal_total_bytes}, {elapsed}, {eta} left, \
             {decimal_bytes_per_sec}"
        }
        (Unit::Bytes, false) => "{msg} {spinner} {decimal_bytes}, {elapsed}, {decimal_bytes_per_sec}",
    };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("██░")
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    use crate::host::recorder::Recorder;

    type Record = Arc<Recorder>;

    fn recorded(total: Option<u64>) -> (Progress, Record) {
        let record = Record::default();
        let target = Target::FrontEnd { id: "p".into(), host: record.clone() };
        (Progress::with_target(total, Unit::Steps, target), record)
    }

    /// The last display sent, as text. Everything after the first must update the first.
    fn last(record: &Record) -> String {
        let record = record.shown();
        assert!(matches!(&record[0], Shown::New { id, .. } if id == "p"), "{record:?}");
        match record.last() {
            Some(Shown::Update { id, bundle }) if id == "p" => bundle.get("text/plain").unwrap().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    fn around(items: impl IntoIterator<Item = u32>, progress: Progress) -> impl Iterator<Item = u32> {
        let items = items.into_iter();
        ProgressIterator { items, progress, started: false, token: cancel::current() }
    }

    #[test]
    fn a_loop_that_runs_to_its_end_is_done() {
        let (progress, record) = recorded(Some(5));
        assert_eq!(around(0..5, progress).sum::<u32>(), 10);
        assert!(last(&record).starts_with("████████████████████████ done: 5/5 in "), "{}", last(&record));
    }

    #[test]
    fn a_loop_left_early_says_where_it_stopped() {
        let (progress, record) = recorded(Some(5));
        for item in around(0..5, progress) {
            if item == 2 {
                break;
            }
        }
        assert!(last(&record).contains("░ stopped at 40 % (2/5) after "), "{}", last(&record));
    }

    #[test]
    fn a_panic_in_the_loop_says_where_it_stopped() {
        let (progress, record) = recorded(Some(4));
        let run = AssertUnwindSafe(|| around(0..4, progress).for_each(|item| assert_ne!(item, 1)));
        assert!(catch_unwind(run).is_err());
        assert!(last(&record).contains("stopped at 25 % (1/4) by a panic"), "{}", last(&record));
    }

    #[test]
    fn what_is_not_everything_is_not_a_hundred_per_cent() {
        let (progress, record) = recorded(Some(1000));
        progress.inc(999);
        drop(progress);
        assert!(last(&record).contains("stopped at 99 % (999/1,000)"), "{}", last(&record));
    }

    #[test]
    fn a_bar_told_of_every_step_is_done_when_it_is_dropped() {
        let (progress, record) = recorded(Some(2));
        progress.inc(2);
        drop(progress);
        assert!(last(&record).contains("done: 2/2"), "{}", last(&record));
    }

    #[test]
    fn without_a_total_steps_are_counted_until_one_is_known() {
        let (progress, record) = recorded(None);
        progress.inc(3);
        progress.finish_with_message("all <read>");
        progress.inc(1);
        progress.finish();
        assert!(last(&record).starts_with("all <read> done: 3 in "), "{}", last(&record));
        let record = record.shown();
        let Some(Shown::Update { bundle, .. }) = record.last() else { panic!("{record:?}") };
        let html = bundle.get("text/html").unwrap();
        assert!(html.contains("all &lt;read&gt;") && html.contains("value=\"1\""), "{html}");
    }

    #[test]
    fn updates_are_few_whatever_the_number_of_steps() {
        let (progress, record) = recorded(Some(1_000_000));
        let started = Instant::now();
        for _ in 0..1_000_000 {
            progress.inc(1);
        }
        progress.finish();
        let most = started.elapsed().as_millis() / INTERVAL.as_millis() + 2;
        assert!(record.shown().len() as u128 <= most, "{} > {most}", record.shown().len());
    }

    #[test]
    fn a_step_is_shown_while_the_next_one_takes_long() {
        let (progress, record) = recorded(Some(2));
        progress.inc(1);
        // Without a further call, the bar shows its last values.
        while record.shown().len() < 2 {
            thread::yield_now();
        }
        assert!(last(&record).contains("50 %, 1/2, "), "{}", last(&record));
        progress.set_message("x".repeat(200));
        drop(progress);
        assert!(last(&record).lines().all(|line| line.chars().count() <= 80), "{}", last(&record));
    }

    #[test]
    fn bytes_are_told_in_megabytes() {
        let record = Record::default();
        let target = Target::FrontEnd { id: "p".into(), host: record.clone() };
        let progress = Progress::with_target(None, Unit::Bytes, target);
        progress.set_total(110_439_634);
        progress.set_position(55_000_000);
        drop(progress);
        assert!(last(&record).contains("stopped at 49 % (55.00 MB/110.44 MB)"), "{}", last(&record));
    }

    #[test]
    fn nothing_to_do_is_done() {
        let (progress, record) = recorded(Some(0));
        assert_eq!(around([], progress).count(), 0);
        assert!(last(&record).contains("done: 0/0"), "{}", last(&record));
    }
}
