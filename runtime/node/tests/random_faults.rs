//! Sessions run at the same time while workers are killed and stopped at random. No answer may be wrong, no
//! job lost, and after the sessions nothing of them may remain. `PARTITA_CHAOS_SECONDS` sets the duration (a
//! few seconds by default). The seed is printed, and `PARTITA_TEST_SEED` sets it.

mod support;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use partita::PoolOptions;
use partita::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use support::{Pool, Setup, ordered, records, wait_for};

const SESSIONS: u64 = 3;
const WORKERS: usize = 3;

/// The outcome of one session's jobs.
#[derive(Default)]
struct Counts {
    jobs: AtomicU64,
    sessions: AtomicU64,
    wrong: Mutex<Vec<String>>,
    failed: Mutex<Vec<String>>,
}

/// A random job and the answer of plain Polars.
fn job(session: &Session, random: &mut StdRng) -> (&'static str, partita::Result<DataFrame>, DataFrame) {
    let rows = records(random.random_range(1..60_000));
    let data = session.frame(rows.clone(), random.random_range(1..12));
    let lazy = || rows.clone().lazy();
    let (keys, sums) = ([col("key")], [col("value").sum(), col("name").n_unique().alias("names")]);
    session.set_shuffle_partitions(random.random_range(1..10)).unwrap();
    match random.random_range(0..7) {
        0 => (
            "group_by",
            data.group_by(&keys).agg(&sums).collect(),
            lazy().group_by(&keys).agg(&sums).collect().unwrap(),
        ),
        1 => {
            let small = || records(500).lazy().select([col("key"), col("id").alias("other")]);
            let other = session.frame(small().collect().unwrap(), 3);
            let few = data.filter(col("id").lt(lit(5_000)));
            (
                "join",
                few.join(&other, &keys, JoinType::Inner).collect(),
                lazy()
                    .filter(col("id").lt(lit(5_000)))
                    .join(small(), &keys, &keys, JoinArgs::new(JoinType::Inner))
                    .collect()
                    .unwrap(),
            )
        }
        2 => ("sort", data.sort([col("value"), col("id")]).collect(), rows),
        3 => (
            "distinct",
            data.select([col("key"), col("name")]).distinct().collect(),
            lazy().select([col("key"), col("name")]).unique(None, UniqueKeepStrategy::Any).collect().unwrap(),
        ),
        4 => ("repartition", data.repartition(random.random_range(1..9)).collect(), rows),
        5 => {
            let cached = data.with_columns([(col("value") * lit(3)).alias("three")]).cache();
            let twice =
                cached.count().and_then(|_| cached.group_by(&keys).agg([col("three").sum()]).collect());
            let three = (col("value") * lit(3)).sum().alias("three");
            ("cache", twice, lazy().group_by(&keys).agg([three]).collect().unwrap())
        }
        _ => {
            let folder = session.temp_dir().unwrap().join(format!("rows-{}", random.random::<u32>()));
            let written = data.write_parquet(&folder).and_then(|_| session.read_parquet(&folder)?.collect());
            ("files", written, rows)
        }
    }
}

fn work(options: &PoolOptions, seed: u64, until: Instant, counts: &Counts) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut session = None;
    while Instant::now() < until {
        if session.is_none() || random.random_bool(0.05) {
            session = None;
            match Session::connect_with(options.clone()) {
                Ok(fresh) => session = Some(fresh),
                Err(error) => counts.failed.lock().unwrap().push(format!("connecting: {error}")),
            }
            counts.sessions.fetch_add(1, Ordering::Relaxed);
        }
        let Some(session) = &session else { continue };
        let (name, ours, polars) = job(session, &mut random);
        counts.jobs.fetch_add(1, Ordering::Relaxed);
        match ours {
            Ok(ours) if ordered(ours.clone()).equals_missing(&ordered(polars)) => {}
            Ok(ours) => counts.wrong.lock().unwrap().push(format!("{name}: {ours}")),
            Err(error) => counts.failed.lock().unwrap().push(format!("{name}: {error}")),
        }
    }
}

