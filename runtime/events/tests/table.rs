//! The tables that every view is held to: streams of events with the figures that follow from them, and
//! numbers with their text. Expected figures were worked out by hand. The notebook's timeline, the
//! terminal's view, the master's page and the library's reports are tested against the same files.

use std::time::Duration;

use partita_events::fold::{Limits, Session};
use partita_events::{Event, figures, summary};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Case {
    name: String,
    events: Vec<Event>,
    expected: Expected,
}

#[derive(Deserialize)]
struct Expected {
    state: String,
    done: usize,
    tasks: usize,
    slots: usize,
    workers: usize,
    wall_ms: f64,
    busy_percent: f64,
    stages: Vec<ExpectedStage>,
    line: String,
    time_split: Option<String>,
}

#[derive(Deserialize)]
struct ExpectedStage {
    stage: usize,
    tasks: usize,
    done: usize,
    failed: usize,
    retried: usize,
    beaten: usize,
    copies: usize,
    resubmitted: usize,
    rows_in: u64,
    rows_out: u64,
    bytes_read: u64,
    shuffle_in: u64,
    shuffle_out: u64,
    spilled: u64,
    cache_hits: u64,
    median_ms: Option<f64>,
    max_ms: Option<f64>,
    ratio: Option<f64>,
    /// Where several are equally slow, any of them.
    worst: Option<usize>,
    skewed: bool,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("jobs.json")).unwrap()
}

fn near(found: f64, expected: f64) -> bool {
    (found - expected).abs() < 1e-6
}

#[test]
fn events_come_to_the_figures_of_the_table() {
    for Case { name, events, expected } in cases() {
        for limits in [Limits::default(), Limits::whole_jobs(100)] {
            let mut session = Session::new(limits);
            for event in &events {
                session.apply(event);
            }
            let job = session.jobs().next_back().unwrap();
            let workers = job.workers(session.workers());
            assert_eq!(job.state.name(), expected.state, "{name}");
            assert_eq!(job.tasks(), (expected.done, expected.tasks), "{name}");
            let slots = workers.iter().map(|worker| worker.slots).sum::<usize>();
            assert_eq!(slots, expected.slots, "{name}");
            assert_eq!(workers.iter().filter(|w| w.name.is_some()).count(), expected.workers, "{name}");
            assert!(near(job.wall().as_secs_f64() * 1e3, expected.wall_ms), "{name}: {:?}", job.wall());
            let busy = (100.0 * job.busy_share(slots).unwrap()).round();
            assert_eq!(busy, expected.busy_percent, "{name}");
            assert_eq!(summary::line(job, &workers), expected.line, "{name}");
            assert_eq!(summary::time_split(job), expected.time_split, "{name}");
            assert_eq!(job.stages().len(), expected.stages.len(), "{name}");
            for (stage, expected) in job.stages().iter().zip(&expected.stages) {
                let found = (stage.stage.0, stage.tasks, stage.done(), stage.failed, stage.retried);
                assert_eq!(
                    found,
                    (expected.stage, expected.tasks, expected.done, expected.failed, expected.retried),
                    "{name}"
                );
                let found = (stage.beaten, stage.copies, stage.resubmitted);
                assert_eq!(found, (expected.beaten, expected.copies, expected.resubmitted), "{name}");
                let t = &stage.totals;
                assert_eq!((t.rows_in, t.rows_out), (expected.rows_in, expected.rows_out), "{name}");
                assert_eq!(
                    (t.bytes_read, t.shuffle_in, t.shuffle_out),
                    (expected.bytes_read, expected.shuffle_in, expected.shuffle_out),
                    "{name}"
                );
                assert_eq!((t.spilled, t.cache_hits), (expected.spilled, expected.cache_hits), "{name}");
                let skew = stage.time_skew();
                assert_eq!(skew.is_some(), expected.median_ms.is_some(), "{name}");
                if let Some(skew) = skew {
                    assert!(near(skew.median * 1e3, expected.median_ms.unwrap()), "{name}: {skew:?}");
                    assert!(near(skew.max * 1e3, expected.max_ms.unwrap()), "{name}: {skew:?}");
                    assert!(near(skew.ratio, expected.ratio.unwrap()), "{name}: {skew:?}");
                    assert!(expected.worst.is_none_or(|worst| worst == skew.worst), "{name}: {skew:?}");
                }
                assert_eq!(stage.notable_skew(job.wall()).is_some(), expected.skewed, "{name}");
            }
        }
    }
}

#[test]
fn figures_are_written_as_in_the_table() {
    let table: Value = serde_json::from_str(include_str!("figures.json")).unwrap();
    let check = |kind: &str, write: &dyn Fn(f64) -> String| {
        for row in table[kind].as_array().unwrap() {
            let value = row[0].as_f64().unwrap();
            assert_eq!(write(value), row[1].as_str().unwrap(), "{kind} of {value}");
        }
    };
    check("seconds", &figures::seconds);
    check("bytes", &|value| figures::bytes(value as u64));
    check("count", &|value| figures::count(value as u64));
    check("ratio", &figures::ratio);
    assert_eq!(figures::ratio(f64::INFINITY), "∞");
    assert_eq!(figures::duration(Duration::from_millis(1250)), "1.25 s");
}
