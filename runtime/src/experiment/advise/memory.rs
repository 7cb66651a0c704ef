//! Memory: data that was spilled because there was too little memory.

use partita_events::figures::bytes;

use super::model::{Job, makespan, runs, steps, times};
use super::{Advice, AdviceKind};
use crate::events::StageReport;

pub(super) fn advise(job: &Job<'_>) -> Vec<Advice> {
    job.report.stages.iter().filter_map(|stage| on_stage(job, stage)).collect()
}

/// The time of writing to disk is not measured separately. It is estimated as the time a task took to write
/// its shuffle blocks times the fraction of bytes that went to disk. For cached partitions there is no
/// estimate.
fn on_stage(job: &Job<'_>, stage: &StageReport) -> Option<Advice> {
    let spilled = stage.total(|m| m.spilled);
    if spilled == 0 {
        return None;
    }
    let share = (spilled as f64 / stage.total(|m| m.shuffle_out).max(1) as f64).min(1.0);
    let wrote = if stage.total(|m| m.shuffle_out) > 0 { share } else { 0.0 };
    let left = times(stage, |m| m.run.as_secs_f64() - wrote * m.write.as_secs_f64());
    let saved = makespan(&runs(stage), job.slots) - makespan(&left, job.slots);
    let expected = job.expected(saved);
    let promise = expected.map_or("the speed-up is unknown".to_owned(), |x| format!("expected {x:.1}x"));
    let amount = bytes(spilled);
    let at = stage.stage;
    let (what, code) = if steps(stage).any(|step| step == "cache") && wrote == 0.0 {
        let what = "cached rows did not fit into memory; cache fewer columns";
        (what, "let data = data.select([…]).cache();".to_owned())
    } else {
        let what = "workers had no memory left for shuffle blocks; give them more memory, or shuffle less";
        (what, "data.select([…])  // only what is needed, before the shuffle".to_owned())
    };
    Some(Advice {
        kind: AdviceKind::Spill,
        stage: Some(at),
        message: format!("stage {at} spilled {amount} to disk: {what}; {promise}"),
        code,
        expected: expected.unwrap_or(1.0),
    })
}
