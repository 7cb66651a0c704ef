//! Serves the master's page without a pool. `watch DIRECTORY` shows the event logs in a directory;
//! `watch FILE` replays one of them as if its session ran now. Prints the page's address.
//!
//! With PARTITA_TOKEN set, the page requires that token, as a master's does. With WATCH_TLS, it has a
//! self-signed certificate.

use std::fs::{self, File};
use std::future::pending;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use partita_events::Event;
use partita_master::{Cluster, History, HistoryLimits, Page, Recorder, SessionView, View, WorkerView};
use partita_wire::{Identity, TlsFiles, Token};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path: PathBuf = std::env::args_os().nth(1).ok_or("which directory or file?")?.into();
    let limits = HistoryLimits::default();
    let (history, view) = if path.is_dir() {
        let (history, replayed) = History::replay(&path, limits)?;
        eprintln!("{replayed:?}");
        (Arc::new(history), None)
    } else {
        let history = Arc::new(History::new(limits));
        let events = read(&path)?;
        let view = pool(&events);
        let player = history.clone();
        thread::spawn(move || play(&player, &events));
        (history, Some(view))
    };
    let directory = tempfile::tempdir()?;
    let tls = match std::env::var_os("WATCH_TLS") {
        Some(_) => certificate(directory.path())?,
        None => TlsFiles::default(),
    };
    let scheme = if tls.identity.is_some() { "https" } else { "http" };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{scheme}://{}/", listener.local_addr()?);
    Page { history, view, token: Token::from_env()?, tls }.serve(listener, pending()).await?;
    Ok(())
}

fn certificate(directory: &Path) -> Result<TlsFiles, Box<dyn std::error::Error>> {
    let pair = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let (certificate, key) = (directory.join("page.pem"), directory.join("page.key"));
    fs::write(&certificate, pair.cert.pem())?;
    fs::write(&key, pair.signing_key.serialize_pem())?;
    Ok(TlsFiles { ca: None, identity: Some(Identity { certificate, key }) })
}

fn read(path: &Path) -> std::io::Result<Vec<Event>> {
    let lines: Vec<String> = BufReader::new(File::open(path)?).lines().collect::<Result<_, _>>()?;
    Ok(lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// Replays each event at its time.
fn play(history: &History, events: &[Event]) {
    let started = Instant::now();
    history.opened(1, "played again");
    for event in events {
        thread::sleep(event.at().saturating_sub(started.elapsed()).min(Duration::from_secs(60)));
        history.event(1, event);
    }
    history.closed(1);
}

/// A pool of the workers that the events name.
fn pool(events: &[Event]) -> View {
    let joined = SystemTime::now();
    let worker = |event: &Event| match event {
        Event::WorkerJoined { worker, name, slots, .. } => Some(WorkerView {
            worker: worker.0,
            name: name.clone(),
            slots: *slots,
            busy: 0,
            memory_limit: 0,
            cache_limit: 0,
            blocks_address: String::new(),
            status: None,
            silent: Duration::ZERO,
            joined,
        }),
        _ => None,
    };
    let workers: Vec<WorkerView> = events.iter().filter_map(worker).collect();
    let session = SessionView {
        session: 1,
        name: "played again".to_owned(),
        opened: joined,
        queued: 0,
        running: 0,
        workers: workers.iter().map(|worker| worker.worker).collect(),
        dynamic: false,
        blob_bytes: 0,
    };
    let cluster = Cluster { workers, sessions: vec![session], ..Cluster::default() };
    View::new(move || cluster.clone())
}
