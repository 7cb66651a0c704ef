//! The picture that stays in a saved notebook: the longest jobs of a timeline as SVG, on one scale, in the
//! colours and with the marks of the live one (`assets/picture.js`). However many tasks there are, it is
//! small: neighbours that would be narrower than a few pixels are drawn together.

use std::fmt::Write as _;

use super::figures::{bytes, plural, ratio, seconds};
use super::job::{Attempt, End, Job, Stage, State, Worker};
use super::summary;
use crate::display::html::escape;

const WIDTH: f64 = 960.0;
const RIGHT: f64 = WIDTH - 14.0;
const AXIS: f64 = 22.0;
const RIBBON: f64 = 17.0;
const RIBBONS: usize = 4;
/// Jobs in one picture, and how much shorter than the longest they may be.
const JOBS_SHOWN: usize = 3;
const SHORTEST_SHARE: f64 = 0.1;
/// Lanes of one job; of more slots only these are drawn.
const LANES_SHOWN: usize = 128;
/// Bars of one job; if there are more, wider neighbours are drawn together.
const BARS_SHOWN: usize = 3000;
/// Pixels of a bar in which its parts cannot be told apart.
const NARROW: f64 = 4.0;
/// Bars with a tooltip of their own.
const TOLD: usize = 800;

const INK: &str = "#1c2128";
const MUTED: &str = "#5b6570";
const LINE: &str = "#e3e6ea";
const BAND: &str = "#f5f6f8";
const ALARM: &str = "#a3130f";
const FONT: &str = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif";

/// Okabe and Ito's colours, as in `assets/picture.js`.
const STAGES: [[u8; 3]; 7] = [
    [0x00, 0x72, 0xb2],
    [0xe6, 0x9f, 0x00],
    [0x00, 0x9e, 0x73],
    [0xcc, 0x79, 0xa7],
    [0x56, 0xb4, 0xe9],
    [0xd5, 0x5e, 0x00],
    [0x7f, 0x8b, 0x99],
];

/// The picture; `None` if no job ran. `id` tells it from other pictures in a page.
pub(super) fn svg(jobs: &[Job<'_>], id: &str) -> Option<String> {
    let longest = jobs.iter().map(Job::wall).max_by(f64::total_cmp)?;
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by(|&a, &b| jobs[b].wall().total_cmp(&jobs[a].wall()));
    order.retain(|&index| jobs[index].wall() >= longest * SHORTEST_SHARE);
    order.truncate(JOBS_SHOWN);
    order.sort_unstable();
    let mut pen = Pen { out: String::new(), id, told: 0 };
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

struct Pen<'a> {
    out: String,
    id: &'a str,
    told: usize,
}

impl Pen<'_> {
    fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, fill: &str) {
        // Writing to a string cannot fail.
        let _ = write!(
            self.out,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{fill}\"/>",
            tenths(x),
            tenths(y),
            tenths(width.max(0.1)),
            tenths(height)
        );
    }

    fn frame(&mut self, x: f64, y: f64, width: f64, height: f64, colour: &str, dash: &str) {
        let _ = write!(
            self.out,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"{colour}\"{dash}/>",
            tenths(x + 0.5),
            tenths(y + 0.5),
            tenths((width - 1.0).max(0.5)),
            tenths((height - 1.0).max(0.5))
        );
    }

    fn text(&mut self, x: f64, y: f64, text: &str, colour: &str, size: f64, anchor: &str) {
        let anchor = if anchor == "start" { String::new() } else { format!(" text-anchor=\"{anchor}\"") };
        let _ = write!(
            self.out,
            "<text x=\"{}\" y=\"{}\" fill=\"{colour}\" font-size=\"{size}\"{anchor}>{}</text>",
            tenths(x),
            tenths(y),
            escape(text)
        );
    }

    fn bold(&mut self, x: f64, y: f64, text: &str, size: f64) {
        let _ = write!(
            self.out,
            "<text x=\"{}\" y=\"{}\" fill=\"{INK}\" font-size=\"{size}\" font-weight=\"600\">{}</text>",
            tenths(x),
            tenths(y),
            escape(text)
        );
    }

    /// Draws what has a tooltip, where the page shows one.
    fn told(&mut self, tip: impl FnOnce() -> String, draw: impl FnOnce(&mut Self)) {
        self.told += 1;
        if self.told > TOLD {
            draw(self);
            return;
        }
        self.out.push_str("<g>");
        draw(self);
        let _ = write!(self.out, "<title>{}</title></g>", escape(&tip()));
    }
}

