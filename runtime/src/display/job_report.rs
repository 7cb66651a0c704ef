//! How a [`JobReport`] reads: a line for the job, a line a stage.

use std::fmt;
use std::time::Duration;

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
            time(self.wall),
            counted(tasks as u64, "task"),
            counted(self.slots as u64, "slot"),
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
        counted(stage.partitions as u64, "partition"),
        time(stage.wall),
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
        cells.push(format!("slowest partition {} at {:.1}x the median time", by_time.worst, by_time.ratio));
        cells.push(format!("rows max/median {:.1}, Gini {:.2}", by_rows.ratio, by_rows.gini));
    }
    cells
}

fn counted(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// A duration as people read it.
pub fn time(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1e3;
    if ms < 1.0 {
        format!("{:.0} µs", ms * 1e3)
    } else if ms < 1e3 {
        format!("{ms:.1} ms")
    } else {
        format!("{:.2} s", ms / 1e3)
    }
}

/// An amount of bytes as people read it.
pub fn bytes(amount: u64) -> String {
    let mut amount = amount as f64;
    for unit in ["B", "KiB", "MiB"] {
        if amount < 1024.0 {
            return if unit == "B" { format!("{amount:.0} B") } else { format!("{amount:.1} {unit}") };
        }
        amount /= 1024.0;
    }
    format!("{amount:.1} GiB")
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
