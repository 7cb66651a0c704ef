//! The picture that stays in a saved notebook: the longest jobs of a timeline as SVG, on one scale, with
//! the colours and marks of the live timeline (`assets/picture.js`). It is small however many tasks there
//! are: neighbours that would be narrower than a few pixels are merged. `drawn` arranges a job for it,
//! `lanes` draws the slots, `pen` writes the SVG. Figures and their texts are those of `partita_events`.

mod drawn;
mod lanes;
mod pen;
#[cfg(test)]
mod tests;

use self::drawn::Drawn;
use self::lanes::{LANES_SHOWN, What, draw_heading, draw_lane, rows, tolerance};
use self::pen::{ALARM, BLACK, FONT, INK, LINE, MUTED, Pen, STAGES, WHITE, colour, fit, hex, mixed};
use super::jobs::Jobs;
use super::text::text;
use partita::display::html::escape;
use partita_events::figures::{count, plural, seconds};
use partita_events::fold::{Attempt, AttemptState, JobState, Stage};
use partita_events::summary;

use std::cmp::Reverse;
use std::time::Duration;

const WIDTH: f64 = 960.0;
const RIGHT: f64 = WIDTH - 14.0;
const AXIS: f64 = 22.0;
const RIBBON: f64 = 17.0;
const RIBBONS: usize = 4;
/// The maximum number of jobs in one picture, and how much shorter than the longest they may be.
const JOBS_SHOWN: usize = 3;
const SHORTEST_SHARE: f64 = 0.1;

/// The picture; `None` if no job ran. `id` distinguishes its names from those of other pictures in a
/// page.
pub(super) fn svg(jobs: &Jobs, id: &str) -> Option<String> {
    let drawn: Vec<Drawn<'_>> = jobs.iter().map(|of| Drawn::new(&of.job, jobs.workers_of(of))).collect();
    let wall = |index: usize| drawn[index].job.wall();
    let longest = (0..drawn.len()).map(wall).max()?;
    let mut order: Vec<usize> = (0..drawn.len()).collect();
    order.sort_by_key(|&index| Reverse(wall(index)));
    order.retain(|&index| wall(index) >= longest.mul_f64(SHORTEST_SHARE));
    order.truncate(JOBS_SHOWN);
    order.sort_unstable();
    let mut pen = Pen::new(id);
    let mut y = 8.0;
    for &index in &order {
        y = draw_job(&mut pen, &drawn[index], longest.as_secs_f64().max(1e-6), y);
    }
    if order.len() < drawn.len() {
        let others = plural(drawn.len() - order.len(), "shorter job");
        pen.text(8.0, y + 12.0, &format!("and {others}"), MUTED, 12.0, "start");
        y += 22.0;
    }
    let title = match order.as_slice() {
        [one] => format!("Job {}: {}", drawn[*one].job.job, drawn[*one].job.action),
        several => format!("Timelines of {}", plural(several.len(), "job")),
    };
    let description = text(jobs);
    let hatch = format!(
        "<pattern id=\"{id}-failed\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">\
         <path d=\"M-1 1L1 -1M0 6L6 0M5 7L7 5\" stroke=\"{ALARM}\" stroke-width=\"1.4\"/></pattern>\
         <pattern id=\"{id}-lost\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">\
         <path d=\"M-1 1L1 -1M0 6L6 0M5 7L7 5\" stroke=\"#b9c0c8\" stroke-width=\"1.4\"/></pattern>"
    );
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{y:.0}\" \
         viewBox=\"0 0 {WIDTH} {y:.0}\" role=\"img\" aria-labelledby=\"{id}-title {id}-desc\" \
         font-family=\"{FONT}\" style=\"max-width:100%;height:auto\"><title id=\"{id}-title\">{}</title>\
         <desc id=\"{id}-desc\">{}</desc><defs>{hatch}</defs>\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\" rx=\"6\"/>{}</svg>",
        escape(&title),
        escape(&description),
        pen.out
    ))
}

