//! Partition counts: too few for the slots, too many for the rows.

use super::model::{Job, WORTH, runs, steps};
use super::skew::is_skewed;
use super::{Advice, AdviceKind};
use crate::events::StageReport;
use crate::experiment::SweepResult;

/// With fewer tasks than this per slot, there are never too many.
const FEW: usize = 4;
/// With fewer tasks, the fixed cost of one cannot be estimated.
const LEAST_TASKS: usize = 8;
/// The advised number of tasks per slot: if one slot is disturbed, others take the remaining tasks.
const GOOD: usize = 2;

/// Stages that leave slots idle although no task is skewed.
pub(super) fn too_few(job: &Job<'_>) -> Vec<Advice> {
    job.report.stages.iter().filter_map(|stage| too_few_in(job, stage)).collect()
}

fn too_few_in(job: &Job<'_>, stage: &StageReport) -> Option<Advice> {
    let n = stage.tasks.len();
    if n == 0 || n != stage.partitions || is_skewed(stage) || steps(stage).any(|step| step == "limit") {
        return None;
    }
    let even = runs(stage).iter().sum::<f64>() / job.slots as f64;
    let expected = job.expected(job.scheduled(stage) - even)?;
    let better = n.next_multiple_of(job.slots);
    if better == n {
        return None;
    }
    let s = |n: usize| if n == 1 { "" } else { "s" };
    let (slots, turns) = (job.slots, n.div_ceil(job.slots));
    let idle = if n < slots {
        format!("{} of {slots} slots have nothing to do", slots - n)
    } else {
        format!("{slots} slots take {turns} turns, with {} of them idle in the last", better - n)
    };
    let message = format!(
        "stage {} has {n} partition{}, so {idle}; with {better} even ones, expected {expected:.1}x",
        stage.stage,
        s(n)
    );
    let code = set_partitions(stage, better);
    Some(Advice { kind: AdviceKind::TooFewPartitions, stage: Some(stage.stage), message, code, expected })
}

/// Stages whose tasks do hardly more than start and end.
///
/// The fixed cost of a task is the constant `a` of `run = a + b · rows`, fitted to the stage's tasks by least
/// squares of the relative differences, and at most the time of the quickest task. If the stage's tasks have
/// too similar numbers of rows, the lowest cost of the job's other stages is used. The time between tasks is
/// added: the stage's wall time on its slots that is not spent on tasks.
pub(super) fn too_many(job: &Job<'_>) -> Vec<Advice> {
    let costs: Vec<Option<f64>> = job.report.stages.iter().map(cost_of_a_task).collect();
    let least = costs.iter().flatten().copied().min_by(f64::total_cmp).unwrap_or(0.0);
    let stages = job.report.stages.iter().zip(costs);
    stages.filter_map(|(stage, cost)| too_many_in(job, stage, cost.unwrap_or(least))).collect()
}

fn too_many_in(job: &Job<'_>, stage: &StageReport, inside: f64) -> Option<Advice> {
    let (n, good) = (stage.tasks.len(), GOOD * job.slots);
    if n < FEW * job.slots || n <= good {
        return None;
    }
    let runs = runs(stage);
    let inside = runs.iter().copied().fold(inside, f64::min);
    let (wall, work, slots) = (stage.wall.as_secs_f64() * 1e3, runs.iter().sum::<f64>(), job.slots as f64);
    // If slots wait for one slow task, the remaining time is not spent on tasks.
    let between = if is_skewed(stage) { 0.0 } else { ((wall * slots - work) / n as f64).max(0.0) };
    let saved = (n - good) as f64 * (inside + between) / slots;
    let expected = job.expected(saved)?;
    let each = work / n as f64;
    let message = format!(
        "stage {} has {n} partitions of {each:.2} ms each, of which {:.2} ms go into starting and ending a task; \
         with {good}, expected {expected:.1}x",
        stage.stage,
        inside + between
    );
    let reads = stage.total(|m| m.shuffle_in) > 0;
    let kind = if reads { AdviceKind::Coalesce } else { AdviceKind::TooManyPartitions };
    let code = set_partitions(stage, good);
    Some(Advice { kind, stage: Some(stage.stage), message, code, expected })
}

/// The time of a task of this stage without any rows, in milliseconds; `None` if the tasks' numbers of rows
/// are too similar.
fn cost_of_a_task(stage: &StageReport) -> Option<f64> {
    let points: Vec<(f64, f64)> = stage
        .tasks
        .iter()
        .map(|task| (task.metrics.rows_in as f64, task.metrics.run.as_secs_f64() * 1e3))
        .filter(|(_, ms)| *ms > 0.0)
        .collect();
    let (least, most) =
        points.iter().fold((f64::INFINITY, 0.0f64), |(least, most), p| (least.min(p.0), most.max(p.0)));
    let tells = points.len() >= LEAST_TASKS && most >= 2.0 * least && most > 0.0;
    tells.then(|| crate::experiment::fit::line_through(&points).0)
}

fn set_partitions(stage: &StageReport, n: usize) -> String {
    let first = steps(stage).next().unwrap_or_default();
    match first {
        "scan" => format!("let data = session.read_parquet_in(path, {n})?;"),
        "frame" => format!("let data = session.frame(frame, {n});"),
        "range" => format!("let data = session.range(start, end, {n});"),
        "shuffle read" => format!("session.set_shuffle_partitions({n})?;"),
        _ => format!("let data = data.repartition({n});"),
    }
}

/// The best setting of a sweep by the Universal Scalability Law, against its first setting.
pub(super) fn by_sweep<R>(sweep: &SweepResult<R>) -> Option<Advice> {
    let fit = sweep.fit_usl().ok().filter(|fit| !fit.fits_badly())?;
    let (first, best) = (*sweep.settings().first()?, fit.best());
    let expected = fit.predict_ms(first) / fit.predict_ms(best.count);
    if expected < WORTH {
        return None;
    }
    let (name, count) = (sweep.name(), best.count);
    let message = format!(
        "{name}: by the Universal Scalability Law (R² {:.2}) the best is {best}; against {first}, expected \
         {expected:.1}x",
        fit.r_squared
    );
    let code = format!("let {} = {count};", name.split(' ').next().unwrap_or("n"));
    Some(Advice { kind: AdviceKind::PartitionCount, stage: None, message, code, expected })
}
