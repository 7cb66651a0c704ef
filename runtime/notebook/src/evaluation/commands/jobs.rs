use std::time::Duration;

use partita::display::MimeDisplay;
use partita::events::{JobReport, StageReport};
use partita::session::{self, Session};
use partita_bridge::{MimeBundle, Table};
use partita_events::figures::duration;

use super::{Answer, CellFailure};

/// The maximum number of jobs in the table.
const SHOWN: usize = 20;

/// The last jobs of all sessions, in a table.
pub(super) fn list() -> Answer {
    let sessions = session::live();
    let jobs = jobs(&sessions);
    if jobs.is_empty() {
        let text =
            "no job has run yet; an action on a Dataset (collect, count, show, write_parquet) runs one";
        return Ok(Some(MimeBundle::text(text)));
    }
    let several = jobs.iter().any(|job| job.session != jobs[0].session);
    let mut header = vec!["job", "action", "stages", "tasks", "rows", "time", "skew", "status"];
    if several {
        header.insert(0, "session");
    }
    let numbers = ["job", "stages", "tasks", "rows", "time", "skew"];
    let right = (0..header.len()).filter(|index| numbers.contains(&header[*index]));
    let mut table = right.fold(Table::new(header.clone()), Table::right);
    for job in &jobs[jobs.len().saturating_sub(SHOWN)..] {
        let mut row = row(&job.report);
        if several {
            row.insert(0, job.session.to_string());
        }
        table.row(row);
    }
    let note = match jobs.len() {
        all if all > SHOWN => format!("the last {SHOWN} of {all} jobs; `:jobs NUMBER` shows one in full"),
        _ => "`:jobs NUMBER` shows one in full".to_owned(),
    };
    Ok(Some(table.bundle(&note)))
}

/// The report of one job. If several sessions have a job of that number, the latest session's.
pub(super) fn whole(number: usize) -> Answer {
    let sessions = session::live();
    let jobs = jobs(&sessions);
    match jobs.iter().rfind(|job| job.report.job == number) {
        Some(job) => Ok(Some(job.report.mime_bundle())),
        None if jobs.is_empty() => Err(CellFailure::new("no job has run yet")),
        None => {
            let mut numbers: Vec<usize> = jobs.iter().map(|job| job.report.job).collect();
            numbers.sort_unstable();
            let (first, last) = (numbers[0], numbers[numbers.len() - 1]);
            let text = format!("there is no job {number}; the jobs kept have the numbers {first} to {last}");
            Err(CellFailure::new(text))
        }
    }
}

struct Job {
    session: usize,
    age: Duration,
    report: JobReport,
}

/// Oldest first.
fn jobs(sessions: &[Session]) -> Vec<Job> {
    let mut jobs: Vec<Job> = sessions
        .iter()
        .flat_map(|session| {
            let now = session.events().now();
            let reports = session.reports().into_iter();
            reports.map(move |report| Job {
                session: session.number(),
                age: now.saturating_sub(report.submitted),
                report,
            })
        })
        .collect();
    jobs.sort_by_key(|job| std::cmp::Reverse(job.age));
    jobs
}

fn row(report: &JobReport) -> Vec<String> {
    let tasks: usize = report.stages.iter().map(|stage| stage.partitions).sum();
    let rows = report.stages.last().map_or(0, |stage| stage.total(|metrics| metrics.rows_out));
    let skews = report.stages.iter().filter(|stage| stage.tasks.len() > 1).filter_map(StageReport::time_skew);
    let skew = skews.map(|skew| skew.ratio).max_by(f64::total_cmp);
    let status = match &report.error {
        Some(error) => error.lines().next().unwrap_or("failed").to_owned(),
        None if report.finished => "done".to_owned(),
        None => "running".to_owned(),
    };
    vec![
        report.job.to_string(),
        report.action.clone(),
        report.stages.len().to_string(),
        tasks.to_string(),
        rows.to_string(),
        duration(report.wall),
        skew.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.1}x")),
        status,
    ]
}
