//! The process that runs cells. It is this very binary, started again (see [`run_if_child`]). This module
//! starts it, talks to it over the bridge, forwards its outputs and describes how it ended. It does not
//! know what is in a cell.

mod activity;
mod child;
mod current_process;
mod ending;
mod outputs;
mod process;

pub use activity::Activity;
pub use child::run_if_child;
pub use current_process::CurrentProcess;
pub use outputs::Outputs;
pub use process::{CellEnd, EvaluationProcess, ProcessControl, ProcessDeath, SpawnError};
