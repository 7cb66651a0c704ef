//! Skew: a partition that takes far longer than the others, and the key that has its rows.

use super::model::{Job, joins, makespan, percent, runs, steps, times};
use super::{Advice, AdviceKind};
use crate::events::{HotKey, Skew, StageReport};

/// A key dominates a partition if it has this fraction of its rows.
const MOST: f64 = 0.5;
/// The smallest number of salts whose time is within this factor of the best is chosen.
const NEAR: f64 = 1.05;

pub(super) fn advise(job: &Job<'_>) -> Vec<Advice> {
    job.report.stages.iter().filter_map(|stage| on_stage(job, stage)).collect()
}

/// Whether a task of the stage takes far longer than the median.
pub(super) fn is_skewed(stage: &StageReport) -> bool {
    stage.tasks.len() > 1 && stage.time_skew().is_some_and(|skew| skew.is_skewed())
}

fn on_stage(job: &Job<'_>, stage: &StageReport) -> Option<Advice> {
    if !is_skewed(stage) || stage.total(|m| m.shuffle_in) == 0 {
        return None;
    }
    let writers = job.writers(stage)?;
    let took = runs(stage);
    let worst = (0..took.len()).max_by(|&a, &b| took[a].total_cmp(&took[b]))?;
    let partition = stage.tasks[worst].partition;
    let rows = stage.tasks[worst].metrics.rows_in as f64;
    let share = rows / (stage.total(|m| m.rows_in) as f64).max(1.0);
    // A task that is slow without having more rows than others was disturbed, and no partitioning helps.
    if share * (took.len() as f64) < Skew::SKEWED {
        return None;
    }
    let before = makespan(&took, job.slots);
    let holds = format!("stage {}, partition {partition} holds {} of the rows", stage.stage, percent(share));
    let (advice, saved) = match hottest(&writers, partition) {
        Some((side, key)) if key.rows as f64 >= MOST * rows => {
            let of_key = (key.rows as f64 / rows.max(1.0)).min(1.0);
            let (salts, after) = salted(&took, worst, of_key, job.slots);
            // A join's sample reads the keys once more.
            let sampling = times(writers[side], |m| m.run.as_secs_f64() - m.write.as_secs_f64());
            let more = if joins(stage) { makespan(&sampling, job.slots) } else { 0.0 };
            (remedy(stage, &writers, side, &key, salts, &holds, of_key), before - after - more)
        }
        _ => {
            // Many keys: more partitions separate them.
            let n = 4 * stage.partitions;
            let parts: Vec<f64> = took.iter().flat_map(|time| [time / 4.0; 4]).collect();
            let message =
                format!("{holds}, and no single key has most of them: {n} partitions separate them");
            let code = format!("session.set_shuffle_partitions({n})?;");
            ((message, code), before - makespan(&parts, job.slots))
        }
    };
    let expected = job.expected(saved)?;
    let (message, code) = advice;
    let message = format!("{message}; expected {expected:.1}x");
    Some(Advice { kind: AdviceKind::Skew, stage: Some(stage.stage), message, code, expected })
}

/// The key with the most rows in a partition, over all map tasks, and the index of its writer.
fn hottest(writers: &[&StageReport], partition: usize) -> Option<(usize, HotKey)> {
    let mut found: Vec<(usize, HotKey)> = Vec::new();
    for (side, writer) in writers.iter().enumerate() {
        for key in writer.tasks.iter().flat_map(|task| &task.metrics.hot_keys) {
            if key.partition != partition {
                continue;
            }
            match found.iter_mut().find(|(other, known)| *other == side && known.value == key.value) {
                Some((_, known)) => known.rows += key.rows,
                None => found.push((side, key.clone())),
            }
        }
    }
    found.into_iter().max_by_key(|(_, key)| key.rows)
}

/// The smallest number of salts that comes near the best, and the stage's time with it. The key's share of
/// the worst task is spread evenly over that task and others at equal distances.
fn salted(times: &[f64], worst: usize, of_key: f64, slots: usize) -> (usize, f64) {
    let n = times.len();
    let after = |salts: usize| {
        let mut times = times.to_vec();
        let dealt = times[worst] * of_key;
        times[worst] -= dealt;
        for salt in 0..salts {
            times[(worst + salt * n / salts) % n] += dealt / salts as f64;
        }
        makespan(&times, slots)
    };
    let powers = std::iter::successors(Some(2), |salts| Some(salts * 2)).take_while(|salts| *salts < n);
    let choices: Vec<(usize, f64)> = powers.chain([n]).map(|salts| (salts, after(salts))).collect();
    let best = choices.iter().map(|choice| choice.1).fold(f64::INFINITY, f64::min);
    choices.into_iter().find(|choice| choice.1 <= NEAR * best).unwrap_or((n, best))
}

/// The message and the code, depending on what the stage does with the rows.
fn remedy(
    stage: &StageReport,
    writers: &[&StageReport],
    side: usize,
    key: &HotKey,
    salts: usize,
    holds: &str,
    of_key: f64,
) -> (String, String) {
    let columns = &key.columns;
    let wrote = writers[side].name.as_str();
    let n = stage.partitions;
    if wrote.ends_with("repartition: expression") {
        let message = format!("{holds}: {columns} sends them there; round robin spreads rows evenly");
        return (message, format!("data.repartition({n})"));
    }
    let key_share = percent(of_key);
    let message = format!("{holds}, {key_share} of them of key {} ({columns})", key.value);
    let salting = format!("{message}; salting it over {salts} spreads them");
    if joins(stage) {
        if side == 0 {
            return (salting, format!("left.join(&right, [{columns}], JoinType::Inner).salted({salts})"));
        }
        let message = format!("{salting}; the right side has them, so swap the sides");
        return (message, format!("right.join(&left, [{columns}], JoinType::Inner).salted({salts})"));
    }
    if steps(stage).any(|step| step == "group_by") {
        let message = format!("{salting}; map-side combine, which is on by default, costs less");
        return (message, format!("data.group_by([{columns}]).salted({salts}).agg(…)"));
    }
    if wrote.ends_with("range") {
        let message = format!("{message}; a range cannot split one key: also sort by a second column");
        return (message, format!("data.sort([{columns}, col(\"another column\")])"));
    }
    (salting, format!("data.repartition_salted([{columns}], {n}, {salts})"))
}