/// Maps a job's time to positions.
struct Scale {
    gutter: f64,
    submitted: f64,
    per_second: f64,
}

impl Scale {
    fn x(&self, at: Duration) -> f64 {
        self.x_of(at.as_secs_f64())
    }

    fn x_of(&self, seconds: f64) -> f64 {
        (self.gutter + (seconds - self.submitted) * self.per_second).clamp(self.gutter, RIGHT)
    }
}

/// Draws a job from `top` on. Returns where the next element can start.
fn draw_job(pen: &mut Pen<'_>, drawn: &Drawn<'_>, span: f64, top: f64) -> f64 {
    let job = drawn.job;
    let headings = drawn.is_of_pool() || drawn.workers.len() > 1;
    let gutter = if headings { 74.0 } else { 60.0 };
    let scale = Scale { gutter, submitted: job.submitted.as_secs_f64(), per_second: (RIGHT - gutter) / span };
    pen.bold(8.0, top + 12.0, &format!("Job {}: {}", job.job, job.action), 15.0);
    let room = ((WIDTH - 16.0) / 6.3) as usize;
    pen.text(8.0, top + 30.0, &fit(&summary::line(job, &drawn.workers), room), MUTED, 12.0, "start");
    let mut y = top + 38.0;
    if let (JobState::Failed, Some(error)) = (job.state, &job.error) {
        pen.text(8.0, y + 10.0, &fit(error.lines().next().unwrap_or_default(), room), ALARM, 12.0, "start");
        y += 18.0;
    }
    let ticks = ticks(&scale, span);
    for (x, label) in &ticks {
        let anchor = if *x > RIGHT - 24.0 { "end" } else { "middle" };
        pen.text(*x, y + AXIS - 8.0, label, MUTED, 11.0, anchor);
    }
    y += AXIS;
    y += draw_ribbons(pen, drawn, &scale, y);
    pen.rect(0.0, y, WIDTH, 1.0, LINE);
    y += 5.0;
    let lanes = drawn.slots().min(LANES_SHOWN);
    let height = match lanes {
        0..=12 => 20.0,
        13..=32 => 14.0,
        33..=64 => 9.0,
        _ => 6.0,
    };
    let rows = rows(drawn, headings, height, y);
    let bottom = rows.last().map_or(y, |row| row.y + row.height);
    for (x, _) in &ticks {
        pen.rect(x.round(), y, 1.0, bottom - y, LINE);
    }
    let tolerance = tolerance(drawn, &scale, &rows);
    for row in &rows {
        match row.what {
            What::Worker(worker) => draw_heading(pen, job, worker, row.y),
            What::Lane(worker, slot) => draw_lane(pen, drawn, &scale, row, worker, slot, tolerance),
        }
    }
    let mut y = bottom + 4.0;
    if drawn.slots() > LANES_SHOWN {
        let more = plural(drawn.slots() - LANES_SHOWN, "more slot");
        pen.text(gutter, y + 10.0, &format!("and {more}"), MUTED, 11.0, "start");
        y += 16.0;
    }
    y = draw_legend(pen, drawn, y);
    for (index, stage) in job.stages().iter().enumerate() {
        pen.rect(8.0, y + 2.0, 10.0, 10.0, &hex(colour(index)));
        pen.text(24.0, y + 11.0, &fit(&stage_line(stage), room), INK, 11.0, "start");
        y += 17.0;
    }
    if job.left_out > 0 {
        let more = plural(job.left_out, "attempt");
        pen.text(24.0, y + 11.0, &format!("{more} more than can be drawn"), MUTED, 11.0, "start");
        y += 17.0;
    }
    y + 14.0
}

fn stage_line(stage: &Stage) -> String {
    let (done, tasks) = (count(stage.done() as u64), plural(stage.tasks, "task"));
    let mut parts = vec![format!("{} · {}: {done} of {tasks}", stage.stage, stage.name)];
    parts.extend(summary::stage(stage));
    parts.join("; ")
}

