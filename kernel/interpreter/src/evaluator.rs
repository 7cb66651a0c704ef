use std::{sync::Arc, time::Duration};

use partita_bridge::{Command, MimeBundle, ToEvaluation, Variable, Viewer};

use crate::{
    output::OutputSender,
    state::Snapshot,
    timing::{Settings, Timing},
};

/// One cell as the person wrote it.
#[derive(Debug, Clone)]
pub struct Cell {
    /// The execution count, which positions in errors name: `cell 3, line 2`.
    pub number: u32,
    /// The source.
    pub code: String,
    /// Who sees its outputs.
    pub viewer: Viewer,
}

/// Why a cell did not finish, as Jupyter splits it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellError {
    /// Short kind: `CompileError`, `Panic`, `Error`, `Interrupted`, `EvaluationProcessDied`.
    pub name: String,
    /// One line that says what happened.
    pub message: String,
    /// The whole rendering, with ANSI colours, one entry a line.
    pub traceback: Vec<String>,
}

/// How a cell ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ran to its end; the last expression's value, if it has one.
    Finished(Option<MimeBundle>),
    /// It did not.
    Failed(CellError),
}

/// Asks a running cell to stop; callable from any thread while [`Evaluator::run`] blocks.
pub type Interrupter = Arc<dyn Fn() + Send + Sync>;

/// Carries a message that belongs to no cell, or answers a running one, to the evaluation process;
/// callable from any thread. What nobody is there to read is lost.
pub type Messenger = Arc<dyn Fn(&ToEvaluation) + Send + Sync>;

/// What commands have to know about an evaluator.
#[derive(Debug)]
pub struct Description {
    /// As `--evaluator` has it.
    pub name: &'static str,
    /// The commands that it reads itself at the head of a cell, although Partita has some of the same name.
    pub own_commands: &'static [&'static str],
    /// Whether it also reads those that Partita does not know.
    pub reads_unknown_commands: bool,
    /// Whether there is an evaluation process that answers [`command`](Evaluator::command)s and
    /// [`Messenger`]s.
    pub has_bridge: bool,
    /// What `:help` adds.
    pub help: &'static str,
}

/// Something that can run cells. One thread owns it and calls [`run`](Self::run) one cell at a time.
pub trait Evaluator: Send {
    /// What it is, for commands.
    fn description(&self) -> &'static Description;

    /// Runs a cell to its end, sending outputs as they come. Never panics for a bad cell, and leaves
    /// the evaluator ready for the next one.
    fn run(&mut self, cell: &Cell, outputs: &OutputSender) -> Outcome;

    /// Runs a command on what the cells have left, without a compiler, as [`run`](Self::run) runs a
    /// cell.
    fn command(&mut self, command: &Command, outputs: &OutputSender) -> Outcome;

    /// How the cells from now on are to be run; an evaluator does of it what it can.
    fn configure(&mut self, _settings: Settings) {}

    /// Where the last cell's time went, if the evaluator knows.
    fn timing(&self) -> Option<Timing> {
        None
    }

    /// A handle that speaks to the evaluation process, also after it was started anew.
    fn messenger(&self) -> Messenger;

    /// A handle that interrupts whatever runs.
    fn interrupter(&self) -> Interrupter;

    /// A handle that ends whatever runs, at once and for good; [`shutdown`](Self::shutdown) follows.
    fn terminator(&self) -> Interrupter {
        self.interrupter()
    }

    /// The variables in the store after the last cell.
    fn variables(&self) -> Vec<Variable>;

    /// The items that cells have defined and that later ones see, as a notice calls them.
    fn items(&self) -> Vec<String> {
        Vec::new()
    }

    /// What it works with, for a person who asks: the compiler, the library.
    fn facts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Processor time that the evaluation process has used since it started, if that is known.
    fn processor_time(&self) -> Option<Duration> {
        None
    }

    /// What completion may know of what the cells have left.
    fn snapshot(&self) -> Snapshot;

    /// Ends the evaluation process.
    fn shutdown(&mut self);
}
