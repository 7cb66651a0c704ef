//! The pool as `make pool` starts it: the image, the compose file, broken networks. Without a Docker engine
//! this fails, unless PARTITA_EXPECT_NO_DOCKER=1 says that none is expected.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use partita::PoolOptions;
use partita::prelude::*;
use support::{assert_same, records, wait_for};

/// The pool of the compose file with its own name and settings; it is removed when this is dropped.
struct Compose {
    project: String,
    directory: tempfile::TempDir,
    port: u16,
    web: u16,
}

/// Runs a command and returns its output. Panics with the output if the command fails.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    out
}

fn docker(arguments: &[&str]) -> String {
    run(Command::new("docker").args(arguments))
}

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A port outside the range that systems assign by themselves, so it is still free when the container takes
/// it.
fn free_port() -> u16 {
    let port = |_| rand::random_range(15_000..30_000);
    (0..100).map(port).find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

impl Compose {
    fn up(workers: usize) -> Self {
        let directory = tempfile::TempDir::new().unwrap();
        let project = format!("partita-test-{}", std::process::id());
        let pool = Self { project, directory, port: free_port(), web: free_port() };
        run(pool.script("pool-image.sh").arg(env!("CARGO_BIN_EXE_partita-node")));
        pool.compose(&["up", "--detach", "--scale", &format!("worker={workers}")]);
        pool
    }

    fn script(&self, name: &str) -> Command {
        let mut command = Command::new("sh");
        command.arg(checkout().join("scripts").join(name));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PARTITA_")) {
            command.env_remove(name);
        }
        command
            .env("PARTITA_ENV", self.directory.path().join("pool.env"))
            .env("PARTITA_IMAGE", "partita-node-test")
            .env("PARTITA_PORT", self.port.to_string())
            .env("PARTITA_WEB_PORT", self.web.to_string())
            .env("PARTITA_DATA_DIR", self.data())
            .env("PARTITA_OUTPUT_DIR", self.output())
            .env("COMPOSE_PROJECT_NAME", &self.project);
        command
    }

    fn compose(&self, arguments: &[&str]) -> String {
        run(self.script("compose.sh").args(arguments))
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn output(&self) -> PathBuf {
        self.directory.path().join("output")
    }

    fn containers(&self, service: &str) -> Vec<String> {
        self.compose(&["ps", "--quiet", service]).lines().map(str::to_owned).collect()
    }

    fn inspect(&self, container: &str, format: &str) -> String {
        docker(&["inspect", "--format", format, container]).trim().to_owned()
    }

    fn session(&self, slots: usize) -> Session {
        let settings = std::fs::read_to_string(self.directory.path().join("pool.env")).unwrap();
        let token = settings.lines().find_map(|line| line.strip_prefix("PARTITA_TOKEN=")).unwrap();
        let mut options = PoolOptions::new(format!("partita://127.0.0.1:{}", self.port));
        options.token = Some(token.to_owned());
        options.worker_timeout = support::GUARD;
        for container in self.containers("master") {
            wait_for("a healthy master", || {
                self.inspect(&container, "{{.State.Health.Status}}") == "healthy"
            });
        }
        let session = Session::connect_with(options).unwrap();
        wait_for("all workers", || session.slots() == slots);
        session
    }
}

impl Drop for Compose {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let logs = self.script("compose.sh").args(["logs", "--no-color", "--tail", "100"]).output();
            eprintln!(
                "{}",
                logs.map(|logs| String::from_utf8_lossy(&logs.stdout).into_owned()).unwrap_or_default()
            );
        }
        let _ = self
            .script("compose.sh")
            .args(["down", "--volumes", "--remove-orphans", "--timeout", "2"])
            .output();
    }
}

fn slow(session: &Session) -> Dataset {
    let key = (col("id") % lit(1009)).alias("key");
    let work = (0..12).fold(col("id"), |work, i| (work * lit(1_103_515_245i64 + i)) % lit(2_147_483_647i64));
    session
        .range(0, 8_000_000, 32)
        .select([key, work.alias("work")])
        .group_by([col("key")])
        .agg([col("work").sum()])
}

/// Runs `harm` as soon as the job's first task has started.
fn survives(session: &Session, harm: impl FnOnce()) {
    let (sender, started) = std::sync::mpsc::channel();
    session.events().listen(move |event| {
        if let partita::events::Event::TaskStarted { .. } = event {
            let _ = sender.send(());
        }
    });
    let job = slow(session);
    let running = std::thread::spawn(move || job.collect());
    started.recv_timeout(support::GUARD).unwrap();
    harm();
    let answer = running.join().unwrap().unwrap();
    assert_same(answer, slow(&Session::embedded(2).unwrap()).collect().unwrap());
}

