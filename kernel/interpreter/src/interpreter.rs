use std::{path::PathBuf, sync::Arc, thread};

use parking_lot::Mutex;
use partita_bridge::{Comm, Command, MimeBundle, ToEvaluation, Variable};
use tokio::sync::{mpsc, oneshot};

use crate::{
    active_evaluator::{ActiveEvaluator, EvaluatorFactory, Shared, StartError, guarded},
    commands,
    completion::{Completions, TypeQueryError},
    evaluator::{Cell, CellError, Outcome},
    output::OutputSender,
    timing::{Optimisation, Settings, Timing},
};

/// Stack of the evaluator's thread; the cell parser is recursive.
const STACK_BYTES: usize = 256 << 20;

enum Request {
    Run { cell: Cell, outputs: OutputSender, reply: oneshot::Sender<Outcome> },
    Command { command: Command, outputs: OutputSender, reply: oneshot::Sender<Outcome> },
    Restart { reply: oneshot::Sender<Result<(), StartError>> },
    Shutdown,
}

/// What front ends use: it owns the evaluator and its thread. Cheap to clone. When the last clone is
/// dropped, the evaluation process ends and its files are removed.
#[derive(Clone)]
pub struct Interpreter {
    requests: mpsc::UnboundedSender<Request>,
    shared: Arc<Shared>,
    owner: Arc<Owner>,
}