/// Where a job's time lies.
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

/// Draws a job from `top` on; returns where the next thing may stand.
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
    for (place, stage) in job.stages.iter().enumerate() {
        pen.rect(8.0, y + 2.0, 10.0, 10.0, &hex(colour(place)));
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

/// Stages that overlap in time go below each other; returns the height taken.
fn draw_ribbons(pen: &mut Pen<'_>, job: &Job<'_>, scale: &Scale, top: f64) -> f64 {
    let mut ends: Vec<f64> = Vec::new();
    for (place, stage) in job.stages.iter().enumerate() {
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
        pen.rect(x0, y, (width - 1.0).max(1.0), RIBBON - 3.0, &mixed(colour(place), WHITE, 0.52));
        pen.rect(x0, y, width.min(3.0), RIBBON - 3.0, &hex(colour(place)));
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

struct Row<'a> {
    what: What<'a>,
    y: f64,
    height: f64,
}

enum What<'a> {
    Worker(&'a Worker<'a>),
    Lane(&'a Worker<'a>, usize),
}

fn rows<'a>(job: &'a Job<'a>, headings: bool, lane: f64, top: f64) -> Vec<Row<'a>> {
    let (mut rows, mut y, mut lanes) = (Vec::new(), top, 0);
    for worker in &job.workers {
        if lanes >= LANES_SHOWN {
            break;
        }
        if headings {
            rows.push(Row { what: What::Worker(worker), y, height: 20.0 });
            y += 20.0;
        }
        for slot in 0..worker.slots.min(LANES_SHOWN - lanes) {
            rows.push(Row { what: What::Lane(worker, slot), y, height: lane });
            y += lane;
            lanes += 1;
        }
    }
    rows
}

fn draw_heading(pen: &mut Pen<'_>, job: &Job<'_>, worker: &Worker<'_>, y: f64) {
    let name = worker.name.map_or_else(|| format!("worker {}", worker.worker), str::to_owned);
    let name = fit(&name, 50);
    pen.bold(8.0, y + 14.0, &name, 12.0);
    if let Some((at, cause)) = worker.lost.filter(|(at, _)| *at <= job.last) {
        let left = 8.0 + name.chars().count() as f64 * 7.4 + 12.0;
        let told = format!("✕ lost at {}: {cause}", seconds(at - job.submitted));
        pen.text(left, y + 14.0, &fit(&told, ((RIGHT - left) / 6.2).max(1.0) as usize), ALARM, 11.0, "start");
    }
}

/// The attempts of a lane that are drawn one by one, and those that are drawn together.
enum Piece<'a> {
    One(&'a Attempt<'a>),
    Many { stage: usize, from: f64, to: f64 },
}

/// Pieces of a lane: neighbours narrower than can be told apart, of one stage and not further apart than
/// the tolerance, are one.
fn pieces<'a>(bars: &[&'a Attempt<'a>], job: &Job<'_>, scale: &Scale, tolerance: f64) -> Vec<Piece<'a>> {
    let narrow = NARROW.max(tolerance * 4.0);
    let mut pieces: Vec<Piece<'a>> = Vec::new();
    for &bar in bars {
        let (x0, x1) = (scale.x(bar.start), scale.x(bar.end.unwrap_or(job.last)));
        let plain = bar.state == State::Done && bar.attempt == 0 && x1 - x0 <= narrow;
        if !plain {
            pieces.push(Piece::One(bar));
            continue;
        }
        match pieces.last_mut() {
            Some(Piece::Many { stage, to, .. }) if *stage == bar.stage && x0 - *to <= tolerance => {
                *to = to.max(x1);
            }
            _ => pieces.push(Piece::Many { stage: bar.stage, from: x0, to: x1 }),
        }
    }
    pieces
}

