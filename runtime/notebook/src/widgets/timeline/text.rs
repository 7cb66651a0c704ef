use partita_events::fold::{Job, JobState};
use partita_events::{figures, summary};

use super::jobs::Jobs;

/// All jobs of a timeline in a few lines of text: what the longest came to, and how many there are.
pub(super) fn text(jobs: &Jobs) -> String {
    let longest = jobs.iter().max_by_key(|of| of.job.wall());
    let Some(longest) = longest else { return "No job ran.".into() };
    let Job { job, action, .. } = &longest.job;
    let line = summary::line(&longest.job, &jobs.workers_of(longest));
    let mut text = format!("Job {job} ({action}): {line}");
    if longest.job.state == JobState::Failed {
        text.extend(longest.job.error.iter().map(|error| format!("\n{error}")));
    }
    text.extend(summary::time_split(&longest.job).map(|split| format!("\n{split}")));
    let number = jobs.iter().len() + jobs.forgotten;
    if number > 1 {
        let total = figures::duration(jobs.iter().map(|of| of.job.wall()).sum());
        let all = figures::plural(number, "job");
        text.push_str(&format!("\nThe longest of {all}, which took {total} in all."));
    }
    text
}
