use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::{PathElement, Rectangle, Text};
use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, RGBColor};
use polars::prelude::DataFrame;

use super::axis::Axis;
use super::column::{categories, clean, empty, numbers, texts};
use super::frame::Frame;
use super::number::number;
use super::render::Kind;
use super::style::{INK, PALETTE, SMALL, Style, color, text};
use super::{Plot, PlotError};

/// With more bars, each would be a pixel wide.
const MAX_BARS: usize = 600;
/// The most single bars that are labelled with their value.
const MAX_VALUES: usize = 16;

/// The kind of plot that [`bar`](super::bar) makes.
#[derive(Debug, Clone)]
pub struct Bars {
    label: String,
    values: Vec<String>,
    by: Option<String>,
    /// The columns of the lower and upper end of a bar's spread.
    spread: Option<(String, String)>,
    horizontal: bool,
}

struct Groups {
    /// The labels along the axis.
    labels: Vec<String>,
    /// The names of the bars side by side at each label.
    names: Vec<String>,
    /// Label, name, height.
    bars: Vec<(usize, usize, f64)>,
    /// Label, lower end and upper end of the spread, for the bars that have one.
    spread: Vec<(usize, f64, f64)>,
}

impl Bars {
    pub(super) fn new(label: &str, value: &str) -> Self {
        Self {
            label: label.to_owned(),
            values: vec![value.to_owned()],
            by: None,
            spread: None,
            horizontal: false,
        }
    }

    fn groups(&self, frame: &DataFrame) -> Result<Groups, PlotError> {
        let groups = match &self.by {
            Some(by) => self.split(frame, by)?,
            None => self.side_by_side(frame)?,
        };
        if groups.bars.is_empty() {
            let mut columns = vec![self.label.as_str()];
            columns.extend(self.values.iter().chain(&self.by).map(String::as_str));
            return Err(empty(frame, &columns));
        }
        if groups.bars.len() > MAX_BARS {
            return Err(PlotError::TooMany { what: "bars", count: groups.bars.len(), limit: MAX_BARS });
        }
        let limit = PALETTE.len();
        if groups.names.len() > limit {
            return Err(PlotError::TooMany { what: "bars at each label", count: groups.names.len(), limit });
        }
        Ok(groups)
    }

    /// One position on the axis for every row, in the rows' order.
    fn side_by_side(&self, frame: &DataFrame) -> Result<Groups, PlotError> {
        let rows = texts(frame, &self.label)?;
        let mut bars = Vec::new();
        let mut place = vec![None; rows.len()];
        let mut labels = Vec::new();
        for (index, value) in self.values.iter().enumerate() {
            for (row, value) in numbers(frame, value, "a bar's height")?.into_iter().enumerate() {
                let (Some(label), Some(value)) = (&rows[row], value) else { continue };
                let place = *place[row].get_or_insert_with(|| {
                    labels.push(label.clone());
                    labels.len() - 1
                });
                bars.push((place, index, value));
            }
        }
        let mut spread = Vec::new();
        if let Some((low, high)) = &self.spread {
            let (lows, highs) = (numbers(frame, low, "an error bar")?, numbers(frame, high, "an error bar")?);
            for (row, ends) in lows.into_iter().zip(highs).enumerate() {
                if let (Some(place), (Some(low), Some(high))) = (place[row], ends) {
                    spread.push((place, low, high));
                }
            }
        }
        Ok(Groups { labels, spread, names: self.values.iter().map(|name| clean(name)).collect(), bars })
    }

    /// One position for every distinct label, where the groups are side by side.
    fn split(&self, frame: &DataFrame, by: &str) -> Result<Groups, PlotError> {
        let labels = categories(frame, &self.label)?;
        let names = categories(frame, by)?;
        let mut taken = std::collections::HashSet::new();
        let mut bars = Vec::new();
        // With `by`, the first value column is the one that is split.
        for (row, value) in numbers(frame, &self.values[0], "a bar's height")?.into_iter().enumerate() {
            let (Some(label), Some(name), Some(value)) = (labels.rows[row], names.rows[row], value) else {
                continue;
            };
            if !taken.insert((label, name)) {
                return Err(PlotError::Repeated {
                    place: format!(
                        "\"{}\" = {} with \"{by}\" = {}",
                        self.label, labels.names[label], names.names[name]
                    ),
                });
            }
            bars.push((label, name, value));
        }
        Ok(Groups { labels: labels.names, names: names.names, bars, spread: Vec::new() })
    }
}

impl Plot<Bars> {
    /// Groups the bars: each label has one bar for each distinct value of a column.
    #[must_use]
    pub fn by(mut self, column: &str) -> Self {
        self.kind.by = Some(column.to_owned());
        self
    }

    /// Adds a column whose bars are beside the first column's. It cannot be combined with [`by`](Self::by),
    /// which splits only the first column.
    #[must_use]
    pub fn series(mut self, column: &str) -> Self {
        self.kind.values.push(column.to_owned());
        self
    }

