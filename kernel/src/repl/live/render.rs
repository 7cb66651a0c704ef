use std::time::Duration;

use console::{Style, measure_text_width, truncate_str};

use super::{End, JobView, Lane, Spent, StageView, Task};

/// Narrower than this, details are left out.
const ROOMY: usize = 60;

/// Slots that get a line of their own.
const LANES: usize = 8;

const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The running job as lines of at most `width` columns, at most `height` of them: a title, for each
/// stage a bar and a row of its partitions, and what the slots run. `now` is the session's clock.
pub fn lines(view: &JobView, now: Duration, width: usize, height: usize) -> Vec<String> {
    let mut lines = vec![title(view, now)];
    let lanes = lanes(view, now);
    // Partitions of stages that have finished go first when there is no room.
    let room = height.saturating_sub(1 + lanes.len());
    let with_partitions =
        |stage: &StageView| stage.tasks > 1 && (!stage.finished || view.stages.len() * 2 <= room);
    let mut stages = Vec::new();
    for stage in &view.stages {
        stages.push(bar(stage, width));
        if with_partitions(stage) {
            stages.push(format!("    {}", partitions(stage, width.saturating_sub(5))));
        }
    }
    // The latest stages are the ones that run.
    lines.extend(stages.split_off(stages.len().saturating_sub(room.max(1))));
    lines.extend(lanes);
    lines.truncate(height.max(1));
    lines.into_iter().map(|line| truncate_str(&line, width, "…").into_owned()).collect()
}

/// The line that stays: how the job ended, how long it took, and where it was uneven.
pub fn summary(view: &JobView, width: usize) -> String {
    let (done, all) = view.tasks();
    let (mark, how) = match &view.end {
        Some(End::Done) => (Style::new().green().apply_to("✓"), String::new()),
        Some(End::Cancelled) => (Style::new().yellow().apply_to("■"), "cancelled, ".to_owned()),
        Some(End::Failed(_)) => (Style::new().red().apply_to("✗"), "failed, ".to_owned()),
        None => (Style::new().yellow().apply_to("…"), "still running, ".to_owned()),
    };
    let tasks =
        if done == all { counted(all, "task") } else { format!("{done} of {}", counted(all, "task")) };
    let mut line = format!(
        "{mark} job {} {}: {how}{}, {tasks}, {}",
        view.job,
        view.action,
        counted(view.stages.len(), "stage"),
        time(view.elapsed()),
    );
    if let Some((stage, partition, ratio)) = view.skew().filter(|(_, _, ratio)| *ratio >= 1.5) {
        let skew = format!(", skew {ratio:.1}× in stage {stage} partition {partition}");
        if measure_text_width(&line) + measure_text_width(&skew) <= width {
            line.push_str(&skew);
        }
    }
    if let Some(split) = split(view.spent)
        && measure_text_width(&line) + measure_text_width(&split) <= width
    {
        line.push_str(&split);
    }
    truncate_str(&line, width, "…").into_owned()
}

/// `; 85 % compute, 10 % fetch, 5 % write; waited 1.2 s`
fn split(spent: Spent) -> Option<String> {
    let run = spent.run.as_secs_f64();
    if run <= 0.0 {
        return None;
    }
    let share = |time: Duration| (100.0 * time.as_secs_f64() / run).min(100.0);
    let (fetch, write) = (share(spent.fetch), share(spent.write));
    let mut parts = vec![format!("{:.0} % compute", (100.0 - fetch - write).max(0.0))];
    for (share, what) in [(fetch, "fetch"), (write, "write")] {
        if share >= 0.5 {
            parts.push(format!("{share:.0} % {what}"));
        }
    }
    Some(format!("; {}; waited {}", parts.join(", "), time(spent.waited)))
}

fn title(view: &JobView, now: Duration) -> String {
    let (done, all) = view.tasks();
    let name = Style::new().bold().apply_to(format!("job {} {}", view.job, view.action));
    let elapsed = time(now.max(view.last).saturating_sub(view.submitted));
    format!("{name}  {elapsed} · {done}/{} · {}", counted(all, "task"), counted(view.lanes.len(), "slot"))
}

