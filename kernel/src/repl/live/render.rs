use std::collections::HashMap;
use std::time::Duration;

use console::{Style, measure_text_width, truncate_str};
use partita_events::figures::{count, duration, percent, plural, ratio};
use partita_events::fold::{Attempt, AttemptState, Job, JobState, JobWorker, Stage, slots};
use partita_events::{PartitionId, StageId, TaskMetrics, WorkerId};

/// Narrower than this, details are left out.
const ROOMY: usize = 60;

/// Slots that get a line of their own.
const LANES: usize = 8;

const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The running job as lines of at most `width` columns, at most `height` of them: a title, for each
/// stage a bar and a row of its partitions, and what the slots of `workers` run. `now` is the session's
/// clock.
pub fn lines(job: &Job, workers: &[JobWorker], now: Duration, width: usize, height: usize) -> Vec<String> {
    let now = now.max(job.last);
    let mut lines = vec![title(job, workers, now)];
    let lanes = lanes(job, workers, now);
    // Partitions of stages that have finished go first when there is no room.
    let room = height.saturating_sub(1 + lanes.len());
    let with_partitions =
        |stage: &Stage| stage.tasks > 1 && (!stage.finished || job.stages().len() * 2 <= room);
    let unfinished = unfinished(job);
    let mut stages = Vec::new();
    for stage in job.stages() {
        let unfinished = unfinished.get(&stage.stage).map_or(&[][..], Vec::as_slice);
        stages.push(bar(stage, unfinished, width));
        if with_partitions(stage) {
            stages.push(format!("    {}", partitions(stage, unfinished, width.saturating_sub(5))));
        }
    }
    // The latest stages are the ones that run.
    lines.extend(stages.split_off(stages.len().saturating_sub(room.max(1))));
    lines.extend(lanes);
    lines.truncate(height.max(1));
    lines.into_iter().map(|line| truncate_str(&line, width, "…").into_owned()).collect()
}

/// The line that stays: how the job ended, how long it took, and where it was uneven.
pub fn summary(job: &Job, width: usize) -> String {
    let (done, all) = job.tasks();
    let (mark, how) = match job.state {
        JobState::Done => (Style::new().green().apply_to("✓"), ""),
        JobState::Cancelled => (Style::new().yellow().apply_to("■"), "cancelled, "),
        JobState::Failed => (Style::new().red().apply_to("✗"), "failed, "),
        JobState::Interrupted => (Style::new().yellow().apply_to("■"), "interrupted, "),
        JobState::Running => (Style::new().yellow().apply_to("…"), "still running, "),
    };
    let mut tasks = plural(all, "task");
    if done < all {
        tasks = format!("{} of {tasks}", count(done as u64));
    }
    let stages = plural(job.stages().len(), "stage");
    let (number, action, wall) = (job.job, &job.action, duration(job.wall()));
    let mut line = format!("{mark} job {number} {action}: {how}{stages}, {tasks}, {wall}");
    let skew = job.worst_skew().map(|(stage, skew)| {
        format!(", skew {} in stage {} partition {}", ratio(skew.ratio), stage.stage, skew.worst)
    });
    for more in [skew, split(&job.totals())].into_iter().flatten() {
        if measure_text_width(&line) + measure_text_width(&more) <= width {
            line.push_str(&more);
        }
    }
    truncate_str(&line, width, "…").into_owned()
}

/// `; 85 % compute, 10 % fetch, 5 % write; waited 1.2 s`
fn split(totals: &TaskMetrics) -> Option<String> {
    let run = totals.run.as_secs_f64();
    if run <= 0.0 {
        return None;
    }
    let share = |time: Duration| (time.as_secs_f64() / run).min(1.0);
    let mut parts = vec![format!("{} compute", percent(share(totals.compute())))];
    for (share, what) in [(share(totals.fetch), "fetch"), (share(totals.write), "write")] {
        if share >= 0.005 {
            parts.push(format!("{} {what}", percent(share)));
        }
    }
    Some(format!("; {}; waited {}", parts.join(", "), duration(totals.queue)))
}

fn title(job: &Job, workers: &[JobWorker], now: Duration) -> String {
    let (done, all) = job.tasks();
    let name = Style::new().bold().apply_to(format!("job {} {}", job.job, job.action));
    let elapsed = duration(now.saturating_sub(job.submitted));
    let (done, tasks, slots) = (count(done as u64), plural(all, "task"), plural(slots(workers), "slot"));
    format!("{name}  {elapsed} · {done}/{tasks} · {slots}")
}

/// ` 0 group_by: partial  ━━━━━━━━───  6/8  1,200 rows`
fn bar(stage: &Stage, unfinished: &[Unfinished], width: usize) -> String {
    let name_width = (width / 3).clamp(12, 40);
    let name = console::pad_str(&stage.name, name_width, console::Alignment::Left, Some("…")).into_owned();
    let (done, rows) = (stage.done(), stage.totals.rows_out);
    let tasks = format!("{}/{}", count(done as u64), count(stage.tasks as u64));
    let rows = if width >= ROOMY && rows > 0 { format!("  {} rows", count(rows)) } else { String::new() };
    let fixed = 4 + name_width + 1 + 2 + tasks.len() + rows.len().max(16);
    let length = width.saturating_sub(fixed).clamp(6, 40);
    let filled = match stage.tasks {
        0 => length,
        all => (length as u128 * done as u128 / all as u128) as usize,
    };
    let failed = unfinished.iter().any(|task| task.failed);
    let full = if failed { Style::new().red() } else { Style::new().green() };
    format!(
        "{:>3} {name} {}{}  {tasks}{rows}",
        stage.stage,
        full.apply_to("━".repeat(filled)),
        Style::new().dim().apply_to("─".repeat(length - filled)),
    )
}

