use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::number::{number, tick_labels};

/// One axis: the positions of values and the ticks. Plotters' own coordinates also choose ticks, but they
/// format them as plain floats and have no powers of two; this axis has both.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    /// The ends in scale units; `start > end` reverses the axis.
    start: f64,
    end: f64,
    log: bool,
    /// Whether the ticks are names, which may be shortened; numbers may not.
    named: bool,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// An axis from a round number at or below `low` to one at or above `high`. `whole` means that the values
    /// are counts, so that ticks are whole numbers.
    pub fn rounded(low: f64, high: f64, max_ticks: usize, whole: bool) -> Self {
        let (low, high) = apart(low, high);
        let step = nice_step(high - low, max_ticks, whole);
        let (start, end) = ((low / step).floor() * step, (high / step).ceil() * step);
        Self { start, end, log: false, named: false, ticks: ticks(start, end, step) }
    }

    /// An axis exactly from `low` to `high`, plus `margin` as a fraction of the length on both sides.
    pub fn tight(low: f64, high: f64, max_ticks: usize, whole: bool, margin: f64) -> Self {
        let (low, high) = apart(low, high);
        let step = nice_step(high - low, max_ticks, whole);
        let room = (high - low) * margin;
        Self { start: low - room, end: high + room, log: false, named: false, ticks: ticks(low, high, step) }
    }

    /// A logarithmic axis around positive values. Ticks are at powers of two if all values are powers of two,
    /// as partition counts are, otherwise at powers of ten.
    pub fn log(values: &[f64], max_ticks: usize) -> Self {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let (start, end) = (low.log2(), high.log2());
        let room = ((end - start) * 0.03).max(0.05);
        let inside = |tick: &f64| (low * 0.999..=high * 1.001).contains(tick);
        let in_twos = values.iter().all(|value| value.log2().fract() == 0.0);
        let mut ticks: Vec<f64> = if in_twos {
            let (first, last) = (start as i32, end as i32);
            let step = ((last - first) as usize / max_ticks.max(1) + 1) as i32;
            (first..=last).step_by(step as usize).map(|power| 2f64.powi(power)).collect()
        } else {
            let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
            let step = powers.clone().count() / max_ticks.max(1) + 1;
            let multiples: &[f64] = if powers.clone().count() <= 4 { &[1.0, 2.0, 5.0] } else { &[1.0] };
            powers
                .step_by(step)
                .flat_map(|power| multiples.iter().map(move |multiple| multiple * 10f64.powi(power)))
                .filter(inside)
                .collect()
        };
        if ticks.len() < 2 {
            ticks = vec![low, high];
            ticks.dedup();
        }
        let ticks = ticks.into_iter().map(|tick| (tick, number(tick))).collect();
        Self { start: start - room, end: end + room, log: true, named: false, ticks }
    }

    /// One unit per name, centred on 0, 1, 2…
    pub fn categories(names: &[String]) -> Self {
        let ticks = names.iter().enumerate().map(|(index, name)| (index as f64, name.clone())).collect();
        Self { start: -0.5, end: names.len() as f64 - 0.5, log: false, named: true, ticks }
    }

    /// The same axis in the opposite direction.
    pub fn reversed(mut self) -> Self {
        std::mem::swap(&mut self.start, &mut self.end);
        self
    }

    /// The ticks' texts.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.ticks.iter().map(|(_, label)| label.as_str())
    }

    /// Makes the labels fit side by side along `length` pixels; `width` returns the width of a label. Names
    /// are cut by `shorten` as long as enough of them remains; otherwise only every n-th tick keeps its
    /// label.
    pub fn fit(&mut self, length: u32, width: impl Fn(&str) -> u32, shorten: impl Fn(&str, u32) -> String) {
        const GAP: u32 = 8;
        const READABLE: u32 = 44;
        let widest = self.labels().map(&width).max().unwrap_or(0) + GAP;
        // Names have a slot each; the first and last number are at the ends.
        let slots = if self.named { self.ticks.len() } else { self.ticks.len().saturating_sub(1) };
        let slot = f64::from(length) / slots.max(1) as f64;
        if f64::from(widest) <= slot {
            return;
        }
        let needed = if self.named { widest.min(2 * READABLE) } else { widest };
        let every = if self.named && slot >= f64::from(READABLE) {
            1
        } else {
            (f64::from(needed) / slot).ceil() as usize
        };
        self.keep_every(every);
        if self.named {
            let room = (slot * every as f64) as u32 - GAP.min((slot * every as f64) as u32);
            self.ticks.iter_mut().for_each(|(_, label)| *label = shorten(label, room));
        }
    }

    /// Keeps the first of every `every` ticks.
    pub fn keep_every(&mut self, every: usize) {
        let mut index = 0;
        self.ticks.retain(|_| {
            index += 1;
            (index - 1) % every.max(1) == 0
        });
    }

    /// Cuts names, but never numbers, with `shorten`.
    pub fn shorten(&mut self, shorten: impl Fn(&str) -> String) {
        if self.named {
            self.ticks.iter_mut().for_each(|(_, label)| *label = shorten(label));
        }
    }

    fn scaled(&self, value: f64) -> f64 {
        if self.log { value.max(f64::MIN_POSITIVE).log2() } else { value }
    }

    fn value(&self, scaled: f64) -> f64 {
        if self.log { scaled.exp2() } else { scaled }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (self.scaled(*value) - self.start) / (self.end - self.start);
        // A value far outside must not overflow the pixel range.
        limit.0 + (share.clamp(-1.0, 2.0) * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // There are no light grid lines between the ticks.
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.ticks.iter().map(|(tick, _)| *tick).collect()
    }

    fn range(&self) -> Range<f64> {
        self.value(self.start)..self.value(self.end)
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let label = self.ticks.iter().find(|(tick, _)| tick == value);
        label.map_or_else(|| number(*value), |(_, label)| label.clone())
    }
}

