//! Figures as text, the same in every view: at most three digits, and a unit. `assets/figures.js` writes
//! figures for what moves in a page; `tests/figures.json` holds both to the same texts.

use std::time::Duration;

/// 0.00123 → `1.23 ms`.
///
/// ```
/// use partita_events::figures::seconds;
/// assert_eq!([1.2e-6, 0.00123, 3.456, 135.0, 7300.0].map(seconds), ["1 µs", "1.23 ms", "3.46 s", "2 min 15 s", "2 h 1 min"]);
/// ```
pub fn seconds(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    if value < 0.0005 {
        return if value <= 0.0 { "0 s".into() } else { format!("{} µs", (value * 1e6).round()) };
    }
    if value < 0.9995 {
        return format!("{} ms", three_digits(value * 1e3));
    }
    if value < 99.95 {
        return format!("{} s", three_digits(value));
    }
    let whole = value.round() as u64;
    if whole < 3600 {
        return format!("{} min {} s", whole / 60, whole % 60);
    }
    format!("{} h {} min", whole / 3600, whole % 3600 / 60)
}

/// [`seconds`] of a duration.
pub fn duration(value: Duration) -> String {
    seconds(value.as_secs_f64())
}

/// 1536 → `1.54 kB`, in steps of a thousand.
///
/// ```
/// use partita_events::figures::bytes;
/// assert_eq!([999, 1536, 12_345_678].map(bytes), ["999 B", "1.54 kB", "12.3 MB"]);
/// ```
pub fn bytes(value: u64) -> String {
    if value < 1000 {
        return format!("{value} B");
    }
    let mut scaled = value as f64 / 1e3;
    let mut unit = "kB";
    for next in ["MB", "GB", "TB", "PB"] {
        if scaled < 999.5 {
            break;
        }
        (scaled, unit) = (scaled / 1e3, next);
    }
    format!("{} {unit}", three_digits(scaled))
}

/// 1234567 → `1,234,567`.
///
/// ```
/// assert_eq!(partita_events::figures::count(1_234_567), "1,234,567");
/// ```
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 task`, `2 tasks`.
///
/// ```
/// assert_eq!(partita_events::figures::plural(12_345, "task"), "12,345 tasks");
/// ```
pub fn plural(number: usize, word: &str) -> String {
    format!("{} {word}{}", count(number as u64), if number == 1 { "" } else { "s" })
}

/// A maximum over a median: `2.4 ×`. `∞` when the median is nothing.
pub fn ratio(value: f64) -> String {
    if value == f64::INFINITY {
        "∞".into()
    } else if !value.is_finite() {
        "–".into()
    } else {
        let digits = usize::from(value < 9.95);
        format!("{} ×", rounded(value, digits))
    }
}

/// 0.854 → `85 %`.
pub fn percent(share: f64) -> String {
    if share.is_finite() { format!("{} %", (100.0 * share).round()) } else { "–".into() }
}

/// One, two or three digits before a unit: `1.23`, `12.3`, `123`.
fn three_digits(value: f64) -> String {
    if value >= 99.95 {
        rounded(value, 0)
    } else if value >= 9.995 {
        rounded(value, 1)
    } else {
        let text = rounded(value, 2);
        text.strip_suffix('0').unwrap_or(&text).to_owned()
    }
}

/// Rounded half up as JavaScript's `Math.round` does it, so that a page writes the same digits.
fn rounded(value: f64, digits: usize) -> String {
    let scale = 10f64.powi(digits as i32);
    format!("{:.digits$}", (value * scale).round() / scale)
}
