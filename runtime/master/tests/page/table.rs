//! The streams of events and the figures that every view is held to: the lists, the changes, Spark's JSON and
//! the metrics tell the same of each job.

use std::sync::Arc;

use partita_events::figures::seconds;
use partita_events::{Event, WorkerId};
use partita_master::{History, HistoryLimits, Recorder};
use serde_json::Value;

use crate::served::{Followed, Served};

struct Case {
    name: String,
    served: Served,
    id: String,
    job: u64,
    expected: Value,
    events: Vec<Event>,
}

fn cases() -> Vec<Case> {
    let table = include_str!("../../../events/tests/jobs.json");
    let cases: Vec<Value> = serde_json::from_str(table).unwrap();
    assert!(!cases.is_empty());
    cases.iter().map(case).collect()
}

fn case(case: &Value) -> Case {
    let events: Vec<Event> = serde_json::from_value(case["events"].clone()).unwrap();
    let history = Arc::new(History::new(HistoryLimits::default()));
    history.opened(1, "table");
    events.iter().for_each(|event| history.event(1, event));
    let served = Served::new(&history, None, None);
    let id = served.json("/api/v1/applications")[0]["id"].as_str().unwrap().to_owned();
    let job = events.iter().rev().find_map(|event| match event {
        Event::JobSubmitted { job, .. } => Some(job.0 as u64),
        _ => None,
    });
    let (name, expected) = (case["name"].to_string(), case["expected"].clone());
    Case { name, served, id, job: job.unwrap(), expected, events }
}

impl Case {
    fn stages(&self) -> &[Value] {
        self.expected["stages"].as_array().unwrap()
    }

    fn sum(&self, figure: &str) -> u64 {
        self.stages().iter().map(|stage| stage[figure].as_u64().unwrap()).sum()
    }

    fn ended(&self) -> bool {
        self.expected["state"] != "running"
    }

    /// The job as a page puts it together; while it runs, from the first message.
    fn follow(&self) -> Followed {
        if self.ended() {
            let (job, end) = self.served.follow(&self.id, self.job as usize);
            assert_eq!(end, "ended", "{}", self.name);
            return job;
        }
        let mut stream = self.served.stream(&format!("/api/v1/events/{}/{}", self.id, self.job));
        let (_, data) = stream.find(|(name, _)| name == "changes").unwrap();
        let mut job = Followed::default();
        job.take(&self.id, &data);
        job
    }
}

#[test]
fn the_list_of_jobs_tells_the_figures_of_the_table() {
    for case in cases() {
        let pool = case.served.json("/api/v1/pool");
        let jobs = pool["sessions"][0]["jobs"].as_array().unwrap();
        let job = jobs.iter().find(|job| job["job"] == case.job).unwrap();
        let (name, expected) = (&case.name, &case.expected);
        for figure in ["state", "done", "tasks"] {
            assert_eq!(job[figure], expected[figure], "{name}: {figure}");
        }
        assert_eq!(job["stages"], case.stages().len(), "{name}");
        assert_eq!(job["failed"], case.sum("failed"), "{name}");
        assert_eq!(job["shuffled"], case.sum("shuffle_out"), "{name}");
        assert_eq!(job["spilled"], case.sum("spilled"), "{name}");
        let ms = job["seconds"].as_f64().map(|seconds| (seconds * 1e3).round());
        assert_eq!(ms, expected["wall_ms"].as_f64().filter(|_| case.ended()), "{name}");
    }
}

#[test]
fn changes_tell_the_figures_of_the_table() {
    for case in cases() {
        let job = case.follow();
        let (name, expected) = (&case.name, &case.expected);
        assert_eq!(job.last["state"], expected["state"], "{name}");
        let number = |of: &Value, key: &str| of[key].as_u64().unwrap();
        let wall = number(&job.last, "last") - number(&job.last, "submitted");
        assert_eq!(wall as f64 / 1e3, expected["wall_ms"].as_f64().unwrap(), "{name}");
        let text = |key: &str| job.last[key].as_str().map(str::to_owned);
        // While a job runs, a page writes its time.
        let took = text("took").unwrap_or_else(|| seconds(wall as f64 / 1e6));
        let line = format!("{} {took}: {}", text("opening").unwrap(), text("summary").unwrap());
        assert_eq!(line, expected["line"].as_str().unwrap(), "{name}");
        assert_eq!(text("took").is_some(), case.ended(), "{name}");
        let workers = job.last["workers"].as_array().unwrap();
        let slots: u64 = workers.iter().map(|worker| number(worker, "slots")).sum();
        assert_eq!(slots, number(expected, "slots"), "{name}");
        assert_eq!(job.stages.len(), case.stages().len(), "{name}");
        let skewed = job.last["skewed"].as_array().unwrap();
        for (order, (stage, expected)) in job.stages.iter().zip(case.stages()).enumerate() {
            assert_eq!(skewed.contains(&order.into()), expected["skewed"] == true, "{name}");
            for figure in ["stage", "tasks", "done", "failed", "copies", "resubmitted"] {
                assert_eq!(stage[figure], expected[figure], "{name}: {figure}");
            }
            for figure in ["rows_out", "bytes_read", "shuffle_out", "spilled", "cache_hits"] {
                assert_eq!(stage["totals"][figure], expected[figure], "{name}: {figure}");
            }
            let ms =
                |figure: &str| stage["skew"][figure].as_f64().map(|seconds| (seconds * 1e6).round() / 1e3);
            assert_eq!(ms("median"), expected["median_ms"].as_f64(), "{name}");
            assert_eq!(ms("max"), expected["max_ms"].as_f64(), "{name}");
            if let Some(ratio) = expected["ratio"].as_f64() {
                assert!((stage["skew"]["ratio"].as_f64().unwrap() - ratio).abs() < 1e-6, "{name}");
            }
            if !expected["worst"].is_null() {
                assert_eq!(stage["skew"]["worst"], expected["worst"], "{name}");
            }
        }
    }
}

