//! A pool of processes gives the answers that plain Polars gives, and its errors say what is wrong.

mod support;

use partita::prelude::*;
use support::{Pool, Setup, assert_same, records};

#[test]
fn grouping_joining_sorting_and_distinct_on_a_pool_give_what_polars_gives() {
    let pool = Pool::start(Setup { workers: 2, slots: 2, ..Setup::default() });
    let session = pool.session();
    let rows = records(20_000);
    let dataset = session.frame(rows.clone(), 6);
    let lazy = || rows.clone().lazy();
    let keys = [col("key")];
    let aggs = || [col("value").sum(), len().alias("rows"), col("name").n_unique().alias("names")];

    let grouped = dataset.filter(col("value").gt(lit(50))).group_by(&keys).agg(aggs()).collect().unwrap();
    assert_same(
        grouped,
        lazy().filter(col("value").gt(lit(50))).group_by(&keys).agg(aggs()).collect().unwrap(),
    );

    let other = session
        .frame(records(300).lazy().select([col("key"), col("id").alias("other")]).collect().unwrap(), 3);
    let joined = dataset.join(&other, [col("key")], JoinType::Left).collect().unwrap();
    let right = records(300).lazy().select([col("key"), col("id").alias("other")]);
    assert_same(joined, lazy().join(right, &keys, &keys, JoinArgs::new(JoinType::Left)).collect().unwrap());

    let sorted = dataset.sort([col("value"), col("id")]).collect().unwrap();
    assert!(sorted.equals_missing(&lazy().sort(["value", "id"], Default::default()).collect().unwrap()));

    let distinct = dataset.select([col("key"), col("name")]).distinct().collect().unwrap();
    let polars =
        lazy().select([col("key"), col("name")]).unique(None, UniqueKeepStrategy::Any).collect().unwrap();
    assert_same(distinct, polars);
    assert_eq!(dataset.count().unwrap(), 20_000);
}

#[test]
fn parquet_that_workers_wrote_is_read_by_workers_and_by_polars() {
    let pool = Pool::of(2);
    let session = pool.session();
    let out = pool.output().join("rows");
    session.frame(records(5_000), 4).write_parquet(&out).unwrap();
    assert_eq!(
        std::fs::read_dir(&out)
            .unwrap()
            .filter(|file| {
                file.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "parquet")
            })
            .count(),
        4
    );
    let pattern = out.join("*.parquet");
    assert_same(session.read_parquet(&pattern).unwrap().collect().unwrap(), records(5_000));
    let path = PlRefPath::try_from_path(&pattern).unwrap();
    assert_same(
        LazyFrame::scan_parquet(path, Default::default()).unwrap().collect().unwrap(),
        records(5_000),
    );
}

#[test]
fn tasks_of_one_job_run_on_all_workers() {
    let pool = Pool::of(3);
    let session = pool.session();
    let workers = std::sync::Arc::new(std::sync::Mutex::new(std::collections::BTreeSet::new()));
    let seen = workers.clone();
    session.events().listen(move |event| {
        if let partita::events::Event::TaskFinished { worker, .. } = event {
            seen.lock().unwrap().insert(*worker);
        }
    });
    let busy = (col("id") * lit(7) % lit(1013)).sum();
    session.range(0, 12_000_000, 24).agg([busy]).collect().unwrap();
    assert_eq!(workers.lock().unwrap().len(), 3);
}

#[test]
fn a_path_outside_of_the_data_directories_is_refused_by_name() {
    let pool = Pool::of(1);
    let outside = tempfile::TempDir::new().unwrap();
    let path = outside.path().join("rows.parquet");
    ParquetWriter::new(std::fs::File::create(&path).unwrap()).finish(&mut records(10)).unwrap();
    let session = pool.session();
    let error = session.read_parquet(&path).unwrap().collect().unwrap_err().to_string();
    assert!(error.contains("rows.parquet") && error.contains(pool.data().to_str().unwrap()), "{error}");
    // Nor through a link inside the directory.
    let link = pool.data().join("link.parquet");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let error = session.read_parquet(&link).unwrap().collect().unwrap_err().to_string();
    assert!(error.contains("outside"), "{error}");
    let to = outside.path().join("written");
    let error = session.frame(records(10), 1).write_parquet(&to).unwrap_err().to_string();
    assert!(error.contains("outside") && error.contains("written"), "{error}");
    assert_eq!(session.range(0, 10, 2).count().unwrap(), 10);
}

