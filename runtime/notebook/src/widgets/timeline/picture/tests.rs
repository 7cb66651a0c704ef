use std::sync::Arc;

use super::super::tests::*;
use super::*;
use partita_events::figures::ratio;
use partita_events::fold::Workers;
use partita_events::{Event, JobId, PartitionId, StageId, WorkerId};
use serde_json::Value;

fn jobs(events: impl IntoIterator<Item = Event>) -> Jobs {
    let (mut jobs, mut workers) = (Jobs::default(), Workers::default());
    for event in events {
        workers.apply(&event);
        jobs.receive(0, Arc::new(workers.clone()), &[&event]);
    }
    jobs
}

fn drawn(jobs: &Jobs) -> String {
    svg(jobs, "test").expect("there is a job")
}

fn long_job(tasks: usize) -> Jobs {
    let mut events = vec![submitted(0, 0), stage(0, 0, tasks, 0)];
    for partition in 0..tasks {
        let from = 10 * (partition as u64 / 2);
        events.push(started(0, 0, partition, 0, from));
        events.push(took(0, 0, partition, partition % 2, (from, 8), (2, 3)));
    }
    events.push(job_finished(0, 10 * tasks as u64 / 2));
    jobs(events)
}

#[test]
fn each_task_is_a_bar_of_three_parts_with_a_label_and_a_tooltip() {
    let svg = drawn(&long_job(6));
    let stage = hex(STAGES[0]);
    for (what, colour) in [
        ("fetch", mixed(STAGES[0], WHITE, 0.52)),
        ("compute", stage),
        ("write", mixed(STAGES[0], BLACK, 0.45)),
    ] {
        // Six bars and the legend; the stage is drawn in the colours of fetch and compute, too.
        assert!(svg.matches(&format!("fill=\"{colour}\"")).count() >= 7, "{what} is missing in {svg}");
    }
    assert!(
        svg.contains(
            "Partition 5 of stage of 6, 8.0 ms, waited 1.0 ms, fetch 2.0 ms, compute 3.0 ms, write 3.0 ms"
        ),
        "{svg}"
    );
    assert!(svg.contains("median 8.0 ms, max 8.0 ms"), "{svg}");
    assert_eq!(svg.matches("<svg").count(), 1);
}

#[test]
fn ten_thousand_tasks_make_a_small_picture() {
    let svg = drawn(&long_job(10_000));
    assert!(svg.len() < 200_000, "{} bytes", svg.len());
    assert!(svg.contains("10,000 of 10,000 tasks"), "{svg}");
}

#[test]
fn failures_retries_and_lost_workers_are_marked() {
    let failed = |partition, attempt, at| Event::TaskFailed {
        job: JobId(0),
        stage: StageId(0),
        partition: PartitionId(partition),
        attempt,
        worker: WorkerId(0),
        cause: "no <memory>".into(),
        retried: true,
        at: ms(at),
    };
    let jobs = jobs([
        submitted(0, 0),
        stage(0, 0, 2, 0),
        started(0, 0, 0, 0, 0),
        started(0, 0, 1, 0, 0),
        failed(0, 0, 40),
        started(0, 0, 0, 1, 50),
        took(0, 0, 1, 1, (0, 60), (0, 0)),
        took_attempt(0, 0, 0, 1, (50, 40)),
        job_finished(0, 100),
    ]);
    let svg = drawn(&jobs);
    assert!(svg.contains("fill=\"url(#test-failed)\"") && svg.contains("↻ 0"), "{svg}");
    assert!(svg.contains("1 failed attempt"), "{svg}");
}

#[test]
fn several_jobs_are_drawn_on_one_scale_and_far_shorter_ones_are_counted() {
    let mut events = Vec::new();
    for (job, end) in [(0, 1000), (1, 10), (2, 500)] {
        events.extend([submitted(job, 0), stage(job, 0, 1, 0), started(job, 0, 0, 0, 0)]);
        events.extend([took(job, 0, 0, 0, (0, end), (0, 0)), job_finished(job, end)]);
    }
    let svg = drawn(&jobs(events));
    assert!(svg.contains("Job 0: collect") && svg.contains("Job 2: collect"), "{svg}");
    assert!(!svg.contains(">Job 1: collect") && svg.contains("and 1 shorter job"), "{svg}");
    assert_eq!(svg.matches(">1.0 s</text>").count(), 2, "both axes end at the longest job's end: {svg}");
}

#[test]
fn what_people_wrote_cannot_become_markup() {
    let error = "<script>alert(1)</script>".to_owned();
    let jobs = jobs([
        Event::JobSubmitted { job: JobId(0), action: "<b>".into(), slots: 1, at: ms(0) },
        Event::StageSubmitted {
            job: JobId(0),
            stage: StageId(0),
            name: "\"><i>".into(),
            tasks: 1,
            at: ms(0),
        },
        Event::JobFinished { job: JobId(0), error: Some(error), cancelled: false, at: ms(200) },
    ]);
    let svg = drawn(&jobs);
    assert!(!svg.contains("<b>") && !svg.contains("<i>") && !svg.contains("<script"), "{svg}");
}

/// The events with the figures that every view must show.
#[test]
fn the_picture_and_its_text_say_what_the_table_says() {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../../../../../events/tests/jobs.json")).unwrap();
    for case in cases {
        let (name, expected) = (&case["name"], &case["expected"]);
        let jobs = jobs(serde_json::from_value::<Vec<Event>>(case["events"].clone()).unwrap());
        let (text, svg) = (text(&jobs), drawn(&jobs));
        let line = expected["line"].as_str().unwrap();
        assert!(text.contains(line), "{name}: {text}");
        // A long line is cut in the picture; its description has it whole.
        assert!(svg.contains(&escape(line).to_string()), "{name}: {svg}");
        match expected["time_split"].as_str() {
            Some(split) => assert!(text.contains(split), "{name}: {text}"),
            None => assert!(!text.contains("Tasks took"), "{name}: {text}"),
        }
        for stage in expected["stages"].as_array().unwrap() {
            let (done, tasks) = (&stage["done"], stage["tasks"].as_u64().unwrap());
            let tasks = plural(tasks as usize, "task");
            assert!(svg.contains(&format!(": {done} of {tasks}")), "{name}: {svg}");
            // One known time is shown alone; ends of tasks may have been dropped.
            let finished = |event: &&Value| event["TaskFinished"]["stage"] == stage["stage"];
            let several = case["events"].as_array().unwrap().iter().filter(finished).count() > 1;
            let figure = |figure: &str| Some(seconds(stage[figure].as_f64()? / 1e3));
            if let (Some(median), Some(max), true) = (figure("median_ms"), figure("max_ms"), several) {
                let ratio = ratio(stage["ratio"].as_f64().unwrap());
                assert!(svg.contains(&format!("median {median}, max {max} (partition ")), "{name}: {svg}");
                assert!(svg.contains(&format!("), {ratio}")), "{name}: {svg}");
            }
        }
    }
}
