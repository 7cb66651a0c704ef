//! Channels to the master and to other workers.

use std::time::Duration;

use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

/// How long a connection may take to stand.
const CONNECT: Duration = Duration::from_secs(5);
/// A connection over which nothing comes is asked so often whether it lives…
const PING: Duration = Duration::from_secs(5);
/// …and has so long to answer.
const PONG: Duration = Duration::from_secs(10);
/// Bytes that may be on their way in one stream and in all of a connection, so that a sender need not
/// wait while its chunk is decoded.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// A channel to `host:port`, with or without a scheme before it; it connects when it is used, and again
/// when the connection is lost.
pub(super) fn channel(
    address: &str,
    tls: Option<&ClientTlsConfig>,
) -> Result<Channel, tonic::transport::Error> {
    let bare = address.strip_prefix("http://").or(address.strip_prefix("https://")).unwrap_or(address);
    let scheme = if tls.is_some() { "https" } else { "http" };
    let mut endpoint = Endpoint::from_shared(format!("{scheme}://{}", bare.trim_end_matches('/')))?
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(PING)
        .keep_alive_timeout(PONG)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    if let Some(tls) = tls {
        endpoint = endpoint.tls_config(tls.clone())?;
    }
    Ok(endpoint.connect_lazy())
}
