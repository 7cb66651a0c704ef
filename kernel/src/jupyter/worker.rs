use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use partita_bridge::Comm;
use tokio::sync::{OnceCell, watch};

use crate::evaluators::EvaluatorKind;
use partita_interpreter::{Cell, CellError, Interpreter, Outcome, OutputSender, StartError};

/// How long the evaluation process may take to end. Jupyter kills a kernel after five seconds.
const END_PATIENCE: Duration = Duration::from_secs(4);
/// How often a cell that still runs is interrupted. The first interrupt cancels its job; the evaluator
/// decides how to end a cell that ignores it.
const INTERRUPT_PERIOD: Duration = Duration::from_millis(100);

/// The interpreter, started in the background. The front end is answered while it starts. If it cannot
/// start, each cell reports the reason and tries again.
#[derive(Clone)]
pub struct Worker {
    kind: EvaluatorKind,
    background: OutputSender,
    interpreter: Arc<OnceCell<Interpreter>>,
    /// Whether the first attempt to start it has ended, successfully or not.
    tried: watch::Receiver<bool>,
    /// The kernel is ending; nothing may be started.
    leaving: Arc<AtomicBool>,
}

impl Worker {
    /// Starts the interpreter in the background.
    pub fn start(kind: EvaluatorKind, background: OutputSender) -> Self {
        let (ended, tried) = watch::channel(false);
        let worker = Self { kind, background, interpreter: Arc::default(), tried, leaving: Arc::default() };
        let starting = worker.clone();
        tokio::spawn(async move {
            if let Err(error) = starting.interpreter().await {
                tracing::warn!("{error}");
            }
            ended.send_replace(true);
        });
        worker
    }

    /// A worker that never starts an interpreter.
    #[cfg(test)]
    pub fn unstarted() -> Self {
        let (background, _) = tokio::sync::mpsc::channel(1);
        let leaving = Arc::new(AtomicBool::new(true));
        let (_, tried) = watch::channel(true);
        Self { kind: EvaluatorKind::Direct, background, interpreter: Arc::default(), tried, leaving }
    }

    /// Waits until the process that comms lead to is ready, or has failed to start.
    pub async fn wait_until_started(&self) {
        // evcxr takes long to start and has no comms.
        if !self.kind.has_comms() {
            return;
        }
        // An error means that the starting task is gone, along with the runtime.
        let _ = self.tried.clone().wait_for(|tried| *tried).await;
    }

    async fn interpreter(&self) -> Result<&Interpreter, StartError> {
        let start = || async {
            if self.leaving.load(Ordering::SeqCst) {
                return Err(std::io::Error::other("the kernel is shutting down").into());
            }
            let (kind, background) = (self.kind, self.background.clone());
            tokio::task::spawn_blocking(move || kind.start(background))
                .await
                .unwrap_or_else(|panic| Err(std::io::Error::other(panic).into()))
        };
        self.interpreter.get_or_try_init(start).await
    }

    /// Runs a cell to its end.
    pub async fn execute(&self, cell: Cell, outputs: OutputSender) -> Outcome {
        match self.interpreter().await {
            Ok(interpreter) => interpreter.execute(cell, outputs).await,
            Err(error) => {
                let message = error.to_string();
                let traceback = message.lines().map(str::to_owned).collect();
                Outcome::Failed(CellError { name: "KernelNotReady".into(), message, traceback })
            }
        }
    }

    /// Asks the running cell to stop.
    pub fn interrupt(&self) {
        if let Some(interpreter) = self.interpreter.get() {
            interpreter.interrupt();
        }
    }

    /// Passes a comm message on. Returns whether the process may know the comm.
    pub fn comm(&self, comm: Comm) -> bool {
        // evcxr's process has no connection to us.
        if !self.kind.has_comms() {
            return false;
        }
        let Some(interpreter) = self.interpreter.get() else { return false };
        // The process reads at once, unless it is stopped altogether.
        tokio::task::block_in_place(|| interpreter.comm(comm));
        true
    }

    /// Answers the cell that waits for input.
    pub fn input(&self, line: Result<String, String>) {
        if let Some(interpreter) = self.interpreter.get() {
            tokio::task::block_in_place(|| interpreter.input(line));
        }
    }

    /// Asks the interpreter something that may call the compiler but does not wait for a cell. Returns
    /// the default while the interpreter is starting.
    pub async fn ask<T: Default + Send + 'static>(
        &self,
        question: impl FnOnce(&Interpreter) -> T + Send + 'static,
    ) -> T {
        let Some(interpreter) = self.interpreter.get().cloned() else { return T::default() };
        let answering = tokio::task::spawn_blocking(move || question(&interpreter));
        answering.await.unwrap_or_else(|error| {
            tracing::error!("completion failed: {error}");
            T::default()
        })
    }

    /// Ends the evaluation process, whatever it is doing. If it is just starting, waits for that first:
    /// otherwise the process and its files would be left behind.
    pub async fn end(&self) {
        self.leaving.store(true, Ordering::SeqCst);
        if tokio::time::timeout(END_PATIENCE, self.end_what_was_started()).await.is_err() {
            tracing::warn!("the evaluation process did not end within {} seconds", END_PATIENCE.as_secs());
        }
    }

    async fn end_what_was_started(&self) {
        // An error means that nothing was started.
        let Ok(interpreter) = self.interpreter().await.cloned() else { return };
        let ending = interpreter.clone();
        let ended = tokio::task::spawn_blocking(move || ending.shutdown());
        let insist = async {
            let mut period = tokio::time::interval(INTERRUPT_PERIOD);
            loop {
                period.tick().await;
                interpreter.interrupt();
            }
        };
        tokio::select! {
            _ = ended => {}
            () = insist => {}
        }
    }
}
