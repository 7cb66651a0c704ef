//! The crate that cells know as `partita`: `partita` and `partita-notebook` under one name, as one shared
//! library with all their dependencies inside, and with the instances of generic code that each cell would
//! otherwise compile again.
//!
//! It is a separate crate because the compiler of a cell looks through all shared instances; here it finds
//! only those that cells use. For the same reason only this crate is compiled to share instances (`opt-level`
//! in the workspace's Cargo.toml). Nothing else belongs here, and no crate may depend on this one, not even
//! for tests: cargo would then link it against the compiler's own shared std.

pub use ::partita::*;
pub use ::partita_notebook::{comm, evaluation, widgets};

#[doc(hidden)]
pub mod instances;
