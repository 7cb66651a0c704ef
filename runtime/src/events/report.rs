use std::time::Duration;

use polars::prelude::*;

use partita_events::fold;

use super::{Skew, TaskMetrics};

/// What one job did: its stages, their tasks, and how evenly the work was spread.
///
/// Made from the job's events, so it can be read while the job runs. As a cell's last expression it
/// shows as a table; [`tasks`](Self::tasks) gives the figures for your own analysis.
#[derive(Debug, Clone, PartialEq)]
pub struct JobReport {
    /// Job number in the session.
    pub job: usize,
    /// The action that started it.
    pub action: String,
    /// Slots the engine had.
    pub slots: usize,
    /// When it was submitted, from the session's start.
    pub submitted: Duration,
    /// From the action's call to its end, or to the last event so far.
    pub wall: Duration,
    /// Whether it has ended.
    pub finished: bool,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// Its stages, in the order they were submitted.
    pub stages: Vec<StageReport>,
}

/// One stage of a job: tasks that can run side by side, because nothing is shuffled between them.
#[derive(Debug, Clone, PartialEq)]
pub struct StageReport {
    /// Stage number in the job.
    pub stage: usize,
    /// What it does.
    pub name: String,
    /// How many tasks it has.
    pub partitions: usize,
    /// When its tasks were queued, from the session's start.
    pub submitted: Duration,
    /// From its tasks being queued to the last one's end, or to the last event so far.
    pub wall: Duration,
    /// Attempts that failed or were lost with their worker, without failing the job.
    pub retried: usize,
    /// Tasks that were run again because what they had left was lost.
    pub resubmitted: usize,
    /// The finished tasks, by partition.
    pub tasks: Vec<TaskReport>,
}

/// One finished task: its last attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskReport {
    /// Partition number in the stage.
    pub partition: usize,
    /// Which attempt it was, from 0.
    pub attempt: usize,
    /// The worker that ran it; 0 is this process.
    pub worker: u64,
    /// When it ended, from the session's start.
    pub ended: Duration,
    /// What it did.
    pub metrics: TaskMetrics,
}

impl StageReport {
    /// How unevenly run time is spread over the partitions, in milliseconds.
    pub fn time_skew(&self) -> Option<Skew> {
        self.skew(|task| task.metrics.run.as_secs_f64() * 1e3)
    }

    /// How unevenly incoming rows are spread over the partitions.
    pub fn row_skew(&self) -> Option<Skew> {
        self.skew(|task| task.metrics.rows_in as f64)
    }

    /// How unevenly incoming bytes (of files and shuffles) are spread over the partitions.
    pub fn byte_skew(&self) -> Option<Skew> {
        self.skew(|task| task.metrics.bytes_in() as f64)
    }

    /// Sum of one figure over the tasks.
    pub fn total(&self, figure: impl Fn(&TaskMetrics) -> u64) -> u64 {
        self.tasks.iter().map(|task| figure(&task.metrics)).sum()
    }

    fn skew(&self, figure: impl Fn(&TaskReport) -> f64) -> Option<Skew> {
        let mut skew = Skew::of(&self.tasks.iter().map(figure).collect::<Vec<_>>())?;
        skew.worst = self.tasks[skew.worst].partition;
        Some(skew)
    }

    fn of(job: &fold::Job, stage: &fold::Stage) -> Self {
        Self {
            stage: stage.stage.0,
            name: stage.name.clone(),
            partitions: stage.tasks,
            submitted: stage.submitted,
            wall: stage.wall(),
            retried: stage.retried,
            resubmitted: stage.resubmitted,
            tasks: job.counting(stage).filter_map(TaskReport::of).collect(),
        }
    }
}

impl TaskReport {
    fn of(attempt: &fold::Attempt) -> Option<Self> {
        Some(Self {
            partition: attempt.partition.0,
            attempt: attempt.attempt,
            worker: attempt.worker.0,
            ended: attempt.ended?,
            metrics: attempt.metrics.clone()?,
        })
    }
}

