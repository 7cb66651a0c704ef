use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

use crate::host::recorder::Recorder;

type Record = Arc<Recorder>;

fn recorded(total: Option<u64>) -> (Progress, Record) {
    let record = Record::default();
    let target = Target::FrontEnd { id: "p".into(), host: record.clone() };
    (Progress::with_target(total, Unit::Steps, target), record)
}

/// The last display sent, as text. Everything after the first must update the first.
fn last(record: &Record) -> String {
    let record = record.shown();
    assert!(matches!(&record[0], Shown::New { id, .. } if id == "p"), "{record:?}");
    match record.last() {
        Some(Shown::Update { id, bundle }) if id == "p" => bundle.get("text/plain").unwrap().to_owned(),
        other => panic!("{other:?}"),
    }
}

fn around(items: impl IntoIterator<Item = u32>, progress: Progress) -> impl Iterator<Item = u32> {
    ProgressIterator::new(items.into_iter(), progress)
}

#[test]
fn a_loop_that_runs_to_its_end_is_done() {
    let (progress, record) = recorded(Some(5));
    assert_eq!(around(0..5, progress).sum::<u32>(), 10);
    assert!(last(&record).starts_with("████████████████████████ done: 5/5 in "), "{}", last(&record));
}

#[test]
fn a_loop_left_early_says_where_it_stopped() {
    let (progress, record) = recorded(Some(5));
    for item in around(0..5, progress) {
        if item == 2 {
            break;
        }
    }
    assert!(last(&record).contains("░ stopped at 40 % (2/5) after "), "{}", last(&record));
}

#[test]
fn a_panic_in_the_loop_says_where_it_stopped() {
    let (progress, record) = recorded(Some(4));
    let run = AssertUnwindSafe(|| around(0..4, progress).for_each(|item| assert_ne!(item, 1)));
    assert!(catch_unwind(run).is_err());
    assert!(last(&record).contains("stopped at 25 % (1/4) by a panic"), "{}", last(&record));
}

#[test]
fn what_is_not_everything_is_not_a_hundred_per_cent() {
    let (progress, record) = recorded(Some(1000));
    progress.inc(999);
    drop(progress);
    assert!(last(&record).contains("stopped at 99 % (999/1,000)"), "{}", last(&record));
}

#[test]
fn a_bar_told_of_every_step_is_done_when_it_is_dropped() {
    let (progress, record) = recorded(Some(2));
    progress.inc(2);
    drop(progress);
    assert!(last(&record).contains("done: 2/2"), "{}", last(&record));
}

#[test]
fn without_a_total_steps_are_counted_until_one_is_known() {
    let (progress, record) = recorded(None);
    progress.inc(3);
    progress.finish_with_message("all <read>");
    progress.inc(1);
    progress.finish();
    assert!(last(&record).starts_with("all <read> done: 3 in "), "{}", last(&record));
    let record = record.shown();
    let Some(Shown::Update { bundle, .. }) = record.last() else { panic!("{record:?}") };
    let html = bundle.get("text/html").unwrap();
    assert!(html.contains("all &lt;read&gt;") && html.contains("value=\"1\""), "{html}");
}

#[test]
fn updates_are_few_whatever_the_number_of_steps() {
    let (progress, record) = recorded(Some(1_000_000));
    let started = Instant::now();
    for _ in 0..1_000_000 {
        progress.inc(1);
    }
    progress.finish();
    let most = started.elapsed().as_millis() / INTERVAL.as_millis() + 2;
    assert!(record.shown().len() as u128 <= most, "{} > {most}", record.shown().len());
}

#[test]
fn a_step_is_shown_while_the_next_one_takes_long() {
    let (progress, record) = recorded(Some(2));
    progress.inc(1);
    // Without a further call, the bar shows its last values.
    while record.shown().len() < 2 {
        thread::yield_now();
    }
    assert!(last(&record).contains("50 %, 1/2, "), "{}", last(&record));
    progress.set_message("x".repeat(200));
    drop(progress);
    assert!(last(&record).lines().all(|line| line.chars().count() <= 80), "{}", last(&record));
}

#[test]
fn bytes_are_told_in_megabytes() {
    let record = Record::default();
    let target = Target::FrontEnd { id: "p".into(), host: record.clone() };
    let progress = Progress::with_target(None, Unit::Bytes, target);
    progress.set_total(110_439_634);
    progress.set_position(55_000_000);
    drop(progress);
    assert!(last(&record).contains("stopped at 49 % (55.00 MB/110.44 MB)"), "{}", last(&record));
}

#[test]
fn nothing_to_do_is_done() {
    let (progress, record) = recorded(Some(0));
    assert_eq!(around([], progress).count(), 0);
    assert!(last(&record).contains("done: 0/0"), "{}", last(&record));
}
