//! How a [`JobReport`] reads: a line for the job, a line a stage.

use std::fmt;

use partita_events::figures::{bytes, duration, plural, ratio};

use super::html::escape;
use super::{MimeBundle, MimeDisplay};
use crate::events::{JobReport, StageReport};

impl fmt::Display for JobReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tasks: usize = self.stages.iter().map(|stage| stage.tasks.len()).sum();
        writeln!(
            f,
            "job {} ({}): {} in {}, {} on {}",
            self.job,
            self.action,
            match &self.error {
                Some(error) => format!("FAILED: {error}"),
                None if self.finished => "done".into(),
                None => "running".into(),
            },
            duration(self.wall),
            plural(tasks, "task"),
            plural(self.slots, "slot"),
        )?;
        for stage in &self.stages {
            writeln!(f, "  stage {} {}: {}", stage.stage, stage.name, cells(stage).join(", "))?;
        }
        Ok(())
    }
}

/// What is worth saying of a stage, in words.
fn cells(stage: &StageReport) -> Vec<String> {
    let mut cells = vec![
        plural(stage.partitions, "partition"),
        duration(stage.wall),
        format!("rows {} → {}", stage.total(|m| m.rows_in), stage.total(|m| m.rows_out)),
    ];
    for (name, amount) in [
        ("read", stage.total(|m| m.bytes_read)),
        ("shuffle in", stage.total(|m| m.shuffle_in)),
        ("shuffle out", stage.total(|m| m.shuffle_out)),
        ("spilled to disk", stage.total(|m| m.spilled)),
    ] {
        if amount > 0 {
            cells.push(format!("{name} {}", bytes(amount)));
        }
    }
    for (name, amount) in [
        ("row groups skipped", stage.total(|m| m.row_groups_skipped)),
        ("cache hits", stage.total(|m| m.cache_hits)),
        ("attempts retried", stage.retried as u64),
        ("tasks run again for lost output", stage.resubmitted as u64),
    ] {
        if amount > 0 {
            cells.push(format!("{name} {amount}"));
        }
    }
    if stage.tasks.len() > 1
        && let (Some(by_time), Some(by_rows)) = (stage.time_skew(), stage.row_skew())
    {
        cells.push(format!(
            "slowest partition {} at {} the median time",
            by_time.worst,
            ratio(by_time.ratio)
        ));
        cells.push(format!("rows max/median {:.1}, Gini {:.2}", by_rows.ratio, by_rows.gini));
    }
    cells
}

impl MimeDisplay for JobReport {
    fn mime_bundle(&self) -> MimeBundle {
        let text = self.to_string();
        let mut lines = text.lines();
        let title = lines.next().unwrap_or_default();
        let rows: String = self
            .stages
            .iter()
            .map(|stage| {
                let cells: String =
                    cells(stage).iter().map(|cell| format!("<li>{}</li>", escape(cell))).collect();
                format!(
                    "<tr><td>{}</td><td style=\"text-align:left\">{}</td><td style=\"text-align:left\"><ul style=\"margin:0;padding-left:1.2em\">{cells}</ul></td></tr>",
                    stage.stage,
                    escape(&stage.name)
                )
            })
            .collect();
        let html = format!(
            "<table><caption style=\"text-align:left;font-weight:bold\">{}</caption>\
             <thead><tr><th>stage</th><th>what</th><th>figures</th></tr></thead><tbody>{rows}</tbody></table>",
            escape(title)
        );
        MimeBundle::text(text.trim_end()).with("text/html", html)
    }
}