/// Ends that are far enough apart for an axis when all values are the same.
fn apart(low: f64, high: f64) -> (f64, f64) {
    let size = low.abs().max(high.abs());
    if high - low > size * 1e-12 {
        (low, high)
    } else if size == 0.0 {
        (0.0, 1.0)
    } else {
        (low - size * 0.1, high + size * 0.1)
    }
}

/// A step of 1, 2, 2.5 or 5 times a power of ten that gives at most `max_ticks` intervals.
pub(super) fn nice_step(span: f64, max_ticks: usize, whole: bool) -> f64 {
    let least = span / max_ticks.max(1) as f64;
    let power = 10f64.powf(least.log10().floor());
    let factors: &[f64] = if whole && power < 10.0 { &[1.0, 2.0, 5.0] } else { &[1.0, 2.0, 2.5, 5.0] };
    let step = factors.iter().map(|factor| factor * power).find(|step| *step >= least * (1.0 - 1e-9));
    let step = step.unwrap_or(10.0 * power);
    if whole { step.max(1.0) } else { step }
}

fn ticks(low: f64, high: f64, step: f64) -> Vec<(f64, String)> {
    let (first, last) = ((low / step - 1e-6).ceil() as i64, (high / step + 1e-6).floor() as i64);
    // `nice_step` bounds the count; the cap guards only against a step lost to rounding.
    let ticks: Vec<f64> = (first..=last).take(100).map(|index| index as f64 * step).collect();
    let labels = tick_labels(&ticks, step);
    ticks.into_iter().zip(labels).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.labels().collect()
    }

    #[test]
    fn a_rounded_axis_encloses_its_values_with_round_ticks() {
        let axis = Axis::rounded(0.0, 97.0, 5, false);
        assert_eq!(labels(&axis), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(axis.range(), 0.0..100.0);
    }

    #[test]
    fn counts_get_no_tick_between_whole_numbers() {
        assert_eq!(labels(&Axis::rounded(0.0, 2.0, 8, true)), ["0", "1", "2"]);
    }

    #[test]
    fn powers_of_two_are_ticks_on_a_log_axis_and_lie_at_equal_distances() {
        let axis = Axis::log(&[1.0, 2.0, 4.0, 8.0, 16.0], 10);
        assert_eq!(labels(&axis), ["1", "2", "4", "8", "16"]);
        let pixels: Vec<i32> = [1.0, 4.0, 16.0].iter().map(|v| axis.map(v, (0, 1000))).collect();
        assert_eq!(pixels[1] - pixels[0], pixels[2] - pixels[1]);
    }

    #[test]
    fn other_values_on_a_log_axis_get_decimal_ticks() {
        let axis = Axis::log(&[3.0, 70.0, 900.0], 8);
        assert!(labels(&axis).contains(&"10") && labels(&axis).contains(&"100"), "{axis:?}");
        assert!(labels(&Axis::log(&[3.0], 8)).contains(&"3"));
    }

    #[test]
    fn equal_values_still_make_an_axis() {
        assert_eq!(labels(&Axis::rounded(0.0, 0.0, 5, false)).first(), Some(&"0"));
        let axis = Axis::rounded(5.0, 5.0, 5, false);
        assert!(axis.range().start < 5.0 && axis.range().end > 5.0);
    }

    #[test]
    fn labels_that_do_not_fit_are_cut_if_names_and_thinned_if_numbers() {
        let width = |label: &str| label.len() as u32 * 10;
        let cut = |label: &str, room: u32| label.chars().take(room as usize / 10).collect::<String>();
        let names: Vec<String> = (0..5).map(|index| format!("{index} a long name")).collect();
        let mut axis = Axis::categories(&names);
        axis.fit(500, width, cut);
        assert_eq!(labels(&axis).len(), 5);
        assert!(labels(&axis).iter().all(|label| width(label) <= 100), "{axis:?}");
        let mut axis = Axis::rounded(0.0, 90_000.0, 9, true);
        axis.fit(200, width, cut);
        assert!(labels(&axis).len() <= 4 && labels(&axis)[0] == "0", "{axis:?}");
    }

    #[test]
    fn a_reversed_axis_puts_its_first_value_at_the_far_end() {
        let names = ["a".to_owned(), "b".to_owned()];
        let axis = Axis::categories(&names).reversed();
        assert!(axis.map(&0.0, (0, 100)) > axis.map(&1.0, (0, 100)));
    }
}
