//! The same program on a pool: on the one that `PARTITA_MASTER` names (`make pool` starts one), or on a
//! master and two workers that are started here, as threads of this process connected by sockets.
//!
//! `cargo run --release --workspace --example pool`

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use partita::prelude::*;
use partita_master::{Master, MasterOptions};
use partita_worker::{Worker, WorkerOptions};
use tokio::runtime::Runtime;

const WORKERS: usize = 2;
const SLOTS: usize = 1;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::var("PARTITA_MASTER").is_ok_and(|address| !address.is_empty()) {
        return trips(&Session::from_env()?);
    }
    let runtime = Runtime::new()?;
    let directory = tempfile::tempdir()?;
    let (address, _workers) = runtime.block_on(start_pool(directory.path()))?;
    let session = Session::connect(&format!("partita://{address}"))?;
    while session.slots() < WORKERS * SLOTS {
        std::thread::sleep(Duration::from_millis(10));
    }
    trips(&session)
}

/// Starts a master and its workers; they run until the workers and the runtime are dropped.
async fn start_pool(directory: &Path) -> Result<(SocketAddr, Vec<Worker>), Box<dyn std::error::Error>> {
    let master = Master::bind(MasterOptions::new(([127, 0, 0, 1], 0).into(), polars::VERSION)).await?;
    let address = master.local_addr();
    tokio::spawn(master.serve());
    let mut workers = Vec::new();
    for number in 1..=WORKERS {
        let mut options = WorkerOptions::new(address.to_string());
        options.name = format!("worker-{number}");
        options.slots = SLOTS;
        options.data_dirs = vec![directory.to_owned()];
        options.output_dirs = vec![directory.to_owned()];
        workers.push(Worker::start(options).await?);
    }
    Ok((address, workers))
}

/// Writes generated trips where all workers can read them, and counts them by hour.
fn trips(session: &Session) -> Result<(), Box<dyn std::error::Error>> {
    let folder = session.temp_dir()?.join("trips");
    taxi::generate(taxi::TripSpec { rows: 200_000, files: 4, ..Default::default() })?
        .write_parquet(&folder)?;
    let (hours, report) = session
        .read_parquet(&folder)?
        .group_by([col("pickup_at").dt().hour().alias("hour")])
        .agg([len().alias("trips")])
        .sort([col("hour")])
        .profile()?;
    println!("{report}");
    println!("{hours}");
    let counted: u32 = hours.column("trips")?.u32()?.iter().flatten().sum();
    assert_eq!(counted, 200_000);
    Ok(())
}
