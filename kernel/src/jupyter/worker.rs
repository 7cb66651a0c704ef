use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use partita_bridge::Comm;
use tokio::sync::{OnceCell, watch};

use crate::evaluators::EvaluatorKind;
use partita_interpreter::{Cell, CellError, Interpreter, Outcome, OutputSender, StartError};

/// How long the evaluation process may take to end. Jupyter kills a kernel after five seconds.
const END_PATIENCE: Duration = Duration::from_secs(4);
/// How often a cell that still runs is interrupted. The first time cancels its job; what it takes to
/// end a cell that does not listen is the evaluator's to decide.
const INTERRUPT_PERIOD: Duration = Duration::from_millis(100);

/// The interpreter, started in the background. While it starts, the front end is answered already;
/// if it cannot start, the cells say why, where the person looks, and each tries again.
#[derive(Clone)]
pub struct Worker {
    kind: EvaluatorKind,
    background: OutputSender,
    interpreter: Arc<OnceCell<Interpreter>>,
    /// Whether the first try to start it has ended, whichever way.
    tried: watch::Receiver<bool>,
    /// The kernel is leaving; nothing is started any more.
    leaving: Arc<AtomicBool>,
}

impl Worker {
    /// Begins to start the interpreter.
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

    /// Waits until whom comms lead to is up, or turned out not to start.
    pub async fn up(&self) {
        // evcxr takes its time, and has nobody to lead to.
        if !self.kind.has_comms() {
            return;
        }
        // An error says that the task is gone that tries: with the runtime.
        let _ = self.tried.clone().wait_for(|tried| *tried).await;
    }

    async fn interpreter(&self) -> Result<&Interpreter, StartError> {
        let start = || async {
            if self.leaving.load(Ordering::SeqCst) {
                return Err(std::io::Error::other("the kernel is leaving").into());
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

    /// Passes a comm's message on. Whether there is anybody who may know the comm.
    pub fn comm(&self, comm: Comm) -> bool {
        // evcxr's process has no connection of ours.
        if !self.kind.has_comms() {
            return false;
        }
        let Some(interpreter) = self.interpreter.get() else { return false };
        // The process reads at once, unless it has stopped altogether.
        tokio::task::block_in_place(|| interpreter.comm(comm));
        true
    }

    /// Answers the cell that waits for input.
    pub fn input(&self, line: Result<String, String>) {
        if let Some(interpreter) = self.interpreter.get() {
            tokio::task::block_in_place(|| interpreter.input(line));
        }
    }

    /// Asks the interpreter something that may call the compiler, but does not wait for a cell; the
    /// default while the interpreter is not up yet.
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

    /// Ends the evaluation process, whatever it does. If it is just being started, that is waited for:
    /// left alone it would stay behind, with its files.
    pub async fn end(&self) {
        self.leaving.store(true, Ordering::SeqCst);
        if tokio::time::timeout(END_PATIENCE, self.end_what_was_started()).await.is_err() {
            tracing::warn!("the evaluation process did not end within {} seconds", END_PATIENCE.as_secs());
        }
    }

    async fn end_what_was_started(&self) {
        // An error says that nothing was started.
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
