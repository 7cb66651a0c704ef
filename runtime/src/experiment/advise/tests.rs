//! Made-up reports with known right advice, and healthy jobs without advice.

use std::time::Duration;

use super::model::makespan;
use super::*;
use crate::events::{HotKey, StageReport, TaskMetrics, TaskReport};
use partita_events::PartitionId;

fn ms(ms: f64) -> Duration {
    Duration::from_secs_f64(ms / 1e3)
}

/// Tasks of a stage with these run times; all other figures are zero.
fn stage(name: &str, runs: &[f64]) -> StageReport {
    let task = |(partition, run): (usize, &f64)| TaskReport {
        partition,
        attempt: 0,
        worker: 0,
        ended: Duration::ZERO,
        metrics: TaskMetrics { run: ms(*run), ..TaskMetrics::default() },
    };
    StageReport {
        stage: 0,
        name: name.to_owned(),
        partitions: runs.len(),
        submitted: Duration::ZERO,
        wall: Duration::ZERO,
        retried: 0,
        resubmitted: 0,
        tasks: runs.iter().enumerate().map(task).collect(),
    }
}

fn each(mut stage: StageReport, change: impl Fn(usize, &mut TaskMetrics)) -> StageReport {
    stage.tasks.iter_mut().for_each(|task| change(task.partition, &mut task.metrics));
    stage
}

/// A job whose stages took as long as their tasks take on the slots, one after another.
fn job(slots: usize, stages: Vec<StageReport>) -> JobReport {
    let mut report = JobReport {
        job: 0,
        action: "collect".into(),
        slots,
        submitted: Duration::ZERO,
        wall: Duration::ZERO,
        finished: true,
        error: None,
        stages,
    };
    for (number, stage) in report.stages.iter_mut().enumerate() {
        stage.stage = number;
        stage.wall = ms(makespan(&super::model::runs(stage), slots));
        report.wall += stage.wall;
    }
    report
}

fn kinds(report: &JobReport) -> Vec<AdviceKind> {
    advise(report).iter().map(|advice| advice.kind).collect()
}

/// Rows written evenly, then by a key of which partition 0 of four gets four fifths.
fn skewed(wrote: &str, reads: &str) -> JobReport {
    let hot = |rows| HotKey {
        columns: "col(\"key\")".into(),
        value: "132".into(),
        partition: PartitionId(0),
        rows,
    };
    let map = each(stage(wrote, &[10.0; 4]), |_, m| {
        (m.rows_in, m.rows_out, m.shuffle_out, m.hot_keys) = (250, 250, 4000, vec![hot(200)]);
    });
    let reduce = each(stage(reads, &[800.0, 66.0, 67.0, 67.0]), |partition, m| {
        m.rows_in = if partition == 0 { 802 } else { 66 };
        m.shuffle_in = 16 * m.rows_in;
    });
    job(4, vec![map, reduce])
}

#[test]
fn list_scheduling_puts_each_task_on_the_slot_that_is_free_first() {
    assert_eq!(makespan(&[3.0, 1.0, 1.0, 1.0], 2), 3.0);
    assert_eq!(makespan(&[1.0, 1.0, 1.0, 3.0], 2), 4.0);
    assert_eq!(makespan(&[1.0; 5], 4), 2.0);
    assert_eq!(makespan(&[], 4), 0.0);
}

#[test]
fn a_hot_key_is_named_with_its_share_and_what_salting_promises() {
    let report = skewed("frame → repartition: hash", "shuffle read");
    let advice = advise(&report);
    let [skew] = &*advice else { panic!("{advice}") };
    assert_eq!((skew.kind, skew.stage), (AdviceKind::Skew, Some(1)));
    assert!(skew.message.contains("stage 1, partition 0 holds 80 % of the rows"), "{skew}");
    assert!(skew.message.contains("key 132") && skew.message.contains("over 4"), "{skew}");
    assert_eq!(skew.code, "data.repartition_salted([col(\"key\")], 4, 4)");
    // 10 ms of map, then 800 ms against a quarter of the key's 800 rows of 802 plus another task's 67 ms.
    let predicted = (10.0 + 800.0) / (10.0 + 67.0 + 800.0 * (800.0 / 802.0) / 4.0);
    assert!((skew.expected - predicted).abs() < 0.01, "{} {predicted}", skew.expected);
}

#[test]
fn the_remedy_for_skew_is_by_what_the_stage_does() {
    let code = |wrote: &str, reads: &str| advise(&skewed(wrote, reads))[0].code.clone();
    let grouped = code("frame → shuffle by hash", "shuffle read → group_by");
    assert!(grouped.contains(".group_by([col(\"key\")]).salted(4)"), "{grouped}");
    assert_eq!(code("scan → repartition: expression", "shuffle read"), "data.repartition(4)");
    assert!(code("scan → shuffle by range", "shuffle read → sort").contains("another column"));
}

