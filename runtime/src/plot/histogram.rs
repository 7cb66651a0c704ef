use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::Rectangle;
use plotters::prelude::DrawingBackend;
use plotters::style::Color;
use polars::prelude::DataFrame;

use super::axis::{Axis, nice_step};
use super::column::{clean, empty, numbers};
use super::frame::Frame;
use super::render::Kind;
use super::style::{Style, color};
use super::{Plot, PlotError};

/// Bounds of the number of intervals.
const BINS: std::ops::RangeInclusive<usize> = 1..=500;

/// The kind of plot that [`histogram`](super::histogram()) makes.
#[derive(Debug, Clone)]
pub struct Histogram {
    column: String,
    bins: Option<usize>,
}

#[derive(Debug, PartialEq)]
struct Bins {
    start: f64,
    width: f64,
    counts: Vec<u64>,
}

impl Histogram {
    pub(super) fn new(column: &str) -> Self {
        Self { column: column.to_owned(), bins: None }
    }

    fn count(&self, frame: &DataFrame) -> Result<Bins, PlotError> {
        let values: Vec<f64> = numbers(frame, &self.column, "a histogram")?.into_iter().flatten().collect();
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if values.is_empty() {
            return Err(empty(frame, &[&self.column]));
        }
        let (start, width, bins) = if high - low <= low.abs().max(high.abs()) * 1e-12 {
            // A single value gets an interval around it.
            let width = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
            (low - width / 2.0, width, 1)
        } else if let Some(bins) = self.bins {
            (low, (high - low) / bins as f64, bins)
        } else {
            // Sturges' rule, with edges moved to round numbers.
            let wanted = (values.len() as f64).log2().ceil() as usize + 1;
            let whole = values.iter().all(|value| value.fract() == 0.0);
            let width = nice_step(high - low, (2 * wanted).clamp(5, 50), whole);
            let start = (low / width).floor() * width;
            (start, width, ((high - start) / width).floor() as usize + 1)
        };
        let mut counts = vec![0; bins];
        for value in values {
            // The highest value belongs to the last interval, not to one of its own.
            let bin = (((value - start) / width) as usize).min(bins - 1);
            counts[bin] += 1;
        }
        Ok(Bins { start, width, counts })
    }
}

impl Plot<Histogram> {
    /// Sets the number of intervals, from 1 to 500. By default the number suits the count of values, with
    /// edges at round numbers.
    #[must_use]
    pub fn bins(mut self, bins: usize) -> Self {
        self.kind.bins = Some(bins.clamp(*BINS.start(), *BINS.end()));
        self
    }
}

impl Kind for Histogram {
    fn describe(&self) -> String {
        format!("histogram of \"{}\"", self.column)
    }

    fn draw<DB: DrawingBackend>(
        &self,
        frame: &DataFrame,
        style: &Style,
        area: &DrawingArea<DB, Shift>,
    ) -> Result<(), PlotError> {
        let bins = self.count(frame)?;
        let (width, height) = area.dim_in_pixel();
        let edge = |index: usize| bins.start + bins.width * index as f64;
        let most = bins.counts.iter().copied().max().unwrap_or(0) as f64;
        let mut chart = Frame {
            style,
            x: Axis::tight(edge(0), edge(bins.counts.len()), (width / 80) as usize, false, 0.0),
            y: Axis::rounded(0.0, most, (height / 50) as usize, true),
            x_label: style.x_or(&clean(&self.column)),
            y_label: style.y_or("rows"),
            legend: Vec::new(),
            grid: (false, true),
            right: 0,
        }
        .open(area)?;
        let bars = bins.counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(index, &count)| {
            let corners = [(edge(index), 0.0), (edge(index + 1), count as f64)];
            let mut bar = Rectangle::new(corners, color(0).filled());
            bar.set_margin(0, 0, 0, 1);
            bar
        });
        chart.draw_series(bars).map_err(PlotError::draw)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::*;

    use super::*;
    use crate::plot;

    fn count(values: &[f64], bins: Option<usize>) -> Bins {
        let frame = df!("v" => values).unwrap();
        Histogram { column: "v".into(), bins }.count(&frame).unwrap()
    }

    #[test]
    fn every_value_falls_into_exactly_one_interval() {
        let values: Vec<f64> = (0..1000).map(|index| f64::from(index % 97) * 0.37).collect();
        for bins in [None, Some(1), Some(7), Some(100)] {
            assert_eq!(count(&values, bins).counts.iter().sum::<u64>(), 1000, "{bins:?}");
        }
    }

    #[test]
    fn the_highest_value_is_in_the_last_interval() {
        assert_eq!(count(&[0.0, 1.0, 2.0, 4.0], Some(2)).counts, [2, 2]);
    }

    #[test]
    fn equal_values_make_one_interval() {
        assert_eq!(count(&[7.0; 5], None).counts, [5]);
        assert_eq!(count(&[0.0; 5], Some(10)).counts, [5]);
    }

    #[test]
    fn edges_are_round_numbers_by_default() {
        let bins = count(&(0..1000).map(|index| 0.3 + f64::from(index) / 10.0).collect::<Vec<_>>(), None);
        assert_eq!((bins.start, bins.width), (0.0, 5.0));
    }

    #[test]
    fn the_picture_counts_rows_of_the_column() {
        let frame = df!("fare" => [1.0, 1.5, 9.0]).unwrap();
        let svg = plot::histogram(&frame, "fare").bins(2).svg().unwrap();
        assert!(svg.contains(">\nrows\n<") && svg.contains(">\nfare\n<"));
        assert_eq!(svg.matches("fill=\"#0072B2\" stroke=\"none\"").count(), 2);
    }
}