/// How far apart neighbours may be that are drawn together, so that there are not too many bars.
fn tolerance(job: &Job<'_>, scale: &Scale, rows: &[Row<'_>]) -> f64 {
    let lanes: Vec<Vec<&Attempt<'_>>> = rows
        .iter()
        .filter_map(|row| match row.what {
            What::Lane(worker, slot) => Some(lane(job, worker.worker, slot)),
            What::Worker(_) => None,
        })
        .collect();
    let mut tolerance = 0.75;
    while tolerance < WIDTH {
        let count: usize = lanes.iter().map(|bars| pieces(bars, job, scale, tolerance).len()).sum();
        if count <= BARS_SHOWN {
            break;
        }
        tolerance *= 2.0;
    }
    tolerance
}

fn lane<'a>(job: &'a Job<'a>, worker: u64, slot: usize) -> Vec<&'a Attempt<'a>> {
    job.attempts.iter().filter(|bar| bar.worker == worker && bar.slot == slot).collect()
}

fn draw_lane(
    pen: &mut Pen<'_>,
    job: &Job<'_>,
    scale: &Scale,
    row: &Row<'_>,
    worker: &Worker<'_>,
    slot: usize,
    tolerance: f64,
) {
    let (y, height) = (row.y, row.height - 2.0);
    pen.rect(scale.gutter, y, RIGHT - scale.gutter, height, BAND);
    if row.height >= 9.0 {
        let size = (row.height - 1.0).min(11.0);
        let middle = y + row.height / 2.0 + 3.0;
        pen.text(scale.gutter - 8.0, middle, &format!("slot {slot}"), MUTED, size, "end");
    }
    let bars = lane(job, worker.worker, slot);
    let mut free = scale.gutter;
    for piece in pieces(&bars, job, scale, tolerance) {
        match piece {
            Piece::Many { stage, from, to } => {
                pen.rect(from, y, (to - from).max(1.0), height, &hex(colour(stage)));
                free = free.max(to);
            }
            Piece::One(bar) => {
                draw_bar(pen, job, scale, bar, (y, height), free);
                free = free.max(scale.x(bar.end.unwrap_or(job.last)));
            }
        }
    }
    if let Some((at, _)) = worker.lost.filter(|(at, _)| *at <= job.last) {
        let x = scale.x(at);
        let fill = format!("url(#{}-lost)", pen.id);
        pen.rect(x, y, RIGHT - x, height, &fill);
        pen.rect(x, y, 2.0, height, ALARM);
    }
}

fn draw_bar(
    pen: &mut Pen<'_>,
    job: &Job<'_>,
    scale: &Scale,
    bar: &Attempt<'_>,
    (y, height): (f64, f64),
    free: f64,
) {
    let end = bar.end.unwrap_or(job.last);
    let (x0, x1) = (scale.x(bar.start), scale.x(end));
    let width = (x1 - x0 - if x1 - x0 > 4.0 { 1.0 } else { 0.0 }).max(1.0);
    let base = colour(bar.stage);
    let faint = mixed(base, WHITE, 0.78);
    if let Some(waited) = bar.metrics.map(|m| m.queue.as_secs_f64()) {
        let from = scale.x(bar.start - waited).max(free);
        if x0 - from > 1.5 {
            pen.rect(from, y + height / 2.0 - 1.0, x0 - from, 2.0, &mixed(base, WHITE, 0.35));
        }
    }
    let failed = format!("url(#{}-failed)", pen.id);
    pen.told(
        || tip(job, bar, end),
        |pen| match bar.state {
            State::Failed => {
                pen.rect(x0, y, width, height, &faint);
                pen.rect(x0, y, width, height, if width > 3.0 { &failed } else { ALARM });
                if width > 3.0 {
                    pen.frame(x0, y, width, height, ALARM, "");
                }
            }
            State::Beaten | State::Cut => {
                pen.rect(x0, y, width, height, &faint);
                let dash = if bar.state == State::Cut { " stroke-dasharray=\"2 2\"" } else { "" };
                if width > 3.0 {
                    pen.frame(x0, y, width, height, &hex(base), dash);
                }
            }
            State::Running | State::Done => {
                pen.rect(x0, y, width, height, &hex(base));
                let run = bar.metrics.map_or(0.0, |m| m.run.as_secs_f64());
                if let Some(metrics) = bar.metrics.filter(|_| run > 0.0 && width > 3.0) {
                    let share = |time: std::time::Duration| (time.as_secs_f64() / run).min(1.0) * width;
                    let (fetch, write) = (share(metrics.fetch), share(metrics.write));
                    if fetch >= 0.5 {
                        pen.rect(x0, y, fetch, height, &mixed(base, WHITE, 0.52));
                    }
                    if write >= 0.5 {
                        pen.rect(x0 + width - write, y, write, height, &mixed(base, BLACK, 0.45));
                    }
                }
            }
        },
    );
    if bar.copy && width > 3.0 {
        pen.frame(x0, y, width, height, INK, " stroke-dasharray=\"3 2\"");
    } else if bar.attempt > 0 && height >= 6.0 {
        let size = width.min(6.0);
        let _ = write!(
            pen.out,
            "<path d=\"M{} {}h{size}l-{size} {size}z\" fill=\"{INK}\"/>",
            tenths(x0),
            tenths(y)
        );
    }
    let label = match bar {
        _ if bar.copy => format!("» {}", bar.partition),
        _ if bar.attempt > 0 => format!("↻ {}", bar.partition),
        _ => bar.partition.to_string(),
    };
    if height >= 12.0 && bar.state == State::Done && label.chars().count() as f64 * 6.6 + 12.0 < width {
        let ink = if luminance(base) > 0.3 { "#101418" } else { "#ffffff" };
        pen.text(x0 + 6.0, y + height / 2.0 + 4.0, &label, ink, 11.0, "start");
    }
}

