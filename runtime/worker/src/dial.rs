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
/// Bytes of one frame of HTTP/2: chunks come in a few, not in dozens.
const FRAME: u32 = 1 << 20;

/// What may stand before a host.
const SCHEMES: [&str; 4] = ["partita://", "partitas://", "http://", "https://"];

/// `host:port` of an address, without a scheme.
pub(super) fn host_and_port(address: &str) -> &str {
    let bare = SCHEMES.iter().find_map(|scheme| address.strip_prefix(scheme)).unwrap_or(address);
    bare.trim_end_matches('/')
}

/// Whether an address asks for TLS.
pub(super) fn wants_tls(address: &str) -> bool {
    address.starts_with("partitas://") || address.starts_with("https://")
}

/// A channel to `host:port`, with or without a scheme before it; it connects when it is used, and again
/// when the connection is lost.
pub(super) fn channel(
    address: &str,
    tls: Option<&ClientTlsConfig>,
) -> Result<Channel, tonic::transport::Error> {
    let scheme = if tls.is_some() { "https" } else { "http" };
    let mut endpoint = Endpoint::from_shared(format!("{scheme}://{}", host_and_port(address)))?
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(PING)
        .keep_alive_timeout(PONG)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME);
    if let Some(tls) = tls {
        endpoint = endpoint.tls_config(tls.clone())?;
    }
    Ok(endpoint.connect_lazy())
}
