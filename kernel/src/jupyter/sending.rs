//! Sending to a front end that may not read.

use std::future::Future;
use std::time::Duration;

use jupyter_protocol::JupyterMessage;

use super::info::PROTOCOL_VERSION;

/// How long a message may wait for a front end that does not read.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What a status message does when iopub's queue is full.
#[derive(Debug, Clone, Copy)]
pub enum WhenFull {
    /// It waits for room.
    Wait,
    /// It is dropped, because the publisher must not wait.
    Skip,
}

/// Awaits a send for at most `patience` and logs a failure. Returns whether the front end took the
/// message.
pub async fn within(
    patience: Duration,
    kind: &str,
    send: impl Future<Output = jupyter_zmq_client::Result<()>>,
) -> bool {
    match tokio::time::timeout(patience, send).await {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => tracing::warn!("{kind} was not sent: {error}"),
        Err(_) => tracing::warn!("{kind} was dropped: the front end has not read for {patience:?}"),
    }
    false
}

/// Sets the protocol version and our name in a header made by the protocol crate.
pub fn stamped(mut message: JupyterMessage) -> JupyterMessage {
    PROTOCOL_VERSION.clone_into(&mut message.header.version);
    "partita".clone_into(&mut message.header.username);
    message
}
