//! Processes of a pool die, stop and come back while a job runs. Its answer must be right, or its error must
//! say what happened. Random choices print their seed, and `PARTITA_TEST_SEED` sets it.

mod support;

use std::sync::mpsc;
use std::time::Duration;

use partita::events::Event;
use partita::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use support::{Node, Pool, Setup, assert_same, records, wait_for};

fn chance() -> StdRng {
    let seed =
        std::env::var("PARTITA_TEST_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("PARTITA_TEST_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// The session's events from now on.
fn events(session: &Session) -> mpsc::Receiver<Event> {
    let (sender, events) = mpsc::channel();
    session.events().listen(move |event| {
        let _ = sender.send(event.clone());
    });
    events
}

/// Waits until `n` tasks of this stage have started.
fn started(events: &mpsc::Receiver<Event>, wanted: usize, n: usize) {
    let mut seen = 0;
    while seen < n {
        let event = events.recv_timeout(support::GUARD).expect("a task that starts");
        seen += usize::from(matches!(event, Event::TaskStarted { stage, .. } if stage == wanted));
    }
}

/// Tasks that take long enough to be interrupted, then a shuffle.
fn slow(session: &Session) -> Dataset {
    let key = (col("id") % lit(1009)).alias("key");
    let work = (0..12).fold(col("id"), |work, i| (work * lit(1_103_515_245i64 + i)) % lit(2_147_483_647i64));
    session
        .range(0, 8_000_000, 16)
        .select([key, work.alias("work")])
        .group_by([col("key")])
        .agg([col("work").sum()])
}

fn slow_answer() -> DataFrame {
    slow(&Session::embedded(2).unwrap()).collect().unwrap()
}

/// Runs the same job and does the harm after the `n`th task of `stage` has started.
fn survives(pool: &mut Pool, session: &Session, stage: usize, n: usize, harm: impl FnOnce(&mut Pool)) {
    let events = events(session);
    let job = slow(session);
    let running = std::thread::spawn(move || job.collect());
    started(&events, stage, n);
    harm(pool);
    assert_same(running.join().unwrap().unwrap(), slow_answer());
}

#[test]
fn a_worker_killed_while_it_maps_costs_no_answer() {
    let mut random = chance();
    let mut pool = Pool::of(3);
    let session = pool.session();
    for round in 0..3 {
        let n = random.random_range(1..14);
        survives(&mut pool, &session, 0, n, |pool| {
            let victim = random.random_range(0..pool.workers.len());
            println!("round {round}: worker {victim} after task {n}");
            pool.workers.remove(victim).kill();
            pool.add_worker();
        });
        wait_for("the new worker", || session.slots() == 3);
    }
}

#[test]
fn a_worker_killed_while_others_fetch_from_it_costs_no_answer() {
    let mut random = chance();
    let mut pool = Pool::of(3);
    let session = pool.session();
    session.set_shuffle_partitions(8).unwrap();
    for round in 0..3 {
        let n = random.random_range(1..6);
        survives(&mut pool, &session, 1, n, |pool| {
            let victim = random.random_range(0..pool.workers.len());
            println!("round {round}: worker {victim} after reducer {n}");
            pool.workers.remove(victim).kill();
            pool.add_worker();
        });
        wait_for("the new worker", || session.slots() == 3);
    }
}

#[test]
fn what_only_a_killed_worker_had_cached_is_made_again_from_its_source() {
    let mut pool = Pool::of(2);
    let session = pool.session();
    let kept =
        session.frame(records(10_000), 6).with_columns([(col("value") * lit(3)).alias("three")]).cache();
    let expected = kept.collect().unwrap();
    assert_eq!(kept.cached_partitions().0, 6);
    pool.workers.remove(0).kill();
    assert_same(kept.collect().unwrap(), expected.clone());
    pool.add_worker();
    pool.workers.remove(0).kill();
    assert_same(kept.collect().unwrap(), expected);
    wait_for("all partitions in the cache again", || {
        kept.count().unwrap();
        kept.cached_partitions().0 == 6
    });
}

#[test]
fn a_stopped_worker_is_lost_and_joins_again_when_it_goes_on() {
    let mut pool = Pool::start(Setup { workers: 2, lost_after_ms: "1500", ..Setup::default() });
    let session = pool.session();
    let events = events(&session);
    survives(&mut pool, &session, 0, 3, |pool| pool.workers[0].signal(libc::SIGSTOP));
    assert!(events.try_iter().any(|event| matches!(event, Event::WorkerLost { .. })));
    assert_eq!(session.slots(), 1);
    pool.workers[0].signal(libc::SIGCONT);
    wait_for("the worker to come back", || session.slots() == 2);
    assert_same(slow(&session).collect().unwrap(), slow_answer());
}

#[test]
fn a_job_fails_clearly_when_the_master_dies_and_the_next_one_goes_on() {
    let mut pool = Pool::of(2);
    let session = pool.session();
    let kept = session.frame(records(1_000), 4).cache();
    kept.count().unwrap();
    let events = events(&session);
    let job = slow(&session);
    let running = std::thread::spawn(move || job.collect());
    started(&events, 0, 2);
    pool.restart_master();
    let error = running.join().unwrap().unwrap_err().to_string();
    assert!(error.contains("master"), "{error}");
    wait_for("the workers to register anew", || {
        session.range(0, 10, 2).count().is_ok_and(|rows| rows == 10) && session.slots() == 2
    });
    assert_same(slow(&session).collect().unwrap(), slow_answer());
    assert_same(kept.collect().unwrap(), records(1_000));
}

#[test]
fn a_session_waits_for_no_worker_but_says_that_there_is_none() {
    let mut pool = Pool::of(1);
    let session = pool.session();
    pool.workers.remove(0).kill();
    let pool = std::sync::Mutex::new(pool);
    let answer = std::thread::scope(|scope| {
        let job = scope.spawn(|| session.range(0, 100, 4).count());
        pool.lock().unwrap().add_worker();
        job.join().unwrap()
    });
    // Either a worker came in time, or the error says that there is none.
    match answer {
        Ok(rows) => assert_eq!(rows, 100),
        Err(error) => assert!(error.to_string().contains("worker"), "{error}"),
    }
    wait_for("the new worker", || session.slots() == 1);
    assert_eq!(session.range(0, 100, 4).count().unwrap(), 100);
}

#[test]
fn a_task_that_fails_four_times_fails_the_job_with_its_own_words() {
    let pool = Pool::of(2);
    let session = pool.session();
    let events = events(&session);
    let texts = df!("text" => ["1", "2", "three", "4"]).unwrap();
    let error =
        session.frame(texts, 2).select([col("text").strict_cast(DataType::Int64)]).collect().unwrap_err();
    let failed: Vec<bool> = events
        .try_iter()
        .filter_map(|event| match event {
            Event::TaskFailed { retried, .. } => Some(retried),
            _ => None,
        })
        .collect();
    assert_eq!(failed, [true, true, true, false], "{error}");
    assert!(error.to_string().contains("three"), "{error}");
    assert_eq!(session.range(0, 10, 2).count().unwrap(), 10);
}

#[test]
fn a_client_that_dies_leaves_nothing_behind_at_the_workers() {
    let pool = Pool::of(2);
    drop(pool.session());
    let log = tempfile::TempDir::new().unwrap();
    let me = std::env::current_exe().unwrap();
    let mut client = std::process::Command::new(me)
        .args(["a_client_that_caches", "--exact", "--ignored", "--nocapture"])
        .env("PARTITA_TEST_POOL", &pool.address)
        .stdout(std::fs::File::create(log.path().join("out")).unwrap())
        .spawn()
        .unwrap();
    wait_for("the client's cache", || {
        std::fs::read_to_string(log.path().join("out")).is_ok_and(|out| out.contains("cached"))
    });
    assert!(pool.on_disk() > 10_000_000, "{}", pool.on_disk());
    client.kill().unwrap();
    client.wait().unwrap();
    wait_for("the workers to let go", || pool.on_disk() == 0);
}

/// The client of the test above, in a separate process.
#[test]
#[ignore = "a part of another test"]
fn a_client_that_caches() {
    let Ok(address) = std::env::var("PARTITA_TEST_POOL") else { return };
    let session = Session::connect(&format!("partita://{address}")).unwrap();
    // On disk, where the test can see it.
    let rows = session.range(0, 10_000_000, 4).persist(StorageLevel::DiskOnly);
    rows.count().unwrap();
    println!("cached");
    std::thread::sleep(Duration::from_secs(3600));
}

#[test]
fn a_worker_asked_to_end_says_goodbye() {
    let mut pool = Pool::start(Setup { workers: 2, lost_after_ms: "600000", ..Setup::default() });
    let session = pool.session();
    let mut leaving: Node = pool.workers.remove(0);
    leaving.signal(libc::SIGTERM);
    assert!(leaving.wait().success(), "{}", leaving.log());
    wait_for("the session to hear of it", || session.slots() == 1);
    pool.master.signal(libc::SIGTERM);
    assert!(pool.master.wait().success(), "{}", pool.master.log());
}