#[test]
fn a_session_or_worker_with_another_token_or_none_is_told_so() {
    let mut pool = Pool::start(Setup { token: Some("the pool's own"), ..Setup::default() });
    assert_eq!(pool.session().range(0, 100, 4).count().unwrap(), 100);
    let mut options = pool.options();
    options.token = Some("another".into());
    let error = Session::connect_with(options).unwrap_err().to_string();
    assert!(error.contains("token") && error.contains("PARTITA_TOKEN"), "{error}");

    let log = tempfile::TempDir::new().unwrap();
    let arguments = ["worker", "--master", &pool.address, "--listen", "127.0.0.1:0"];
    let mut stranger =
        support::Node::start(log.path().join("log"), &arguments, &[("PARTITA_TOKEN", "another")]);
    assert!(!stranger.wait().success());
    assert!(stranger.log().contains("token"), "{}", stranger.log());
    // The token appears in no log and no arguments.
    for node in pool.workers.iter().chain([&pool.master, &stranger]) {
        assert!(!node.log().contains("the pool's own"));
    }
    pool.master.kill();
}

#[test]
fn beyond_loopback_nothing_starts_without_a_token() {
    let log = tempfile::TempDir::new().unwrap();
    for arguments in [
        &["master", "--listen", "0.0.0.0:0"] as &[_],
        &["master", "--listen", "127.0.0.1:0", "--web", "0.0.0.0:0"],
        &["worker", "--master", "127.0.0.1:1", "--listen", "0.0.0.0:0"],
    ] {
        let _ = std::fs::remove_file(log.path().join("log"));
        let mut node = support::Node::start(log.path().join("log"), arguments, &[]);
        assert!(!node.wait().success());
        assert!(node.log().contains("PARTITA_TOKEN_FILE"), "{}", node.log());
    }
}

#[test]
fn bytes_that_are_no_message_harm_neither_the_master_nor_a_worker() {
    use std::io::Write;
    let pool = Pool::of(1);
    let session = pool.session();
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(seed);
    let ports = [pool.address.clone(), worker_address(&pool)];
    for address in ports.iter().cycle().take(40) {
        let mut bytes = vec![0u8; 4096];
        rand::Rng::fill_bytes(&mut random, &mut bytes);
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        if rand::RngExt::random_bool(&mut random, 0.5) {
            let _ = socket.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        }
        let _ = socket.write_all(&bytes);
    }
    assert_eq!(session.range(0, 1000, 4).repartition(3).count().unwrap(), 1000);
}

/// The address in the log of the pool's first worker.
fn worker_address(pool: &Pool) -> String {
    let log = pool.workers[0].log();
    let at = log.find("listening on ").expect("a worker says where it listens");
    log[at + 13..].split([',', ' ', '\n', '\u{1b}']).next().unwrap().to_owned()
}

#[test]
fn health_is_asked_with_the_pools_own_settings() {
    let pool = Pool::start(Setup { workers: 1, token: Some("secret"), ..Setup::default() });
    let worker = {
        drop(pool.session());
        worker_address(&pool)
    };
    let directory = tempfile::TempDir::new().unwrap();
    let health = |listen: &str, token: &str| {
        let log = directory.path().join("log");
        let _ = std::fs::remove_file(&log);
        let environment = [("PARTITA_LISTEN", listen), ("PARTITA_TOKEN", token)];
        let mut node = support::Node::start(log, &["health"], &environment);
        (node.wait().success(), node.log())
    };
    assert_eq!(health(&pool.address, "secret"), (true, String::new()));
    assert_eq!(health(&worker, "secret"), (true, String::new()));
    let (healthy, said) = health(&pool.address, "wrong");
    assert!(!healthy && said.contains("token"), "{said}");
    let (healthy, said) = health("127.0.0.1:1", "secret");
    assert!(!healthy && said.contains("nobody answers at 127.0.0.1:1"), "{said}");
}
