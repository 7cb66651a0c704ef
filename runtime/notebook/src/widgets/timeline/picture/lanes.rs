//! A job's lanes, one per slot. Attempts are bars, drawn one by one or merged.

use std::fmt::Write as _;

use partita_events::figures::duration;
use partita_events::fold::{Attempt, AttemptState, Job, JobWorker};

use super::drawn::Drawn;
use super::pen::{ALARM, BAND, BLACK, INK, MUTED, Pen, WHITE, colour, fit, hex, luminance, mixed, tenths};
use super::{RIGHT, Scale, WIDTH};

/// The maximum number of lanes drawn for a job.
pub(super) const LANES_SHOWN: usize = 128;
/// The maximum number of bars for a job; if there are more, neighbours further apart are merged.
const BARS_SHOWN: usize = 3000;
/// Narrower bars are drawn without their parts, which could not be distinguished.
const NARROW: f64 = 4.0;

pub(super) struct Row<'a> {
    pub what: What<'a>,
    pub y: f64,
    pub height: f64,
}

pub(super) enum What<'a> {
    Worker(&'a JobWorker),
    Lane(&'a JobWorker, usize),
}

pub(super) fn rows<'a>(drawn: &'a Drawn<'_>, headings: bool, lane: f64, top: f64) -> Vec<Row<'a>> {
    let (mut rows, mut y, mut lanes) = (Vec::new(), top, 0);
    for worker in &drawn.workers {
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

pub(super) fn draw_heading(pen: &mut Pen<'_>, job: &Job, worker: &JobWorker, y: f64) {
    let name = worker.name.clone().unwrap_or_else(|| format!("worker {}", worker.worker));
    let name = fit(&name, 50);
    pen.bold(8.0, y + 14.0, &name, 12.0);
    if let Some((at, cause)) = worker.lost.as_ref().filter(|(at, _)| *at <= job.last) {
        let left = 8.0 + name.chars().count() as f64 * 7.4 + 12.0;
        let lost = format!("✕ lost at {}: {cause}", duration(at.saturating_sub(job.submitted)));
        pen.text(left, y + 14.0, &fit(&lost, ((RIGHT - left) / 6.2).max(1.0) as usize), ALARM, 11.0, "start");
    }
}

/// Attempts of a lane that are drawn one by one, or merged.
enum Piece<'a> {
    One(&'a Attempt),
    Many { order: usize, from: f64, to: f64 },
}

/// Merges a lane's attempts: neighbours that are too narrow to be distinguished, belong to one stage and
/// are no further apart than the tolerance.
fn pieces<'a>(bars: &[&'a Attempt], drawn: &Drawn<'_>, scale: &Scale, tolerance: f64) -> Vec<Piece<'a>> {
    let narrow = NARROW.max(tolerance * 4.0);
    let mut pieces: Vec<Piece<'a>> = Vec::new();
    for &bar in bars {
        let (x0, x1) = (scale.x(bar.started), scale.x(drawn.end(bar)));
        let plain = bar.state == AttemptState::Done && bar.attempt == 0 && x1 - x0 <= narrow;
        if !plain {
            pieces.push(Piece::One(bar));
            continue;
        }
        let of = drawn.order(bar);
        match pieces.last_mut() {
            Some(Piece::Many { order, to, .. }) if *order == of && x0 - *to <= tolerance => {
                *to = to.max(x1);
            }
            _ => pieces.push(Piece::Many { order: of, from: x0, to: x1 }),
        }
    }
    pieces
}

/// How far apart merged neighbours may be, chosen so that there are not too many bars.
pub(super) fn tolerance(drawn: &Drawn<'_>, scale: &Scale, rows: &[Row<'_>]) -> f64 {
    let lanes: Vec<&[&Attempt]> = rows
        .iter()
        .filter_map(|row| match row.what {
            What::Lane(worker, slot) => Some(drawn.lane(worker.worker, slot)),
            What::Worker(_) => None,
        })
        .collect();
    let mut tolerance = 0.75;
    while tolerance < WIDTH {
        let count: usize = lanes.iter().map(|bars| pieces(bars, drawn, scale, tolerance).len()).sum();
        if count <= BARS_SHOWN {
            break;
        }
        tolerance *= 2.0;
    }
    tolerance
}

pub(super) fn draw_lane(
    pen: &mut Pen<'_>,
    drawn: &Drawn<'_>,
    scale: &Scale,
    row: &Row<'_>,
    worker: &JobWorker,
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
    let bars = drawn.lane(worker.worker, slot);
    let mut free = scale.gutter;
    for piece in pieces(bars, drawn, scale, tolerance) {
        match piece {
            Piece::Many { order, from, to } => {
                pen.rect(from, y, (to - from).max(1.0), height, &hex(colour(order)));
                free = free.max(to);
            }
            Piece::One(bar) => {
                draw_bar(pen, drawn, scale, bar, (y, height), free);
                free = free.max(scale.x(drawn.end(bar)));
            }
        }
    }
    if let Some((at, _)) = worker.lost.as_ref().filter(|(at, _)| *at <= drawn.job.last) {
        let x = scale.x(*at);
        let fill = format!("url(#{}-lost)", pen.id);
        pen.rect(x, y, RIGHT - x, height, &fill);
        pen.rect(x, y, 2.0, height, ALARM);
    }
}

fn draw_bar(
    pen: &mut Pen<'_>,
    drawn: &Drawn<'_>,
    scale: &Scale,
    bar: &Attempt,
    (y, height): (f64, f64),
    free: f64,
) {
    let (x0, x1) = (scale.x(bar.started), scale.x(drawn.end(bar)));
    let width = (x1 - x0 - if x1 - x0 > 4.0 { 1.0 } else { 0.0 }).max(1.0);
    let base = colour(drawn.order(bar));
    let faint = mixed(base, WHITE, 0.78);
    if let Some(metrics) = &bar.metrics {
        let from = scale.x(bar.started.saturating_sub(metrics.queue)).max(free);
        if x0 - from > 1.5 {
            pen.rect(from, y + height / 2.0 - 1.0, x0 - from, 2.0, &mixed(base, WHITE, 0.35));
        }
    }
    let failed = format!("url(#{}-failed)", pen.id);
    pen.with_tip(
        || tip(drawn, bar),
        |pen| match bar.state {
            AttemptState::Failed => {
                pen.rect(x0, y, width, height, &faint);
                pen.rect(x0, y, width, height, if width > 3.0 { &failed } else { ALARM });
                if width > 3.0 {
                    pen.frame(x0, y, width, height, ALARM, "");
                }
            }
            AttemptState::Beaten | AttemptState::Cut | AttemptState::Unheard => {
                pen.rect(x0, y, width, height, &faint);
                let dash = if bar.state == AttemptState::Beaten { "" } else { " stroke-dasharray=\"2 2\"" };
                if width > 3.0 {
                    pen.frame(x0, y, width, height, &hex(base), dash);
                }
            }
            AttemptState::Running | AttemptState::Done => {
                pen.rect(x0, y, width, height, &hex(base));
                let run = bar.metrics.as_ref().map_or(0.0, |m| m.run.as_secs_f64());
                if let Some(metrics) = bar.metrics.as_ref().filter(|_| run > 0.0 && width > 3.0) {
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
    if bar.speculative && width > 3.0 {
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
        _ if bar.speculative => format!("» {}", bar.partition),
        _ if bar.attempt > 0 => format!("↻ {}", bar.partition),
        _ => bar.partition.to_string(),
    };
    if height >= 12.0 && bar.state == AttemptState::Done && label.chars().count() as f64 * 6.6 + 12.0 < width
    {
        let ink = if luminance(base) > 0.3 { "#101418" } else { "#ffffff" };
        pen.text(x0 + 6.0, y + height / 2.0 + 4.0, &label, ink, 11.0, "start");
    }
}

fn tip(drawn: &Drawn<'_>, bar: &Attempt) -> String {
    let stage = drawn.stage(bar).map_or("", |stage| &stage.name);
    let mut parts = vec![format!("Partition {} of {stage}", bar.partition)];
    if bar.attempt > 0 {
        parts.push(format!("attempt {}", bar.attempt + 1));
    }
    match bar.state {
        AttemptState::Running => parts.push("running".into()),
        AttemptState::Failed => parts.push("failed".into()),
        AttemptState::Beaten => parts.push("another attempt was faster".into()),
        AttemptState::Cut => parts.push("cancelled".into()),
        AttemptState::Unheard => parts.push("its end is not known".into()),
        AttemptState::Done => {}
    }
    parts.push(duration(bar.took(drawn.job.last)));
    if let Some(m) = &bar.metrics {
        for (what, time) in
            [("waited", m.queue), ("fetch", m.fetch), ("compute", m.compute()), ("write", m.write)]
        {
            if !time.is_zero() {
                parts.push(format!("{what} {}", duration(time)));
            }
        }
    }
    parts.join(", ")
}
