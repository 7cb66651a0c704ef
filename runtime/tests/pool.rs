//! Sessions on a pool: a real master and real workers, over sockets.

use std::net::TcpListener;
use std::time::Duration;

use partita::prelude::*;
use partita_master::{Master, MasterOptions};
use proptest::prelude::*;
use tokio::runtime::Runtime;

mod local_pool;
mod programs;
use local_pool::{Pool, until};
use programs::{programs, sorted};

fn shared() -> &'static (Pool, Session, Session) {
    static SHARED: std::sync::LazyLock<(Pool, Session, Session)> = std::sync::LazyLock::new(|| {
        let pool = Pool::start(2);
        let session = pool.session();
        (pool, session, Session::embedded(2).unwrap())
    });
    &SHARED
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn any_program_gives_the_same_rows_embedded_and_on_the_pool(program in programs()) {
        let (_, pool, embedded) = shared();
        let here = sorted(&program.on(embedded).collect().unwrap());
        let dataset = program.on(pool);
        // The second time, the caches are filled.
        for _ in 0..2 {
            prop_assert_eq!(&sorted(&dataset.collect().unwrap()), &here);
        }
        prop_assert_eq!(dataset.count().unwrap(), here.height() as u64);
    }
}

#[test]
fn files_are_read_and_written_by_workers_and_others_are_refused() {
    let (pool, session, embedded) = shared();
    let root = pool.directory.path();
    let rows = session.range(0, 10_000, 4).with_columns([(col("id") % lit(7)).alias("k")]);
    assert_eq!(rows.write_parquet(root.join("p")).unwrap().len(), 4);
    let read = session.read_parquet(root.join("p")).unwrap();
    assert_eq!(read.filter(col("k").eq(lit(3))).count().unwrap(), 1429);
    let mut frame = embedded.read_parquet(root.join("p")).unwrap().collect().unwrap();
    CsvWriter::new(std::fs::File::create(root.join("t.csv")).unwrap()).finish(&mut frame).unwrap();
    let csv = session.read_csv(root.join("t.csv")).unwrap().agg([col("id").sum()]).collect().unwrap();
    assert_eq!(csv, df!("id" => [49_995_000i64]).unwrap());
    let elsewhere = tempfile::tempdir().unwrap();
    embedded.range(0, 10, 2).write_parquet(elsewhere.path()).unwrap();
    let refusal = session.read_parquet(elsewhere.path()).unwrap().count().unwrap_err().to_string();
    assert!(refusal.contains("--data-dir"), "{refusal}");
}

#[test]
fn files_in_the_sessions_directory_are_where_workers_and_this_process_find_them() {
    let (pool, session, _) = shared();
    let folder = session.temp_dir().unwrap();
    assert!(folder.starts_with(pool.directory.path().canonicalize().unwrap()), "{}", folder.display());
    let spec = taxi::TripSpec { rows: 20_000, seed: 7, files: 2, ..Default::default() };
    taxi::generate(spec).unwrap().write_parquet(folder.join("trips")).unwrap();
    assert_eq!(session.read_parquet(folder.join("trips")).unwrap().count().unwrap(), 20_000);
    session.range(0, 100, 4).write_parquet(folder.join("written")).unwrap();
    assert_eq!(session.read_parquet(folder.join("written")).unwrap().count().unwrap(), 100);
    let other = pool.session();
    let theirs = other.temp_dir().unwrap();
    assert_ne!(theirs, folder);
    drop(other);
    assert!(!theirs.exists() && folder.exists());
}

#[test]
fn large_frames_and_results_arrive_whole() {
    let (_, session, _) = shared();
    let n = 400_000i64;
    let frame =
        df!("id" => (0..n).collect::<Vec<_>>(), "t" => (0..n).map(|i| i.to_string()).collect::<Vec<_>>());
    let frame = frame.unwrap();
    let data = session.frame(frame.clone(), 3);
    for _ in 0..2 {
        assert_eq!(data.collect().unwrap(), frame);
    }
    // The same frame as a broadcast and inside a closure's plan.
    let on = JoinOn {
        left: vec![col("id")],
        right: vec![col("id")],
        how: JoinType::Inner,
        strategy: JoinStrategy::Broadcast,
    };
    assert_eq!(session.range(-5, 5, 4).join_on(&data, on).count().unwrap(), 5);
    let joined =
        session.range(-5, 5, 4).map_partitions(|lf| lf.inner_join(frame.lazy(), col("id"), col("id")));
    assert_eq!(joined.count().unwrap(), 5);
}

#[test]
fn a_closure_in_an_expression_is_refused_by_name() {
    let (_, session, _) = shared();
    let doubled = col("id").map(|column| Ok(&column * 2), |_, field| Ok(field.clone()));
    let error = session.range(0, 10, 2).select([doubled]).collect().unwrap_err().to_string();
    assert!(error.contains("col(\"id\")") && error.contains("closure"), "{error}");
}

