//! Joins that shuffled both sides although one of them is small.

use partita_events::figures::bytes;

use super::model::{Job, joins, makespan, runs, times};
use super::{Advice, AdviceKind};
use crate::events::StageReport;

/// A side of up to this many bytes is small: every worker can hold all of it.
const SMALL: u64 = 32 << 20;
/// The other side must be at least this many times as large.
const LARGER: u64 = 4;

pub(super) fn advise(job: &Job<'_>) -> Vec<Advice> {
    job.report.stages.iter().filter_map(|stage| on_stage(job, stage)).collect()
}

/// Without the shuffle, tasks of the large side neither write nor fetch blocks, and each joins its own part
/// of the rows. The cost of building the small side's table in each task is not counted.
fn on_stage(job: &Job<'_>, stage: &StageReport) -> Option<Advice> {
    if !joins(stage) {
        return None;
    }
    let sides: [&StageReport; 2] = job.writers(stage)?.try_into().ok()?;
    let size = |side: &StageReport| side.total(|m| m.shuffle_out);
    let small = if size(sides[1]) <= size(sides[0]) { 1 } else { 0 };
    let (little, large) = (size(sides[small]), sides[1 - small]);
    // A salted side is written in copies; the user asked for it.
    if little > SMALL || size(large) < LARGER * little.max(1) || large.tasks.is_empty() {
        return None;
    }
    let joining: f64 = times(stage, |m| m.run.as_secs_f64() - m.fetch.as_secs_f64()).iter().sum();
    let share = joining / large.tasks.len() as f64;
    let after: Vec<f64> = times(large, |m| m.run.as_secs_f64() - m.write.as_secs_f64())
        .into_iter()
        .map(|rest| rest + share)
        .collect();
    let before = makespan(&runs(large), job.slots) + job.scheduled(stage);
    let expected = job.expected(before - makespan(&after, job.slots))?;
    let (side, code) = if small == 1 {
        ("right", "left.join(&right, […], JoinType::Inner).broadcast()")
    } else {
        ("left", "right.join(&left, […], JoinType::Inner).broadcast()")
    };
    let message = format!(
        "stage {} joins two shuffles, of {} and {}; if its small {side} side is broadcast instead (an inner \
         or left join can), the other is not shuffled; expected {expected:.1}x",
        stage.stage,
        bytes(size(sides[0])),
        bytes(size(sides[1]))
    );
    let (kind, code) = (AdviceKind::Broadcast, code.to_owned());
    Some(Advice { kind, stage: Some(stage.stage), message, code, expected })
}
