//! The signals that end a process.

use tokio::signal::unix::{SignalKind, signal};

/// Waits for SIGTERM or Ctrl-C and returns its name.
///
/// # Errors
/// When the system does not allow signal handlers.
pub async fn asked() -> anyhow::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "Ctrl-C",
    })
}
