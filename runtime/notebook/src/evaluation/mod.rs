//! The notebook kernel's half beside the data. It loads compiled cells, runs them, keeps their variables,
//! and talks to the kernel over the bridge. The public items here are for the code that the kernel
//! generates around a cell, not for people. The kernel splits, compiles and types cells; nothing here
//! knows Jupyter.

mod backtrace;
mod commands;
mod failure;
mod last_words;
mod panics;
mod process;
mod scope;
mod sizes;
mod store;

pub use crate::bridge::{Bridge, bridge};
pub use crate::print::write_text;
pub use failure::CellFailure;
pub use partita_bridge::{CellOutcome, MimeBundle, Stream};
pub use scope::{CellFunction, CellResult, Kept, Scope};

/// The macros that cells get under these names. They print through the bridge, so that text and displays
/// keep their order.
pub mod macros {
    pub use crate::{
        __partita_eprint as eprint, __partita_eprintln as eprintln, __partita_print as print,
        __partita_println as println,
    };
}
