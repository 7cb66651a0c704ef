use std::collections::BTreeMap;

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::Rectangle;
use plotters::prelude::DrawingBackend;
use plotters::style::Color;
use polars::prelude::DataFrame;

use super::axis::Axis;
use super::column::{categories, clean, empty, numbers};
use super::frame::Frame;
use super::render::Kind;
use super::style::{Style, color};
use super::{Plot, PlotError};

/// With more lanes, lanes would be thinner than their bars' edges.
const MAX_LANES: usize = 200;
/// Above this many tasks, those shorter than two pixels are drawn together.
const MAX_SINGLE_TASKS: usize = 1500;

/// The kind of plot that [`timeline`](super::timeline()) makes.
#[derive(Debug, Clone)]
pub struct Timeline {
    lane: String,
    start: String,
    end: String,
    stage: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Task {
    lane: usize,
    stage: usize,
    start: f64,
    end: f64,
}

struct Schedule {
    lanes: Vec<String>,
    stages: Vec<String>,
    tasks: Vec<Task>,
    /// The first start, if times are relative to it.
    origin: Option<f64>,
}

impl Timeline {
    pub(super) fn new(lane: &str, start: &str, end: &str) -> Self {
        Self { lane: lane.to_owned(), start: start.to_owned(), end: end.to_owned(), stage: None }
    }

    fn schedule(&self, frame: &DataFrame) -> Result<Schedule, PlotError> {
        let lanes = categories(frame, &self.lane)?.by_name();
        let starts = numbers(frame, &self.start, "a task's start")?;
        let ends = numbers(frame, &self.end, "a task's end")?;
        let stages = self.stage.as_ref().map(|stage| categories(frame, stage)).transpose()?;
        let mut tasks = Vec::new();
        for (row, (start, end)) in starts.iter().zip(&ends).enumerate() {
            let stage = stages.as_ref().map_or(Some(0), |stages| stages.rows[row]);
            let (Some(lane), Some(start), Some(end), Some(stage)) = (lanes.rows[row], *start, *end, stage)
            else {
                continue;
            };
            if end < start {
                return Err(PlotError::EndsBeforeStart {
                    row,
                    start_column: self.start.clone(),
                    end_column: self.end.clone(),
                    start,
                    end,
                });
            }
            tasks.push(Task { lane, stage, start, end });
        }
        if tasks.is_empty() {
            return Err(empty(frame, &[&self.lane, &self.start, &self.end]));
        }
        if lanes.names.len() > MAX_LANES {
            return Err(PlotError::TooMany { what: "lanes", count: lanes.names.len(), limit: MAX_LANES });
        }
        let (first, last) = span(&tasks);
        // Times since an epoch are not useful on an axis, so they become relative to the first start.
        let origin = (first > 100.0 * (last - first) && last > first).then_some(first);
        for task in &mut tasks {
            task.start -= origin.unwrap_or(0.0);
            task.end -= origin.unwrap_or(0.0);
        }
        let stages = stages.map_or_else(Vec::new, |stages| stages.names);
        Ok(Schedule { lanes: lanes.names, stages, tasks, origin })
    }
}

impl Plot<Timeline> {
    /// Colours the tasks by a column, usually the stage.
    #[must_use]
    pub fn stage(mut self, column: &str) -> Self {
        self.kind.stage = Some(column.to_owned());
        self
    }
}

impl Kind for Timeline {
    fn describe(&self) -> String {
        format!("timeline from \"{}\" to \"{}\" in lanes of \"{}\"", self.start, self.end, self.lane)
    }

    fn natural_size(&self, frame: &DataFrame) -> (u32, u32) {
        let lanes = categories(frame, &self.lane).map_or(1, |lanes| lanes.names.len().max(1)) as u32;
        let lane = (480 / lanes).clamp(5, 30);
        (820, (130 + lanes * lane).clamp(190, 1200))
    }

