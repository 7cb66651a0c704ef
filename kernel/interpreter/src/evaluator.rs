use std::{sync::Arc, time::Duration};

use partita_bridge::{Command, MimeBundle, ToEvaluation, Variable, Viewer};

use crate::{
    output::OutputSender,
    state::Snapshot,
    timing::{Settings, Timing},
};

/// One cell as it was written.
#[derive(Debug, Clone)]
pub struct Cell {
    /// The execution count, used for positions in errors: `cell 3, line 2`.
    pub number: u32,
    /// The source.
    pub code: String,
    /// Who sees its outputs.
    pub viewer: Viewer,
}

/// Why a cell failed, split up as Jupyter expects it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellError {
    /// Short kind: `CompileError`, `Panic`, `Error`, `Interrupted`, `EvaluationProcessDied`.
    pub name: String,
    /// What happened, in one line.
    pub message: String,
    /// The full rendering with ANSI colours, one entry per line.
    pub traceback: Vec<String>,
}

/// How a cell ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ran to the end. Holds the value of the last expression, if there is one.
    Finished(Option<MimeBundle>),
    /// It failed.
    Failed(CellError),
}

/// Asks the running cell to stop. Can be called from any thread while [`Evaluator::run`] blocks.
pub type Interrupter = Arc<dyn Fn() + Send + Sync>;

/// Sends the evaluation process a message that belongs to no cell, or one that answers a running cell.
/// Can be called from any thread. Messages that nobody reads are lost.
pub type Messenger = Arc<dyn Fn(&ToEvaluation) + Send + Sync>;

/// What commands must know about an evaluator.
#[derive(Debug)]
pub struct Description {
    /// Its name, as `--evaluator` takes it.
    pub name: &'static str,
    /// The commands that it reads itself at the start of a cell, even if Partita has some of the same
    /// name.
    pub own_commands: &'static [&'static str],
    /// Whether it also reads commands that Partita does not know.
    pub reads_unknown_commands: bool,
    /// Whether there is an evaluation process that answers [`command`](Evaluator::command)s and
    /// [`Messenger`]s.
    pub has_bridge: bool,
    /// The text that `:help` adds.
    pub help: &'static str,
}

/// Runs cells. One thread owns it and calls [`run`](Self::run) for one cell at a time.
pub trait Evaluator: Send {
    /// Describes the evaluator for commands.
    fn description(&self) -> &'static Description;

    /// Runs a cell to its end and sends its outputs as they arrive. Never panics on a bad cell, and
    /// leaves the evaluator ready for the next one.
    fn run(&mut self, cell: &Cell, outputs: &OutputSender) -> Outcome;

    /// Runs a command on the state that cells have left, without a compiler. Otherwise like
    /// [`run`](Self::run).
    fn command(&mut self, command: &Command, outputs: &OutputSender) -> Outcome;

    /// Sets how later cells are run. An evaluator applies the settings that it supports.
    fn configure(&mut self, _settings: Settings) {}

    /// Where the time of the last cell went, if the evaluator knows.
    fn timing(&self) -> Option<Timing> {
        None
    }

    /// A handle that sends messages to the evaluation process. It stays valid after a restart.
    fn messenger(&self) -> Messenger;

    /// A handle that interrupts the running cell.
    fn interrupter(&self) -> Interrupter;

    /// A handle that ends the running cell at once and for good. [`shutdown`](Self::shutdown) must
    /// follow.
    fn terminator(&self) -> Interrupter {
        self.interrupter()
    }

    /// The variables kept after the last cell.
    fn variables(&self) -> Vec<Variable>;

    /// The items that cells have defined and later cells can see, worded as in notices.
    fn items(&self) -> Vec<String> {
        Vec::new()
    }

    /// What the evaluator runs on, as shown to people: the compiler, the library.
    fn facts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// The processor time that the evaluation process has used since it started, if known.
    fn processor_time(&self) -> Option<Duration> {
        None
    }

    /// What completion knows about the state that cells have left.
    fn snapshot(&self) -> Snapshot;

    /// Ends the evaluation process.
    fn shutdown(&mut self);
}
