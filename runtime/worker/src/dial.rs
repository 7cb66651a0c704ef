//! Channels to the master and to other workers.

use std::time::Duration;

use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How often a silent connection is checked.
const PING: Duration = Duration::from_secs(5);
/// How long the peer may take to answer the check.
const PONG: Duration = Duration::from_secs(10);
/// The flow-control windows of a stream and of a connection, large enough that a sender need not wait
/// while its chunk is decoded.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// The size of an HTTP/2 frame: a chunk comes in a few frames, not in dozens.
const FRAME: u32 = 1 << 20;

/// The schemes that may precede a host.
const SCHEMES: [&str; 4] = ["partita://", "partitas://", "http://", "https://"];

/// The `host:port` of an address, without a scheme.
pub(super) fn host_and_port(address: &str) -> &str {
    let bare = SCHEMES.iter().find_map(|scheme| address.strip_prefix(scheme)).unwrap_or(address);
    bare.trim_end_matches('/')
}

/// Whether an address asks for TLS.
pub(super) fn wants_tls(address: &str) -> bool {
    address.starts_with("partitas://") || address.starts_with("https://")
}

/// A channel to `host:port`, with or without a scheme. It connects on first use, and reconnects when the
/// connection is lost.
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
