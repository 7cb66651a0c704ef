//! The picture that stays in a saved notebook: the longest jobs of a timeline as SVG, on one scale, with
//! the colours and marks of the live timeline (`assets/picture.js`). It is small however many tasks there
//! are: neighbours that would be narrower than a few pixels are merged. `lanes` draws the slots; `pen`
//! writes the SVG.

mod lanes;
mod pen;
#[cfg(test)]
mod tests;

use self::lanes::{LANES_SHOWN, What, draw_heading, draw_lane, rows, tolerance};
use self::pen::{ALARM, BLACK, FONT, INK, LINE, MUTED, Pen, STAGES, WHITE, colour, fit, hex, mixed};
use super::figures::{bytes, plural, ratio, seconds};
use super::job::{Attempt, End, Job, Stage, State};
use super::summary;
use partita::display::html::escape;

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
pub(super) fn svg(jobs: &[Job<'_>], id: &str) -> Option<String> {
    let longest = jobs.iter().map(Job::wall).max_by(f64::total_cmp)?;
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by(|&a, &b| jobs[b].wall().total_cmp(&jobs[a].wall()));
    order.retain(|&index| jobs[index].wall() >= longest * SHORTEST_SHARE);
    order.truncate(JOBS_SHOWN);
    order.sort_unstable();
    let mut pen = Pen::new(id);
    let mut y = 8.0;
    for &index in &order {
        y = draw_job(&mut pen, &jobs[index], longest.max(1e-6), y);
    }
    if order.len() < jobs.len() {
        let others = plural(jobs.len() - order.len(), "shorter job");
        pen.text(8.0, y + 12.0, &format!("and {others}"), MUTED, 12.0, "start");
        y += 22.0;
    }
    let title = match order.as_slice() {
        [one] => format!("Job {}: {}", jobs[*one].number, jobs[*one].action),
        several => format!("Timelines of {}", plural(several.len(), "job")),
    };
    let description = summary::text(jobs, 0);
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
    fn x(&self, at: f64) -> f64 {
        (self.gutter + (at - self.submitted) * self.per_second).clamp(self.gutter, RIGHT)
    }
}

/// Draws a job from `top` on. Returns where the next element can start.
fn draw_job(pen: &mut Pen<'_>, job: &Job<'_>, span: f64, top: f64) -> f64 {
    let headings = job.is_of_pool() || job.workers.len() > 1;
    let gutter = if headings { 74.0 } else { 60.0 };
    let scale = Scale { gutter, submitted: job.submitted, per_second: (RIGHT - gutter) / span };
    pen.bold(8.0, top + 12.0, &format!("Job {}: {}", job.number, job.action), 15.0);
    let room = ((WIDTH - 16.0) / 6.3) as usize;
    pen.text(8.0, top + 30.0, &fit(&summary::line(job), room), MUTED, 12.0, "start");
    let mut y = top + 38.0;
    if let End::Failed(error) = job.end {
        pen.text(8.0, y + 10.0, &fit(error.lines().next().unwrap_or_default(), room), ALARM, 12.0, "start");
        y += 18.0;
    }
    let ticks = ticks(&scale, span);
    for (x, label) in &ticks {
        let anchor = if *x > RIGHT - 24.0 { "end" } else { "middle" };
        pen.text(*x, y + AXIS - 8.0, label, MUTED, 11.0, anchor);
    }
    y += AXIS;
    y += draw_ribbons(pen, job, &scale, y);
    pen.rect(0.0, y, WIDTH, 1.0, LINE);
    y += 5.0;
    let lanes = job.slots().min(LANES_SHOWN);
    let height = match lanes {
        0..=12 => 20.0,
        13..=32 => 14.0,
        33..=64 => 9.0,
        _ => 6.0,
    };
    let rows = rows(job, headings, height, y);
    let bottom = rows.last().map_or(y, |row| row.y + row.height);
    for (x, _) in &ticks {
        pen.rect(x.round(), y, 1.0, bottom - y, LINE);
    }
    let tolerance = tolerance(job, &scale, &rows);
    for row in &rows {
        match row.what {
            What::Worker(worker) => draw_heading(pen, job, worker, row.y),
            What::Lane(worker, slot) => draw_lane(pen, job, &scale, row, worker, slot, tolerance),
        }
    }
    let mut y = bottom + 4.0;
    if job.slots() > LANES_SHOWN {
        let more = plural(job.slots() - LANES_SHOWN, "more slot");
        pen.text(gutter, y + 10.0, &format!("and {more}"), MUTED, 11.0, "start");
        y += 16.0;
    }
    y = draw_legend(pen, job, y);
    for (index, stage) in job.stages.iter().enumerate() {
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

fn stage_line(stage: &Stage<'_>) -> String {
    let done = super::figures::count(stage.won.len());
    let mut figures =
        vec![format!("{} · {}: {done} of {}", stage.number, stage.name, plural(stage.tasks, "task"))];
    match stage.skew() {
        Some(skew) if stage.won.len() > 1 => {
            let (median, max, worst) = (seconds(skew.median), seconds(skew.max), skew.worst);
            figures.push(format!("median {median}, max {max} (partition {worst}), {}", ratio(skew.ratio)));
        }
        Some(skew) => figures.push(seconds(skew.max)),
        None => {}
    }
    let split = [("fetch", stage.total.fetch), ("write", stage.total.write)];
    for (what, time) in split.into_iter().filter(|(_, time)| !time.is_zero()) {
        figures.push(format!("{what} {}", seconds(time.as_secs_f64())));
    }
    for (amount, what) in [(stage.total.shuffle_out, "shuffled"), (stage.total.spilled, "spilled")] {
        if amount > 0 {
            figures.push(format!("{} {what}", bytes(amount)));
        }
    }
    let hits = usize::try_from(stage.total.cache_hits).unwrap_or(usize::MAX);
    for (amount, what) in
        [(hits, "cache hit"), (stage.failures, "failed attempt"), (stage.again, "task run again")]
    {
        match amount {
            0 => {}
            _ if what == "task run again" => figures.push(format!("{} run again", plural(amount, "task"))),
            _ => figures.push(plural(amount, what)),
        }
    }
    figures.join("; ")
}

/// Draws stages as ribbons; those that overlap in time go below each other. Returns the height used.
fn draw_ribbons(pen: &mut Pen<'_>, job: &Job<'_>, scale: &Scale, top: f64) -> f64 {
    let mut ends: Vec<f64> = Vec::new();
    for (index, stage) in job.stages.iter().enumerate() {
        let end = stage.ended.unwrap_or(job.last);
        let free = ends.iter().position(|busy| *busy <= stage.submitted + 1e-9);
        let row = free.unwrap_or(if ends.len() < RIBBONS {
            ends.push(0.0);
            ends.len() - 1
        } else {
            (0..RIBBONS).min_by(|&a, &b| ends[a].total_cmp(&ends[b])).unwrap_or(0)
        });
        ends[row] = end;
        let (x0, x1) = (scale.x(stage.submitted), scale.x(end));
        let (width, y) = ((x1 - x0).max(2.0), top + row as f64 * RIBBON);
        pen.rect(x0, y, (width - 1.0).max(1.0), RIBBON - 3.0, &mixed(colour(index), WHITE, 0.52));
        pen.rect(x0, y, width.min(3.0), RIBBON - 3.0, &hex(colour(index)));
        let most = ((width - 10.0) / 6.2) as usize;
        if most >= 1 && width > 16.0 {
            let name = fit(&format!("{} · {}", stage.number, stage.name), most);
            pen.text(x0 + 7.0, y + 11.0, &name, INK, 11.0, "start");
        }
    }
    if !ends.is_empty() {
        pen.text(scale.gutter - 8.0, top + 11.0, "stages", MUTED, 11.0, "end");
    }
    ends.len().max(1) as f64 * RIBBON + 4.0
}

/// Explains the marks in the picture. Returns where the next element can start.
fn draw_legend(pen: &mut Pen<'_>, job: &Job<'_>, y: f64) -> f64 {
    let has = |test: fn(&Attempt<'_>) -> bool| job.attempts.iter().any(test);
    let base = STAGES[0];
    let (failed, id) = (has(|a| a.state == State::Failed), pen.id.to_owned());
    let marks = [
        (mixed(base, WHITE, 0.52), "fetch", job.stages.iter().any(|s| !s.total.fetch.is_zero())),
        (hex(base), "compute", true),
        (mixed(base, BLACK, 0.45), "write", job.stages.iter().any(|s| !s.total.write.is_zero())),
        (format!("url(#{id}-failed)"), "failed", failed),
        (
            mixed(base, WHITE, 0.78),
            "not needed, or cancelled",
            has(|a| matches!(a.state, State::Beaten | State::Cut)),
        ),
    ];
    let mut x = 74.0;
    for (fill, what, _) in marks.into_iter().filter(|(.., shown)| *shown) {
        pen.rect(x, y + 3.0, 18.0, 9.0, &fill);
        pen.text(x + 23.0, y + 11.0, what, MUTED, 11.0, "start");
        x += 23.0 + what.len() as f64 * 6.2 + 18.0;
    }
    for (what, shown) in
        [("↻ run again", has(|a| a.attempt > 0 && !a.copy)), ("» speculative copy", has(|a| a.copy))]
    {
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
        .map(|time| (scale.x(scale.submitted + time), if time == 0.0 { "0".into() } else { seconds(time) }))
        .collect()
}
