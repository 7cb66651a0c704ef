use std::{io, process, thread};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::interpreter::Interpreter;

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
        let terminal = Terminal::now();
        thread::Builder::new().name("leave".into()).spawn(move || {
            let signal = runtime.block_on(async {
                tokio::select! {
                    _ = self.terminate.recv() => SignalKind::terminate(),
                    _ = self.hangup.recv() => SignalKind::hangup(),
                }
            });
            interpreter.shutdown();
            terminal.restore();
            // As a shell reports a program that a signal has ended.
            process::exit(128 + signal.as_raw_value());
        })?;
        Ok(())
    }
}

/// The terminal's settings before the line editor changes them.
struct Terminal(Option<libc::termios>);

impl Terminal {
    fn now() -> Self {
        // SAFETY: all zeros are a valid `termios`, which the call fills in if there is a terminal.
        let settings = unsafe {
            let mut settings: libc::termios = std::mem::zeroed();
            (libc::tcgetattr(libc::STDIN_FILENO, &raw mut settings) == 0).then_some(settings)
        };
        Self(settings)
    }

    fn restore(&self) {
        if let Some(settings) = &self.0 {
            // SAFETY: these are settings that the terminal had. One that is gone needs none.
            unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, settings) };
        }
    }
}