/// Kills, stops and replaces workers until `until`. Returns how often it did each.
fn harm(pool: &mut Pool, random: &mut StdRng, until: Instant) -> BTreeMap<&'static str, u64> {
    let mut done = BTreeMap::new();
    while Instant::now() < until {
        std::thread::sleep(Duration::from_millis(random.random_range(300..3_000)));
        let victim = random.random_range(0..pool.workers.len());
        let what = match random.random_range(0..4) {
            0 => {
                pool.workers[victim].signal(libc::SIGSTOP);
                // Some come back before they count as lost.
                std::thread::sleep(Duration::from_millis(random.random_range(200..4_000)));
                pool.workers[victim].signal(libc::SIGCONT);
                "stopped and continued"
            }
            1 => {
                pool.workers[victim].signal(libc::SIGTERM);
                pool.workers.remove(victim).wait();
                pool.add_worker();
                "asked to end"
            }
            _ => {
                pool.workers.remove(victim).kill();
                pool.add_worker();
                "killed"
            }
        };
        *done.entry(what).or_default() += 1;
    }
    done
}

fn snapshot(pool: &Pool) -> serde_json::Value {
    let mut answer = ureq::get(format!("http://{}/api/v1/pool", pool.web)).call().unwrap();
    serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
}

/// Whether no worker keeps anything, in memory or on disk, and the master has no session.
fn is_clean(pool: &Pool) -> bool {
    let snapshot = snapshot(pool);
    let workers = snapshot["pool"]["workers"].as_array().unwrap();
    let keeps = |status: &serde_json::Value| {
        ["tasks", "shuffle", "cache", "disk_shuffle", "disk_cache"].iter().any(|what| status[what] != 0)
    };
    let idle = |worker: &serde_json::Value| worker["busy"] == 0 && !keeps(&worker["status"]);
    let closed = |session: &serde_json::Value| !session["closed"].is_null();
    workers.len() == WORKERS
        && workers.iter().all(idle)
        && snapshot["pool"]["blob_bytes"] == 0
        && snapshot["sessions"].as_array().unwrap().iter().all(closed)
}

/// Open files of a process, and its memory in MB.
#[cfg(target_os = "linux")]
fn holds(process: u32) -> (usize, u64) {
    let files = std::fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count);
    let pages = std::fs::read_to_string(format!("/proc/{process}/statm")).unwrap_or_default();
    let resident: u64 = pages.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    (files, resident * 4096 / 1_000_000)
}

#[test]
fn mixed_sessions_get_right_answers_while_workers_die_and_leave_nothing_behind() {
    let seed =
        std::env::var("PARTITA_TEST_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    let seconds = std::env::var("PARTITA_CHAOS_SECONDS").map_or(8, |seconds| seconds.parse().unwrap());
    println!("PARTITA_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut pool =
        Pool::start(Setup { workers: WORKERS, memory: "200MB", lost_after_ms: "2000", ..Setup::default() });
    drop(pool.session());
    #[cfg(target_os = "linux")]
    let before = holds(pool.master.process());
    let (counts, options) = (Counts::default(), pool.options());
    let until = Instant::now() + Duration::from_secs(seconds);
    let done = std::thread::scope(|scope| {
        for number in 0..SESSIONS {
            let (counts, options) = (&counts, &options);
            scope.spawn(move || work(options, seed.wrapping_add(number), until, counts));
        }
        harm(&mut pool, &mut random, until)
    });
    let (jobs, sessions) = (counts.jobs.into_inner(), counts.sessions.into_inner());
    let (wrong, failed) = (counts.wrong.into_inner().unwrap(), counts.failed.into_inner().unwrap());
    println!(
        "{seconds} s: {jobs} jobs in {sessions} sessions; workers {done:?}; {} wrong answers, {} failed jobs",
        wrong.len(),
        failed.len()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(jobs > 0);
    wait_for("nothing to be left", || is_clean(&pool));
    wait_for("no file to be left", || pool.on_disk() == 0);
    assert_eq!(
        std::fs::read_dir(pool.output()).unwrap().flatten().filter(|file| file.path().is_dir()).count(),
        0
    );
    #[cfg(target_os = "linux")]
    {
        let after = holds(pool.master.process());
        println!("the master's open files and MB: {before:?} before, {after:?} after");
        wait_for("the master to close files", || holds(pool.master.process()).0 <= before.0 + 8);
        for worker in &pool.workers {
            let (files, megabytes) = holds(worker.process());
            println!("a worker's open files and MB: {files}, {megabytes}");
            assert!(files < 100, "{files} open files");
        }
    }
}
