/// Separates groups of three digits. In some languages a comma or a point would read as a decimal sign.
const THIN_SPACE: char = '\u{2009}';
/// From here on an exponent reads better than digits and prefixes.
const HUGE: f64 = 1e15;

/// A readable value: about three significant digits, thousands separated, with an SI prefix from a million
/// on.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-3..HUGE).contains(&size) {
        return format!("{value:.1e}");
    }
    let (divisor, prefix) = prefix(size);
    let scaled = value / divisor;
    let whole = scaled.fract() == 0.0;
    let decimals = match scaled.abs() {
        _ if whole => 0,
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        size if size >= 0.1 => 3,
        _ => 4,
    };
    let digits = format!("{scaled:.decimals$}");
    let digits = if decimals > 0 { digits.trim_end_matches('0').trim_end_matches('.') } else { &digits };
    grouped(digits) + prefix
}

/// Labels for the ticks of one axis, all with the same prefix and with the decimals that `step` needs.
pub(super) fn tick_labels(ticks: &[f64], step: f64) -> Vec<String> {
    let largest = ticks.iter().fold(0.0, |largest: f64, tick| largest.max(tick.abs()));
    let (divisor, prefix) = match prefix(largest) {
        (divisor, prefix) if decimals(step / divisor).is_some_and(|decimals| decimals <= 2) => {
            (divisor, prefix)
        }
        _ => (1.0, ""),
    };
    let decimals = decimals(step / divisor).filter(|_| largest < HUGE || step < largest * 1e-3);
    ticks
        .iter()
        .map(|&tick| match decimals {
            // Rounding errors must not turn zero into "-0".
            _ if tick.abs() < step * 1e-6 => "0".to_owned(),
            Some(decimals) => grouped(&format!("{:.decimals$}", tick / divisor)) + prefix,
            None => format!("{tick:.2e}"),
        })
        .collect()
}

fn prefix(size: f64) -> (f64, &'static str) {
    match size {
        size if size >= 1e12 => (1e12, "\u{2009}T"),
        size if size >= 1e9 => (1e9, "\u{2009}G"),
        size if size >= 1e6 => (1e6, "\u{2009}M"),
        _ => (1.0, ""),
    }
}

/// The number of decimals that show a step exactly, if four are enough.
fn decimals(step: f64) -> Option<usize> {
    (0..=4)
        .find(|&decimals| {
            let scaled = step * 10f64.powi(decimals);
            scaled.round() >= 1.0 && (scaled - scaled.round()).abs() < 1e-6
        })?
        .try_into()
        .ok()
}

fn grouped(digits: &str) -> String {
    let (sign, rest) = digits.strip_prefix('-').map_or(("", digits), |rest| ("−", rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, None), |(whole, part)| (whole, Some(part)));
    let mut text = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        // Four digits need no separator.
        if whole.len() > 4 && index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(THIN_SPACE);
        }
        text.push(digit);
    }
    if let Some(fraction) = fraction {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_short_and_without_noise() {
        for (value, text) in [
            (0.0, "0"),
            (10_000_000.0, "10\u{2009}M"),
            (1_234_567.0, "1.23\u{2009}M"),
            (10_000.0, "10\u{2009}000"),
            (1_024.0, "1024"),
            (-12.5, "−12.5"),
            (0.30000000000000004, "0.3"),
            (123.456, "123"),
            (0.00002, "2.0e-5"),
            (1.7e308, "1.7e308"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn the_ticks_of_an_axis_share_prefix_and_decimals() {
        assert_eq!(tick_labels(&[0.0, 0.5, 1.0], 0.5), ["0", "0.5", "1.0"]);
        assert_eq!(tick_labels(&[0.0, 2_500.0, 10_000.0], 2_500.0), ["0", "2500", "10\u{2009}000"]);
        assert_eq!(tick_labels(&[0.0, 5e5, 1e6], 5e5), ["0", "0.5\u{2009}M", "1.0\u{2009}M"]);
        assert_eq!(tick_labels(&[0.1 + 0.2], 0.1), ["0.3"]);
    }

    #[test]
    fn close_ticks_far_from_zero_stay_distinguishable() {
        let labels = tick_labels(&[1_700_000_000_000.0, 1_700_000_000_200.0], 200.0);
        assert_ne!(labels[0], labels[1]);
    }
}