    fn draw<DB: DrawingBackend>(
        &self,
        frame: &DataFrame,
        style: &Style,
        area: &DrawingArea<DB, Shift>,
    ) -> Result<(), PlotError> {
        let schedule = self.schedule(frame)?;
        let (first, last) = span(&schedule.tasks);
        let own_label = match schedule.origin {
            Some(_) => format!("{}, since the first", clean(&self.start)),
            None => format!("{} to {}", clean(&self.start), clean(&self.end)),
        };
        let names = schedule.stages.iter().enumerate();
        let mut chart = Frame {
            style,
            x: Axis::tight(first, last, (area.dim_in_pixel().0 / 80) as usize, false, 0.005),
            y: Axis::categories(&schedule.lanes).reversed(),
            x_label: style.x_or(&own_label),
            y_label: style.y_or(&clean(&self.lane)),
            legend: names
                .map(|(index, name)| (stage_name(self.stage.as_deref(), name), color(index)))
                .collect(),
            grid: (true, false),
            right: 0,
        }
        .open(area)?;
        let (width, height) = chart.plotting_area().dim_in_pixel();
        let pixel = (last - first) / f64::from(width.max(1));
        let tasks = condensed(schedule.tasks, first, pixel);
        // A line in the panel's colour between neighbours shows where one task ends.
        let roomy = height as usize / schedule.lanes.len() >= 8;
        let bars = tasks.iter().map(|task| {
            let lane = task.lane as f64;
            let end = if task.end - task.start < pixel { task.start + pixel } else { task.end };
            let half = if roomy { 0.38 } else { 0.5 };
            let corners = [(task.start, lane - half), (end, lane + half)];
            let mut bar = Rectangle::new(corners, color(task.stage).filled());
            bar.set_margin(0, 0, 0, u32::from(end - task.start >= 3.0 * pixel));
            bar
        });
        chart.draw_series(bars).map_err(PlotError::draw)?;
        Ok(())
    }
}

fn span(tasks: &[Task]) -> (f64, f64) {
    tasks.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(first, last), task| {
        (first.min(task.start), last.max(task.end))
    })
}

fn stage_name(column: Option<&str>, name: &str) -> String {
    // A bare number is not clear in a legend.
    match column {
        Some(column) if name.parse::<f64>().is_ok() => format!("{} {name}", clean(column)),
        _ => name.to_owned(),
    }
}

/// Reduces more tasks than a picture needs. Tasks shorter than two pixels are replaced by runs: each pixel of
/// a lane gets the stage that fills most of it, and neighbours of the same stage are joined. Longer tasks,
/// especially stragglers, are kept.
fn condensed(tasks: Vec<Task>, first: f64, pixel: f64) -> Vec<Task> {
    if tasks.len() <= MAX_SINGLE_TASKS || pixel <= 0.0 {
        return tasks;
    }
    let (short, mut kept): (Vec<Task>, Vec<Task>) =
        tasks.into_iter().partition(|task| task.end - task.start < 2.0 * pixel);
    let column = |time: f64| ((time - first) / pixel) as i64;
    let mut time_in: BTreeMap<(usize, i64), BTreeMap<usize, f64>> = BTreeMap::new();
    for task in &short {
        for index in column(task.start)..=column(task.end) {
            let from = first + index as f64 * pixel;
            let covered = task.end.min(from + pixel) - task.start.max(from);
            // A task without length must still be visible.
            let covered = covered.max(pixel * 1e-9);
            *time_in.entry((task.lane, index)).or_default().entry(task.stage).or_default() += covered;
        }
    }
    let mut run: Option<Task> = None;
    for ((lane, index), stages) in time_in {
        let Some((&stage, _)) = stages.iter().max_by(|a, b| a.1.total_cmp(b.1)) else { continue };
        let (start, end) = (first + index as f64 * pixel, first + (index + 1) as f64 * pixel);
        match &mut run {
            Some(run) if run.lane == lane && run.stage == stage && start - run.end < pixel / 2.0 => {
                run.end = end
            }
            _ => kept.extend(run.replace(Task { lane, stage, start, end })),
        }
    }
    kept.extend(run);
    kept
}

#[cfg(test)]
mod tests {
    use polars::prelude::*;

    use super::*;
    use crate::plot;

    fn tasks(count: usize, lanes: usize) -> DataFrame {
        let start: Vec<f64> = (0..count).map(|task| (task / lanes) as f64 * 10.0).collect();
        let end: Vec<f64> = start.iter().map(|start| start + 9.0).collect();
        df!(
            "slot" => (0..count).map(|task| format!("slot {}", task % lanes)).collect::<Vec<_>>(),
            "start" => start,
            "end" => end,
            "stage" => (0..count).map(|task| i32::from(task >= count / 2)).collect::<Vec<_>>()
        )
        .unwrap()
    }

    fn timeline(frame: &DataFrame) -> Plot<Timeline> {
        plot::timeline(frame, "slot", "start", "end").stage("stage")
    }

