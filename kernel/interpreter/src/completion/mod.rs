//! Completion and inspection: what can stand at the cursor, and what the name under it is, with kinds,
//! signatures and docs. All answers come from a [`Snapshot`](crate::state::Snapshot) of the state that
//! cells have left, so they are available while a cell runs. Front ends turn the answers into messages or
//! menus; nothing here knows them.
//!
//! `text` finds out what kind of name can stand at the cursor. After a dot, `probe` asks the compiler for
//! the type before it. `names` knows all names: the person's items (`user`) and everything else
//! (`index`). Without compiler or index the answers are incomplete, but nothing fails.

mod answers;
mod completer;
mod engine;
mod index;
mod kind;
mod names;
mod probe;
mod text;
mod user;
mod words;

pub use answers::{Completion, Completions};
pub use completer::Completer;
pub use engine::{make_index, run_if_child};
pub use index::IndexError;
pub use kind::Kind;
pub use probe::TypeQueryError;
