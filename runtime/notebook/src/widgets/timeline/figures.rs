//! Figures for people, as `assets/figures.js` writes them.

/// 0.00123 → "1.23 ms".
pub(super) fn seconds(value: f64) -> String {
    if value < 0.0005 {
        return if value <= 0.0 { "0 s".into() } else { format!("{:.0} µs", value * 1e6) };
    }
    if value < 0.9995 {
        return format!("{} ms", short(value * 1e3));
    }
    if value < 99.95 {
        return format!("{} s", short(value));
    }
    let whole = value.round() as u64;
    if whole < 3600 {
        return format!("{} min {} s", whole / 60, whole % 60);
    }
    format!("{} h {} min", whole / 3600, whole % 3600 / 60)
}

/// 1536 → "1.54 kB", in steps of a thousand.
pub(super) fn bytes(value: u64) -> String {
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
    format!("{} {unit}", short(scaled))
}

/// 1 task, 2 tasks.
pub(super) fn plural(number: usize, word: &str) -> String {
    format!("{} {word}{}", count(number), if number == 1 { "" } else { "s" })
}

/// 1234567 → "1,234,567".
pub(super) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `max / median` as text; without a median there is no such number.
pub(super) fn ratio(value: f64) -> String {
    if value.is_infinite() {
        "∞".into()
    } else if value >= 9.95 {
        format!("{value:.0} ×")
    } else {
        format!("{value:.1} ×")
    }
}

fn short(value: f64) -> String {
    if value >= 99.95 {
        format!("{value:.0}")
    } else if value >= 9.995 {
        format!("{value:.1}")
    } else {
        let text = format!("{value:.2}");
        text.strip_suffix('0').unwrap_or(&text).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        let times = [0.0, 1.2e-6, 0.00123, 0.25, 3.456, 42.42, 135.0, 7300.0].map(seconds);
        assert_eq!(
            times,
            ["0 s", "1 µs", "1.23 ms", "250 ms", "3.46 s", "42.4 s", "2 min 15 s", "2 h 1 min"]
        );
        assert_eq!([999, 1536, 999_600, 12_345_678].map(bytes), ["999 B", "1.54 kB", "1.0 MB", "12.3 MB"]);
        assert_eq!([plural(1, "task"), plural(12_345, "task")], ["1 task", "12,345 tasks"]);
        assert_eq!([1.0, 12.4, f64::INFINITY].map(ratio), ["1.0 ×", "12 ×", "∞"]);
    }
}
