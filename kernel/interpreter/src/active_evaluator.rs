//! The running evaluator, with the factory that makes its successor and the state that other threads see
//! of it. Commands use it. It does not know who submits cells and commands.

use std::{
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use partita_bridge::{Command, Stream, ToEvaluation, Variable};
use thiserror::Error;

use crate::{
    completion::Completer,
    evaluator::{Cell, CellError, Description, Evaluator, Interrupter, Messenger, Outcome},
    output::{Output, OutputSender},
    timing::{Settings, Timing},
};

/// Why an evaluator could not be started. The message says what to do.
#[derive(Debug, Error)]
pub enum StartError {
    /// The evaluator's own reason.
    #[error(transparent)]
    Evaluator(Box<dyn std::error::Error + Send + Sync>),
    /// The operating system provided no thread, or does not know this program's path.
    #[error("cannot start the evaluator: {0}")]
    System(#[from] std::io::Error),
}

/// Makes evaluators: one at the start, and one whenever the session begins afresh.
pub type EvaluatorFactory = Box<dyn Fn() -> Result<Box<dyn Evaluator>, StartError> + Send>;

/// What other threads see of the evaluator, and the handles to reach it.
pub(crate) struct Shared {
    interrupter: Mutex<Interrupter>,
    terminator: Mutex<Interrupter>,
    messenger: Mutex<Messenger>,
    variables: Mutex<Vec<Variable>>,
    pub(crate) completer: Completer,
    settings: Mutex<Settings>,
    timing: Mutex<Option<Timing>>,
}

impl Shared {
    pub(crate) fn interrupt(&self) {
        let interrupter = Arc::clone(&self.interrupter.lock());
        interrupter();
    }

    /// Ends whatever runs, at once and for good.
    pub(crate) fn terminate(&self) {
        let terminator = Arc::clone(&self.terminator.lock());
        terminator();
    }

    /// Sends a message to the evaluation process.
    pub(crate) fn send(&self, message: &ToEvaluation) {
        let messenger = Arc::clone(&self.messenger.lock());
        messenger(message);
    }

    /// The variables after the last cell.
    pub(crate) fn variables(&self) -> Vec<Variable> {
        self.variables.lock().clone()
    }

    pub(crate) fn settings(&self) -> Settings {
        *self.settings.lock()
    }

    pub(crate) fn change_settings(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings.lock());
    }

    /// Where the time of the last code went.
    pub(crate) fn timing(&self) -> Option<Timing> {
        self.timing.lock().clone()
    }
}

/// The evaluator that runs the cells.
pub(crate) struct ActiveEvaluator {
    factory: EvaluatorFactory,
    evaluator: Box<dyn Evaluator>,
    shared: Arc<Shared>,
}

impl ActiveEvaluator {
    /// Makes the first evaluator. Completion looks for the library beside `executable`.
    pub(crate) fn start(factory: EvaluatorFactory, executable: PathBuf) -> Result<Self, StartError> {
        let evaluator = factory()?;
        let shared = Arc::new(Shared {
            interrupter: Mutex::new(evaluator.interrupter()),
            terminator: Mutex::new(evaluator.terminator()),
            messenger: Mutex::new(evaluator.messenger()),
            variables: Mutex::default(),
            completer: Completer::new(executable),
            settings: Mutex::default(),
            timing: Mutex::default(),
        });
        shared.completer.update(evaluator.snapshot());
        Ok(Self { factory, evaluator, shared })
    }

    /// The handles for other threads.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn description(&self) -> &'static Description {
        self.evaluator.description()
    }

    /// Runs code without commands.
    pub(crate) fn run(&mut self, cell: &Cell, outputs: &OutputSender) -> Outcome {
        let settings = self.shared.settings();
        self.evaluator.configure(settings);
        let began = Instant::now();
        let outcome = guarded(|| self.evaluator.run(cell, outputs));
        self.publish();
        let mut timing = self.evaluator.timing().unwrap_or_default();
        timing.close(began.elapsed());
        if settings.timing {
            // The front end may have stopped reading; then nobody misses the line.
            let _ =
                outputs.blocking_send(Output::Text { stream: Stream::Stdout, text: format!("{timing}\n") });
        }
        *self.shared.timing.lock() = Some(timing);
        outcome
    }

    /// Runs a command in the evaluation process.
    pub(crate) fn command(&mut self, command: &Command, outputs: &OutputSender) -> Outcome {
        let outcome = guarded(|| self.evaluator.command(command, outputs));
        self.publish();
        outcome
    }

    pub(crate) fn variables(&self) -> Vec<Variable> {
        self.evaluator.variables()
    }

    pub(crate) fn items(&self) -> Vec<String> {
        self.evaluator.items()
    }

    pub(crate) fn facts(&self) -> Vec<(&'static str, String)> {
        self.evaluator.facts()
    }

    pub(crate) fn processor_time(&self) -> Option<Duration> {
        self.evaluator.processor_time()
    }

    /// Replaces the evaluator with a new one.
    pub(crate) fn restart(&mut self) -> Result<(), StartError> {
        self.evaluator.shutdown();
        self.evaluator = (self.factory)()?;
        *self.shared.interrupter.lock() = self.evaluator.interrupter();
        *self.shared.terminator.lock() = self.evaluator.terminator();
        *self.shared.messenger.lock() = self.evaluator.messenger();
        self.publish();
        Ok(())
    }

    /// Ends the evaluation process.
    pub(crate) fn shutdown(&mut self) {
        self.evaluator.shutdown();
    }

    /// Publishes the state that cells have left to other threads.
    fn publish(&self) {
        *self.shared.variables.lock() = self.evaluator.variables();
        self.shared.completer.update(self.evaluator.snapshot());
    }
}

/// Turns a panic of Partita itself into a failed cell, so that the session keeps its variables.
pub(crate) fn guarded(run: impl FnOnce() -> Outcome) -> Outcome {
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
