//! The evcxr evaluator. It drives evcxr's `CommandContext` for notebooks written for evcxr, and is the
//! oracle that the direct evaluator is tested against.
//!
//! evcxr keeps items and variables, compiles with cargo and runs the result. It never sees `partita`: the
//! compiler `wrapper` adds it to cells, so evcxr neither builds Polars nor analyses it. Cells report
//! themselves what evcxr does not (types it cannot see, panics, `?` errors, unfinished lines of text):
//! `compose` rewrites them for that, and `cell_side.rs` is their half. Compiler errors and types are
//! interpreted as in the direct evaluator. How cells are split and how front ends show outcomes is not
//! here.

mod commands;
mod compiled_file;
mod compose;
mod evaluator;
mod interrupts;
mod markers;
mod program;
mod session;
mod streams;
mod types;
mod wrapper;

pub use evaluator::EvcxrEvaluator;
pub use session::EvcxrError;

/// If this process was started as evcxr's evaluation process or as its compiler, takes over and does not
/// return. Call it first in `main`.
pub fn run_if_child() {
    wrapper::hook();
    evcxr::runtime_hook();
}
