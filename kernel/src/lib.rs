//! Partita's kernel as a library, so that its parts can be tested without the binary: the front ends
//! (`jupyter`, `repl`, `run`) and the choice of evaluators. The crate `partita-interpreter` runs the
//! cells. Nothing here links Polars or the `partita` library.

pub mod doctor;
pub mod evaluators;
pub mod install;
pub mod jupyter;
pub mod repl;
pub mod run;
pub mod search_path;
