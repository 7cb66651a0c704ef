use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};
use partita_bridge::Stream;

use crate::{
    evaluation_process::{Activity, Outputs, ProcessControl},
    evaluator::Interrupter,
};

/// How long a cell may take to return after its job was cancelled.
const PATIENCE: Duration = Duration::from_secs(2);

/// The notice about a cell that does not return.
fn stuck(activity: Activity) -> String {
    let what = match activity {
        Activity::Computes => {
            "it computes, in a loop or a call of its own that does not check for interrupts"
        }
        Activity::WaitsForOthers => {
            "it waits for work on other threads that does not check for interrupts, such as a large Polars query of \
             its own"
        }
        Activity::Waits => {
            "it waits: in `std::thread::sleep`, or for a lock, a channel, a program or the network"
        }
        Activity::Unknown => "it is not running a job that could be cancelled",
    };
    format!(
        "The cell does not return: {what}. It may still end by itself. Interrupt once more to end the evaluation \
         process; that loses all variables.\n"
    )
}

/// What an interrupt does. While compiling, it stops the compiler. While running, it cancels the job;
/// only if that does not help, a second one ends the process.
#[derive(Clone)]
pub struct Interrupts {
    state: Arc<(Mutex<State>, Condvar)>,
    outputs: Outputs,
}

#[derive(Default)]
struct State {
    phase: Phase,
    /// Counts cells, so that a timer knows whether its cell still runs.
    cell: u64,
    requested: bool,
    stuck: bool,
    killed: bool,
    /// The kernel is shutting down; nothing may be started.
    closing: bool,
}

#[derive(Default)]
enum Phase {
    #[default]
    Idle,
    Preparing,
    Compiling(i32),
    Running(ProcessControl),
}

/// Ends its phase on drop.
pub struct PhaseGuard<'a>(&'a Interrupts);

impl Drop for PhaseGuard<'_> {
    fn drop(&mut self) {
        self.0.lock().phase = Phase::Preparing;
        self.0.state.1.notify_all();
    }
}

impl Interrupts {
    /// The idle state; notices go to `outputs`.
    pub fn new(outputs: Outputs) -> Self {
        Self { state: Arc::default(), outputs }
    }

    /// A cell begins.
    pub fn begin(&self) {
        let mut state = self.lock();
        let closing = state.closing;
        *state = State {
            phase: Phase::Preparing,
            cell: state.cell + 1,
            requested: closing,
            closing,
            ..State::default()
        };
    }

    /// The cell has ended.
    pub fn end(&self) {
        self.lock().phase = Phase::Idle;
        self.state.1.notify_all();
    }

    /// The compiler runs as leader of process group `group`.
    pub fn compiling(&self, group: i32) -> PhaseGuard<'_> {
        let mut state = self.lock();
        state.phase = Phase::Compiling(group);
        if state.requested {
            kill_group(group);
        }
        PhaseGuard(self)
    }

    /// Calls `start` and marks the cell as running; `None` if the cell was interrupted before. This is
    /// atomic: an interrupt comes either before the start or reaches the started cell.
    pub fn running(&self, start: impl FnOnce() -> ProcessControl) -> Option<PhaseGuard<'_>> {
        let mut state = self.lock();
        if state.requested {
            return None;
        }
        state.phase = Phase::Running(start());
        Some(PhaseGuard(self))
    }

    /// Whether this cell was interrupted.
    pub fn requested(&self) -> bool {
        self.lock().requested
    }

    /// Whether an interrupt ended this cell's process.
    pub fn killed(&self) -> bool {
        self.lock().killed
    }

    /// Whether the kernel is shutting down.
    pub fn closing(&self) -> bool {
        self.lock().closing
    }

    /// The handle that ends whatever runs, for good.
    pub fn terminator(&self) -> Interrupter {
        let interrupts = self.clone();
        Arc::new(move || {
            let mut state = interrupts.lock();
            (state.requested, state.closing) = (true, true);
            match &state.phase {
                Phase::Compiling(group) => kill_group(*group),
                Phase::Running(control) => {
                    control.kill();
                    state.killed = true;
                }
                Phase::Idle | Phase::Preparing => {}
            }
        })
    }

    /// The handle for front ends.
    pub fn interrupter(&self) -> Interrupter {
        let interrupts = self.clone();
        Arc::new(move || interrupts.interrupt())
    }

    fn interrupt(&self) {
        let mut state = self.lock();
        let first = !state.requested;
        match &state.phase {
            Phase::Idle => return,
            Phase::Preparing => {}
            Phase::Compiling(group) => kill_group(*group),
            Phase::Running(control) if state.stuck => {
                control.kill();
                state.killed = true;
            }
            Phase::Running(control) => {
                control.interrupt();
                if first {
                    let (interrupts, cell) = (self.clone(), state.cell);
                    // Without the thread there is no notice and a second interrupt has no effect, but the
                    // first one has been sent.
                    let _ =
                        thread::Builder::new().name("interrupt".into()).spawn(move || interrupts.watch(cell));
                }
            }
        }
        state.requested = true;
    }

    /// Waits for the cell to return and prints a notice if it does not.
    fn watch(&self, cell: u64) {
        let until = Instant::now() + PATIENCE;
        let mut state = self.lock();
        loop {
            if state.cell != cell || !matches!(state.phase, Phase::Running(_)) {
                return;
            }
            let Some(left) = until.checked_duration_since(Instant::now()) else { break };
            self.state.1.wait_for(&mut state, left);
        }
        state.stuck = true;
        let Phase::Running(control) = &state.phase else { return };
        let control = control.clone();
        drop(state);
        // This takes a moment, in which the cell may end.
        let activity = control.activity();
        let state = self.lock();
        if state.cell == cell && matches!(state.phase, Phase::Running(_)) && !state.killed {
            drop(state);
            self.outputs.text(Stream::Stderr, stuck(activity));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.0.lock()
    }
}

fn kill_group(group: i32) {
    // SAFETY: the group was made for one compiler, which is reaped only after its phase has ended.
    unsafe { libc::kill(-group, libc::SIGKILL) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_was_interrupted_on_its_way_is_not_started() {
        let (background, _) = tokio::sync::mpsc::channel(1);
        let interrupts = Interrupts::new(Outputs::new(background));
        interrupts.begin();
        interrupts.interrupter()();
        assert!(interrupts.running(|| unreachable!("it was interrupted")).is_none());
        interrupts.begin();
        assert!(!interrupts.requested(), "the next cell begins afresh");
    }
}
