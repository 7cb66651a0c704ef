//! What cells know as `partita`: the crate of that name and the notebook's half beside it, under one name, as
//! one shared library with all that it needs inside, and with the instances of generic code that cells would otherwise compile again and again. It is
//! a crate of its own so that the compiler of a cell, which has to look through all instances that are
//! shared, finds these and no others; for the same reason only this crate is compiled so that it shares
//! (`opt-level` in the workspace's Cargo.toml). Nothing else belongs here, and no crate may depend
//! on this one, not for tests either: cargo would build it so that it wants the compiler's own shared std.

pub use ::partita::*;
pub use ::partita_notebook::{comm, evaluation, widgets};

#[doc(hidden)]
pub mod instances;