fn tip(job: &Job<'_>, bar: &Attempt<'_>, end: f64) -> String {
    let stage = job.stages.get(bar.stage).map_or("", |stage| stage.name);
    let mut parts = vec![format!("Partition {} of {stage}", bar.partition)];
    if bar.attempt > 0 {
        parts.push(format!("attempt {}", bar.attempt + 1));
    }
    match bar.state {
        State::Running => parts.push("running".into()),
        State::Failed => parts.push("failed".into()),
        State::Beaten => parts.push("another attempt was faster".into()),
        State::Cut => parts.push("cancelled".into()),
        State::Done => {}
    }
    parts.push(seconds(end - bar.start));
    if let Some(m) = bar.metrics {
        let compute = m.run.saturating_sub(m.fetch).saturating_sub(m.write);
        for (what, time) in
            [("waited", m.queue), ("fetch", m.fetch), ("compute", compute), ("write", m.write)]
        {
            if !time.is_zero() {
                parts.push(format!("{what} {}", seconds(time.as_secs_f64())));
            }
        }
    }
    parts.join(", ")
}

/// Explains the marks that are in the picture; returns where the next thing may stand.
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

const WHITE: [u8; 3] = [255; 3];
const BLACK: [u8; 3] = [0; 3];

fn colour(stage: usize) -> [u8; 3] {
    STAGES[stage % STAGES.len()]
}

