use std::{io, process, thread};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::settings::Settings;
use partita_interpreter::Interpreter;

/// Ends the session in order when the system or the terminal asks for it. Waiting begins with
/// [`on`](Self::on); from the start such a signal no longer ends the program by itself.
pub struct LeaveSignals {
    terminate: Signal,
    hangup: Signal,
}

impl LeaveSignals {
    /// Call it inside a runtime, which lives as long as the program, and before anything is started
    /// that must not be left behind.
    pub fn register() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, hangup: signal(SignalKind::hangup())? })
    }

    /// From now on a signal ends the evaluation process, removes its files and leaves. The line editor
    /// waits for keys meanwhile and cannot be woken, so this is done on a thread of its own.
    pub fn on(mut self, runtime: tokio::runtime::Runtime, interpreter: Interpreter) -> io::Result<()> {
        // As they are before the line editor changes them.
        let settings = Settings::now(libc::STDIN_FILENO);
        thread::Builder::new().name("leave".into()).spawn(move || {
            let signal = runtime.block_on(async {
                tokio::select! {
                    _ = self.terminate.recv() => SignalKind::terminate(),
                    _ = self.hangup.recv() => SignalKind::hangup(),
                }
            });
            interpreter.shutdown();
            if let Some(settings) = settings {
                settings.restore();
            }
            // As a shell reports a program that a signal has ended.
            process::exit(128 + signal.as_raw_value());
        })?;
        Ok(())
    }
}