#[test]
fn sparks_json_tells_the_figures_of_the_table() {
    for case in cases() {
        let (name, expected) = (&case.name, &case.expected);
        let app = format!("/api/v1/applications/{}", case.id);
        let job = case.served.json(&format!("{app}/jobs/{}", case.job));
        assert_eq!(job["numTasks"], expected["tasks"], "{name}");
        assert_eq!(job["numCompletedTasks"], expected["done"], "{name}");
        assert_eq!(job["numFailedTasks"], case.sum("failed"), "{name}");
        assert_eq!(job["numKilledTasks"], case.sum("beaten"), "{name}");
        let status = match expected["state"].as_str().unwrap() {
            "running" => "RUNNING",
            "done" => "SUCCEEDED",
            _ => "FAILED",
        };
        assert_eq!(job["status"], status, "{name}");
        let ids = job["stageIds"].as_array().unwrap();
        assert_eq!(ids.len(), case.stages().len(), "{name}");
        let submitted = |event: &&Event| matches!(event, Event::StageSubmitted { .. });
        let stages = case.events.iter().filter(submitted).count();
        assert_eq!(ids.last().and_then(Value::as_u64), stages.checked_sub(1).map(|n| n as u64), "{name}");
        for (id, expected) in ids.iter().zip(case.stages()) {
            let stage = &case.served.json(&format!("{app}/stages/{id}"))[0];
            for (figure, of_table) in [
                ("numTasks", "tasks"),
                ("numCompleteTasks", "done"),
                ("numFailedTasks", "failed"),
                ("numKilledTasks", "beaten"),
                ("inputBytes", "bytes_read"),
                ("inputRecords", "rows_in"),
                ("outputRecords", "rows_out"),
                ("shuffleReadBytes", "shuffle_in"),
                ("shuffleWriteBytes", "shuffle_out"),
                ("diskBytesSpilled", "spilled"),
            ] {
                assert_eq!(stage[figure], expected[of_table], "{name}: {figure}");
            }
            let tasks = stage["tasks"].as_object().unwrap();
            let with = |status: &str| tasks.values().filter(|task| task["status"] == status).count();
            assert_eq!(with("FAILED"), expected["failed"].as_u64().unwrap() as usize, "{name}");
            let copies = tasks.values().filter(|task| task["speculative"] == true).count();
            assert_eq!(copies, expected["copies"].as_u64().unwrap() as usize, "{name}");
        }
        let workers = case.served.json(&format!("{app}/allexecutors"));
        let failed = workers.as_array().unwrap().iter().map(|worker| worker["failedTasks"].as_u64().unwrap());
        assert_eq!(failed.sum::<u64>(), case.sum("failed"), "{name}");
        let pool = workers.as_array().unwrap().iter().filter(|worker| {
            let joined = |event: &Event| {
                let Event::WorkerJoined { worker: WorkerId(id), .. } = event else { return false };
                worker["id"].as_str().and_then(|text| text.parse().ok()) == Some(*id)
            };
            case.events.iter().any(joined)
        });
        let ever = case.events.iter().filter(|event| matches!(event, Event::WorkerJoined { .. })).count();
        assert_eq!(pool.count(), ever, "{name}");
    }
}

#[test]
fn metrics_count_what_the_table_says() {
    for case in cases() {
        let (_, text) = case.served.get("/metrics");
        let value = |metric: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
            line.map_or(0, |value| value.parse::<u64>().unwrap())
        };
        let attempts =
            |outcome: &str| value(&format!("partita_task_attempts_total{{outcome=\"{outcome}\"}}"));
        assert_eq!(attempts("failed"), case.sum("failed"), "{}:\n{text}", case.name);
        assert_eq!(attempts("killed"), case.sum("beaten"), "{}:\n{text}", case.name);
        let done = case.follow().attempts.iter().filter(|row| row.get(7) == Some(&1)).count();
        assert_eq!(attempts("succeeded"), done as u64, "{}:\n{text}", case.name);
        let outcome = match case.expected["state"].as_str().unwrap() {
            "done" => "succeeded",
            state => state,
        };
        let jobs = value(&format!("partita_jobs_total{{outcome=\"{outcome}\"}}"));
        assert_eq!(jobs, u64::from(case.ended()), "{}:\n{text}", case.name);
    }
}
