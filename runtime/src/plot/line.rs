use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::{Circle, Cross, ErrorBar, PathElement, Polygon, TriangleMarker};
use plotters::prelude::DrawingBackend;
use plotters::style::{Color, RGBColor};
use polars::prelude::DataFrame;

use super::axis::Axis;
use super::column::{categories, clean, empty, numbers};
use super::frame::{Chart, Frame};
use super::render::Kind;
use super::style::{PALETTE, Style, color};
use super::{Plot, PlotError};

/// The most series of one plot: each colour of the palette with each of three markers.
const MAX_SERIES: usize = 3 * PALETTE.len();
/// Above this many points in a series, markers would touch.
const MAX_MARKERS: usize = 60;

/// The kind of plot that [`line`](super::line()) makes.
#[derive(Debug, Clone)]
pub struct Line {
    x: String,
    y: Vec<String>,
    by: Option<String>,
    spread: Option<(String, String, Spread)>,
    /// Columns that are drawn as points only.
    marks: Vec<String>,
    /// Whether the points of lines have dots.
    dots: bool,
    log_x: bool,
    log_y: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Spread {
    Bars,
    Band,
}

#[derive(Debug)]
struct Series {
    name: String,
    /// Sorted by x.
    points: Vec<(f64, f64)>,
    /// x, low, high; sorted by x.
    spread: Vec<(f64, f64, f64)>,
    /// Whether its points are not joined by a line.
    marks: bool,
}

impl Line {
    pub(super) fn new(x: &str, y: &str) -> Self {
        let (x, y) = (x.to_owned(), vec![y.to_owned()]);
        Self { x, y, by: None, spread: None, marks: Vec::new(), dots: true, log_x: false, log_y: false }
    }

    fn series(&self, frame: &DataFrame) -> Result<Vec<Series>, PlotError> {
        let xs = numbers(frame, &self.x, "the x axis")?;
        let groups = self.by.as_ref().map(|by| categories(frame, by)).transpose()?;
        let spread = match &self.spread {
            Some((low, high, _)) => {
                Some((numbers(frame, low, "an error bar")?, numbers(frame, high, "an error bar")?))
            }
            None => None,
        };
        let mut all = Vec::new();
        for (index, y) in self.y.iter().enumerate() {
            let ys = numbers(frame, y, "the y axis")?;
            let first = all.len();
            match &groups {
                Some(groups) => all.extend(groups.names.iter().map(|group| {
                    let name =
                        if self.y.len() > 1 { format!("{}, {group}", clean(y)) } else { group.clone() };
                    Series { name, points: Vec::new(), spread: Vec::new(), marks: false }
                })),
                None => {
                    all.push(Series { name: clean(y), points: Vec::new(), spread: Vec::new(), marks: false })
                }
            }
            for (row, (x, y)) in xs.iter().zip(&ys).enumerate() {
                let group = groups.as_ref().map_or(Some(0), |groups| groups.rows[row]);
                let (Some(x), Some(y), Some(group)) = (*x, *y, group) else { continue };
                let series = &mut all[first + group];
                series.points.push((x, y));
                // Low and high belong to the first y column.
                if let Some((lows, highs)) = spread.as_ref().filter(|_| index == 0)
                    && let (Some(low), Some(high)) = (lows[row], highs[row])
                {
                    series.spread.push((x, low, high));
                }
            }
        }
        for marks in &self.marks {
            let ys = numbers(frame, marks, "the y axis")?;
            let points = xs.iter().zip(ys).filter_map(|(x, y)| Some(((*x)?, y?))).collect();
            all.push(Series { name: clean(marks), points, spread: Vec::new(), marks: true });
        }
        all.retain(|series| !series.points.is_empty());
        for series in &mut all {
            series.points.sort_by(|a, b| a.0.total_cmp(&b.0));
            series.spread.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        if all.is_empty() {
            let mut columns = vec![self.x.as_str()];
            columns.extend(self.y.iter().map(String::as_str));
            return Err(empty(frame, &columns));
        }
        if all.len() > MAX_SERIES {
            return Err(PlotError::TooMany { what: "series", count: all.len(), limit: MAX_SERIES });
        }
        Ok(all)
    }

    fn axes(&self, series: &[Series], (width, height): (u32, u32)) -> Result<(Axis, Axis), PlotError> {
        let points = || series.iter().flat_map(|series| &series.points);
        let xs: Vec<f64> = points().map(|point| point.0).collect();
        let spread = series.iter().flat_map(|series| &series.spread);
        let ys: Vec<f64> =
            points().map(|point| point.1).chain(spread.flat_map(|&(_, low, high)| [low, high])).collect();
        let (x_ticks, y_ticks) = ((width / 70) as usize, (height / 50) as usize);
        let x = if self.log_x {
            positive(&self.x, &xs)?;
            Axis::log(&xs, x_ticks)
        } else {
            let (low, high) = ends(&xs);
            Axis::tight(low, high, x_ticks, whole(&xs), 0.02)
        };
        let y = if self.log_y {
            positive(&self.y.join("\", \""), &ys)?;
            Axis::log(&ys, y_ticks)
        } else {
            let (low, high) = ends(&ys);
            // From zero, unless that would squeeze the lines into the upper part.
            let low = if low > 0.0 && low < 0.75 * high { 0.0 } else { low };
            Axis::rounded(low, high, y_ticks, whole(&ys))
        };
        Ok((x, y))
    }
}

impl Plot<Line> {
    /// Splits the line into one series for each distinct value of a column.
    #[must_use]
    pub fn by(mut self, column: &str) -> Self {
        self.kind.by = Some(column.to_owned());
        self
    }

