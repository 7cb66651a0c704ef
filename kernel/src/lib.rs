//! Partita's kernel as a library, so that its parts can be tested without the binary. `interpreter` runs
//! cells; the front ends are built on it. Nothing here links Polars or the `partita` library.

pub mod doctor;
pub mod install;
pub mod interpreter;

pub mod jupyter;
pub mod repl;
pub mod run;
pub mod search_path;
