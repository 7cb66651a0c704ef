//! One task, one core: alone in its process, so that the process's processor time is the job's.

use std::time::Duration;

use partita::prelude::*;

/// Processor time of all threads of this process.
fn process_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live, writable timespec; the clock id exists on Linux and macOS.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    assert_eq!(status, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Runs a job with one task and compares its thread's processor time with that of the whole process.
#[track_caller]
fn assert_one_core(name: &str, dataset: Dataset) {
    let before = process_cpu();
    let (_, report) = dataset.profile().unwrap();
    let process = process_cpu() - before;
    let task: Duration =
        report.stages.iter().flat_map(|stage| &stage.tasks).map(|task| task.metrics.cpu).sum();
    assert!(
        task.as_secs_f64() > 0.8 * process.as_secs_f64(),
        "{name}: task {task:?}, process {process:?}: {report}"
    );
}

#[test]
fn a_task_does_its_polars_work_on_its_slots_thread_alone() {
    let session = Session::embedded(2).unwrap();
    let rows = session.range(0, 2_000_000, 1).with_columns([
        (col("id") * lit(7919) % lit(50_021)).alias("many"),
        (col("id") % lit(24)).alias("few"),
    ]);
    // Polars' in-memory engine passes this few groups to its streaming engine.
    assert_one_core("few groups", rows.group_by([col("few")]).agg([col("id").sum(), col("many").mean()]));
    assert_one_core(
        "many groups",
        rows.group_by([col("many")]).agg([col("few").n_unique(), col("id").median()]),
    );
    assert_one_core("sort", rows.sort([col("many"), col("id")]));
    assert_one_core("distinct", rows.select([col("many")]).distinct());
    let zones = session.frame(df!("few" => (0..24i64).collect::<Vec<_>>()).unwrap(), 1);
    assert_one_core("join", rows.join(&zones, [col("few")], JoinType::Inner));
}
