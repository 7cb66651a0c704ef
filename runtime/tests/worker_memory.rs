//! Workers with little memory on a real master: what does not fit goes to disk or is rejected with a
//! remedy, and the workers survive.

use std::path::Path;
use std::time::Duration;

use partita::events::Event;
use partita::prelude::*;
use partita_master::{Master, MasterOptions};
use partita_worker::{Worker, WorkerOptions};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

struct Pool {
    runtime: Runtime,
    url: String,
    workers: Vec<Worker>,
    stop: CancellationToken,
    spill: tempfile::TempDir,
}

impl Pool {
    fn start(workers: usize, memory: usize) -> Self {
        let runtime = Runtime::new().unwrap();
        let options = MasterOptions::new("127.0.0.1:0".parse().unwrap(), polars::VERSION);
        let master = runtime.block_on(Master::bind(options)).unwrap();
        let (address, stop) = (master.local_addr().to_string(), master.stop());
        runtime.spawn(master.serve());
        let spill = tempfile::tempdir().unwrap();
        let start = |number| {
            let mut options = WorkerOptions::new(address.clone());
            options.name = format!("worker-{number}");
            options.slots = 1;
            options.memory_limit = memory;
            options.spill_dir = spill.path().to_owned();
            runtime.block_on(Worker::start(options)).unwrap()
        };
        let workers = (0..workers).map(start).collect();
        Self { url: format!("partita://{address}"), runtime, workers, stop, spill }
    }

    /// A session that sees all workers.
    fn session(&self) -> Session {
        let session = Session::connect(&self.url).unwrap();
        while session.slots() < self.workers.len() {
            std::thread::sleep(Duration::from_millis(5));
        }
        session
    }
}

fn directories(directory: &Path) -> usize {
    std::fs::read_dir(directory).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir()).count()
}

/// Rows of 40 bytes: numbers that are all different, which a shuffle cannot compress.
fn wide(session: &Session, rows: i64, partitions: usize) -> Dataset {
    session.range(0, rows, partitions).with_columns([
        (col("id") * lit(7_919) % lit(1_000_003)).alias("k"),
        (col("id") * lit(31)).alias("a"),
        (col("id") * lit(37)).alias("b"),
        (col("id") * lit(41)).alias("c"),
    ])
}

#[test]
fn a_shuffle_many_times_larger_than_the_workers_memory_finishes_and_leaves_no_files() {
    let pool = Pool::start(2, 32 << 20);
    let session = pool.session();
    let rows = 6_000_000;
    session.set_shuffle_partitions(48).unwrap();
    // Nobody sees the order of a sort below an aggregation, and only what is aggregated is moved.
    let by_range = Partitioning::Range(vec![col("k"), col("id")], 48);
    let sorted = wide(&session, rows, 48)
        .repartition_by(by_range)
        .map_partitions(|lf| lf.sort(["k", "id"], SortMultipleOptions::default()));
    let checked = sorted.agg([col("id").sum(), col("a").max(), len().alias("n")]).collect().unwrap();
    let value = |name: &str| checked.column(name).unwrap().get(0).unwrap().try_extract::<i64>().unwrap();
    assert_eq!(value("id"), rows * (rows - 1) / 2);
    assert_eq!((value("a"), value("n")), ((rows - 1) * 31, rows));
    let report = session.last_report().unwrap();
    let spilled: u64 =
        report.stages.iter().flat_map(|stage| &stage.tasks).map(|task| task.metrics.spilled).sum();
    assert!(spilled > 64 << 20, "{spilled} bytes went to disk, of 240 MB in 64 MB of memory");
    drop(session);
    let Pool { runtime, workers, stop, spill, .. } = pool;
    workers.into_iter().for_each(|worker| runtime.block_on(worker.stop()));
    stop.cancel();
    assert_eq!(directories(spill.path()), 0, "a worker that stops takes its files along");
}

#[test]
fn a_partition_that_cannot_fit_is_refused_with_the_remedy_and_the_worker_lives() {
    let pool = Pool::start(1, 32 << 20);
    let session = pool.session();
    session.set_shuffle_partitions(1).unwrap();
    let (sender, events) = std::sync::mpsc::channel();
    session.events().listen(move |event| drop(sender.send(event.clone())));
    let error = wide(&session, 2_000_000, 16).sort([col("k")]).collect().unwrap_err().to_string();
    for part in ["partition 0 is too large", "80.0 MB", "worker-0", "use more partitions"] {
        assert!(error.contains(part), "{error}");
    }
    let retried: Vec<bool> = events
        .try_iter()
        .filter_map(|event| match event {
            Event::TaskFailed { retried, .. } => Some(retried),
            _ => None,
        })
        .collect();
    assert_eq!(retried, [false], "it would fail again");
    session.set_shuffle_partitions(16).unwrap();
    assert_eq!(wide(&session, 2_000_000, 16).sort([col("k")]).count().unwrap(), 2_000_000);
    assert!(pool.workers[0].is_registered());
}

#[test]
fn a_cache_larger_than_memory_gives_way_to_tasks_and_loses_no_rows() {
    let pool = Pool::start(2, 48 << 20);
    let session = pool.session();
    for level in [StorageLevel::MemoryOnly, StorageLevel::MemoryAndDisk, StorageLevel::DiskOnly] {
        let cached = wide(&session, 2_000_000, 16).persist(level);
        for _ in 0..2 {
            assert_eq!(cached.count().unwrap(), 2_000_000);
            let sum = cached.agg([col("id").sum()]).collect().unwrap();
            let sum = sum.column("id").unwrap().get(0).unwrap().try_extract::<i64>().unwrap();
            assert_eq!(sum, 2_000_000 * 1_999_999 / 2, "{level}");
        }
    }
}

#[test]
fn a_full_disk_fails_the_job_with_a_clear_error_and_the_worker_lives() {
    let pool = Pool::start(1, 32 << 20);
    let session = pool.session();
    // Nothing can be created in the worker's directory any more, as on a full disk.
    let directory = pool.workers[0].spill_directory().unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    session.set_shuffle_partitions(32).unwrap();
    let error = wide(&session, 4_000_000, 32).sort([col("k")]).count().unwrap_err().to_string();
    assert!(error.contains("cannot write data to disk"), "{error}");
    std::fs::create_dir(&directory).unwrap();
    assert_eq!(wide(&session, 4_000_000, 32).sort([col("k")]).count().unwrap(), 4_000_000);
}
