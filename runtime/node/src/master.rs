//! `partita-node master`: the gRPC service and the web page of a pool.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use partita_master::{History, HistoryLimits, LogOptions, Master, MasterOptions, Page};
use tracing::info;

use crate::listen::{self, Secrets};
use crate::shutdown;

#[derive(clap::Args)]
pub struct Arguments {
    /// The address for workers and sessions.
    #[arg(long, env = "PARTITA_LISTEN", value_name = "HOST:PORT", default_value = "127.0.0.1:7077")]
    listen: String,
    /// The address of the web page and metrics.
    #[arg(long, env = "PARTITA_WEB", value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    web: String,
    /// Keep every session's events in this directory, for `partita-node history`.
    #[arg(long, env = "PARTITA_HISTORY_DIR", value_name = "DIR")]
    history_dir: Option<PathBuf>,
    /// The directory for rows that tasks request (broadcasts, large frames), in unlinked files; the system's
    /// temporary directory unless set.
    #[arg(long, env = "PARTITA_SPOOL_DIR", value_name = "DIR")]
    spool_dir: Option<PathBuf>,
    /// The interval of a worker's heartbeats, in milliseconds.
    #[arg(long, env = "PARTITA_HEARTBEAT_MS", value_name = "MS", default_value_t = 1000)]
    heartbeat_ms: u64,
    /// A worker that has been silent for this many milliseconds is lost, and its tasks run elsewhere.
    #[arg(long, env = "PARTITA_LOST_AFTER_MS", value_name = "MS", default_value_t = 10_000)]
    lost_after_ms: u64,
    #[command(flatten)]
    secrets: Secrets,
}

pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let token = arguments.secrets.token()?;
    let listen = listen::address(&arguments.listen, token.as_ref()).await?;
    let web = listen::listen(&arguments.web, token.as_ref()).await?;
    let limits = HistoryLimits::default();
    let history = Arc::new(match arguments.history_dir {
        Some(directory) => History::with_log(limits, LogOptions::new(directory))?,
        None => History::new(limits),
    });
    let mut options = MasterOptions::new(listen, polars::VERSION);
    options.token = token.clone();
    options.tls = arguments.secrets.tls();
    options.heartbeat = Duration::from_millis(arguments.heartbeat_ms);
    options.lost_after = Duration::from_millis(arguments.lost_after_ms);
    options.recorder = history.clone();
    if let Some(directory) = arguments.spool_dir {
        options.spool = directory;
    }
    let master = Master::bind(options).await.context("the master cannot start")?;
    let stop = master.stop();
    let tls = arguments.secrets.tls();
    let scheme = listen::scheme(&tls);
    info!("listening on {}, web page on {scheme}://{}", master.local_addr(), web.local_addr()?);
    let page = Page { history, view: Some(master.view()), token, tls };
    let ends = stop.clone();
    tokio::spawn(async move {
        if let Ok(signal) = shutdown::asked().await {
            info!("{signal}: stopping");
            ends.cancel();
        }
    });
    let page = page.serve(web, stop.cancelled_owned());
    tokio::try_join!(async { master.serve().await.map_err(anyhow::Error::from) }, async { Ok(page.await?) })?;
    Ok(())
}