#[test]
fn the_pool_of_the_compose_file_answers_grows_and_survives() {
    if !Command::new("docker").arg("version").output().is_ok_and(|output| output.status.success()) {
        let expected = std::env::var("PARTITA_EXPECT_NO_DOCKER").is_ok_and(|value| value == "1");
        assert!(
            expected,
            "there is no Docker engine here; set PARTITA_EXPECT_NO_DOCKER=1 to skip the pool in Docker"
        );
        return;
    }
    let pool = Compose::up(2);
    let session = pool.session(4);

    // Right answers from files under their paths on the host.
    let keys = [col("key")];
    let rows = records(20_000);
    let sums = session.frame(rows.clone(), 6).group_by(&keys).agg([col("value").sum()]).collect().unwrap();
    assert_same(sums, rows.clone().lazy().group_by(&keys).agg([col("value").sum()]).collect().unwrap());
    let file = pool.data().join("rows.parquet");
    ParquetWriter::new(std::fs::File::create(&file).unwrap()).finish(&mut rows.clone()).unwrap();
    let written = pool.output().join("written");
    session.read_parquet(&file).unwrap().repartition(3).write_parquet(&written).unwrap();
    let path = PlRefPath::try_from_path(&written.join("*.parquet")).unwrap();
    assert_same(LazyFrame::scan_parquet(path, Default::default()).unwrap().collect().unwrap(), rows.clone());
    let folder = session.temp_dir().unwrap();
    assert!(folder.starts_with(pool.output()), "{}", folder.display());
    ParquetWriter::new(std::fs::File::create(folder.join("here.parquet")).unwrap())
        .finish(&mut rows.clone())
        .unwrap();
    session.read_parquet(folder.join("here.parquet")).unwrap().write_parquet(folder.join("there")).unwrap();
    assert_eq!(session.read_parquet(folder.join("there")).unwrap().count().unwrap(), rows.height() as u64);
    let error = session.frame(records(10), 1).write_parquet(pool.data().join("no")).unwrap_err().to_string();
    assert!(error.contains("no"), "{error}");

    // The containers have no more rights than they need.
    for service in ["master", "worker"] {
        for container in pool.containers(service) {
            let host = |what: &str| pool.inspect(&container, &format!("{{{{json .HostConfig.{what}}}}}"));
            assert_eq!(host("ReadonlyRootfs"), "true");
            assert_eq!(host("CapDrop"), r#"["ALL"]"#);
            assert!(host("SecurityOpt").contains("no-new-privileges"));
            assert!(!pool.inspect(&container, "{{.Config.User}}").starts_with('0'));
            let ports = host("PortBindings");
            match service {
                "master" => {
                    assert!(ports.contains("127.0.0.1") && !ports.contains(r#""HostIp":"""#), "{ports}")
                }
                _ => assert!(ports == "{}" || ports == "null", "{ports}"),
            }
        }
    }

    // More workers for a running session.
    pool.compose(&["up", "--detach", "--no-recreate", "--scale", "worker=4"]);
    wait_for("two more workers", || session.slots() == 8);
    survives(&session, || ());

    // One worker is cut off and comes back, one dies.
    let workers = pool.containers("worker");
    let network = format!("{}_default", pool.project);
    survives(&session, || drop(docker(&["network", "disconnect", &network, &workers[0]])));
    wait_for("the pool to notice", || session.slots() == 6);
    docker(&["network", "connect", &network, &workers[0]]);
    wait_for("the worker to come back", || session.slots() == 8);
    survives(&session, || drop(docker(&["kill", &workers[1]])));
    wait_for("the pool to notice", || session.slots() == 6);
    survives(&session, || ());

    // More than a worker can hold in one task: an error with the reason, and the pool continues.
    let huge = session.range(0, 600_000_000, 1).sort([col("id") % lit(1_000_003i64)]);
    let error = huge.collect_partitions().map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("memory"), "{error}");
    wait_for("the workers to come back", || session.slots() == 6);
    survives(&session, || ());

    // A worker whose disk is full reports the file and continues.
    for worker in pool.containers("worker") {
        docker(&["stop", "--time", "5", &worker]);
    }
    wait_for("all workers to leave", || session.slots() == 0);
    let small = ["-e", "PARTITA_SPILL_DIR=/tmp", "-e", "PARTITA_MEMORY=100MB"];
    pool.compose(&[&["run", "--detach"], &small[..], &["worker"]].concat());
    wait_for("the worker with a small disk", || session.slots() == 2);
    session.set_shuffle_partitions(64).unwrap();
    let mixed = |by: i64| (col("id") * lit(by)) % lit(2_147_483_647i64);
    let sorted = |rows: i64| {
        let rows = session.range(0, rows, 64);
        rows.with_columns([mixed(1_103_515_245).alias("k"), mixed(48_271).alias("a")]).sort([col("k")])
    };
    let error = sorted(12_000_000).count().unwrap_err().to_string();
    for part in ["partita-spill-", "No space left", "free space there"] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(session.slots(), 2, "the worker lives");
    assert_eq!(sorted(1_000_000).count().unwrap(), 1_000_000);
}
