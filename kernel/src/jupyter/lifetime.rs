use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// How often the parent is checked.
const PARENT_POLL: Duration = Duration::from_secs(1);

/// A request to the whole kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LifetimeEvent {
    /// Stop the running cell.
    Interrupt,
    /// End, for this reason.
    Leave(&'static str),
}

/// Watches signals and the parent process. Other parts can send requests through the returned sender.
pub fn watch() -> anyhow::Result<(mpsc::Sender<LifetimeEvent>, mpsc::Receiver<LifetimeEvent>)> {
    let (sender, events) = mpsc::channel(8);
    let signals = [
        (SignalKind::interrupt(), LifetimeEvent::Interrupt),
        (SignalKind::terminate(), LifetimeEvent::Leave("SIGTERM")),
        (SignalKind::hangup(), LifetimeEvent::Leave("SIGHUP")),
    ];
    for (kind, event) in signals {
        let mut signal = signal(kind).context("a signal handler could not be installed")?;
        let sender = sender.clone();
        tokio::spawn(async move {
            while signal.recv().await.is_some() {
                if sender.send(event).await.is_err() {
                    return;
                }
            }
        });
    }
    if let Some(parent) = parent_to_watch(std::env::var("JPY_PARENT_PID").ok().as_deref()) {
        let sender = sender.clone();
        tokio::spawn(async move {
            while parent.is_alive() {
                tokio::time::sleep(PARENT_POLL).await;
            }
            let _ = sender.send(LifetimeEvent::Leave("the process that started the kernel has ended")).await;
        });
    }
    Ok((sender, events))
}

/// The process that this kernel serves; without it the kernel ends.
#[derive(Debug, PartialEq, Eq)]
struct Parent {
    pid: libc::pid_t,
    /// Whether it is also our parent to the system; a launcher may be in between.
    direct: bool,
}

/// Jupyter sets `JPY_PARENT_PID` to its own id, unless the kernel is meant to outlive it.
fn parent_to_watch(variable: Option<&str>) -> Option<Parent> {
    let pid: libc::pid_t = variable?.trim().parse().ok().filter(|pid| *pid > 1)?;
    Some(Parent { pid, direct: pid == parent_pid() })
}

impl Parent {
    fn is_alive(&self) -> bool {
        // A dead parent that was not reaped still has its id, but we then have another parent.
        if self.direct && parent_pid() != self.pid {
            return false;
        }
        // SAFETY: signal 0 is never delivered; the call only tells whether the process exists.
        let answer = unsafe { libc::kill(self.pid, 0) };
        answer == 0 || std::io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
    }
}

fn parent_pid() -> libc::pid_t {
    // SAFETY: getppid has no preconditions and cannot fail.
    unsafe { libc::getppid() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_usable_number_no_parent_is_watched() {
        for variable in [None, Some(""), Some("x"), Some("0"), Some("1"), Some("-3")] {
            assert_eq!(parent_to_watch(variable), None, "{variable:?}");
        }
    }

    #[test]
    fn a_living_parent_is_alive_and_a_reaped_process_is_not() {
        let own = parent_to_watch(Some(&parent_pid().to_string())).unwrap();
        assert!(own.direct && own.is_alive());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert!(!parent_to_watch(Some(&child.id().to_string())).unwrap().is_alive());
    }
}
