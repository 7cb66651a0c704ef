//! `partita-node history`: the web page over recorded event logs.

use std::path::PathBuf;
use std::sync::Arc;

use partita_master::{History, HistoryLimits, Page};
use tracing::{info, warn};

use crate::listen::{self, Secrets};
use crate::shutdown;

#[derive(clap::Args)]
pub struct Arguments {
    /// The directory that a master was given as --history-dir.
    #[arg(long = "dir", env = "PARTITA_HISTORY_DIR", value_name = "DIR")]
    directory: PathBuf,
    /// The address of the page.
    #[arg(long, env = "PARTITA_WEB", value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    web: String,
    #[command(flatten)]
    secrets: Secrets,
}

pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let token = arguments.secrets.token()?;
    let listener = listen::listen(&arguments.web, token.as_ref()).await?;
    let directory = arguments.directory;
    let replay = move || History::replay(&directory, HistoryLimits::default());
    let (history, replayed) = tokio::task::spawn_blocking(replay).await??;
    if replayed.unreadable > 0 {
        warn!("{} lines are not events and were skipped", replayed.unreadable);
    }
    let tls = arguments.secrets.tls();
    info!("{} sessions on {}://{}", replayed.sessions, listen::scheme(&tls), listener.local_addr()?);
    let stop = async {
        let _ = shutdown::asked().await;
    };
    Page { history: Arc::new(history), view: None, token, tls }.serve(listener, stop).await?;
    Ok(())
}