    /// Adds an error bar at every label from column `low` to column `high`, both on the values' scale, for
    /// example the quartiles. For single bars only; groups have none.
    #[must_use]
    pub fn error_bars(mut self, low: &str, high: &str) -> Self {
        self.kind.spread = Some((low.to_owned(), high.to_owned()));
        self
    }

    /// Draws bars from left to right with labels on their left, which suits long names. Axis labels stay with
    /// their axes: [`x_label`](Self::x_label) is then the label of the values.
    #[must_use]
    pub fn horizontal(mut self) -> Self {
        self.kind.horizontal = true;
        self
    }
}

impl Kind for Bars {
    fn describe(&self) -> String {
        format!("bars of \"{}\" by \"{}\"", self.values.join("\", \""), self.label)
    }

    fn natural_size(&self, frame: &DataFrame) -> (u32, u32) {
        if !self.horizontal {
            return (720, 400);
        }
        let bars = self.groups(frame).map_or(0, |groups| groups.labels.len() * groups.names.len().max(1));
        (720, (110 + 26 * bars as u32).clamp(190, 1200))
    }

    fn draw<DB: DrawingBackend>(
        &self,
        frame: &DataFrame,
        style: &Style,
        area: &DrawingArea<DB, Shift>,
    ) -> Result<(), PlotError> {
        let groups = self.groups(frame)?;
        let grouped = groups.names.len() > 1 || self.by.is_some();
        let legend = groups.names.iter().enumerate().map(|(index, name)| (name.clone(), color(index)));
        let legend = if grouped { legend.collect() } else { Vec::new() };
        let mut chart = self.frame(&groups, style, area.dim_in_pixel(), legend).open(area)?;

        let at = |along: f64, value: f64| if self.horizontal { (value, along) } else { (along, value) };
        let width = 0.8 / groups.names.len().max(1) as f64;
        let bars = groups.bars.iter().map(|&(label, name, value)| {
            let start = label as f64 - 0.4 + width * name as f64;
            Rectangle::new([at(start, 0.0), at(start + width, value)], color(name).filled())
        });
        chart.draw_series(bars).map_err(PlotError::draw)?;
        if !grouped {
            let lines = groups.spread.iter().flat_map(|&(label, low, high)| {
                let label = label as f64;
                let across = |value| vec![at(label - 0.08, value), at(label + 0.08, value)];
                [vec![at(label, low), at(label, high)], across(low), across(high)]
            });
            let lines = lines.map(|line| PathElement::new(line, INK.stroke_width(1)));
            chart.draw_series(lines).map_err(PlotError::draw)?;
        }
        if !grouped && groups.bars.len() <= MAX_VALUES {
            let values = groups.bars.iter().map(|&(label, _, value)| {
                // Beyond its spread, if it has one.
                let end = groups.spread.iter().find(|spread| spread.0 == label);
                let end = end.map_or(value, |&(_, low, high)| if value < 0.0 { low } else { high });
                let beyond = match (self.horizontal, value < 0.0) {
                    (false, false) => Pos::new(HPos::Center, VPos::Bottom),
                    (false, true) => Pos::new(HPos::Center, VPos::Top),
                    (true, false) => Pos::new(HPos::Left, VPos::Center),
                    (true, true) => Pos::new(HPos::Right, VPos::Center),
                };
                // Beside a bar, a space that SVG does not collapse separates the number from the bar's end.
                let number =
                    if self.horizontal { format!("\u{a0}{}\u{a0}", number(value)) } else { number(value) };
                Text::new(number, at(label as f64, end), text(SMALL, INK).pos(beyond))
            });
            chart.draw_series(values).map_err(PlotError::draw)?;
        }
        Ok(())
    }
}

