use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use partita_events::Event;

use crate::MimeBundle;

/// A standard stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A variable in the evaluation process's store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// The name that the cell gave it.
    pub name: String,
    /// The type as `std::any::type_name` prints it: for display, not always valid in code.
    pub type_name: String,
    /// The memory it holds, in bytes: its own and, for types that can report it, what it points to. `None` if
    /// it was not measured.
    pub bytes: Option<u64>,
}

/// A cell's panic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Panic {
    /// The panic's message.
    pub message: String,
    /// Source file, as the compiler names it.
    pub file: String,
    /// 1-based line in `file`.
    pub line: u32,
    /// 1-based column in `file`.
    pub column: u32,
    /// The calls on the stack that are in cells, innermost first.
    pub frames: Vec<Frame>,
}

/// A call in the code of a cell. The kernel has the cell's shared object and looks up the function's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// The shared object of the cell.
    pub library: PathBuf,
    /// An address inside the function, relative to the start of the shared object.
    pub address: u64,
}

/// How a loaded cell ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CellOutcome {
    /// It ran to its end. Contains the last expression's value, if there is one to show.
    Finished(Option<MimeBundle>),
    /// A `?` returned early. Contains the error's text and its chain of causes, outermost first.
    Failed(Vec<String>),
    /// It panicked.
    Panicked(Panic),
    /// The shared object could not be loaded.
    NotLoaded(String),
}

/// The time that a cell spent in the evaluation process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// Loading its shared object.
    pub load: Duration,
    /// Its own code.
    pub run: Duration,
    /// Rendering its value.
    pub display: Duration,
}

/// Who sees a cell's outputs. This decides how they are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Viewer {
    /// A terminal, which shows text and has its own view of jobs.
    #[default]
    Terminal,
    /// Nobody yet: outputs are stored, as when a program runs a notebook.
    Document,
    /// A person with a live page: widgets work.
    Page,
}

/// One compiled cell to load and run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadCell {
    /// The cell's shared object.
    pub library: PathBuf,
    /// The function in it to call.
    pub symbol: String,
    /// Variables to drop before the cell runs, because it redefines their type.
    pub forget: Vec<String>,
    /// Who sees its outputs.
    pub viewer: Viewer,
}

/// A message of a comm, from one side to the other. A comm is Jupyter's channel between a front end's code
/// and the kernel's. Either side can open one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comm {
    /// The comm's id, chosen by the side that opened it.
    pub id: String,
    /// The kind of message.
    pub action: CommAction,
    /// A JSON object as text; this crate does not parse it.
    pub data: String,
    /// A JSON object as text.
    pub metadata: String,
    /// Binary data beside the JSON.
    pub buffers: Vec<Vec<u8>>,
}

/// The three kinds of message of a comm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommAction {
    /// Opens a comm; `target` names the handler.
    Open {
        /// The target's name.
        target: String,
    },
    /// Data on an open comm.
    Message,
    /// Closes the comm.
    Close,
}

/// A command about the cells' data that needs no compiler. It runs where cells run, in turn with them, and
/// ends as a cell does: with [`FromEvaluation::Done`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// A Polars SQL query over the `DataFrame`s, `LazyFrame`s and `Dataset`s among the variables.
    Sql {
        /// The query.
        query: String,
        /// The variable that keeps the result as a `DataFrame`.
        into: Option<String>,
    },
    /// The plan of a `LazyFrame` or `Dataset`.
    Explain {
        /// The variable that holds it.
        variable: String,
    },
    /// A table of this process's last jobs, or the whole report of one job.
    Jobs {
        /// The number of the job to show whole.
        job: Option<usize>,
    },
    /// The workers of this process's sessions, with their slots and caches.
    Workers,
    /// The process's versions and resources: cores, memory.
    Environment,
}

/// Messages to the kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromEvaluation {
    /// The first message on the socket: the evaluation process is ready.
    Ready {
        /// Its `partita` version, which must be the kernel's.
        version: String,
        /// The compiler that built it, which must be the one that compiles the cells.
        rustc: String,
    },
    /// Text printed by a cell, in order.
    Text {
        /// Which stream.
        stream: Stream,
        /// The text as printed.
        text: String,
    },
    /// A value to show. With an id it can be updated later.
    Display {
        /// The display's id, unique in the front end, if it is to be updated.
        id: Option<String>,
        /// What to show.
        bundle: MimeBundle,
    },
    /// Replaces the content of the display with this id.
    UpdateDisplay {
        /// The id given to `Display`.
        id: String,
        /// What to show instead.
        bundle: MimeBundle,
    },
    /// Clears the running cell's output.
    ClearOutput {
        /// Whether to wait until there is new output.
        wait: bool,
    },
    /// A comm's message to the front end.
    Comm(Comm),
    /// The running cell waits for a line of input. [`ToEvaluation::Input`] answers.
    InputRequest {
        /// The prompt.
        prompt: String,
        /// Whether to hide the typed text.
        password: bool,
    },
    /// A value for the front end's pager, to be shown when the cell has ended.
    Page(MimeBundle),
    /// The jobs' events since the last batch, in order; at most one batch every 50 ms.
    Events {
        /// The session of these jobs, unique in the process. Job numbers are per session.
        session: u64,
        /// The events.
        events: Vec<Event>,
    },
    /// The last requested cell or command ended.
    Done {
        /// How it ended.
        outcome: CellOutcome,
        /// All variables in the store now.
        variables: Vec<Variable>,
        /// The time spent on the last cell; a command does not change it.
        spent: Spent,
    },
}

/// Messages to the evaluation process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToEvaluation {
    /// Load a cell and run it.
    Run(LoadCell),
    /// Run a command.
    Command(Command),
    /// A comm's message from the front end.
    Comm(Comm),
    /// The line requested by [`FromEvaluation::InputRequest`], or why there is none.
    Input(Result<String, String>),
    /// Cancel the running job, if there is one.
    Interrupt,
    /// Exit.
    Shutdown,
}
