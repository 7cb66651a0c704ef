//! Commands: lines that begin with `:` and cells that begin with `%%`. They work the same in every
//! front end, because the interpreter sees them before the evaluator does: `parse` takes them off a
//! cell, `table` says which there are, `execute` runs them, and each answers as a cell would. What a
//! command is about is asked elsewhere: the variables' rows and jobs of the evaluation process, types and
//! docs of `completion`. Commands that an evaluator has of its own pass through to it.

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
