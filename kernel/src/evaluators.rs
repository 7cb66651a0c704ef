//! The evaluators of this kernel. Only this module knows more than one: it makes the requested one and
//! passes it to the interpreter, which knows evaluators by their trait.

use std::{env, path::Path, str::FromStr};

use partita_interpreter::{
    EvaluatorFactory, Interpreter, OutputSender, StartError, direct::DirectEvaluator, evaluation_process,
};
use thiserror::Error;

/// Which evaluator runs the cells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EvaluatorKind {
    /// Partita's own: one `rustc` call per cell.
    #[default]
    Direct,
    /// evcxr, linked against the same warm build.
    #[cfg(feature = "evcxr")]
    Evcxr,
}

/// This kernel has no evaluator of that name.
#[derive(Debug, Error)]
#[error("unknown evaluator `{0}`; choose {CHOICES}")]
pub struct UnknownEvaluator(String);

const CHOICES: &str = if cfg!(feature = "evcxr") { "`direct` or `evcxr`" } else { "`direct`" };

impl FromStr for EvaluatorKind {
    type Err = UnknownEvaluator;

    fn from_str(text: &str) -> Result<Self, UnknownEvaluator> {
        match text {
            "direct" => Ok(Self::Direct),
            #[cfg(feature = "evcxr")]
            "evcxr" => Ok(Self::Evcxr),
            other => Err(UnknownEvaluator(other.to_owned())),
        }
    }
}

impl EvaluatorKind {
    /// Starts an interpreter with this evaluator. Outputs that arrive while no cell runs (a widget's update,
    /// text from a thread that a cell left running) go to `background`.
    ///
    /// # Errors
    /// When the warm build is missing or does not match this toolchain, or when the evaluation process
    /// does not start.
    pub fn start(self, background: OutputSender) -> Result<Interpreter, StartError> {
        self.start_as(&env::current_exe()?, background)
    }

    /// Like [`start`](Self::start), for programs other than the `partita` binary. `executable` must be
    /// that binary, or a program that first calls [`run_if_child`].
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_as(self, executable: &Path, background: OutputSender) -> Result<Interpreter, StartError> {
        let program = executable.to_path_buf();
        let factory: EvaluatorFactory = match self {
            Self::Direct => Box::new(move || {
                let evaluator = DirectEvaluator::start(&program, background.clone());
                Ok(Box::new(evaluator.map_err(|error| StartError::Evaluator(error.into()))?))
            }),
            #[cfg(feature = "evcxr")]
            Self::Evcxr => Box::new(move || {
                let evaluator = partita_evcxr::EvcxrEvaluator::start(&program, background.clone());
                Ok(Box::new(evaluator.map_err(|error| StartError::Evaluator(error.into()))?))
            }),
        };
        Interpreter::start(factory, executable.to_path_buf())
    }

    /// Whether the evaluator supports comms.
    pub fn has_comms(self) -> bool {
        self == Self::Direct
    }
}

/// If this process was started as a part of an evaluator (its evaluation process or its compiler), takes
/// over and does not return. Call it first in `main`.
pub fn run_if_child() {
    evaluation_process::run_if_child();
    #[cfg(feature = "evcxr")]
    partita_evcxr::run_if_child();
}
