use std::{
    env,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use partita_bridge::{Comm, Command, MimeBundle, Stream, ToEvaluation, Variable};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use super::{
    Cell, CellError, Completions, Evaluator, Interrupter, Messenger, Optimisation, Outcome, Output,
    OutputSender, Settings, Timing, commands,
    completion::Completer,
    direct::{DirectError, DirectEvaluator},
    evcxr::{EvcxrError, EvcxrEvaluator},
};

/// Stack of the evaluator's thread; the cell parser is recursive.
const STACK_BYTES: usize = 256 << 20;

/// Which evaluator runs the cells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EvaluatorKind {
    /// Partita's own: one `rustc` call per cell.
    #[default]
    Direct,
    /// evcxr, linked against the same warm build.
    Evcxr,
}

impl FromStr for EvaluatorKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "direct" => Ok(Self::Direct),
            "evcxr" => Ok(Self::Evcxr),
            other => Err(format!("unknown evaluator `{other}`; choose `direct` or `evcxr`")),
        }
    }
}

/// Why an evaluator could not be started. The message says what to do.
#[derive(Debug, Error)]
pub enum StartError {
    /// From the direct evaluator.
    #[error(transparent)]
    Direct(#[from] DirectError),
    /// From the evcxr evaluator.
    #[error(transparent)]
    Evcxr(#[from] EvcxrError),
    /// The operating system provided no thread, or does not know this program's path.
    #[error("cannot start the evaluator: {0}")]
    System(#[from] std::io::Error),
}

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

struct Shared {
    interrupter: Mutex<Interrupter>,
    terminator: Mutex<Interrupter>,
    messenger: Mutex<Messenger>,
    variables: Mutex<Vec<Variable>>,
    completer: Completer,
    settings: Mutex<Settings>,
    timing: Mutex<Option<Timing>>,
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
        let terminator = Arc::clone(&lock(&self.shared.terminator));
        terminator();
        if let Some(handle) = lock(&self.thread).take() {
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
    /// Starts the evaluator on its own thread. Outputs that arrive while no cell runs (a widget's update,
    /// text from a thread that a cell left running) go to `background`.
    ///
    /// # Errors
    /// When the warm build is missing or does not match this toolchain, or when the evaluation process
    /// does not start.
    pub fn start(kind: EvaluatorKind, background: OutputSender) -> Result<Self, StartError> {
        Self::start_as(kind, &env::current_exe()?, background)
    }

    /// Like [`start`](Self::start), for programs other than the `partita` binary. `executable` must be
    /// that binary, or a program that first calls
    /// [`run_if_child`](super::evaluation_process::run_if_child).
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_as(
        kind: EvaluatorKind,
        executable: &Path,
        background: OutputSender,
    ) -> Result<Self, StartError> {
        let factory = Factory { kind, executable: executable.to_path_buf(), background };
        let evaluator = factory.create()?;
        let shared = Arc::new(Shared {
            interrupter: Mutex::new(evaluator.interrupter()),
            terminator: Mutex::new(evaluator.terminator()),
            messenger: Mutex::new(evaluator.messenger()),
            variables: Mutex::default(),
            completer: Completer::new(executable.to_path_buf()),
            settings: Mutex::default(),
            timing: Mutex::default(),
        });
        shared.completer.update(evaluator.snapshot());
        let (requests, receiver) = mpsc::unbounded_channel();
        let seen = Arc::clone(&shared);
        let handle = thread::Builder::new()
            .name("evaluator".into())
            .stack_size(STACK_BYTES)
            .spawn(move || serve(&factory, evaluator, receiver, &seen))?;
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
        self.tell(&ToEvaluation::Comm(comm));
    }

    /// Answers [`Output::InputRequest`](super::Output::InputRequest) with the line, or with the reason
    /// why there is none.
    pub fn input(&self, line: Result<String, String>) {
        self.tell(&ToEvaluation::Input(line));
    }

    fn tell(&self, message: &ToEvaluation) {
        let messenger = Arc::clone(&lock(&self.shared.messenger));
        messenger(message);
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
        let interrupter = Arc::clone(&lock(&self.shared.interrupter));
        interrupter();
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
        lock(&self.shared.variables).clone()
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
    pub fn type_of(&self, expression: &str) -> Result<String, String> {
        self.shared.completer.type_of(expression)
    }

    /// The settings for running cells.
    pub fn settings(&self) -> Settings {
        *lock(&self.shared.settings)
    }

    /// Sets whether each later cell is followed by a line that says where its time went.
    pub fn set_timing(&self, on: bool) {
        lock(&self.shared.settings).timing = on;
    }

    /// Sets how later cells are optimised.
    pub fn set_optimisation(&self, optimisation: Optimisation) {
        lock(&self.shared.settings).optimisation = optimisation;
    }

    /// Where the time of the last cell went; `None` before the first cell.
    pub fn last_timing(&self) -> Option<Timing> {
        lock(&self.shared.timing).clone()
    }
}

struct Factory {
    kind: EvaluatorKind,
    executable: PathBuf,
    background: OutputSender,
}

impl Factory {
    fn create(&self) -> Result<Box<dyn Evaluator>, StartError> {
        match self.kind {
            EvaluatorKind::Direct => {
                Ok(Box::new(DirectEvaluator::start(&self.executable, self.background.clone())?))
            }
            EvaluatorKind::Evcxr => {
                Ok(Box::new(EvcxrEvaluator::start(&self.executable, self.background.clone())?))
            }
        }
    }
}

/// The evaluator and what surrounds it, as commands use it.
pub(super) struct Workplace<'a> {
    factory: &'a Factory,
    evaluator: &'a mut Box<dyn Evaluator>,
    shared: &'a Shared,
}

impl Workplace<'_> {
    pub(super) fn kind(&self) -> EvaluatorKind {
        self.factory.kind
    }

    /// Runs code without commands.
    pub(super) fn run(&mut self, cell: &Cell, outputs: &OutputSender) -> Outcome {
        let settings = self.settings();
        self.evaluator.configure(settings);
        let began = Instant::now();
        let outcome = guarded(|| self.evaluator.run(cell, outputs));
        self.note();
        let mut timing = self.evaluator.timing().unwrap_or_default();
        timing.close(began.elapsed());
        if settings.timing {
            // The front end may have stopped reading; then nobody misses the line.
            let _ =
                outputs.blocking_send(Output::Text { stream: Stream::Stdout, text: format!("{timing}\n") });
        }
        *lock(&self.shared.timing) = Some(timing);
        outcome
    }

    /// Where the time of the last code went.
    pub(super) fn timing(&self) -> Option<Timing> {
        lock(&self.shared.timing).clone()
    }

    pub(super) fn settings(&self) -> Settings {
        *lock(&self.shared.settings)
    }

    pub(super) fn set(&self, settings: Settings) {
        *lock(&self.shared.settings) = settings;
    }

    /// Runs a command in the evaluation process.
    pub(super) fn command(&mut self, command: &Command, outputs: &OutputSender) -> Outcome {
        let outcome = guarded(|| self.evaluator.command(command, outputs));
        self.note();
        outcome
    }

    pub(super) fn variables(&self) -> Vec<Variable> {
        self.evaluator.variables()
    }

    pub(super) fn items(&self) -> Vec<String> {
        self.evaluator.items()
    }

    pub(super) fn facts(&self) -> Vec<(&'static str, String)> {
        self.evaluator.facts()
    }

    pub(super) fn processor_time(&self) -> Option<Duration> {
        self.evaluator.processor_time()
    }

    pub(super) fn completer(&self) -> &Completer {
        &self.shared.completer
    }

    /// Replaces the evaluator with a new one.
    pub(super) fn restart(&mut self) -> Result<(), StartError> {
        self.evaluator.shutdown();
        *self.evaluator = self.factory.create()?;
        *lock(&self.shared.interrupter) = self.evaluator.interrupter();
        *lock(&self.shared.terminator) = self.evaluator.terminator();
        *lock(&self.shared.messenger) = self.evaluator.messenger();
        self.note();
        Ok(())
    }

    /// Publishes the state that cells have left to other threads.
    fn note(&self) {
        *lock(&self.shared.variables) = self.evaluator.variables();
        self.shared.completer.update(self.evaluator.snapshot());
    }
}

fn serve(
    factory: &Factory,
    mut evaluator: Box<dyn Evaluator>,
    mut requests: mpsc::UnboundedReceiver<Request>,
    shared: &Shared,
) {
    while let Some(request) = requests.blocking_recv() {
        match request {
            Request::Run { cell, outputs, reply } => {
                let mut place = Workplace { factory, evaluator: &mut evaluator, shared };
                let outcome = guarded(|| commands::execute(&mut place, &cell, &outputs));
                // The front end may have stopped waiting; the cell has run anyway.
                let _ = reply.send(outcome);
            }
            Request::Command { command, outputs, reply } => {
                let mut place = Workplace { factory, evaluator: &mut evaluator, shared };
                let outcome = place.command(&command, &outputs);
                let _ = reply.send(outcome);
            }
            Request::Restart { reply } => {
                let mut place = Workplace { factory, evaluator: &mut evaluator, shared };
                let _ = reply.send(place.restart());
            }
            Request::Shutdown => break,
        }
    }
    evaluator.shutdown();
}

/// Turns a panic of Partita itself into a failed cell, so that the session keeps its variables.
fn guarded(run: impl FnOnce() -> Outcome) -> Outcome {
    panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|payload| {
        let said = payload.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
        let message = format!(
            "Partita itself failed on this cell ({said}); write it differently, and please report it. \
             Variables and items are kept"
        );
        Outcome::Failed(CellError { name: "InternalError".into(), traceback: vec![message.clone()], message })
    })
}

/// The data behind these locks stays valid after a panic, so poisoning is ignored.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn gone() -> Outcome {
    let message = "the interpreter has been shut down; restart the kernel".to_owned();
    Outcome::Failed(CellError {
        name: "EvaluationProcessDied".into(),
        traceback: vec![message.clone()],
        message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_an_evaluator_is_an_error_of_its_cell() {
        let Outcome::Failed(error) = guarded(|| panic!("span {}", 7)) else { panic!("it cannot finish") };
        assert_eq!(error.name, "InternalError");
        assert!(error.message.contains("span 7"), "{}", error.message);
        assert_eq!(guarded(|| Outcome::Finished(None)), Outcome::Finished(None));
    }
}
