//! A pool of real processes on this machine, and ways to disturb it.

#![allow(dead_code)] // Every test file uses only a part of it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use partita::PoolOptions;
use partita::prelude::*;
use tempfile::TempDir;

/// The longest wait, far longer than anything should take.
pub const GUARD: Duration = Duration::from_secs(120);

/// Waits until `come` returns true. On timeout it panics with `what`.
pub fn wait_for(what: &str, mut come: impl FnMut() -> bool) {
    let began = Instant::now();
    while !come() {
        assert!(began.elapsed() < GUARD, "still waiting for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A `partita-node` process. It ends when this is dropped.
pub struct Node {
    child: Child,
    log: PathBuf,
}

impl Node {
    /// Starts a process with these arguments. Its output goes to the file `log`.
    pub fn start(log: PathBuf, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_partita-node"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PARTITA_")) {
            command.env_remove(name);
        }
        let out = File::options().create(true).append(true).open(&log).unwrap();
        command.args(arguments).envs(environment.iter().copied()).env("RUST_LOG", "info");
        command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out);
        Self { child: command.spawn().unwrap(), log }
    }

    /// Its output so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until the output contains `text`, and returns the rest of that line.
    pub fn said(&mut self, text: &str) -> String {
        let mut rest = None;
        wait_for(&format!("{text:?} in {}", self.log.display()), || {
            let log = self.log();
            rest = log
                .find(text)
                .and_then(|at| log[at + text.len()..].split_once('\n'))
                .map(|(rest, _)| rest.to_owned());
            let ended = self.child.try_wait().unwrap();
            assert!(rest.is_some() || ended.is_none(), "{ended:?}: {log}");
            rest.is_some()
        });
        rest.unwrap()
    }

    /// Waits until it has ended, and returns its exit status.
    pub fn wait(&mut self) -> std::process::ExitStatus {
        let mut status = None;
        wait_for("the end of a process", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Its process id.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal: SIGKILL, SIGSTOP, SIGCONT, SIGTERM.
    pub fn signal(&self, signal: i32) {
        // SAFETY: the child is ours and not yet reaped, so its id cannot belong to another process.
        assert_eq!(unsafe { libc::kill(self.child.id() as i32, signal) }, 0);
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self) {
        self.signal(libc::SIGKILL);
        self.child.wait().unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("---- {} ----\n{}", self.log.display(), self.log());
        }
    }
}

/// Options of a test's pool.
pub struct Setup {
    pub workers: usize,
    pub slots: usize,
    pub memory: &'static str,
    pub lost_after_ms: &'static str,
    pub token: Option<&'static str>,
    /// Whether the processes use TLS, with certificates made for the test.
    pub tls: bool,
    /// Environment of every worker.
    pub environment: Vec<(&'static str, String)>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            workers: 2,
            slots: 1,
            memory: "1GB",
            lost_after_ms: "10000",
            token: None,
            tls: false,
            environment: Vec::new(),
        }
    }
}

impl Setup {
    /// The arguments that name a process's certificates.
    fn tls_arguments(&self, directory: &Path) -> Vec<String> {
        if !self.tls {
            return Vec::new();
        }
        let files = [("--tls-ca", AUTHORITY), ("--tls-cert", CERTIFICATE), ("--tls-key", KEY)];
        let at = |file: &str| directory.join(file).to_str().unwrap().to_owned();
        files.iter().flat_map(|(option, file)| [(*option).to_owned(), at(file)]).collect()
    }
}

const AUTHORITY: &str = "ca.pem";
const CERTIFICATE: &str = "pool.pem";
const KEY: &str = "pool.key";

/// Makes an authority and a certificate of this machine that it signed.
pub fn make_certificates(directory: &Path) {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority.distinguished_name.push(rcgen::DnType::CommonName, "the test's authority");
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let authority = rcgen::CertifiedIssuer::self_signed(authority, authority_key).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let certificate = rcgen::CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
    let write = |file: &str, text: String| std::fs::write(directory.join(file), text).unwrap();
    write(AUTHORITY, authority.pem());
    write(CERTIFICATE, certificate.pem());
    write(KEY, key.serialize_pem());
}

/// A master and its workers.
pub struct Pool {
    pub master: Node,
    pub workers: Vec<Node>,
    pub address: String,
    /// host:port of the master's page.
    pub web: String,
    setup: Setup,
    started: usize,
    directory: TempDir,
}

impl Pool {
    pub fn start(setup: Setup) -> Self {
        let directory = TempDir::new().unwrap();
        for name in ["data", "output"] {
            std::fs::create_dir(directory.path().join(name)).unwrap();
        }
        if setup.tls {
            make_certificates(directory.path());
        }
        let (master, address, web) = Self::master(&setup, directory.path(), "127.0.0.1:0");
        let mut pool = Self { master, workers: Vec::new(), address, web, setup, started: 0, directory };
        for _ in 0..pool.setup.workers {
            pool.add_worker();
        }
        pool
    }

    pub fn of(workers: usize) -> Self {
        Self::start(Setup { workers, ..Setup::default() })
    }

