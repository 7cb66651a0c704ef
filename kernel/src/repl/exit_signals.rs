use std::{io, process, thread};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::terminal_settings::TerminalSettings;
use partita_interpreter::Interpreter;

/// Ends the session properly when the system or the terminal asks for it. Once registered, such a signal
/// no longer ends the program by itself; [`on`](Self::on) starts waiting for one.
pub struct ExitSignals {
    terminate: Signal,
    hangup: Signal,
}

impl ExitSignals {
    /// Call it inside a runtime that lives as long as the program, before starting anything that must not
    /// be left behind.
    pub fn register() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, hangup: signal(SignalKind::hangup())? })
    }

    /// From now on a signal ends the evaluation process, removes its files and exits. A thread of its own
    /// does this, because the line editor waits for keys and cannot be woken.
    pub fn on(mut self, runtime: tokio::runtime::Runtime, interpreter: Interpreter) -> io::Result<()> {
        // The settings before the line editor changes them.
        let settings = TerminalSettings::current(libc::STDIN_FILENO);
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
            // The exit code that a shell reports for a program ended by a signal.
            process::exit(128 + signal.as_raw_value());
        })?;
        Ok(())
    }
}
