//! TPC-H's 22 queries with the specification's validation parameters: as LazyFrames ([`lazy`]) over [`Tables`], and as
//! the specification's SQL ([`texts`]). The program beside this library measures them.

mod expr;
mod queries;
mod tables;
pub mod texts;

pub use queries::{COUNT, lazy};
pub use tables::{NAMES, Tables};
