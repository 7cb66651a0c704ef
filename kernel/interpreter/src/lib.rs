//! Runs cells: from a cell's text to its outcome, with outputs on the way. Front ends use [`Interpreter`]
//! only; behind it is one [`Evaluator`], which a factory makes: `direct` of this crate, or another one. This
//! crate knows nothing of Jupyter, the terminal or Polars.
//!
//! Each module uses those below it and none above:
//!
//! ```text
//! interpreter                                  what front ends talk to
//! commands                                     `:vars`, `:sql`, …
//! active_evaluator                             the evaluator that runs, and how it is replaced
//! completion          direct                   what may be typed; one rustc call a cell
//!                     errors                   what a person reads
//!                     evaluation_process       the process that runs cells
//! evaluator                                    the trait, a cell and its outcome
//! state                                        what the cells so far have left
//! source    toolchain    output    timing      a cell as text; the compiler; what goes out
//! ```

pub mod active_evaluator;
pub mod commands;
pub mod completion;
pub mod direct;
pub mod errors;
pub mod evaluation_process;
pub mod evaluator;
pub mod interpreter;
pub mod output;
pub mod session_directory;
pub mod source;
pub mod state;
pub mod timing;
pub mod toolchain;

pub use active_evaluator::{EvaluatorFactory, StartError};
pub use commands::is_complete;
pub use completion::{Completion, Completions};
pub use evaluator::{Cell, CellError, Evaluator, Interrupter, Messenger, Outcome};
pub use interpreter::Interpreter;
pub use output::{Output, OutputSender};
pub use partita_bridge::{Comm, CommAction, Command, Variable, Viewer};
pub use partita_events::Event;
pub use source::Completeness;
pub use timing::{Optimisation, Phase, Settings, Timing};