impl JobReport {
    /// The report of a job as it stands.
    pub(crate) fn of(job: &fold::Job) -> Self {
        Self {
            job: job.job.0,
            action: job.action.clone(),
            slots: job.slots,
            submitted: job.submitted,
            wall: job.wall(),
            finished: job.has_ended(),
            error: job.error.clone(),
            stages: job.stages().iter().map(|stage| StageReport::of(job, stage)).collect(),
        }
    }

    /// Sum of one figure over the tasks of all stages.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let (_, report) = Session::embedded(2)?.range(0, 100, 4).profile()?;
    /// assert_eq!(report.total(|task| task.rows_out), 100);
    /// # Ok::<(), PartitaError>(())
    /// ```
    pub fn total(&self, figure: impl Fn(&TaskMetrics) -> u64) -> u64 {
        self.stages.iter().map(|stage| stage.total(&figure)).sum()
    }

    /// One row a task. Times in milliseconds (`start` and `end` from the job's submission), bytes as
    /// in [`TaskMetrics`].
    pub fn tasks(&self) -> DataFrame {
        let rows: Vec<_> =
            self.stages.iter().flat_map(|stage| stage.tasks.iter().map(move |task| (stage, task))).collect();
        let ms = |f: &dyn Fn(&TaskReport) -> Duration| -> Vec<f64> {
            rows.iter().map(|(_, task)| f(task).as_secs_f64() * 1e3).collect()
        };
        let count = |f: &dyn Fn(&TaskMetrics) -> u64| -> Vec<u64> {
            rows.iter().map(|(_, task)| f(&task.metrics)).collect()
        };
        let end = ms(&|t| t.ended.saturating_sub(self.submitted));
        let run = ms(&|t| t.metrics.run);
        let start: Vec<f64> = end.iter().zip(&run).map(|(end, run)| end - run).collect();
        df!(
            "stage" => rows.iter().map(|(stage, _)| stage.stage as u32).collect::<Vec<_>>(),
            "name" => rows.iter().map(|(stage, _)| stage.name.as_str()).collect::<Vec<_>>(),
            "partition" => rows.iter().map(|(_, task)| task.partition as u32).collect::<Vec<_>>(),
            "attempt" => rows.iter().map(|(_, task)| task.attempt as u32).collect::<Vec<_>>(),
            "worker" => rows.iter().map(|(_, task)| task.worker).collect::<Vec<_>>(),
            "slot" => rows.iter().map(|(_, task)| task.metrics.slot as u32).collect::<Vec<_>>(),
            "start_ms" => start,
            "end_ms" => end,
            "queue_ms" => ms(&|t| t.metrics.queue),
            "fetch_ms" => ms(&|t| t.metrics.fetch),
            "read_ms" => ms(&|t| t.metrics.read),
            "write_ms" => ms(&|t| t.metrics.write),
            "run_ms" => run,
            "cpu_ms" => ms(&|t| t.metrics.cpu),
            "rows_in" => count(&|m| m.rows_in),
            "rows_out" => count(&|m| m.rows_out),
            "bytes_read" => count(&|m| m.bytes_read),
            "shuffle_in" => count(&|m| m.shuffle_in),
            "shuffle_out" => count(&|m| m.shuffle_out),
            "spilled" => count(&|m| m.spilled),
            "cache_hits" => count(&|m| m.cache_hits),
        )
        .expect("columns of one length")
    }

