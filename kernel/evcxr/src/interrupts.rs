use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use partita_bridge::Stream;

use partita_interpreter::{Interrupter, Output, OutputSender};

/// How long a cell may take to return after its job was cancelled.
const PATIENCE: Duration = Duration::from_secs(2);

const STUCK: &str = "The cell does not return: it is not running a job that could be cancelled. Interrupt once more to \
end the evaluation process; that loses all variables.\n";

/// What an interrupt does. Before the cell runs, it prevents the run. While the cell runs, it cancels the
/// job; only if that does not help, a second one ends the process.
#[derive(Clone)]
pub struct Interrupts {
    shared: Arc<(Mutex<State>, Condvar)>,
    /// evcxr's own lock.
    process: Arc<std::sync::Mutex<std::process::Child>>,
}

#[derive(Default)]
struct State {
    phase: Phase,
    /// Counts cells, so that a timer knows whether its cell still runs.
    cell: u64,
    requested: bool,
    stuck: bool,
    killed: bool,
}

#[derive(Default)]
enum Phase {
    #[default]
    Idle,
    Preparing,
    Running(OutputSender),
}

impl Interrupts {
    /// The idle state. The handle follows evcxr's process through restarts.
    pub fn new(process: Arc<std::sync::Mutex<std::process::Child>>) -> Self {
        Self { shared: Arc::default(), process }
    }

    /// A cell begins.
    pub fn begin(&self) {
        let mut state = self.lock();
        *state = State { phase: Phase::Preparing, cell: state.cell + 1, ..State::default() };
    }

    /// The cell starts to run; notices go to `outputs`.
    pub fn running(&self, outputs: &OutputSender) {
        self.lock().phase = Phase::Running(outputs.clone());
    }

    /// The cell has ended.
    pub fn end(&self) {
        self.lock().phase = Phase::Idle;
        self.shared.1.notify_all();
    }

    /// Whether this cell was interrupted.
    pub fn requested(&self) -> bool {
        self.lock().requested
    }

    /// Whether an interrupt ended this cell's process.
    pub fn killed(&self) -> bool {
        self.lock().killed
    }

    /// Ends the process, whatever it is doing.
    pub fn kill(&self) {
        // A process that has already ended needs no signal.
        let _ = self.process.lock().unwrap_or_else(PoisonError::into_inner).kill();
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
            Phase::Running(_) if state.stuck => {
                state.killed = true;
                self.kill();
            }
            Phase::Running(outputs) => {
                self.cancel();
                if first {
                    let (interrupts, outputs, cell) = (self.clone(), outputs.clone(), state.cell);
                    // Without the thread there is no notice and a second interrupt has no effect, but the
                    // first one has been sent.
                    let _ = thread::Builder::new()
                        .name("interrupt".into())
                        .spawn(move || interrupts.watch(cell, &outputs));
                }
            }
        }
        state.requested = true;
    }

    /// Sends the signal that `partita_cell::prepare` handles in the cell.
    fn cancel(&self) {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(pid) = i32::try_from(process.id()) {
            // SAFETY: the process is ours and is not reaped while the handle is locked.
            unsafe { libc::kill(pid, libc::SIGINT) };
        }
    }

    /// Waits for the cell to return and prints a notice if it does not.
    fn watch(&self, cell: u64, outputs: &OutputSender) {
        let until = Instant::now() + PATIENCE;
        let mut state = self.lock();
        loop {
            if state.cell != cell || !matches!(state.phase, Phase::Running(_)) {
                return;
            }
            let Some(left) = until.checked_duration_since(Instant::now()) else { break };
            self.shared.1.wait_for(&mut state, left);
        }
        state.stuck = true;
        drop(state);
        // The front end may have gone.
        let _ = outputs.blocking_send(Output::Text { stream: Stream::Stderr, text: STUCK.to_owned() });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock()
    }
}
