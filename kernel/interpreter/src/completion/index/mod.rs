//! The index of the public API that cells see (Partita's, Polars' through its prelude, std's) with
//! signatures and docs. It is a file made once per build and shared by all kernels. `make` runs rustdoc
//! on a crate that re-exports everything, `page` and `markdown` read the pages, `file` stores the result
//! so that single pages can be read: only the list of names is held in memory.

mod entry;
mod file;
mod make;
mod markdown;
mod page;

pub use entry::{Entry, Group, Member, Page};
pub use file::Index;
pub use make::{IndexError, ensure, location};
