//! Reading: rows that are read only to be dropped, and files that are read repeatedly.

use partita_events::figures::bytes;

use super::model::{Job, makespan, percent, runs, steps, times};
use super::{Advice, AdviceKind};
use crate::events::{JobReport, StageReport};

/// A filter that keeps at most this fraction could have skipped row groups.
const FEW: f64 = 0.1;

pub(super) fn advise(job: &Job<'_>) -> Vec<Advice> {
    job.report.stages.iter().filter_map(|stage| on_filter(job, stage)).collect()
}

fn on_filter(job: &Job<'_>, stage: &StageReport) -> Option<Advice> {
    let steps: Vec<&str> = steps(stage).collect();
    let filter = steps.iter().position(|step| *step == "filter")?;
    // The output shows what the filter kept only if no other step drops or adds rows.
    let after = ["filter", "select", "with_columns", "scan", "map_partitions"];
    let (rows, kept) = (stage.total(|m| m.rows_in), stage.total(|m| m.rows_out));
    let told = steps.iter().take_while(|step| !step.contains("shuffle") && !step.starts_with("repartition"));
    if steps[0] != "scan" || rows == 0 || !told.clone().all(|step| after.contains(step)) {
        return None;
    }
    let kept = (kept as f64 / rows as f64).min(1.0);
    let late = steps[..filter].contains(&"map_partitions");
    let before = makespan(&runs(stage), job.slots);
    let less = |saved: Vec<f64>| {
        let runs = runs(stage);
        let left: Vec<f64> = runs.iter().zip(saved).map(|(run, saved)| (run - saved).max(0.0)).collect();
        before - makespan(&left, job.slots)
    };
    let read = times(stage, |m| m.read.as_secs_f64());
    let (saved, what, code) = if late {
        // Steps before the filter would run only on the rows that it keeps.
        let work = times(stage, |m| m.run.as_secs_f64() - m.read.as_secs_f64() - m.write.as_secs_f64());
        let saved = work.iter().map(|ms| ms * (1.0 - kept)).collect();
        let what = "a filter after map_partitions is not pushed down to the reader; before it, it would be";
        (less(saved), what, "data.filter(…).map_partitions(|rows| …)".to_owned())
    } else {
        if kept > FEW || stage.total(|m| m.row_groups_skipped) > 0 {
            return None;
        }
        let saved = read.iter().map(|ms| ms * (1.0 - kept)).collect();
        let what = "no row group could be skipped, because each has some of the rows; in a file that is sorted \
                    by the filter's column most can be";
        (less(saved), what, "data.sort([col(\"the filter's column\")]).write_parquet(directory)?;".to_owned())
    };
    let expected = job.expected(saved)?;
    let message = format!(
        "stage {} read {rows} rows to keep {}: {what}; expected {expected:.1}x",
        stage.stage,
        percent(kept)
    );
    Some(Advice { kind: AdviceKind::Pushdown, stage: Some(stage.stage), message, code, expected })
}

/// Files that the last job and earlier jobs have read: from the cache, its tasks would not read them.
///
/// Jobs are assumed to read the same if they have read the same numbers of rows and bytes.
pub(super) fn again(reports: &[JobReport]) -> Option<Advice> {
    let read = |report: &JobReport| {
        let of = |figure: fn(&crate::events::TaskMetrics) -> u64| {
            report
                .stages
                .iter()
                .filter(|s| s.total(|m| m.bytes_read) > 0)
                .map(|s| s.total(figure))
                .sum::<u64>()
        };
        (of(|m| m.rows_in), of(|m| m.bytes_read))
    };
    let last = reports.last()?;
    let job = Job::of(last)?;
    let (rows, amount) = read(last);
    let times_read = reports.iter().filter(|other| read(other) == (rows, amount)).count();
    if amount == 0 || times_read < 2 {
        return None;
    }
    let saved = last.stages.iter().map(|stage| {
        let without: Vec<f64> = times(stage, |m| m.run.as_secs_f64() - m.read.as_secs_f64());
        makespan(&runs(stage), job.slots) - makespan(&without, job.slots)
    });
    let expected = job.expected(saved.sum())?;
    let stage = last.stages.iter().find(|stage| stage.total(|m| m.bytes_read) > 0)?;
    let message = format!(
        "{times_read} jobs have read the same {} of files; with their rows cached, expected for each further one: \
         {expected:.1}x",
        bytes(amount)
    );
    let code = "let data = data.select([…]).cache();  // the columns that the jobs use".to_owned();
    Some(Advice { kind: AdviceKind::Cache, stage: Some(stage.stage), message, code, expected })
}