/// Draws stages as ribbons; those that overlap in time go below each other. Returns the height used.
fn draw_ribbons(pen: &mut Pen<'_>, drawn: &Drawn<'_>, scale: &Scale, top: f64) -> f64 {
    let mut ends: Vec<Duration> = Vec::new();
    for (index, stage) in drawn.job.stages().iter().enumerate() {
        let end = stage.ended.unwrap_or(drawn.job.last);
        let free = ends.iter().position(|busy| *busy <= stage.submitted);
        let row = free.unwrap_or(if ends.len() < RIBBONS {
            ends.push(Duration::ZERO);
            ends.len() - 1
        } else {
            (0..RIBBONS).min_by_key(|&row| ends[row]).unwrap_or(0)
        });
        ends[row] = end;
        let (x0, x1) = (scale.x(stage.submitted), scale.x(end));
        let (width, y) = ((x1 - x0).max(2.0), top + row as f64 * RIBBON);
        pen.rect(x0, y, (width - 1.0).max(1.0), RIBBON - 3.0, &mixed(colour(index), WHITE, 0.52));
        pen.rect(x0, y, width.min(3.0), RIBBON - 3.0, &hex(colour(index)));
        let most = ((width - 10.0) / 6.2) as usize;
        if most >= 1 && width > 16.0 {
            let name = fit(&format!("{} · {}", stage.stage, stage.name), most);
            pen.text(x0 + 7.0, y + 11.0, &name, INK, 11.0, "start");
        }
    }
    if !ends.is_empty() {
        pen.text(scale.gutter - 8.0, top + 11.0, "stages", MUTED, 11.0, "end");
    }
    ends.len().max(1) as f64 * RIBBON + 4.0
}

/// Explains the marks in the picture. Returns where the next element can start.
fn draw_legend(pen: &mut Pen<'_>, drawn: &Drawn<'_>, y: f64) -> f64 {
    let (attempts, stages) = (drawn.job.attempts(), drawn.job.stages());
    let has = |test: fn(&Attempt) -> bool| attempts.iter().any(test);
    let base = STAGES[0];
    let (failed, id) = (has(|a| a.state == AttemptState::Failed), pen.id.to_owned());
    let marks = [
        (mixed(base, WHITE, 0.52), "fetch", stages.iter().any(|s| !s.totals.fetch.is_zero())),
        (hex(base), "compute", true),
        (mixed(base, BLACK, 0.45), "write", stages.iter().any(|s| !s.totals.write.is_zero())),
        (format!("url(#{id}-failed)"), "failed", failed),
        (
            mixed(base, WHITE, 0.78),
            "not needed, or cancelled",
            has(|a| matches!(a.state, AttemptState::Beaten | AttemptState::Cut | AttemptState::Unheard)),
        ),
    ];
    let mut x = 74.0;
    for (fill, what, _) in marks.into_iter().filter(|(.., shown)| *shown) {
        pen.rect(x, y + 3.0, 18.0, 9.0, &fill);
        pen.text(x + 23.0, y + 11.0, what, MUTED, 11.0, "start");
        x += 23.0 + what.len() as f64 * 6.2 + 18.0;
    }
    for (what, shown) in [
        ("↻ run again", has(|a| a.attempt > 0 && !a.speculative)),
        ("» speculative copy", has(|a| a.speculative)),
    ] {
        if shown {
            pen.text(x, y + 11.0, what, MUTED, 11.0, "start");
            x += what.chars().count() as f64 * 6.2 + 18.0;
        }
    }
    y + 19.0
}

fn ticks(scale: &Scale, span: f64) -> Vec<(f64, String)> {
    let wanted = ((RIGHT - scale.gutter) / 90.0).floor().max(2.0);
    let raw = span / wanted;
    let power = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|n| n * power).into_iter().find(|n| *n >= raw).unwrap_or(raw);
    (0..=60)
        .map(|n| f64::from(n) * step)
        .take_while(|time| *time <= span * (1.0 + 1e-6))
        .map(|time| {
            (scale.x_of(scale.submitted + time), if time == 0.0 { "0".into() } else { seconds(time) })
        })
        .collect()
}
