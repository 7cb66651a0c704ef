//! The signals that end a process.

use tokio::signal::unix::{SignalKind, signal};

/// Waits for SIGTERM or Ctrl-C and names which it was.
///
/// # Errors
/// When the system lets nobody listen to signals.
pub async fn asked() -> anyhow::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "Ctrl-C",
    })
}