/// ` 0 group_by: partial  ━━━━━━━━───  6/8  1.2 M rows`
fn bar(stage: &StageView, width: usize) -> String {
    let roomy = width >= ROOMY;
    let name_width = (width / 3).clamp(12, 40);
    let name = console::pad_str(&stage.name, name_width, console::Alignment::Left, Some("…")).into_owned();
    let count = format!("{}/{}", stage.done, stage.tasks);
    let rows =
        if roomy && stage.rows_out > 0 { format!("  {} rows", rows(stage.rows_out)) } else { String::new() };
    let fixed = 4 + name_width + 1 + 2 + count.len() + 16;
    let length = width.saturating_sub(fixed).clamp(6, 40);
    let filled = if stage.tasks == 0 {
        length
    } else {
        (length as u128 * stage.done as u128 / stage.tasks as u128) as usize
    };
    let failed = stage.states.contains(&Task::Failed);
    let done = if failed { Style::new().red() } else { Style::new().green() };
    format!(
        "{:>3} {name} {}{}  {count}{rows}",
        stage.stage,
        done.apply_to("━".repeat(filled)),
        Style::new().dim().apply_to("─".repeat(length - filled)),
    )
}

/// A character for each partition, or for a few neighbours where there are too many: how long it
/// took against the slowest, or that it runs, waits or has failed.
fn partitions(stage: &StageView, width: usize) -> String {
    let columns = stage.tasks.min(width.max(1));
    let slowest = stage
        .states
        .iter()
        .filter_map(|task| match task {
            Task::Done(run) => Some(*run),
            _ => None,
        })
        .max()
        .unwrap_or_default();
    (0..columns).map(|column| partition(share(stage, column, columns), slowest)).collect()
}

/// The tasks that one of `columns` characters stands for. Those nothing was heard of are not in it.
fn share(stage: &StageView, column: usize, columns: usize) -> &[Task] {
    let at = |column: usize| (stage.tasks as u128 * column as u128 / columns as u128) as usize;
    let known = stage.states.len();
    &stage.states[at(column).min(known)..at(column + 1).min(known)]
}

fn partition(tasks: &[Task], slowest: Duration) -> String {
    if tasks.contains(&Task::Failed) {
        return Style::new().red().apply_to('✗').to_string();
    }
    if tasks.contains(&Task::Running) {
        return Style::new().yellow().apply_to('▶').to_string();
    }
    let longest = tasks.iter().filter_map(|task| match task {
        Task::Done(run) => Some(*run),
        _ => None,
    });
    match longest.max() {
        Some(run) => {
            let share = if slowest.is_zero() { 1.0 } else { run.as_secs_f64() / slowest.as_secs_f64() };
            let height = HEIGHTS[((share * 8.0).ceil() as usize).clamp(1, 8) - 1];
            Style::new().green().apply_to(height).to_string()
        }
        None => Style::new().dim().apply_to('·').to_string(),
    }
}

fn lanes(view: &JobView, now: Duration) -> Vec<String> {
    let dim = Style::new().dim();
    // Slots of this process need no worker's name.
    let pool = view.lanes.iter().any(|lane| lane.slot.is_some_and(|(worker, _)| worker > 0));
    let name = |index: usize, lane: &Lane| match lane.slot {
        Some((worker, slot)) if pool => format!("worker {worker} slot {slot}"),
        None if pool => "slot".to_owned(),
        slot => format!("slot {}", slot.map_or(index, |(_, slot)| slot)),
    };
    let mut lines: Vec<String> = view
        .lanes
        .iter()
        .take(LANES)
        .enumerate()
        .map(|(index, lane)| match lane.runs {
            Some(task) => format!(
                "    {} {} stage {} partition {}{}  {}",
                name(index, lane),
                Style::new().yellow().apply_to('▶'),
                task.stage,
                task.partition,
                if task.attempt > 0 { format!(" attempt {}", task.attempt) } else { String::new() },
                time(now.max(view.last).saturating_sub(task.since))
            ),
            None => dim.apply_to(format!("    {} · free", name(index, lane))).to_string(),
        })
        .collect();
    if view.lanes.len() > LANES {
        let rest = &view.lanes[LANES..];
        let busy = rest.iter().filter(|lane| lane.runs.is_some()).count();
        lines.push(format!("    and {} more slots, {busy} of them busy", rest.len()));
    }
    lines
}

fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 100.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60)
    }
}

fn rows(rows: u64) -> String {
    match rows {
        0..10_000 => rows.to_string(),
        10_000..10_000_000 => format!("{:.1} k", rows as f64 / 1e3),
        10_000_000..10_000_000_000 => format!("{:.1} M", rows as f64 / 1e6),
        _ => format!("{:.1} G", rows as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use console::strip_ansi_codes;

    use super::super::model::tests::{end, finish, ms, start, start_attempt, submitted};
    use super::*;

    fn plain(view: &JobView, now: u64, width: usize, height: usize) -> Vec<String> {
        lines(view, ms(now), width, height).iter().map(|line| strip_ansi_codes(line).into_owned()).collect()
    }

    fn half_done() -> JobView {
        let mut view = submitted(4);
        start(&mut view, 0, 0, 1000);
        finish(&mut view, 0, 400, 1400);
        start(&mut view, 1, 0, 1400);
        finish(&mut view, 1, 100, 1500);
        start(&mut view, 2, 1, 1500);
        view
    }

    #[test]
    fn a_running_job_shows_its_stage_its_partitions_and_its_slots() {
        let lines = plain(&half_done(), 2250, 80, 24);
        assert_eq!(lines[0], "job 3 collect  1.2 s · 2/4 tasks · 2 slots");
        assert!(lines[1].starts_with("  0 group_by: partial") && lines[1].contains("  2/4"), "{lines:?}");
        assert_eq!(lines[1].matches('━').count(), lines[1].matches('─').count());
        assert_eq!(lines[2], "    █▂▶·");
        assert_eq!(lines[3], "    slot 0 · free");
        assert_eq!(lines[4], "    slot 1 ▶ stage 0 partition 2  750 ms");
    }

    #[test]
    fn slots_of_a_pool_are_named_with_their_worker_and_later_attempts_with_their_number() {
        let mut view = submitted(4);
        start_attempt(&mut view, 2, 1, (7, 3), 1000);
        let lines = plain(&view, 1500, 80, 24);
        assert_eq!(lines[3], "    worker 7 slot 3 ▶ stage 0 partition 2 attempt 1  500 ms");
        assert_eq!(lines[4], "    slot · free");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_no_picture_higher() {
        let mut view = submitted(10_000);
        for partition in 0..5000 {
            finish(&mut view, partition, partition as u64, 2000);
        }
        for (width, height) in [(40, 24), (20, 5), (1, 1), (200, 3), (0, 0)] {
            let lines = lines(&view, ms(2000), width, height);
            assert!(lines.len() <= height.max(1), "{lines:?}");
            for line in lines {
                assert!(measure_text_width(&line) <= width.max(1), "{width}: {line:?}");
            }
        }
        assert!(plain(&view, 2000, 40, 24)[1].contains("5000/10000"));
    }

    #[test]
    fn the_summary_says_how_it_ended_and_where_it_was_uneven() {
        let mut view = half_done();
        finish(&mut view, 2, 100, 2000);
        finish(&mut view, 3, 100, 2100);
        end(&mut view, None, false, 2200);
        assert_eq!(
            strip_ansi_codes(&summary(&view, 80)),
            "✓ job 3 collect: 1 stage, 4 tasks, 1.2 s, skew 4.0× in stage 0 partition 0"
        );
        assert_eq!(strip_ansi_codes(&summary(&view, 50)), "✓ job 3 collect: 1 stage, 4 tasks, 1.2 s");
        view.spent = Spent { waited: ms(1200), run: ms(1000), fetch: ms(100), write: ms(50) };
        assert_eq!(
            strip_ansi_codes(&summary(&view, 140)),
            "✓ job 3 collect: 1 stage, 4 tasks, 1.2 s, skew 4.0× in stage 0 partition 0; 85 % compute, \
             10 % fetch, 5 % write; waited 1.2 s"
        );
        let mut view = half_done();
        end(&mut view, Some("job 3 was cancelled"), true, 1600);
        assert!(summary(&view, 80).contains("cancelled, 1 stage, 2 of 4 tasks"));
    }
}
