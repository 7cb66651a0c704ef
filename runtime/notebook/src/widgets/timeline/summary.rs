//! What a job came to, in one line: as `assets/figures.js` says it, and with where its tasks' time went.

use super::figures::{bytes, count, plural, ratio, seconds};
use super::job::{End, Job, State};

/// One line for one job.
pub(super) fn line(job: &Job<'_>) -> String {
    let wall = job.wall();
    let done: usize = job.stages.iter().map(|stage| stage.won.len()).sum();
    let all: usize = job.stages.iter().map(|stage| stage.tasks).sum();
    let head = match job.end {
        End::Running => format!("Running for {}: {} of {}", seconds(wall), count(done), plural(all, "task")),
        End::Done => format!("Done in {}: {}", seconds(wall), plural(all, "task")),
        End::Failed(_) => {
            format!("Failed after {}: {} of {} done", seconds(wall), count(done), plural(all, "task"))
        }
        End::Cancelled => {
            format!("Cancelled after {}: {} of {} done", seconds(wall), count(done), plural(all, "task"))
        }
    };
    let (slots, stages) = (job.slots(), plural(job.stages.len(), "stage"));
    let pool =
        if job.is_of_pool() { format!(" of {}", plural(job.workers.len(), "worker")) } else { String::new() };
    let mut first = format!("{head} in {stages} on {}{pool}", plural(slots, "slot"));
    if wall > 0.0 && slots > 0 && job.end != End::Running {
        let busy: f64 = job.attempts.iter().map(|a| (a.end.unwrap_or(job.last) - a.start).max(0.0)).sum();
        first.push_str(&format!(", {:.0} % busy", (100.0 * busy / (wall * slots as f64)).min(100.0)));
    }
    let mut parts = vec![first];
    let total = |of: fn(&super::job::Stage<'_>) -> u64| job.stages.iter().map(of).sum::<u64>();
    for (amount, what) in [
        (total(|s| s.total.bytes_read), "read"),
        (total(|s| s.total.shuffle_out), "shuffled"),
        (total(|s| s.total.spilled), "spilled to disk"),
    ] {
        if amount > 0 {
            parts.push(format!("{} {what}", bytes(amount)));
        }
    }
    let number = |of: fn(&super::job::Stage<'_>) -> usize| job.stages.iter().map(of).sum::<usize>();
    let hits = usize::try_from(total(|s| s.total.cache_hits)).unwrap_or(usize::MAX);
    let lost = job.workers.iter().filter(|worker| worker.lost.is_some_and(|(at, _)| at <= job.last)).count();
    for (amount, what) in [(hits, "cache hit"), (number(|s| s.failures), "failed attempt")] {
        if amount > 0 {
            parts.push(plural(amount, what));
        }
    }
    match number(|s| s.copies) {
        0 => {}
        1 => parts.push("1 speculative copy".into()),
        copies => parts.push(format!("{} speculative copies", count(copies))),
    }
    if lost > 0 {
        parts.push(format!("{} lost", plural(lost, "worker")));
    }
    let worst = job.stages.iter().filter_map(|stage| {
        let skew = stage.skew()?;
        stage.is_skewed(&skew, wall).then_some((stage, skew))
    });
    if let Some((stage, skew)) =
        worst.max_by(|a, b| (a.1.max - a.1.median).total_cmp(&(b.1.max - b.1.median)))
    {
        let (number, partition) = (stage.number, skew.worst);
        parts.push(format!(
            "stage {number} is skewed: partition {partition} took {} the median",
            ratio(skew.ratio)
        ));
    }
    format!("{}.", parts.join("; "))
}

/// Where the time of the finished tasks went: `tasks took 12.3 s: fetch 1.2 s, compute 10 s, write 1.1 s;
/// waited 3 s`.
pub(super) fn split(job: &Job<'_>) -> Option<String> {
    let sum = |of: fn(&partita_events::TaskMetrics) -> std::time::Duration| {
        job.stages.iter().map(|stage| of(&stage.total).as_secs_f64()).sum::<f64>()
    };
    let (run, fetch, write, queue) = (sum(|m| m.run), sum(|m| m.fetch), sum(|m| m.write), sum(|m| m.queue));
    if run <= 0.0 || !job.attempts.iter().any(|attempt| attempt.state == State::Done) {
        return None;
    }
    let mut parts = Vec::new();
    if fetch > 0.0 {
        parts.push(format!("fetch {}", seconds(fetch)));
    }
    parts.push(format!("compute {}", seconds((run - fetch - write).max(0.0))));
    if write > 0.0 {
        parts.push(format!("write {}", seconds(write)));
    }
    Some(format!(
        "Tasks took {} together: {}; they waited {}.",
        seconds(run),
        parts.join(", "),
        seconds(queue)
    ))
}

/// All jobs of a timeline in a few lines of text, the longest first among equals.
pub(super) fn text(jobs: &[Job<'_>], forgotten: usize) -> String {
    let longest = jobs.iter().max_by(|a, b| a.wall().total_cmp(&b.wall()));
    let Some(longest) = longest else { return "No job ran.".into() };
    let mut text = format!("Job {} ({}): {}", longest.number, longest.action, line(longest));
    if let End::Failed(error) = longest.end {
        text.push_str(&format!("\n{error}"));
    }
    text.extend(split(longest).map(|split| format!("\n{split}")));
    if jobs.len() + forgotten > 1 {
        let total: f64 = jobs.iter().map(Job::wall).sum();
        let all = plural(jobs.len() + forgotten, "job");
        text.push_str(&format!("\nThe longest of {all}, which took {} in all.", seconds(total)));
    }
    text
}
