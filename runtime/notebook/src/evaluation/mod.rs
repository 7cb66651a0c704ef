//! The half of a notebook kernel that lives beside the data: it loads compiled cells, runs them and
//! keeps their variables, and talks to the kernel over the bridge. The code that the kernel puts
//! around a cell calls what is public here; people do not. How cells are split, compiled and typed
//! is the kernel's business, and nothing here knows Jupyter.

mod commands;
mod failure;
mod frames;
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

/// Under these names cells get macros that print through the bridge, so that text and displays keep
/// their order.
pub mod macros {
    pub use crate::{
        __partita_eprint as eprint, __partita_eprintln as eprintln, __partita_print as print,
        __partita_println as println,
    };
}