    fn master(setup: &Setup, directory: &Path, listen: &str) -> (Node, String, String) {
        let log = directory.join("master.log");
        let _ = std::fs::remove_file(&log);
        let token = setup.token.map(|token| ("PARTITA_TOKEN", token));
        let heartbeat = "200";
        let arguments = ["master", "--listen", listen, "--web", "127.0.0.1:0", "--heartbeat-ms", heartbeat];
        let mut arguments = arguments.to_vec();
        arguments.extend(["--lost-after-ms", setup.lost_after_ms]);
        let tls = setup.tls_arguments(directory);
        arguments.extend(tls.iter().map(String::as_str));
        let mut master = Node::start(log, &arguments, token.as_slice());
        let said = master.said("listening on ");
        let address = said.split([',', ' ', '\u{1b}']).next().unwrap().to_owned();
        let page = master.said("web page on ");
        let (_, web) = page.split_once("://").unwrap();
        let web = web.split([' ', '\u{1b}']).next().unwrap().to_owned();
        (master, address, web)
    }

    /// Starts one more worker; sessions may see it a moment later.
    pub fn add_worker(&mut self) {
        self.started += 1;
        let name = format!("worker-{}", self.started);
        let (slots, spill) =
            (self.setup.slots.to_string(), self.directory.path().join(format!("{name}.spill")));
        let (data, output) = (self.data(), self.output());
        let master = self.url();
        let arguments = [
            "worker",
            "--master",
            &master,
            "--name",
            &name,
            "--listen",
            "127.0.0.1:0",
            "--slots",
            &slots,
            "--memory",
            self.setup.memory,
            "--data-dir",
            data.to_str().unwrap(),
            "--output-dir",
            output.to_str().unwrap(),
            "--spill-dir",
            spill.to_str().unwrap(),
        ];
        let tls = self.setup.tls_arguments(self.directory.path());
        let arguments: Vec<&str> = arguments.into_iter().chain(tls.iter().map(String::as_str)).collect();
        let token = self.setup.token.map(|token| ("PARTITA_TOKEN", token));
        let environment = self.setup.environment.iter().map(|(name, value)| (*name, value.as_str()));
        let environment: Vec<(&str, &str)> = environment.chain(token).collect();
        let log = self.directory.path().join(format!("{name}.log"));
        let mut worker = Node::start(log, &arguments, &environment);
        worker.said("listening on ");
        self.workers.push(worker);
    }

    /// Stops the master and starts another one at the same address.
    pub fn restart_master(&mut self) {
        self.master.kill();
        let (master, address, web) = Self::master(&self.setup, self.directory.path(), &self.address);
        assert_eq!(address, self.address);
        (self.master, self.web) = (master, web);
    }

    /// A directory that workers may read.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// A directory that workers may write.
    pub fn output(&self) -> PathBuf {
        self.directory.path().join("output")
    }

    /// Bytes that workers keep on disk.
    pub fn on_disk(&self) -> u64 {
        let spills = (1..=self.started).map(|n| self.directory.path().join(format!("worker-{n}.spill")));
        spills.map(|spill| bytes_below(&spill)).sum()
    }

    /// A session, once all workers have joined.
    pub fn session(&self) -> Session {
        self.session_of(self.workers.len())
    }

    /// A session, once this many workers have joined.
    pub fn session_of(&self, workers: usize) -> Session {
        let session = Session::connect_with(self.options()).unwrap();
        wait_for("all workers", || session.slots() == workers * self.setup.slots);
        session
    }

    /// The URL that sessions connect to.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.setup.tls { "partitas" } else { "partita" }, self.address)
    }

    /// The authority that signed the processes' certificates.
    pub fn authority(&self) -> PathBuf {
        self.directory.path().join(AUTHORITY)
    }

    pub fn options(&self) -> PoolOptions {
        let mut options = PoolOptions::new(self.url());
        options.ca = self.setup.tls.then(|| self.authority());
        options.token = self.setup.token.map(str::to_owned);
        options.worker_timeout = GUARD;
        options
    }
}

/// Bytes of the files in a directory that may be vanishing.
fn bytes_below(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

/// Rows to group, join and sort by, the same for the same `rows`.
pub fn records(rows: i64) -> DataFrame {
    df!(
        "id" => (0..rows).collect::<Vec<_>>(),
        "key" => (0..rows).map(|i| (i * 7919) % 101).collect::<Vec<_>>(),
        "name" => (0..rows).map(|i| (i % 13 != 0).then(|| format!("name {}", i % 29))).collect::<Vec<_>>(),
        "value" => (0..rows).map(|i| (i * i) % 9973).collect::<Vec<_>>(),
    )
    .unwrap()
}

/// The rows in an order that depends only on their values.
pub fn ordered(rows: DataFrame) -> DataFrame {
    let columns: Vec<PlSmallStr> = rows.get_column_names().into_iter().cloned().collect();
    rows.sort(columns, SortMultipleOptions::default().with_maintain_order(true)).unwrap()
}

/// Panics unless both have the same rows, in any order.
pub fn assert_same(ours: DataFrame, polars: DataFrame) {
    let (ours, polars) = (ordered(ours), ordered(polars));
    assert!(ours.equals_missing(&polars), "ours: {ours}\nPolars: {polars}");
}