fn hex([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

fn mixed(a: [u8; 3], b: [u8; 3], share: f64) -> String {
    let mix = |a: u8, b: u8| (f64::from(a) * (1.0 - share) + f64::from(b) * share).round() as u8;
    hex([mix(a[0], b[0]), mix(a[1], b[1]), mix(a[2], b[2])])
}

fn luminance(colour: [u8; 3]) -> f64 {
    let [red, green, blue] = colour.map(|channel| {
        let channel = f64::from(channel) / 255.0;
        if channel <= 0.03928 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/// The text, shortened to so many characters.
fn fit(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

fn tenths(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::log::Log;
    use super::super::tests::*;
    use super::*;
    use crate::events::Event;

    fn log(events: impl IntoIterator<Item = Event>) -> Log {
        let mut log = Log::default();
        events.into_iter().for_each(|event| log.take(0, &event));
        log
    }

    fn drawn(log: &Log) -> String {
        let jobs: Vec<Job<'_>> = log.jobs().map(|job| Job::of(log, job)).collect();
        svg(&jobs, "test").expect("there is a job")
    }

    fn long_job(tasks: usize) -> Log {
        let mut events = vec![submitted(0, 0), stage(0, 0, tasks, 0)];
        for partition in 0..tasks {
            let from = 10 * (partition as u64 / 2);
            events.push(started(0, 0, partition, 0, from));
            events.push(took(0, 0, partition, partition % 2, (from, 8), (2, 3)));
        }
        events.push(job_finished(0, 10 * tasks as u64 / 2));
        log(events)
    }

    #[test]
    fn each_task_is_a_bar_of_three_parts_with_a_label_and_a_tooltip() {
        let svg = drawn(&long_job(6));
        let stage = hex(STAGES[0]);
        for (what, colour) in [
            ("fetch", mixed(STAGES[0], WHITE, 0.52)),
            ("compute", stage),
            ("write", mixed(STAGES[0], BLACK, 0.45)),
        ] {
            // Six bars and the legend; the stage is drawn in the colours of fetch and compute, too.
            assert!(svg.matches(&format!("fill=\"{colour}\"")).count() >= 7, "{what} is missing in {svg}");
        }
        assert!(
            svg.contains(
                "Partition 5 of stage of 6, 8.0 ms, waited 1.0 ms, fetch 2.0 ms, compute 3.0 ms, write 3.0 ms"
            ),
            "{svg}"
        );
        assert!(svg.contains("median 8.0 ms, max 8.0 ms"), "{svg}");
        assert_eq!(svg.matches("<svg").count(), 1);
    }

    #[test]
    fn ten_thousand_tasks_make_a_small_picture() {
        let svg = drawn(&long_job(10_000));
        assert!(svg.len() < 200_000, "{} bytes", svg.len());
        assert!(svg.contains("10,000 of 10,000 tasks"), "{svg}");
    }

    #[test]
    fn failures_retries_and_lost_workers_are_marked() {
        let failed = |partition, attempt, at| Event::TaskFailed {
            job: 0,
            stage: 0,
            partition,
            attempt,
            worker: 0,
            cause: "no <memory>".into(),
            retried: true,
            at: ms(at),
        };
        let log = log([
            submitted(0, 0),
            stage(0, 0, 2, 0),
            started(0, 0, 0, 0, 0),
            started(0, 0, 1, 0, 0),
            failed(0, 0, 40),
            started(0, 0, 0, 1, 50),
            took(0, 0, 1, 1, (0, 60), (0, 0)),
            took_attempt(0, 0, 0, 1, (50, 40)),
            job_finished(0, 100),
        ]);
        let svg = drawn(&log);
        assert!(svg.contains("fill=\"url(#test-failed)\"") && svg.contains("↻ 0"), "{svg}");
        assert!(svg.contains("1 failed attempt"), "{svg}");
    }

    #[test]
    fn several_jobs_are_drawn_on_one_scale_and_far_shorter_ones_are_counted() {
        let mut events = Vec::new();
        for (job, end) in [(0, 1000), (1, 10), (2, 500)] {
            events.extend([submitted(job, 0), stage(job, 0, 1, 0), started(job, 0, 0, 0, 0)]);
            events.extend([took(job, 0, 0, 0, (0, end), (0, 0)), job_finished(job, end)]);
        }
        let svg = drawn(&log(events));
        assert!(svg.contains("Job 0: collect") && svg.contains("Job 2: collect"), "{svg}");
        assert!(!svg.contains(">Job 1: collect") && svg.contains("and 1 shorter job"), "{svg}");
        assert_eq!(svg.matches(">1.0 s</text>").count(), 2, "both axes end at the longest job's end: {svg}");
    }

    #[test]
    fn what_people_wrote_cannot_become_markup() {
        let error = "<script>alert(1)</script>".to_owned();
        let log = log([
            Event::JobSubmitted { job: 0, action: "<b>".into(), slots: 1, at: ms(0) },
            Event::StageSubmitted { job: 0, stage: 0, name: "\"><i>".into(), tasks: 1, at: ms(0) },
            Event::JobFinished { job: 0, error: Some(error), cancelled: false, at: ms(200) },
        ]);
        let svg = drawn(&log);
        assert!(!svg.contains("<b>") && !svg.contains("<i>") && !svg.contains("<script"), "{svg}");
    }
}
