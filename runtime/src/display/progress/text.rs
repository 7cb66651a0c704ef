//! What a bar shows: its figures as text and as HTML, and indicatif's template for the terminal.

use std::time::Duration;

use indicatif::{DecimalBytes, HumanCount, HumanDuration, HumanFloatCount, ProgressStyle};

use super::{End, Shared, Unit};
use crate::display::MimeBundle;
use crate::display::html::escape;

/// Characters of the bar in text: with the figures it fits into 80 columns.
const BAR_CHARS: u64 = 24;
/// The most characters of a message that are shown.
const MAX_MESSAGE_CHARS: usize = 60;

impl Shared {
    pub(super) fn bundle(&self, end: Option<&End>) -> MimeBundle {
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
    pub(super) fn line(&self, end: Option<&End>) -> String {
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
    pub(super) fn describe(&self, end: Option<&End>) -> String {
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
}

fn time(duration: Duration) -> String {
    if duration < Duration::from_secs(10) {
        format!("{:.1}s", duration.as_secs_f64())
    } else {
        format!("{:#}", HumanDuration(duration))
    }
}

/// indicatif's template, with the same figures as in a notebook.
pub(super) fn terminal_style(unit: Unit, total_is_known: bool) -> ProgressStyle {
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
