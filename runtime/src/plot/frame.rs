use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::drawing::DrawingArea;
use plotters::element::Rectangle;
use plotters::prelude::DrawingBackend;
use plotters::style::{Color, RGBColor, TextStyle};

use super::PlotError;
use super::axis::Axis;
use super::style::{DIM, GRID, INK, SMALL, Style, TEXT, TITLE, text};

/// The area inside the axes.
pub(super) type Chart<'a, DB> = ChartContext<'a, DB, Cartesian2d<Axis, Axis>>;

const MARGIN: i32 = 14;
const SWATCH: i32 = 11;
const LEGEND_LINE: i32 = 20;
const LEGEND_LINES: i32 = 3;
const TICK: i32 = 4;

/// Everything around the marks: title, legend, axes with labels, grid.
pub(super) struct Frame<'s> {
    pub style: &'s Style,
    pub x: Axis,
    pub y: Axis,
    pub x_label: String,
    pub y_label: String,
    pub legend: Vec<(String, RGBColor)>,
    /// Whether there are grid lines at the ticks of x and of y.
    pub grid: (bool, bool),
    /// Pixels left free on the right.
    pub right: i32,
}

impl Frame<'_> {
    /// Draws the frame and returns the chart inside it.
    pub fn open<'a, DB: DrawingBackend>(
        mut self,
        area: &'a DrawingArea<DB, Shift>,
    ) -> Result<Chart<'a, DB>, PlotError> {
        let top = self.draw_title(area)?;
        let top = self.draw_legend(area, top)?;
        let (width, height) = area.dim_in_pixel();
        let (_, below) = area.split_vertically(top);

        let small = text(SMALL, DIM);
        let desc = text(TEXT, INK);
        let bottom = 2 * TICK + 16 + if self.x_label.is_empty() { 0 } else { 22 };
        let inner_height = (height as i32 - top - bottom - MARGIN).max(1) as u32;
        self.y.shorten(|label| fitted(area, label, &small, width / 3));
        self.y.fit(inner_height, |_| 10, |label, _| label.to_owned());
        let gutter = self.y.labels().map(|label| wide(area, label, &small)).max().unwrap_or(0) as i32;
        let left = gutter + 2 * TICK + 6 + if self.y_label.is_empty() { 0 } else { 22 };
        let right = MARGIN + 8 + self.right;
        let inner_width = (width as i32 - left - right - MARGIN).max(1) as u32;
        self.x.fit(
            inner_width,
            |label| wide(area, label, &small),
            |label, room| fitted(area, label, &small, room),
        );
        let x_label = fitted(area, &self.x_label, &desc, inner_width);
        let y_label = fitted(area, &self.y_label, &desc, inner_height);

        let mut chart = ChartBuilder::on(&below)
            .margin_left(MARGIN - 4)
            .margin_right(right)
            .margin_bottom(MARGIN - 4)
            .x_label_area_size(bottom)
            .y_label_area_size(left)
            .build_cartesian_2d(self.x, self.y)
            .map_err(PlotError::draw)?;
        let mut mesh = chart.configure_mesh();
        mesh.bold_line_style(GRID)
            .axis_style(DIM)
            .label_style(small)
            .axis_desc_style(desc)
            .set_all_tick_mark_size(TICK)
            .x_desc(x_label)
            .y_desc(y_label);
        if !self.grid.0 {
            mesh.disable_x_mesh();
        }
        if !self.grid.1 {
            mesh.disable_y_mesh();
        }
        mesh.draw().map_err(PlotError::draw)?;
        Ok(chart)
    }

    fn draw_title<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Result<i32, PlotError> {
        let Some(title) = &self.style.title else { return Ok(MARGIN) };
        let style = text(TITLE, INK);
        let title = fitted(area, title, &style, area.dim_in_pixel().0 - 2 * MARGIN as u32);
        area.draw_text(&title, &style, (MARGIN, MARGIN - 2)).map_err(PlotError::draw)?;
        Ok(MARGIN + TITLE as i32 + 10)
    }

    /// Draws entries from left to right in a few lines. Entries that do not fit are counted.
    fn draw_legend<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        top: i32,
    ) -> Result<i32, PlotError> {
        if self.legend.is_empty() {
            return Ok(top);
        }
        let style = text(SMALL, INK);
        let right = area.dim_in_pixel().0 as i32 - MARGIN;
        let (mut x, mut y) = (MARGIN, top);
        let mut more = None;
        for (index, (name, color)) in self.legend.iter().enumerate() {
            let name = fitted(area, name, &style, (right - MARGIN) as u32 / 2);
            let end = x + SWATCH + 6 + wide(area, &name, &style) as i32;
            let last_line = y >= top + (LEGEND_LINES - 1) * LEGEND_LINE;
            // The last line has room for the count of omitted entries.
            if end > if last_line { right - 80 } else { right } && x > MARGIN {
                if last_line {
                    more = Some(self.legend.len() - index);
                    break;
                }
                (x, y) = (MARGIN, y + LEGEND_LINE);
            }
            let swatch = [(x, y + 1), (x + SWATCH, y + 1 + SWATCH)];
            area.draw(&Rectangle::new(swatch, color.filled())).map_err(PlotError::draw)?;
            area.draw_text(&name, &style, (x + SWATCH + 6, y)).map_err(PlotError::draw)?;
            x += SWATCH + 6 + wide(area, &name, &style) as i32 + 18;
        }
        if let Some(more) = more {
            area.draw_text(&format!("+ {more} more"), &style, (x, y)).map_err(PlotError::draw)?;
        }
        Ok(y + LEGEND_LINE + 6)
    }
}

/// A text's width in pixels.
pub(super) fn wide<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    label: &str,
    style: &TextStyle<'_>,
) -> u32 {
    // Measuring fails only without a font, and drawing reports that.
    area.estimate_text_size(label, style).map_or(0, |(width, _)| width)
}

/// A text cut with an ellipsis so that it takes at most `room` pixels.
pub(super) fn fitted<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    label: &str,
    style: &TextStyle<'_>,
    room: u32,
) -> String {
    if label.len() < 1000 && wide(area, label, style) <= room {
        return label.to_owned();
    }
    let mut cut: String = label.chars().take(300).collect();
    while cut.pop().is_some() {
        let shortened = format!("{}…", cut.trim_end());
        if wide(area, &shortened, style) <= room {
            return shortened;
        }
    }
    String::new()
}