/// Ends the thread when the last clone of the interpreter is dropped.
struct Owner {
    requests: mpsc::UnboundedSender<Request>,
    shared: Arc<Shared>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

impl Owner {
    fn shutdown(&self) {
        // A send error means that the thread has already ended.
        let _ = self.requests.send(Request::Shutdown);
        self.shared.terminate();
        if let Some(handle) = self.thread.lock().take() {
            // The hook has already reported a panic in it.
            let _ = handle.join();
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl Interpreter {
    /// Makes the evaluator with `factory` and runs it on a thread of its own. Completion looks for the
    /// library beside `executable`.
    ///
    /// # Errors
    /// When there is no evaluator: the library is missing or does not match this toolchain, or the
    /// evaluation process does not start.
    pub fn start(factory: EvaluatorFactory, executable: PathBuf) -> Result<Self, StartError> {
        let evaluator = ActiveEvaluator::start(factory, executable)?;
        let shared = Arc::clone(evaluator.shared());
        let (requests, receiver) = mpsc::unbounded_channel();
        let handle = thread::Builder::new()
            .name("evaluator".into())
            .stack_size(STACK_BYTES)
            .spawn(move || serve(evaluator, receiver))?;
        let thread = Mutex::new(Some(handle));
        let owner = Owner { requests: requests.clone(), shared: Arc::clone(&shared), thread };
        Ok(Self { requests, shared, owner: Arc::new(owner) })
    }

    /// Runs a cell to its end. Cells submitted meanwhile are queued.
    pub async fn execute(&self, cell: Cell, outputs: OutputSender) -> Outcome {
        let (reply, outcome) = oneshot::channel();
        if self.requests.send(Request::Run { cell, outputs, reply }).is_err() {
            return gone();
        }
        outcome.await.unwrap_or_else(|_| gone())
    }

    /// Runs a command, queued with the cells.
    pub async fn command(&self, command: Command, outputs: OutputSender) -> Outcome {
        let (reply, outcome) = oneshot::channel();
        if self.requests.send(Request::Command { command, outputs, reply }).is_err() {
            return gone();
        }
        outcome.await.unwrap_or_else(|_| gone())
    }

    /// Forwards a comm message from the front end, whether a cell runs or not.
    pub fn comm(&self, comm: Comm) {
        self.shared.send(&ToEvaluation::Comm(comm));
    }

    /// Answers [`Output::InputRequest`](crate::Output::InputRequest) with the line, or with the reason
    /// why there is none.
    pub fn input(&self, line: Result<String, String>) {
        self.shared.send(&ToEvaluation::Input(line));
    }

    /// [`execute`](Self::execute) for front ends whose thread has no tokio runtime.
    pub fn execute_blocking(&self, cell: Cell, outputs: OutputSender) -> Outcome {
        let (reply, outcome) = oneshot::channel();
        if self.requests.send(Request::Run { cell, outputs, reply }).is_err() {
            return gone();
        }
        outcome.blocking_recv().unwrap_or_else(|_| gone())
    }

    /// Asks the running cell to stop. The first call cancels its job and keeps every variable; if the
    /// cell goes on, a second call ends the evaluation process. Does nothing when no cell runs.
    pub fn interrupt(&self) {
        self.shared.interrupt();
    }

    /// Drops all variables, items and imports. Waits for the running cell, so interrupt that first.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn restart(&self) -> Result<(), StartError> {
        let (reply, done) = oneshot::channel();
        if self.requests.send(Request::Restart { reply }).is_err() {
            return Ok(());
        }
        done.await.unwrap_or(Ok(()))
    }

    /// Ends the evaluation process, even in the middle of a cell, and waits until it has gone and its
    /// files are removed. Cells submitted later fail.
    pub fn shutdown(&self) {
        self.owner.shutdown();
    }

    /// The variables after the last cell.
    pub fn variables(&self) -> Vec<Variable> {
        self.shared.variables()
    }

    /// The completions at byte `cursor` of `code`. Does not wait for a running cell, but may call the
    /// compiler and so block for about a tenth of a second.
    pub fn complete(&self, code: &str, cursor: usize) -> Completions {
        self.shared.completer.complete(code, cursor)
    }

    /// Describes the name at byte `cursor` of `code`: its signature, then its docs, as `text/plain` and
    /// `text/markdown`. Blocks like [`complete`](Self::complete).
    pub fn inspect(&self, code: &str, cursor: usize) -> Option<MimeBundle> {
        self.shared.completer.inspect(code, cursor)
    }

    /// The type that an expression has in a cell, without running it. Blocks like
    /// [`complete`](Self::complete).
    ///
    /// # Errors
    /// The compiler's error, when the expression is not valid.
    pub fn type_of(&self, expression: &str) -> Result<String, TypeQueryError> {
        self.shared.completer.type_of(expression)
    }

    /// The settings for running cells.
    pub fn settings(&self) -> Settings {
        self.shared.settings()
    }

    /// Sets whether each later cell is followed by a line that says where its time went.
    pub fn set_timing(&self, on: bool) {
        self.shared.change_settings(|settings| settings.timing = on);
    }

    /// Sets how later cells are optimised.
    pub fn set_optimisation(&self, optimisation: Optimisation) {
        self.shared.change_settings(|settings| settings.optimisation = optimisation);
    }

    /// Where the time of the last cell went; `None` before the first cell.
    pub fn last_timing(&self) -> Option<Timing> {
        self.shared.timing()
    }
}

fn serve(mut evaluator: ActiveEvaluator, mut requests: mpsc::UnboundedReceiver<Request>) {
    while let Some(request) = requests.blocking_recv() {
        match request {
            Request::Run { cell, outputs, reply } => {
                let outcome = guarded(|| commands::execute(&mut evaluator, &cell, &outputs));
                // The front end may have stopped waiting; the cell has run anyway.
                let _ = reply.send(outcome);
            }
            Request::Command { command, outputs, reply } => {
                let _ = reply.send(evaluator.command(&command, &outputs));
            }
            Request::Restart { reply } => {
                let _ = reply.send(evaluator.restart());
            }
            Request::Shutdown => break,
        }
    }
    evaluator.shutdown();
}

fn gone() -> Outcome {
    let message = "the interpreter has been shut down; restart the kernel".to_owned();
    Outcome::Failed(CellError {
        name: "EvaluationProcessDied".into(),
        traceback: vec![message.clone()],
        message,
    })
}