    /// One row a stage: totals and skew figures.
    pub fn stage_totals(&self) -> DataFrame {
        let stages = &self.stages;
        let total = |f: fn(&TaskMetrics) -> u64| stages.iter().map(|s| s.total(f)).collect::<Vec<_>>();
        let ratio = |f: fn(&StageReport) -> Option<Skew>| -> Vec<Option<f64>> {
            stages.iter().map(|s| f(s).map(|skew| skew.ratio)).collect()
        };
        df!(
            "stage" => stages.iter().map(|s| s.stage as u32).collect::<Vec<_>>(),
            "name" => stages.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
            "partitions" => stages.iter().map(|s| s.partitions as u32).collect::<Vec<_>>(),
            "wall_ms" => stages.iter().map(|s| s.wall.as_secs_f64() * 1e3).collect::<Vec<_>>(),
            "run_ms" => stages
                .iter()
                .map(|s| s.tasks.iter().map(|t| t.metrics.run.as_secs_f64() * 1e3).sum::<f64>())
                .collect::<Vec<_>>(),
            "rows_in" => total(|m| m.rows_in),
            "rows_out" => total(|m| m.rows_out),
            "bytes_read" => total(|m| m.bytes_read),
            "shuffle_in" => total(|m| m.shuffle_in),
            "shuffle_out" => total(|m| m.shuffle_out),
            "time_max_over_median" => ratio(StageReport::time_skew),
            "rows_max_over_median" => ratio(StageReport::row_skew),
            "bytes_max_over_median" => ratio(StageReport::byte_skew),
            "rows_gini" => stages.iter().map(|s| s.row_skew().map(|skew| skew.gini)).collect::<Vec<_>>(),
            "slowest_partition" => stages
                .iter()
                .map(|s| s.time_skew().map(|skew| skew.worst as u32))
                .collect::<Vec<_>>(),
        )
        .expect("columns of one length")
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::Value;

    use crate::events::{Event, EventBus};

    /// The table that every view is held to.
    const TABLE: &str = include_str!("../../events/tests/jobs.json");

    #[test]
    fn a_report_tells_the_figures_of_the_table() {
        for case in serde_json::from_str::<Vec<Value>>(TABLE).unwrap() {
            let (name, expected) = (&case["name"], &case["expected"]);
            let bus = EventBus::default();
            for event in Vec::<Event>::deserialize(&case["events"]).unwrap() {
                bus.emit(event);
            }
            let report = bus.reports().pop().unwrap();
            assert_eq!(report.wall.as_millis() as f64, expected["wall_ms"], "{name}");
            assert_eq!(report.finished, expected["state"] != "running", "{name}");
            let text = report.to_string();
            for (stage, expected) in report.stages.iter().zip(expected["stages"].as_array().unwrap()) {
                assert_eq!(stage.partitions, expected["tasks"], "{name}");
                assert_eq!(
                    (stage.retried, stage.resubmitted),
                    (
                        expected["retried"].as_u64().unwrap() as usize,
                        expected["resubmitted"].as_u64().unwrap() as usize,
                    ),
                    "{name}"
                );
                for (figure, total) in [
                    ("rows_in", stage.total(|m| m.rows_in)),
                    ("rows_out", stage.total(|m| m.rows_out)),
                    ("bytes_read", stage.total(|m| m.bytes_read)),
                    ("shuffle_in", stage.total(|m| m.shuffle_in)),
                    ("shuffle_out", stage.total(|m| m.shuffle_out)),
                    ("spilled", stage.total(|m| m.spilled)),
                    ("cache_hits", stage.total(|m| m.cache_hits)),
                ] {
                    assert_eq!(total, expected[figure], "{name}: {figure}");
                }
                let skew = stage.time_skew();
                assert_eq!(skew.is_some(), !expected["ratio"].is_null(), "{name}");
                if let Some(skew) = skew {
                    assert!((skew.ratio - expected["ratio"].as_f64().unwrap()).abs() < 1e-6, "{name}");
                    assert!((skew.median - expected["median_ms"].as_f64().unwrap()).abs() < 1e-6, "{name}");
                }
                if expected["skewed"] == true {
                    assert!(text.contains("slowest partition 2 at 4.0 × the median time"), "{name}: {text}");
                }
            }
        }
    }
}