impl Bars {
    fn frame<'s>(
        &self,
        groups: &Groups,
        style: &'s Style,
        (width, height): (u32, u32),
        legend: Vec<(String, RGBColor)>,
    ) -> Frame<'s> {
        let spread = || groups.spread.iter().flat_map(|&(_, low, high)| [low, high]);
        let values = || groups.bars.iter().map(|bar| bar.2).chain(spread());
        let (low, high) = (values().fold(0.0, f64::min), values().fold(0.0, f64::max));
        let whole = values().all(|value| value.fract() == 0.0);
        let labels = Axis::categories(&groups.labels);
        let (label, value) = (clean(&self.label), clean(&self.values.join(", ")));
        if self.horizontal {
            let x = Axis::rounded(low, high, (width / 90) as usize, whole);
            let (x_label, y_label) = (style.x_or(&value), style.y_or(&label));
            // Room for the longest bar's value if the bar reaches the axis's end.
            let right = 34;
            Frame { style, x, y: labels.reversed(), x_label, y_label, legend, grid: (true, false), right }
        } else {
            let y = Axis::rounded(low, high, (height / 50) as usize, whole);
            let (x_label, y_label) = (style.x_or(&label), style.y_or(&value));
            Frame { style, x: labels, y, x_label, y_label, legend, grid: (false, true), right: 0 }
        }
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::*;

    use super::*;
    use crate::plot;

    /// The number of filled rectangles of a series' colour, without the legend's square.
    fn bars(svg: &str, series: usize, legend: usize) -> usize {
        let color = color(series);
        let fill = format!("fill=\"#{:02X}{:02X}{:02X}\" stroke=\"none\"", color.0, color.1, color.2);
        svg.matches(&fill).count() - legend
    }

    #[test]
    fn every_row_is_a_bar_with_its_label_and_value() {
        let frame = df!("partition" => ["p0", "p1", "p2"], "rows" => [1_000_000, 12, 30]).unwrap();
        let svg = plot::bar(&frame, "partition", "rows").svg().unwrap();
        assert_eq!(bars(&svg, 0, 0), 3);
        for text in ["p0", "p1", "p2", "1\u{2009}M", "12", "30"] {
            assert!(svg.contains(&format!(">\n{text}\n<")), "{text} is missing in {svg}");
        }
    }

    #[test]
    fn groups_stand_side_by_side_with_a_legend() {
        let frame = df!(
            "engine" => ["embedded", "embedded", "pool", "pool"],
            "n" => [1, 2, 1, 2],
            "ms" => [9.0, 5.0, 12.0, 7.0]
        )
        .unwrap();
        let svg = plot::bar(&frame, "n", "ms").by("engine").svg().unwrap();
        assert_eq!((bars(&svg, 0, 1), bars(&svg, 1, 1)), (2, 2));
        assert!(svg.contains(">\nembedded\n<") && svg.contains(">\npool\n<"));
    }

    #[test]
    fn more_value_columns_are_more_bars_at_each_label() {
        let frame = df!("n" => [1, 2], "map" => [3.0, 2.0], "reduce" => [Some(1.0), None]).unwrap();
        let svg = plot::bar(&frame, "n", "map").series("reduce").svg().unwrap();
        assert_eq!((bars(&svg, 0, 1), bars(&svg, 1, 1)), (2, 1));
    }

    #[test]
    fn two_rows_for_one_bar_ask_for_an_aggregation() {
        let frame = df!("n" => [1, 1], "ms" => [9.0, 5.0], "engine" => ["pool", "pool"]).unwrap();
        let error = plot::bar(&frame, "n", "ms").by("engine").svg().unwrap_err().to_string();
        assert!(error.contains("\"n\" = 1 with \"engine\" = pool") && error.contains("group_by"), "{error}");
    }

    #[test]
    fn a_bar_below_zero_hangs_from_the_zero_line() {
        let frame = df!("n" => ["gain", "loss"], "v" => [10, -10]).unwrap();
        let svg = plot::bar(&frame, "n", "v").svg().unwrap();
        assert!(svg.contains(">\n−10\n<"));
        assert_eq!(bars(&svg, 0, 0), 2);
    }

    #[test]
    fn error_bars_span_their_ends_and_the_value_stands_beyond_them() {
        let frame =
            df!("v" => ["a", "b"], "ms" => [5.0, 8.0], "low" => [4.0, 7.0], "high" => [6.0, 40.0]).unwrap();
        let plain = plot::bar(&frame, "v", "ms").svg().unwrap();
        let spread = plot::bar(&frame, "v", "ms").error_bars("low", "high").svg().unwrap();
        let strokes = |svg: &str| svg.matches("<polyline").count() + svg.matches("<line").count();
        assert!(strokes(&spread) > strokes(&plain), "three strokes a bar");
        assert!(
            spread.contains(">\n40\n<") && !plain.contains(">\n40\n<"),
            "the axis reaches the highest end"
        );
        let error = plot::bar(&frame, "v", "ms").error_bars("low", "v").svg().unwrap_err().to_string();
        assert!(error.contains("an error bar"), "{error}");
    }

    #[test]
    fn text_as_height_and_too_many_bars_are_refused() {
        let frame = df!("n" => (0..1000).collect::<Vec<i32>>()).unwrap();
        let error = plot::bar(&frame, "n", "n").svg().unwrap_err().to_string();
        assert!(error.contains("1000 bars") && error.contains("aggregate"), "{error}");
        let frame = df!("zone" => ["Soho"]).unwrap();
        let error = plot::bar(&frame, "zone", "zone").svg().unwrap_err().to_string();
        assert!(error.contains("\"zone\" is str"), "{error}");
    }

    #[test]
    fn horizontal_bars_are_wide_instead_of_high_and_keep_long_names_whole() {
        let name = "Times Sq/Theatre District";
        let frame = df!("zone" => [name, "Soho", "Harlem"], "trips" => [900, 40, 7]).unwrap();
        let svg = plot::bar(&frame, "zone", "trips").horizontal().svg().unwrap();
        assert_eq!(bars(&svg, 0, 0), 3);
        assert!(svg.contains(&format!(">\n{name}\n<")), "{svg}");
    }
}
