//! Runs cells: from a cell's text to its outcome, with outputs on the way. Front ends use [`Interpreter`]
//! only; behind it is one [`Evaluator`], which a factory makes: `direct` of this crate, or another one. This
//! crate knows nothing of Jupyter, the terminal or Polars.
//!
//! Each module uses those below it and none above:
//!
//! ```text
//! interpreter                          what front ends use
//! commands                             `:vars`, `:sql`, …
//! active_evaluator                     the evaluator that runs, and how it is replaced
//! completion        direct             names at the cursor; one rustc call per cell
//!                   dependencies       crates that a session adds with `:dep`
//!                   errors             what a person reads when a cell fails
//!                   interrupts         what an interrupt stops
//!                   evaluation_process the process that runs cells
//! evaluator                            the trait, a cell, its outcome
//! state                                what cells have left
//! source            toolchain          a cell as text; the compiler and the library
//! output            timing             what a cell sends; where its time goes
//! ```

pub mod active_evaluator;
pub mod commands;
pub mod completion;
pub mod dependencies;
pub mod direct;
pub mod errors;
pub mod evaluation_process;
pub mod evaluator;
pub mod interpreter;
pub mod interrupts;
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