    /// Adds a column as a series over the same x.
    #[must_use]
    pub fn series(mut self, column: &str) -> Self {
        self.kind.y.push(column.to_owned());
        self
    }

    /// Adds a column over the same x whose values are crosses without a line.
    #[must_use]
    pub fn marks(mut self, column: &str) -> Self {
        self.kind.marks.push(column.to_owned());
        self
    }

    /// Draws lines without a dot at each point: for computed, not measured, values.
    #[must_use]
    pub fn without_dots(mut self) -> Self {
        self.kind.dots = false;
        self
    }

    /// Adds a bar at every point from column `low` to column `high`, both on the y axis's scale, for example
    /// the fastest and slowest run.
    #[must_use]
    pub fn error_bars(mut self, low: &str, high: &str) -> Self {
        self.kind.spread = Some((low.to_owned(), high.to_owned(), Spread::Bars));
        self
    }

    /// Adds a shaded band from column `low` to column `high` behind the line.
    #[must_use]
    pub fn band(mut self, low: &str, high: &str) -> Self {
        self.kind.spread = Some((low.to_owned(), high.to_owned(), Spread::Band));
        self
    }

    /// Makes the x axis logarithmic. If all values are powers of two, as partition counts are, the ticks are
    /// too.
    #[must_use]
    pub fn log_x(mut self) -> Self {
        self.kind.log_x = true;
        self
    }

    /// Makes the y axis logarithmic.
    #[must_use]
    pub fn log_y(mut self) -> Self {
        self.kind.log_y = true;
        self
    }
}

impl Kind for Line {
    fn describe(&self) -> String {
        format!("line plot of \"{}\" over \"{}\"", self.y.join("\", \""), self.x)
    }