/// A task without output that runs, or that failed for good.
struct Unfinished {
    partition: PartitionId,
    failed: bool,
}

fn unfinished(job: &Job) -> HashMap<StageId, Vec<Unfinished>> {
    let mut found: HashMap<StageId, Vec<Unfinished>> = HashMap::new();
    for attempt in job.attempts() {
        let failed = attempt.state == AttemptState::Failed && !attempt.retried;
        let runs = attempt.state == AttemptState::Running;
        let partition = attempt.partition;
        if (failed || runs) && job.stage(attempt.stage).is_some_and(|stage| !stage.has_finished(partition)) {
            found.entry(attempt.stage).or_default().push(Unfinished { partition, failed });
        }
    }
    found
}

/// What one character shows: a partition, or a few neighbours where there are too many.
#[derive(Debug, Clone, Copy, Default)]
struct Column {
    failed: bool,
    runs: bool,
    /// The longest time of those that have finished.
    longest: Option<Duration>,
}

/// A character for each partition: how long it took against the slowest, or that it runs, waits or has
/// failed.
fn partitions(stage: &Stage, unfinished: &[Unfinished], width: usize) -> String {
    let mut columns = vec![Column::default(); stage.tasks.min(width.max(1))];
    let (number, tasks) = (columns.len() as u128, stage.tasks as u128);
    let column_of = |partition: PartitionId| {
        (partition.0 < stage.tasks).then(|| (((partition.0 as u128 + 1) * number - 1) / tasks) as usize)
    };
    for task in unfinished {
        if let Some(column) = column_of(task.partition).and_then(|index| columns.get_mut(index)) {
            column.failed |= task.failed;
            column.runs |= !task.failed;
        }
    }
    let mut slowest = Duration::ZERO;
    for (partition, task) in stage.finished_tasks() {
        slowest = slowest.max(task.run);
        if let Some(column) = column_of(partition).and_then(|index| columns.get_mut(index)) {
            column.longest = column.longest.max(Some(task.run));
        }
    }
    columns.iter().map(|column| column.draw(slowest)).collect()
}

impl Column {
    fn draw(self, slowest: Duration) -> String {
        if self.failed {
            return Style::new().red().apply_to('✗').to_string();
        }
        if self.runs {
            return Style::new().yellow().apply_to('▶').to_string();
        }
        match self.longest {
            Some(run) => {
                let share = if slowest.is_zero() { 1.0 } else { run.as_secs_f64() / slowest.as_secs_f64() };
                let height = HEIGHTS[((share * 8.0).ceil() as usize).clamp(1, 8) - 1];
                Style::new().green().apply_to(height).to_string()
            }
            None => Style::new().dim().apply_to('·').to_string(),
        }
    }
}

/// What the slots run, a line for each of the first ones.
fn lanes(job: &Job, workers: &[JobWorker], now: Duration) -> Vec<String> {
    let all = slots(workers);
    if job.left_out > 0 {
        // Not all attempts are known one by one, so a slot that seems free may not be.
        let busy = job.sum(|stage| stage.running).min(all);
        return vec![format!("    {}, {} of them busy", plural(all, "slot"), count(busy as u64))];
    }
    let running: HashMap<(WorkerId, usize), &Attempt> = job
        .attempts()
        .iter()
        .filter(|attempt| attempt.state == AttemptState::Running)
        .map(|attempt| ((attempt.worker, attempt.slot), attempt))
        .collect();
    // Slots of this process need no worker's name.
    let pool = workers.iter().any(|worker| worker.name.is_some());
    let places = workers.iter().flat_map(|worker| (0..worker.slots).map(move |slot| (worker, slot)));
    let mut shown_busy = 0;
    let mut lines: Vec<String> = places
        .take(LANES)
        .map(|(worker, slot)| {
            let id = worker.worker;
            let name = if pool { format!("worker {id} slot {slot}") } else { format!("slot {slot}") };
            let runs = running.get(&(id, slot));
            shown_busy += usize::from(runs.is_some());
            lane(&name, worker, runs.copied(), now)
        })
        .collect();
    if all > LANES {
        let (rest, busy) = ((all - LANES) as u64, (running.len() - shown_busy) as u64);
        lines.push(format!("    and {} more slots, {} of them busy", count(rest), count(busy)));
    }
    lines
}

fn lane(name: &str, worker: &JobWorker, runs: Option<&Attempt>, now: Duration) -> String {
    let Some(task) = runs else {
        let state = if worker.lost.is_some() { "lost" } else { "free" };
        return Style::new().dim().apply_to(format!("    {name} · {state}")).to_string();
    };
    let attempt = if task.attempt > 0 { format!(" attempt {}", task.attempt) } else { String::new() };
    let (stage, partition, took) = (task.stage, task.partition, duration(task.took(now)));
    let mark = Style::new().yellow().apply_to('▶');
    format!("    {name} {mark} stage {stage} partition {partition}{attempt}  {took}")
}