#[test]
fn a_join_is_salted_on_the_side_that_has_the_key() {
    let mut report = skewed("frame → shuffle by hash", "join");
    let small = each(stage("frame → shuffle by hash", &[1.0; 2]), |_, m| {
        (m.rows_in, m.rows_out, m.shuffle_out) = (50, 50, 64 << 20);
    });
    report.stages[1].tasks[0].metrics.rows_in += 100;
    let mut left = report.clone();
    left.stages.insert(1, small.clone());
    report.stages.insert(0, small);
    for (report, code) in [(left, "left.join(&right"), (report, "right.join(&left")] {
        let report = job(report.slots, report.stages);
        let advice = advise(&report);
        let skew = advice.iter().find(|advice| advice.kind == AdviceKind::Skew).expect("skew");
        assert!(skew.code.starts_with(code) && skew.code.ends_with(".salted(4)"), "{advice}");
    }
}

#[test]
fn skew_without_a_key_asks_for_more_partitions() {
    let mut report = skewed("frame → repartition: hash", "shuffle read");
    report.stages[0].tasks.iter_mut().for_each(|task| task.metrics.hot_keys.clear());
    let advice = advise(&report);
    assert_eq!(advice[0].code, "session.set_shuffle_partitions(16)?;", "{advice}");
}

#[test]
fn a_task_that_is_slow_without_more_rows_was_disturbed_and_is_left_alone() {
    let mut report = skewed("frame → repartition: hash", "shuffle read");
    for task in &mut report.stages[1].tasks {
        task.metrics.rows_in = 250;
    }
    assert!(advise(&report).is_empty(), "{}", advise(&report));
}

#[test]
fn too_few_partitions_leave_slots_idle() {
    let one =
        each(stage("scan → group_by: partial → group_by: final", &[400.0]), |_, m| m.rows_in = 1000);
    let advice = advise(&job(4, vec![one]));
    let [few] = &*advice else { panic!("{advice}") };
    assert_eq!((few.kind, few.expected), (AdviceKind::TooFewPartitions, 4.0));
    assert!(few.message.contains("3 of 4 slots have nothing to do"), "{few}");
    assert_eq!(few.code, "let data = session.read_parquet_in(path, 4)?;");
    // Five on four slots take two turns, where one and a quarter would suffice.
    let five = job(4, vec![stage("frame", &[100.0; 5])]);
    let advice = advise(&five);
    assert!(advice[0].message.contains("2 turns") && advice[0].code.contains("8"), "{advice}");
    assert!((advice[0].expected - 200.0 / 125.0).abs() < 1e-9, "{advice}");
}

#[test]
fn many_tiny_tasks_are_too_many_and_after_a_shuffle_they_are_coalesced() {
    // 1 ms per task, 1 µs per row: 400 tasks of about ten rows, after 8 of 10,000.
    let map = each(stage("scan → shuffle by hash", &[11.0; 8]), |_, m| m.rows_in = 10_000);
    let tiny = |name: &str| {
        each(stage(name, &[0.0; 400]), |partition, m| {
            m.rows_in = 5 + partition as u64 % 11;
            m.run = ms(1.0 + m.rows_in as f64 / 1e3);
        })
    };
    let reduce = each(tiny("shuffle read → group_by: final"), |_, m| m.shuffle_in = 1);
    let report = job(4, vec![map.clone(), reduce]);
    let advice = advise(&report);
    let [many] = &*advice else { panic!("{advice}") };
    assert_eq!((many.kind, many.stage), (AdviceKind::Coalesce, Some(1)));
    assert_eq!(many.code, "session.set_shuffle_partitions(8)?;");
    // 22 ms of map and 101 of reduce become 22 and 8 · 1 ms + 4 ms of rows on four slots.
    let predicted = 123.0 / (22.0 + 3.0);
    assert!((many.expected / predicted - 1.0).abs() < 0.1, "{} {predicted}", many.expected);
    let report = job(4, vec![tiny("scan → filter"), map]);
    assert_eq!(kinds(&report), [AdviceKind::TooManyPartitions]);
}

#[test]
fn a_small_side_of_a_join_is_to_be_broadcast() {
    let side = |rows: u64, bytes: u64, run: f64| {
        each(stage("scan → shuffle by hash", &[run; 4]), move |_, m| {
            (m.rows_in, m.rows_out, m.shuffle_out, m.write) = (rows, rows, bytes, ms(run * 0.6));
        })
    };
    let join = each(stage("join", &[100.0; 4]), |_, m| {
        (m.rows_in, m.shuffle_in, m.fetch) = (1_000_010, 80 << 20, ms(40.0));
    });
    let report = job(4, vec![side(1_000_000, 80 << 20, 200.0), side(10, 100, 0.1), join.clone()]);
    let advice = advise(&report);
    let [broadcast] = &*advice else { panic!("{advice}") };
    assert_eq!((broadcast.kind, broadcast.stage), (AdviceKind::Broadcast, Some(2)));
    assert!(broadcast.message.contains("right side") && broadcast.code.ends_with(".broadcast()"), "{advice}");
    // 200 + 100 + 0.1 become 80 + 60 + 0.1.
    assert!((broadcast.expected - 300.1 / 140.1).abs() < 0.01, "{advice}");
    // Two large sides must be shuffled.
    let both = job(4, vec![side(500_005, 80 << 20, 200.0), side(500_005, 80 << 20, 200.0), join]);
    assert!(kinds(&both).is_empty(), "{}", advise(&both));
}

