use std::collections::HashSet;

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::{Rectangle, Text};
use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, RGBColor};
use polars::prelude::DataFrame;

use super::PlotError;
use super::axis::Axis;
use super::column::{categories, clean, empty, numbers};
use super::frame::{Chart, Frame, wide};
use super::number::number;
use super::render::Kind;
use super::style::{DIM, INK, PANEL, SMALL, Style, text};

/// With more cells, the cells are pixels and the SVG is megabytes.
const MAX_CELLS: usize = 10_000;
/// From low to high: one hue from light to dark, which is readable with any colour vision and in print.
const SCALE: [RGBColor; 3] = [RGBColor(222, 235, 247), RGBColor(90, 163, 207), RGBColor(8, 48, 107)];
/// Room for the scale on the right.
const SCALE_ROOM: i32 = 84;

/// The kind of plot that [`heat_map`](super::heat_map()) makes.
#[derive(Debug, Clone)]
pub struct HeatMap {
    x: String,
    y: String,
    value: String,
}

struct Grid {
    columns: Vec<String>,
    rows: Vec<String>,
    /// Column, row, value.
    cells: Vec<(usize, usize, f64)>,
}

impl HeatMap {
    pub(super) fn new(x: &str, y: &str, value: &str) -> Self {
        Self { x: x.to_owned(), y: y.to_owned(), value: value.to_owned() }
    }

    fn grid(&self, frame: &DataFrame) -> Result<Grid, PlotError> {
        let columns = categories(frame, &self.x)?.by_name();
        let rows = categories(frame, &self.y)?.by_name();
        let values = numbers(frame, &self.value, "a cell's colour")?;
        let mut taken = HashSet::new();
        let mut cells = Vec::new();
        for (index, value) in values.into_iter().enumerate() {
            let (Some(column), Some(row), Some(value)) = (columns.rows[index], rows.rows[index], value)
            else {
                continue;
            };
            if !taken.insert((column, row)) {
                let (column, row) = (&columns.names[column], &rows.names[row]);
                let place = format!("\"{}\" = {column} with \"{}\" = {row}", self.x, self.y);
                return Err(PlotError::Repeated { place });
            }
            cells.push((column, row, value));
        }
        if cells.is_empty() {
            return Err(empty(frame, &[&self.x, &self.y, &self.value]));
        }
        let count = columns.names.len() * rows.names.len();
        if count > MAX_CELLS {
            return Err(PlotError::TooMany { what: "cells", count, limit: MAX_CELLS });
        }
        Ok(Grid { columns: columns.names, rows: rows.names, cells })
    }
}

impl Kind for HeatMap {
    fn describe(&self) -> String {
        format!("heat map of \"{}\" by \"{}\" and \"{}\"", self.value, self.x, self.y)
    }

    fn draw<DB: DrawingBackend>(
        &self,
        frame: &DataFrame,
        style: &Style,
        area: &DrawingArea<DB, Shift>,
    ) -> Result<(), PlotError> {
        let grid = self.grid(frame)?;
        let low = grid.cells.iter().map(|cell| cell.2).fold(f64::INFINITY, f64::min);
        let high = grid.cells.iter().map(|cell| cell.2).fold(f64::NEG_INFINITY, f64::max);
        let share = |value: f64| if high > low { (value - low) / (high - low) } else { 0.5 };
        let mut chart = Frame {
            style,
            x: Axis::categories(&grid.columns),
            y: Axis::categories(&grid.rows).reversed(),
            x_label: style.x_or(&clean(&self.x)),
            y_label: style.y_or(&clean(&self.y)),
            legend: Vec::new(),
            grid: (false, false),
            right: SCALE_ROOM,
        }
        .open(area)?;
        let (width, height) = chart.plotting_area().dim_in_pixel();
        let (width, height) = (width as usize / grid.columns.len(), height as usize / grid.rows.len());
        // Thin lines between cells, if there is room for them.
        let gap = u32::from(width >= 6 && height >= 6);
        let cells = grid.cells.iter().map(|&(column, row, value)| {
            let (x, y) = (column as f64, row as f64);
            let mut cell =
                Rectangle::new([(x - 0.5, y - 0.5), (x + 0.5, y + 0.5)], shade(share(value)).filled());
            cell.set_margin(0, gap, 0, gap);
            cell
        });
        chart.draw_series(cells).map_err(PlotError::draw)?;

        let small = text(SMALL, INK);
        let widest = grid.cells.iter().map(|cell| wide(area, &number(cell.2), &small)).max().unwrap_or(0);
        if height >= 18 && width >= widest as usize + 6 {
            let values = grid.cells.iter().map(|&(column, row, value)| {
                let ink = if share(value) > 0.55 { PANEL } else { INK };
                let style = text(SMALL, ink).pos(Pos::new(HPos::Center, VPos::Center));
                Text::new(number(value), (column as f64, row as f64), style)
            });
            chart.draw_series(values).map_err(PlotError::draw)?;
        }
        draw_scale(area, &chart, low, high, &clean(&self.value))
    }
}