    fn draw<DB: DrawingBackend>(
        &self,
        frame: &DataFrame,
        style: &Style,
        area: &DrawingArea<DB, Shift>,
    ) -> Result<(), PlotError> {
        let series = self.series(frame)?;
        let (x, y) = self.axes(&series, area.dim_in_pixel())?;
        let legend = series.iter().enumerate().map(|(index, series)| (series.name.clone(), color(index)));
        let mut chart = Frame {
            style,
            x,
            y,
            x_label: style.x_or(&clean(&self.x)),
            y_label: style.y_or(&clean(&self.y.join(", "))),
            legend: if series.len() > 1 || self.by.is_some() { legend.collect() } else { Vec::new() },
            grid: (true, true),
            right: 0,
        }
        .open(area)?;
        // Bands first, so that no line is covered by another series' band.
        for (index, series) in series.iter().enumerate() {
            if let Some((_, _, kind)) = &self.spread {
                draw_spread(&mut chart, series, color(index), *kind)?;
            }
        }
        for (index, series) in series.iter().enumerate() {
            draw_line(&mut chart, series, index, self.dots)?;
        }
        Ok(())
    }
}

fn draw_spread<DB: DrawingBackend>(
    chart: &mut Chart<'_, DB>,
    series: &Series,
    color: RGBColor,
    kind: Spread,
) -> Result<(), PlotError> {
    if kind == Spread::Band {
        let lows = series.spread.iter().map(|&(x, low, _)| (x, low));
        let highs = series.spread.iter().rev().map(|&(x, _, high)| (x, high));
        let outline: Vec<_> = lows.chain(highs).collect();
        chart.draw_series([Polygon::new(outline, color.mix(0.18))]).map_err(PlotError::draw)?;
        return Ok(());
    }
    let bars = series.spread.iter().map(|&(x, low, high)| {
        // The bar's own dot must be under the point's.
        let point = series.points.iter().find(|point| point.0 == x);
        let y = point.map_or((low + high) / 2.0, |point| point.1);
        ErrorBar::new_vertical(x, low, y, high, color.mix(0.75).stroke_width(1), 8)
    });
    chart.draw_series(bars).map_err(PlotError::draw)?;
    Ok(())
}

fn draw_line<DB: DrawingBackend>(
    chart: &mut Chart<'_, DB>,
    series: &Series,
    index: usize,
    dots: bool,
) -> Result<(), PlotError> {
    let color = color(index);
    let columns = chart.plotting_area().dim_in_pixel().0;
    let points = thinned(&series.points, columns, |x| chart.backend_coord(&(x, 0.0)).0);
    if series.marks {
        let crosses = points.into_iter().map(|point| Cross::new(point, 5, color.stroke_width(2)));
        return chart.draw_series(crosses).map(drop).map_err(PlotError::draw);
    }
    chart.draw_series([PathElement::new(points.clone(), color.stroke_width(2))]).map_err(PlotError::draw)?;
    if !dots || points.len() > MAX_MARKERS {
        return Ok(());
    }
    // Series beyond the palette's end repeat its colours with another marker.
    let fill = color.filled();
    match index / PALETTE.len() {
        0 => chart.draw_series(points.into_iter().map(|point| Circle::new(point, 4, fill))).map(drop),
        1 => chart.draw_series(points.into_iter().map(|point| TriangleMarker::new(point, 6, fill))).map(drop),
        _ => chart.draw_series(points.into_iter().map(|point| Cross::new(point, 5, fill))).map(drop),
    }
    .map_err(PlotError::draw)
}

/// Thins points that pixels cannot distinguish: it keeps the first, lowest, highest and last in each column
/// of pixels, which draws the same picture.
fn thinned(points: &[(f64, f64)], columns: u32, pixel: impl Fn(f64) -> i32) -> Vec<(f64, f64)> {
    if points.len() <= 4 * columns as usize {
        return points.to_vec();
    }
    let mut kept = Vec::new();
    for column in points.chunk_by(|a, b| pixel(a.0) == pixel(b.0)) {
        let order = |(a, b): (usize, usize)| column[a].1.total_cmp(&column[b].1);
        let low = (0..column.len()).min_by(|&a, &b| order((a, b))).unwrap_or(0);
        let high = (0..column.len()).max_by(|&a, &b| order((a, b))).unwrap_or(0);
        let mut indices = [0, low.min(high), low.max(high), column.len() - 1].to_vec();
        indices.dedup();
        kept.extend(indices.into_iter().map(|index| column[index]));
    }
    kept
}

fn ends(values: &[f64]) -> (f64, f64) {
    values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)))
}

fn whole(values: &[f64]) -> bool {
    values.iter().all(|value| value.fract() == 0.0)
}

