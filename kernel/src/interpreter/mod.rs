//! From a cell's text to its outcome, with outputs on the way. Front ends see [`Interpreter`] alone;
//! behind it stands one [`Evaluator`], `direct` or `evcxr`. What a cell is (splitting it into items,
//! statements and a last expression, whether it is complete) is said here too; Jupyter and the
//! terminal are not known here, nor is Polars.

pub mod commands;
pub mod complete;
pub mod completion;
pub mod direct;
pub mod evaluation_process;
pub mod evaluator;
pub mod evcxr;
pub mod facade;
pub mod output;
pub mod split;
pub mod timing;

pub use complete::{Completeness, is_complete};
pub use completion::{Completion, Completions};
pub use evaluator::{Cell, CellError, Evaluator, Interrupter, Messenger, Outcome};
pub use facade::{EvaluatorKind, Interpreter, StartError};
pub use output::{Output, OutputSender};
pub use partita_bridge::{Comm, CommAction, Command, Variable, Viewer};
pub use partita_events::Event;
pub use timing::{Optimisation, Phase, Settings, Timing};
