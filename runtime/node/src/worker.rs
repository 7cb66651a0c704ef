//! `partita-node worker`: runs a pool's tasks.

use std::path::PathBuf;

use anyhow::Context;
use partita_worker::{Worker, WorkerOptions};
use tracing::info;

use crate::listen::{self, Secrets};
use crate::{shutdown, size};

#[derive(clap::Args)]
pub struct Arguments {
    /// The pool's master, as partita://HOST:PORT (partitas:// with TLS) or HOST:PORT.
    #[arg(long, env = "PARTITA_MASTER", value_name = "ADDRESS")]
    master: String,
    /// A name for this worker; this machine's name unless set.
    #[arg(long, env = "PARTITA_NAME")]
    name: Option<String>,
    /// Tasks that run at the same time, one core each; a slot for each core unless set.
    #[arg(long, env = "PARTITA_SLOTS")]
    slots: Option<usize>,
    /// What tasks, shuffle blocks and cached partitions may hold together, such as 1500MB; about three
    /// quarters of the process's limit unless set.
    #[arg(long, env = "PARTITA_MEMORY", value_name = "SIZE", value_parser = size::bytes, default_value = "1GB")]
    memory: usize,
    /// The fraction of it that cached partitions may hold, from 0 to 1.
    #[arg(long, env = "PARTITA_CACHE_FRACTION", value_name = "FRACTION")]
    cache_fraction: Option<f64>,
    /// The address where the master and other workers fetch rows; port 0 takes any free port.
    #[arg(long, env = "PARTITA_LISTEN", value_name = "HOST:PORT", default_value = "127.0.0.1:0")]
    listen: String,
    /// The host or host:port under which others reach this worker, if that is neither where it listens nor
    /// this machine's address towards the master.
    #[arg(long, env = "PARTITA_ADVERTISE", value_name = "HOST")]
    advertise: Option<String>,
    /// A directory that tasks may read files in; can be repeated, or list several separated by colons.
    #[arg(long, env = "PARTITA_DATA_DIR", value_name = "DIR", value_delimiter = ':')]
    data_dir: Vec<PathBuf>,
    /// A directory that tasks may write files in; can be repeated, or list several separated by colons.
    #[arg(long, env = "PARTITA_OUTPUT_DIR", value_name = "DIR", value_delimiter = ':')]
    output_dir: Vec<PathBuf>,
    /// The directory for rows that do not fit into memory; the system's temporary directory unless set.
    #[arg(long, env = "PARTITA_SPILL_DIR", value_name = "DIR")]
    spill_dir: Option<PathBuf>,
    /// Compress shuffle blocks sent to other workers: for workers on several machines with a network of about
    /// a gigabit per second or less between them.
    #[arg(long, env = "PARTITA_COMPRESS_SHUFFLE")]
    compress_shuffle: bool,
    #[command(flatten)]
    secrets: Secrets,
}

pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let token = arguments.secrets.token()?;
    let listen = listen::address(&arguments.listen, token.as_ref()).await?;
    let mut options = WorkerOptions::new(&arguments.master);
    options.name = arguments.name.map_or_else(hostname, Ok)?;
    options.memory_limit = arguments.memory;
    options.listen = listen;
    options.token = token;
    options.tls = arguments.secrets.tls();
    options.data_dirs = arguments.data_dir;
    options.output_dirs = arguments.output_dir;
    options.advertise = arguments.advertise;
    options.compress_shuffle = arguments.compress_shuffle;
    if let Some(slots) = arguments.slots {
        options.slots = slots;
    }
    if let Some(fraction) = arguments.cache_fraction {
        options.cache_fraction = fraction;
    }
    if let Some(directory) = arguments.spill_dir {
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("cannot create the directory {}", directory.display()))?;
        options.spill_dir = directory;
    }
    let slots = options.slots;
    let mut worker = Worker::start(options).await.context("the worker cannot start")?;
    info!("listening on {}, {slots} slots, for the master at {}", worker.address(), arguments.master);
    tokio::select! {
        error = worker.failed() => return Err(error.into()),
        signal = shutdown::asked() => info!("{}: stopping", signal?),
    }
    worker.stop().await;
    Ok(())
}

fn hostname() -> anyhow::Result<String> {
    let mut name = [0u8; 256];
    // SAFETY: the pointer and length are those of one buffer.
    if unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len()) } != 0 {
        return Err(std::io::Error::last_os_error()).context("cannot read this machine's name; set --name");
    }
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    Ok(String::from_utf8_lossy(&name[..end]).into_owned())
}