    fn of_color(svg: &str, stage: usize) -> usize {
        let color = color(stage);
        svg.matches(&format!("fill=\"#{:02X}{:02X}{:02X}\"", color.0, color.1, color.2)).count()
    }

    #[test]
    fn every_task_is_a_bar_in_its_stage_s_colour_and_every_slot_a_lane() {
        let svg = timeline(&tasks(40, 4)).svg().unwrap();
        // One more of each colour is the legend's square.
        assert_eq!((of_color(&svg, 0), of_color(&svg, 1)), (21, 21));
        for text in ["slot 0", "slot 3", "stage 0", "stage 1"] {
            assert!(svg.contains(&format!(">\n{text}\n<")), "{text} is missing in {svg}");
        }
    }

    #[test]
    fn ten_thousand_tasks_stay_small() {
        let plot = timeline(&tasks(10_000, 8));
        let svg = plot.svg().unwrap();
        assert!(svg.len() < 300_000, "{} bytes", svg.len());
        assert!(of_color(&svg, 0) > 8 && of_color(&svg, 1) > 8);
        assert!(plot.png().unwrap().len() < 300_000);
    }

    #[test]
    fn tasks_of_mixed_length_in_many_stages_stay_small_too() {
        let count = 10_000;
        let start: Vec<f64> = (0..count).map(|task| f64::from(task / 16) * 10.0).collect();
        let end: Vec<f64> =
            (0..count).zip(&start).map(|(task, start)| start + f64::from(task * 31 % 60)).collect();
        let column = |parts: i32| (0..count).map(|task| task * 7 % parts).collect::<Vec<i32>>();
        let frame = df!("slot" => column(16), "start" => start, "end" => end, "stage" => column(9)).unwrap();
        let svg = timeline(&frame).svg().unwrap();
        assert!(svg.len() < 1_000_000, "{} bytes", svg.len());
    }

    #[test]
    fn condensing_keeps_long_tasks_and_all_busy_time() {
        let short = (0..5000).map(|index| {
            let start = f64::from(index);
            Task { lane: 0, stage: 0, start, end: start + 1.0 }
        });
        let straggler = Task { lane: 1, stage: 1, start: 0.0, end: 5000.0 };
        let kept = condensed(short.chain([straggler]).collect(), 0.0, 10.0);
        assert!(kept.contains(&straggler));
        let busy: f64 = kept.iter().filter(|task| task.lane == 0).map(|task| task.end - task.start).sum();
        assert!(kept.len() < 10 && (busy - 5000.0).abs() <= 10.0, "{kept:?}");
    }

    #[test]
    fn a_gap_of_pixels_between_short_tasks_stays_a_gap() {
        let burst = |from: f64| {
            (0..1000).map(move |index| {
                let start = from + f64::from(index) / 10.0;
                Task { lane: 0, stage: 0, start, end: start + 0.1 }
            })
        };
        let kept = condensed(burst(0.0).chain(burst(500.0)).collect(), 0.0, 10.0);
        assert_eq!(kept.len(), 2, "{kept:?}");
        assert!(kept[0].end <= 120.0 && kept[1].start >= 490.0, "{kept:?}");
    }

    #[test]
    fn times_since_an_epoch_are_shown_since_the_first_start() {
        let epoch = 1_700_000_000_000i64;
        let frame = df!("slot" => [0, 1], "start" => [epoch, epoch + 40], "end" => [epoch + 50, epoch + 100])
            .unwrap();
        let svg = plot::timeline(&frame, "slot", "start", "end").svg().unwrap();
        assert!(svg.contains("since the first") && svg.contains(">\n100\n<"), "{svg}");
    }

    #[test]
    fn a_task_that_ends_before_it_starts_is_named_by_row() {
        let frame = df!("slot" => [0, 0], "start" => [0, 9], "end" => [1, 2]).unwrap();
        let error = plot::timeline(&frame, "slot", "start", "end").svg().unwrap_err().to_string();
        assert!(error.starts_with("row 1: column \"end\" holds 2, before its start 9"), "{error}");
    }

    #[test]
    fn more_lanes_than_fit_are_refused() {
        let many: Vec<i32> = (0..300).collect();
        let frame = df!("slot" => &many, "start" => &many, "end" => &many).unwrap();
        let error = plot::timeline(&frame, "slot", "start", "end").svg().unwrap_err().to_string();
        assert!(error.contains("300 lanes"), "{error}");
    }
}
