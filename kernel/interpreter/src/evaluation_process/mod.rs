//! The process that runs cells: starting it (it is this very binary, started again, see
//! [`run_if_child`]), talking to it over the bridge, carrying its outputs to whoever listens, and
//! saying how it ended. What is in a cell is not known here.

mod activity;
mod child;
mod ending;
mod line;
mod outputs;
mod process;

pub use activity::Activity;
pub use child::run_if_child;
pub use line::Line;
pub use outputs::Outputs;
pub use process::{Ended, EvaluationProcess, Gone, ProcessControl, SpawnError};
