//! Plots of small tables: lines, bars, histograms, heat maps and task timelines. A plot is made from a
//! `DataFrame` and the names of its columns. Plotters draws it as SVG or PNG, and a notebook shows it through
//! [`MimeDisplay`](crate::display::MimeDisplay). The plotted values (partition sizes, task times) are
//! computed elsewhere; this module knows neither datasets nor jobs.
//!
//! ```
//! use partita::plot;
//! use polars::prelude::*;
//! let runs = df!("partitions" => [1, 2, 4, 8], "ms" => [2280.0, 1290.0, 700.0, 690.0])?;
//! let svg = plot::line(&runs, "partitions", "ms").log_x().y_label("time, ms").svg()?;
//! assert!(svg.contains("time, ms"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod axis;
mod bars;
mod bitmap;
mod column;
mod error;
mod frame;
mod heat_map;
mod histogram;
mod line;
mod number;
mod png;
mod render;
mod style;
mod timeline;

use polars::prelude::DataFrame;

pub use bars::Bars;
pub use error::PlotError;
pub use heat_map::HeatMap;
pub use histogram::Histogram;
pub use line::Line;
pub use render::Plot;
pub use timeline::Timeline;

/// Points joined by lines: column `y` over column `x`, both numeric. [`Plot::series`] adds columns;
/// [`Plot::by`] splits one column into series.
pub fn line(frame: &DataFrame, x: &str, y: &str) -> Plot<Line> {
    Plot::new(frame, Line::new(x, y))
}

/// A bar of height `value` for every row, labelled by column `label`. [`Plot::by`] and [`Plot::series`] group
/// bars.
pub fn bar(frame: &DataFrame, label: &str, value: &str) -> Plot<Bars> {
    Plot::new(frame, Bars::new(label, value))
}

/// The distribution of a numeric column over equal intervals.
pub fn histogram(frame: &DataFrame, column: &str) -> Plot<Histogram> {
    Plot::new(frame, Histogram::new(column))
}

/// A grid of cells coloured by `value`, one column per distinct `x`, one row per distinct `y`.
pub fn heat_map(frame: &DataFrame, x: &str, y: &str, value: &str) -> Plot<HeatMap> {
    Plot::new(frame, HeatMap::new(x, y, value))
}

/// Tasks over time: every row is a bar from `start` to `end` in the lane that column `lane` names.
/// [`Plot::stage`] colours them.
pub fn timeline(frame: &DataFrame, lane: &str, start: &str, end: &str) -> Plot<Timeline> {
    Plot::new(frame, Timeline::new(lane, start, end))
}
