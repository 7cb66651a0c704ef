//! Runs cells: from a cell's text to its outcome, with outputs on the way. Front ends use [`Interpreter`]
//! only; behind it is one [`Evaluator`], `direct` or `evcxr`. This module also defines what a cell is:
//! how it splits into items, statements and a last expression, and whether it is complete. It knows
//! nothing of Jupyter, the terminal or Polars.

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