#[test]
fn a_filter_that_comes_late_or_finds_every_row_group_is_told() {
    let read = |name: &str, kept: u64, skipped: u64| {
        each(stage(name, &[100.0; 4]), move |_, m| {
            (m.rows_in, m.rows_out, m.row_groups_skipped) = (100_000, kept, skipped);
            (m.read, m.bytes_read) = (ms(60.0), 1 << 20);
        })
    };
    let unsorted = advise(&job(4, vec![read("scan → filter → select", 1000, 0)]));
    assert_eq!(unsorted[0].kind, AdviceKind::Pushdown);
    assert!(unsorted[0].code.contains("sort") && unsorted[0].message.contains("keep 1 %"), "{unsorted}");
    assert!((unsorted[0].expected - 100.0 / (100.0 - 60.0 * 0.99)).abs() < 0.01, "{unsorted}");
    let late = advise(&job(4, vec![read("scan → map_partitions → filter", 20_000, 0)]));
    assert!(late[0].code.starts_with("data.filter"), "{late}");
    assert!((late[0].expected - 100.0 / (100.0 - 40.0 * 0.8)).abs() < 0.01, "{late}");
    assert!(kinds(&job(4, vec![read("scan → filter", 1000, 7)])).is_empty(), "row groups were skipped");
    assert!(kinds(&job(4, vec![read("scan → filter", 90_000, 0)])).is_empty(), "most rows are wanted");
}

#[test]
fn what_went_to_disk_is_told_with_what_is_known_of_it() {
    let spilling = each(stage("scan → shuffle by hash", &[100.0; 4]), |_, m| {
        (m.rows_in, m.rows_out, m.shuffle_out, m.spilled, m.write) = (10, 10, 1000, 500, ms(80.0));
    });
    let advice = advise(&job(4, vec![spilling]));
    assert_eq!(advice[0].kind, AdviceKind::Spill);
    assert!((advice[0].expected - 100.0 / 60.0).abs() < 0.01, "{advice}");
    let cached = each(stage("scan → cache", &[100.0; 4]), |_, m| (m.rows_in, m.spilled) = (10, 500));
    let advice = advise(&job(4, vec![cached]));
    assert_eq!(advice[0].expected, 1.0);
    assert!(advice[0].message.contains("unknown"), "{advice}");
}

#[test]
fn files_read_again_and_again_are_to_be_cached() {
    let reading = |bytes: u64| {
        let read = each(stage("scan → group_by: partial", &[100.0; 4]), move |_, m| {
            (m.rows_in, m.bytes_read, m.read) = (1000, bytes, ms(75.0));
        });
        job(4, vec![read])
    };
    let advice = reading::again(&[reading(5000), reading(77), reading(5000)]).unwrap();
    assert!(advice.message.contains("2 jobs"), "{advice}");
    assert_eq!((advice.kind, advice.expected), (AdviceKind::Cache, 4.0));
    assert!(reading::again(&[reading(77), reading(5000)]).is_none());
    assert!(reading::again(&[]).is_none());
}

#[test]
fn nothing_is_advised_on_what_is_even_quick_unfinished_or_failed() {
    let even = each(stage("frame → shuffle by hash", &[100.0, 104.0, 98.0, 101.0]), |_, m| {
        (m.rows_in, m.rows_out, m.shuffle_out) = (250, 250, 4000);
    });
    let reduce = each(stage("shuffle read → group_by", &[99.0, 130.0, 95.0, 100.0]), |_, m| {
        (m.rows_in, m.shuffle_in) = (250, 4000);
    });
    let well = job(2, vec![even, reduce]);
    assert!(kinds(&well).is_empty(), "{}", advise(&well));
    assert_eq!(advise(&well).to_string(), "nothing to advise");
    let quick = job(4, vec![stage("frame", &[0.2])]);
    assert!(kinds(&quick).is_empty());
    let mut skewed = skewed("frame → repartition: hash", "shuffle read");
    skewed.finished = false;
    assert!(kinds(&skewed).is_empty());
    (skewed.finished, skewed.error) = (true, Some("a task failed".into()));
    assert!(kinds(&skewed).is_empty());
}
