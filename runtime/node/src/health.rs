//! `partita-node health`: whether a process of the pool answers. A container's health check runs this beside
//! it.

use std::time::Duration;

use anyhow::{Context, bail};
use partita_wire::Token;
use partita_wire::pool::BlobRequest;
use partita_wire::pool::master_client::MasterClient;
use tonic::Code;
use tonic::transport::Endpoint;

use crate::listen::Secrets;

/// Far longer than an answer takes.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(clap::Args)]
pub struct Arguments {
    /// Where the process listens; the same setting as its own, so that both see the same environment.
    #[arg(long, env = "PARTITA_LISTEN", default_value = "127.0.0.1:7077")]
    listen: String,
    #[command(flatten)]
    secrets: Secrets,
}

pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let (host, port) = arguments.listen.rsplit_once(':').context("--listen must be host:port")?;
    let host = match host {
        "0.0.0.0" => "127.0.0.1",
        "[::]" => "[::1]",
        host => host,
    };
    let tls = arguments.secrets.tls().client()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let mut endpoint = Endpoint::from_shared(format!("{scheme}://{host}:{port}"))?
        .connect_timeout(PATIENCE)
        .timeout(PATIENCE);
    if let Some(tls) = tls {
        endpoint = endpoint.tls_config(tls)?;
    }
    let channel =
        endpoint.connect().await.with_context(|| format!("nobody answers at {}", arguments.listen))?;
    // There is no such blob, and a worker has no such service: either answer comes from a process that is
    // alive and accepts this token.
    let mut client = MasterClient::with_interceptor(channel, Token::send(arguments.secrets.token()?));
    match client.get_blob(BlobRequest { session: 0, blob: 0 }).await {
        Ok(_) => Ok(()),
        Err(status) if matches!(status.code(), Code::NotFound | Code::Unimplemented) => Ok(()),
        Err(status) => bail!("{} answers, but: {}", arguments.listen, status.message()),
    }
}
