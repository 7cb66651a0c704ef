use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use partita_events::Event;

use crate::MimeBundle;

/// Which standard stream a piece of text belongs to.
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
    /// The name the cell gave it.
    pub name: String,
    /// The type as `std::any::type_name` prints it: for people, not always writable in code.
    pub type_name: String,
    /// Memory it holds, in bytes: its own and, where the type is known to say, what it points to.
    /// `None` where nobody has asked the value.
    pub bytes: Option<u64>,
}

/// Where and with what a cell panicked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Panic {
    /// The panic's message.
    pub message: String,
    /// Source file as the compiler was told it.
    pub file: String,
    /// 1-based line in `file`.
    pub line: u32,
    /// 1-based column in `file`.
    pub column: u32,
    /// The calls that led there, as far as they are in cells, innermost first.
    pub frames: Vec<Frame>,
}

/// A call in the code of a cell. The kernel, which has the cell's shared object, finds its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// The shared object of the cell that has the code.
    pub library: PathBuf,
    /// An address inside the function, counted from where the shared object begins.
    pub address: u64,
}

/// How a loaded cell ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CellOutcome {
    /// It ran to its end; the last expression's value, if there is one to show.
    Finished(Option<MimeBundle>),
    /// A `?` left the cell early: the error's text and its chain of causes, outermost first.
    Failed(Vec<String>),
    /// It panicked.
    Panicked(Panic),
    /// The shared object could not be loaded.
    NotLoaded(String),
}

/// Where the time of a cell went in the evaluation process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// Loading its shared object.
    pub load: Duration,
    /// Its own code.
    pub run: Duration,
    /// Turning its value into what is shown.
    pub display: Duration,
}

/// Who sees what a cell shows, which decides how it is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Viewer {
    /// A terminal, which shows text and has a view of jobs of its own.
    #[default]
    Terminal,
    /// Nobody yet: outputs are kept, as when a notebook is run by a program.
    Document,
    /// A person with a page that changes as it is told: widgets work.
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

/// What one side of a comm tells the other. A comm is Jupyter's channel between a front end's code
/// and the kernel's; either side may open one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comm {
    /// The comm's id, chosen by who opened it.
    pub id: String,
    /// What happens to it.
    pub action: CommAction,
    /// JSON object, as text: this crate does not look into it.
    pub data: String,
    /// JSON object, as text.
    pub metadata: String,
    /// Binary data beside the JSON.
    pub buffers: Vec<Vec<u8>>,
}

/// The three messages a comm has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommAction {
    /// It begins; `target` says who is to answer.
    Open {
        /// The target's name.
        target: String,
    },
    /// Data on an open comm.
    Message,
    /// It ends.
    Close,
}

/// Work on what the cells have left that needs no compiler. It runs where cells run, in turn with
/// them, and ends like one: with [`FromEvaluation::Done`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// A Polars SQL query over the `DataFrame`s, `LazyFrame`s and `Dataset`s among the variables.
    Sql {
        /// The query.
        query: String,
        /// The variable that is to keep the result, as a `DataFrame`.
        into: Option<String>,
    },
    /// The plan of a `LazyFrame` or `Dataset`.
    Explain {
        /// The variable that holds it.
        variable: String,
    },
    /// The jobs of this process, the last ones in a table; one of them whole.
    Jobs {
        /// The job to show whole, by number.
        job: Option<usize>,
    },
    /// The workers of this process's sessions with their slots and caches.
    Workers,
    /// What the process is made of and may use: versions, cores, memory.
    Environment,
}

/// Messages to the kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromEvaluation {
    /// First message on the socket: the evaluation process is up.
    Ready {
        /// The `partita` version inside it, which must be the kernel's.
        version: String,
        /// The compiler that built it, which must be the one that compiles the cells.
        rustc: String,
    },
    /// Text printed by a cell, in the order it was printed.
    Text {
        /// Which stream.
        stream: Stream,
        /// The text as printed.
        text: String,
    },
    /// Something to show; with an id it can be updated later.
    Display {
        /// Front-end-wide id of the display, if it is to be updated.
        id: Option<String>,
        /// What to show.
        bundle: MimeBundle,
    },
    /// Replaces what a display with this id shows.
    UpdateDisplay {
        /// The id given to `Display`.
        id: String,
        /// What to show instead.
        bundle: MimeBundle,
    },
    /// Clears the running cell's output.
    ClearOutput {
        /// Wait until there is something new to show.
        wait: bool,
    },
    /// A comm's message to the front end.
    Comm(Comm),
    /// The running cell waits for a line from the person; [`ToEvaluation::Input`] answers.
    InputRequest {
        /// What to ask.
        prompt: String,
        /// Do not show what is typed.
        password: bool,
    },
    /// Something to read in the front end's pager when the cell has ended.
    Page(MimeBundle),
    /// What jobs did since the last batch, in order; a batch at most every 50 ms.
    Events {
        /// The session whose jobs these are, unique in the process: job numbers are the session's own.
        session: u64,
        /// What happened.
        events: Vec<Event>,
    },
    /// The cell or command asked for last ended; variables now in the store.
    Done {
        /// How it ended.
        outcome: CellOutcome,
        /// Everything in the store now.
        variables: Vec<Variable>,
        /// Where the last cell's time went; a command leaves it as it was.
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
    /// The line asked for by [`FromEvaluation::InputRequest`], or why there is none.
    Input(Result<String, String>),
    /// Cancel the running job, if there is one.
    Interrupt,
    /// Leave.
    Shutdown,
}
