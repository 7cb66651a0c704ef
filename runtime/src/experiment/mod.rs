//! Measuring: the same work at several settings, each warmed up and repeated, shown as median and
//! spread. Sits on top of everything; knows no dataset, only closures that do the work.

mod measurement;
mod sweep;

pub use measurement::Measurement;
pub use sweep::{Sweep, SweepResult, sweep};
