//! The evcxr evaluator: drives evcxr's `CommandContext` for notebooks written for it, and as the
//! oracle the direct evaluator is tested against.
//!
//! evcxr keeps items and variables, compiles with cargo and runs what it compiled; it stays blind to
//! `partita`, which a compiler `wrapper` adds to its cells behind its back, so it neither
//! builds Polars nor analyses it. What it does not report (the types it cannot see, panics, `?`
//! errors, unfinished lines of text) the cells say themselves: `compose` rewrites them so, and
//! `cell_side.rs` is their half. What the compiler's errors and types mean for a cell is read as the
//! direct evaluator reads it. How a cell is split and how front ends show outcomes is not here.

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

/// Takes over if this process was started as evcxr's evaluation process or as its compiler; else
/// returns. `main` begins with it.
pub fn run_if_child() {
    wrapper::hook();
    evcxr::runtime_hook();
}