/// Draws the colours from high to low with the values of both ends, to the right of the grid.
fn draw_scale<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    chart: &Chart<'_, DB>,
    low: f64,
    high: f64,
    name: &str,
) -> Result<(), PlotError> {
    const STRIPES: i32 = 48;
    let (x, y) = chart.plotting_area().get_pixel_range();
    let (left, top) = (x.end + 16, y.start + 22);
    let height = (y.end - top).clamp(1, 220);
    let small = text(SMALL, DIM);
    let room = (area.dim_in_pixel().0 as i32 - left - 6).max(0) as u32;
    let name = super::frame::fitted(area, name, &small, room);
    area.draw_text(&name, &small, (left, y.start)).map_err(PlotError::draw)?;
    for stripe in 0..STRIPES {
        let share = 1.0 - f64::from(stripe) / f64::from(STRIPES - 1);
        let (from, to) = (top + height * stripe / STRIPES, top + height * (stripe + 1) / STRIPES);
        let stripe = Rectangle::new([(left, from), (left + 12, to)], shade(share).filled());
        area.draw(&stripe).map_err(PlotError::draw)?;
    }
    area.draw_text(&number(high), &small, (left + 17, top)).map_err(PlotError::draw)?;
    if high > low {
        let small = small.pos(Pos::new(HPos::Left, VPos::Bottom));
        area.draw_text(&number(low), &small, (left + 17, top + height)).map_err(PlotError::draw)?;
    }
    Ok(())
}

fn shade(share: f64) -> RGBColor {
    let at = share.clamp(0.0, 1.0) * (SCALE.len() - 1) as f64;
    let index = (at as usize).min(SCALE.len() - 2);
    let part = at - index as f64;
    let (from, to) = (SCALE[index], SCALE[index + 1]);
    let mix = |from: u8, to: u8| (f64::from(from) + (f64::from(to) - f64::from(from)) * part).round() as u8;
    RGBColor(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

#[cfg(test)]
mod tests {
    use polars::prelude::*;

    use super::*;
    use crate::plot;

    fn shuffled() -> DataFrame {
        df!("from" => [0, 0, 1, 1], "to" => ["a", "b", "a", "b"], "rows" => [Some(10), Some(7), None, Some(400)]).unwrap()
    }

    #[test]
    fn every_value_is_a_cell_with_its_number_and_a_null_is_left_blank() {
        let svg = plot::heat_map(&shuffled(), "from", "to", "rows").svg().unwrap();
        let blank = df!("from" => [0, 1], "to" => ["a", "b"], "rows" => [10, 400]).unwrap();
        let fewer = plot::heat_map(&blank, "from", "to", "rows").svg().unwrap();
        assert_eq!(svg.matches("<rect").count(), fewer.matches("<rect").count() + 1);
        for text in ["10", "7", "400", "a", "b", "0", "1", "from", "to", "rows"] {
            assert!(svg.contains(&format!(">\n{text}\n<")), "{text} is missing in {svg}");
        }
    }

    #[test]
    fn higher_is_darker_and_the_ends_have_the_ends_of_the_scale() {
        let sum = |share: f64| {
            let color = shade(share);
            u32::from(color.0) + u32::from(color.1) + u32::from(color.2)
        };
        assert!((0..10).all(|step| sum(f64::from(step) / 10.0) > sum(f64::from(step + 1) / 10.0)));
        assert_eq!((shade(0.0), shade(1.0)), (SCALE[0], SCALE[2]));
    }

    #[test]
    fn equal_values_draw_and_repeated_cells_are_refused() {
        let frame = df!("x" => [1, 2], "y" => [1, 1], "v" => [5, 5]).unwrap();
        plot::heat_map(&frame, "x", "y", "v").svg().unwrap();
        let frame = df!("x" => [1, 1], "y" => [1, 1], "v" => [5, 5]).unwrap();
        let error = plot::heat_map(&frame, "x", "y", "v").svg().unwrap_err().to_string();
        assert!(error.contains("\"x\" = 1 with \"y\" = 1"), "{error}");
    }

    #[test]
    fn a_grid_with_too_many_cells_is_refused() {
        let many: Vec<i32> = (0..200).collect();
        let frame = df!("x" => &many, "y" => &many, "v" => &many).unwrap();
        let error = plot::heat_map(&frame, "x", "y", "v").svg().unwrap_err().to_string();
        assert!(error.contains("40000 cells"), "{error}");
    }
}
