//! Commands: lines that begin with `:` and cells that begin with `%%`. They work the same in every front
//! end, because the interpreter handles them before the evaluator does. `parse` takes them off a cell,
//! `table` lists them, `execute` runs them, and each answers as a cell would. The answers come from
//! elsewhere: rows of variables and jobs from the evaluation process, types and docs from `completion`.
//! An evaluator's own commands are passed on to it.

mod command;
mod completeness;
mod data;
mod execute;
mod help;
mod inspect;
mod parse;
mod session;
mod table;
mod timing;

pub use command::{Entry, Takes};
pub use completeness::is_complete;
pub(crate) use execute::execute;
pub use parse::begins_with_command;
pub use table::{all, is_quit, names};