#[test]
fn cached_partitions_are_computed_once_and_freed_with_their_dataset() {
    let pool = Pool::start(2);
    let session = pool.session();
    let cached = session.range(0, 1000, 8).with_columns([(col("id") * lit(3)).alias("t")]).cache();
    assert_eq!(cached.count().unwrap(), 1000);
    assert_eq!(cached.cached_partitions(), (8, 0));
    let (_, report) = cached.profile().unwrap();
    let hits: u64 = report.stages.iter().map(|stage| stage.total(|metrics| metrics.cache_hits)).sum();
    assert_eq!(hits, 8, "tasks go to the workers that keep their partitions");
    drop(cached);
    assert!(session.range(0, 10, 1).cache().cached_partitions() == (0, 0));
}

#[test]
fn a_session_says_what_it_is_on_and_follows_the_pools_slots() {
    let mut pool = Pool::start(1);
    let session = pool.session();
    assert_eq!((session.slots(), session.shuffle_partitions()), (2, 2));
    let text = format!("{session:?}");
    assert!(text.contains(&pool.address) && text.contains("2 slots"), "{text}");
    pool.add_worker();
    until("the second worker", || session.shuffle_partitions() == 4);
    session.set_dynamic_allocation(1..=2, Duration::from_secs(1)).unwrap();
    session.set_locality_wait(Duration::from_millis(10)).unwrap();
    assert_eq!(session.range(0, 100, 10).count().unwrap(), 100);
    let error = Session::embedded(1).unwrap().set_locality_wait(Duration::ZERO).unwrap_err().to_string();
    assert!(error.contains("Session::connect"), "{error}");
}

#[test]
fn rows_survive_the_loss_of_a_worker() {
    let mut pool = Pool::start(2);
    let session = pool.session();
    let data =
        session.range(0, 10_000, 8).cache().repartition(6).group_by([(col("id") % lit(10)).alias("k")]);
    let data = data.agg([col("id").sum()]).sort([col("k")]);
    let before = data.collect().unwrap();
    let worker = pool.workers.pop().unwrap();
    pool.runtime.block_on(worker.stop());
    until("the loss is heard", || session.slots() == 2);
    assert_eq!(data.collect().unwrap(), before);
}

#[test]
fn after_a_new_start_of_the_master_the_next_action_connects_anew() {
    let mut pool = Pool::start(1);
    let session = pool.session();
    let data = session.range(0, 1000, 4).cache();
    assert_eq!(data.count().unwrap(), 1000);
    pool.stop.cancel();
    until("the loss is heard", || session.slots() == 0);
    let error = data.count().unwrap_err().to_string();
    assert!(error.contains("nothing listens"), "{error}");
    let again = pool.address.clone();
    let workers = std::mem::take(&mut pool.workers);
    let next = Pool::start_at(&again, 1);
    assert_eq!(data.count().unwrap(), 1000);
    drop((workers, next));
}

#[test]
fn what_is_wrong_with_a_pool_is_said_with_the_remedy() {
    let failure = |options: PoolOptions| Session::connect_with(options).unwrap_err().to_string();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = failure(PoolOptions::new(format!("partita://{free}")));
    assert!(error.contains("nothing listens") && error.contains("partita-node master"), "{error}");
    let error = failure(PoolOptions::new("partita://no-such-host.invalid"));
    assert!(error.contains("unknown host"), "{error}");
    let error = failure(PoolOptions::new("localhost:7077"));
    assert!(error.contains("partita://"), "{error}");
    let pool = Pool::start(0);
    let mut options = PoolOptions::new(pool.url());
    options.worker_timeout = Duration::from_millis(10);
    let error = failure(options);
    assert!(error.contains("no workers") && error.contains("partita-node worker"), "{error}");
    // A server with another protocol.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = other.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in other.incoming().flatten() {
            let _ = std::io::Write::write_all(&mut &stream, b"HTTP/1.1 400 no\r\n\r\n");
        }
    });
    let error = failure(PoolOptions::new(format!("partita://{at}")));
    assert!(error.contains("does not answer as a pool's master"), "{error}");
}

#[test]
fn only_the_pools_token_opens_a_session() {
    let runtime = Runtime::new().unwrap();
    let mut options = MasterOptions::new("127.0.0.1:0".parse().unwrap(), polars::VERSION);
    options.token = Some(partita_wire::Token::new("right", "the test").unwrap());
    let master = runtime.block_on(Master::bind(options)).unwrap();
    let at = master.local_addr();
    runtime.spawn(master.serve());
    let failure = |token: Option<&str>| {
        let mut options = PoolOptions::new(format!("partita://{at}"));
        options.token = token.map(str::to_owned);
        options.worker_timeout = Duration::from_millis(10);
        Session::connect_with(options).unwrap_err().to_string()
    };
    assert!(failure(None).contains("PARTITA_TOKEN"));
    let error = failure(Some("wrong"));
    assert!(
        error.contains("refuses") && error.contains("PARTITA_TOKEN") && !error.contains("wrong"),
        "{error}"
    );
    assert!(failure(Some("right")).contains("no workers"));
}