fn positive(column: &str, values: &[f64]) -> Result<(), PlotError> {
    match values.iter().find(|value| **value <= 0.0) {
        Some(&value) => Err(PlotError::NotPositive { column: column.to_owned(), value }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::*;

    use super::*;
    use crate::plot;

    #[test]
    fn marks_are_crosses_that_no_line_joins_and_lines_can_be_without_dots() {
        let frame =
            df!("n" => [1, 2, 4], "law" => [9.0, 5.0, 4.0], "measured" => [Some(9.5), None, Some(4.2)])
                .unwrap();
        let plain = plot::line(&frame, "n", "law").without_dots();
        assert_eq!(plain.svg().unwrap().matches("<circle").count(), 0);
        let lines = |svg: &str| svg.matches("<polyline").count();
        let (without, with) = (plain.svg().unwrap(), plain.marks("measured").svg().unwrap());
        // Two crosses of two strokes each.
        let strokes = |svg: &str| lines(svg) + svg.matches("<line").count();
        assert_eq!(strokes(&with), strokes(&without) + 4, "{with}");
        assert!(with.contains(">\nmeasured\n<"));
        assert_eq!(plot::line(&frame, "n", "law").svg().unwrap().matches("<circle").count(), 3);
    }

    fn runs() -> DataFrame {
        df!(
            "partitions" => [1, 2, 4, 8, 16, 1, 2, 4, 8, 16],
            "ms" => [2280.0, 1290.0, 700.0, 690.0, 720.0, 2500.0, 1900.0, 1800.0, 1750.0, 1790.0],
            "low" => [2200.0, 1200.0, 650.0, 640.0, 700.0, 2400.0, 1800.0, 1700.0, 1700.0, 1700.0],
            "high" => [2400.0, 1400.0, 800.0, 700.0, 790.0, 2600.0, 2000.0, 1900.0, 1800.0, 1800.0],
            "data" => ["even", "even", "even", "even", "even", "skewed", "skewed", "skewed", "skewed", "skewed"],
        )
        .unwrap()
    }

    #[test]
    fn every_point_has_a_marker_and_every_series_a_line_and_a_name() {
        let svg = plot::line(&runs(), "partitions", "ms").by("data").svg().unwrap();
        assert_eq!(svg.matches("<circle").count(), 10);
        assert_eq!(svg.matches("stroke-width=\"2\" points").count(), 2);
        assert!(svg.contains(">\neven\n<") && svg.contains(">\nskewed\n<"));
    }

    #[test]
    fn partition_counts_are_the_ticks_of_a_log_axis() {
        let svg = plot::line(&runs(), "partitions", "ms").log_x().svg().unwrap();
        for tick in ["1", "2", "4", "8", "16"] {
            assert!(svg.contains(&format!(">\n{tick}\n<")), "{tick} is missing in {svg}");
        }
        assert!(!svg.contains(">\n10\n<"));
    }

    #[test]
    fn rows_are_joined_in_the_order_of_x_whatever_their_order_in_the_frame() {
        let sorted = df!("x" => [1, 2, 3], "y" => [5.0, 1.0, 4.0]).unwrap();
        let mixed = df!("x" => [3, 1, 2], "y" => [4.0, 5.0, 1.0]).unwrap();
        assert_eq!(plot::line(&sorted, "x", "y").svg().unwrap(), plot::line(&mixed, "x", "y").svg().unwrap());
    }

    #[test]
    fn more_columns_become_named_series() {
        let svg = plot::line(&runs(), "partitions", "low").series("high").svg().unwrap();
        assert!(svg.contains(">\nlow\n<") && svg.contains(">\nhigh\n<"));
        assert_eq!(svg.matches("<circle").count(), 20);
    }

    #[test]
    fn error_bars_stand_at_every_point_and_a_band_is_one_shape_per_series() {
        let plot = plot::line(&runs(), "partitions", "ms").by("data").log_x();
        let without = plot.svg().unwrap();
        assert_eq!(without.matches("<polygon").count(), 0);
        let band = plot.clone().band("low", "high").svg().unwrap();
        assert_eq!(band.matches("<polygon").count(), 2);
        let bars = plot.error_bars("low", "high").svg().unwrap();
        let strokes = |svg: &str| svg.matches("<polyline").count() + svg.matches("<line").count();
        assert!(strokes(&bars) >= strokes(&without) + 10);
    }

    #[test]
    fn rows_with_a_null_are_skipped() {
        let frame = df!("x" => [Some(1), Some(2), None], "y" => [Some(1.0), None, Some(3.0)]).unwrap();
        assert_eq!(plot::line(&frame, "x", "y").svg().unwrap().matches("<circle").count(), 1);
        let frame = df!("x" => [1, 2], "y" => [None::<f64>, None]).unwrap();
        let error = plot::line(&frame, "x", "y").svg().unwrap_err().to_string();
        assert!(error.contains("none of the 2 rows") && error.contains("\"x\", \"y\""), "{error}");
    }

    #[test]
    fn zero_on_a_log_axis_is_an_error_that_names_column_and_value() {
        let frame = df!("x" => [0, 1], "y" => [1, 2]).unwrap();
        let error = plot::line(&frame, "x", "y").log_x().svg().unwrap_err().to_string();
        assert!(error.contains("\"x\" holds 0"), "{error}");
    }

    #[test]
    fn a_hundred_thousand_points_keep_their_peak_and_a_sane_size() {
        let mut ys = vec![0.0; 100_000];
        ys[54_321] = 9.0;
        let frame = df!("x" => (0..100_000).collect::<Vec<i32>>(), "y" => &ys).unwrap();
        let svg = plot::line(&frame, "x", "y").svg().unwrap();
        assert!(svg.len() < 100_000, "{} bytes", svg.len());
        let points: Vec<(f64, f64)> = ys.iter().enumerate().map(|(x, &y)| (x as f64, y)).collect();
        let kept = thinned(&points, 500, |x| (x / 200.0) as i32);
        assert!(kept.len() <= 2000 && kept.contains(&(54_321.0, 9.0)));
    }

    #[test]
    fn more_series_than_marks_can_tell_apart_are_refused() {
        let frame =
            df!("x" => vec![1; 50], "y" => vec![1; 50], "s" => (0..50).collect::<Vec<i32>>()).unwrap();
        let error = plot::line(&frame, "x", "y").by("s").svg().unwrap_err().to_string();
        assert!(error.contains("50 series") && error.contains("at most 21"), "{error}");
        let frame = frame.head(Some(21));
        plot::line(&frame, "x", "y").by("s").svg().unwrap();
    }
}
