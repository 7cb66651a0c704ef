//! Tasks, and what they stand on. A [`task`] is one partition's work, as data: its input, a tree of
//! sources and narrow steps, and what becomes of the rows. [`execute`] runs one on the calling thread;
//! [`codec`] makes bytes of it. Below are [`source`] (files in pieces), [`shuffle`] (rows between
//! partitions), [`cache`] (partitions that are kept) and [`memory`], which keeps the sum of all of them.
//! [`Engine`] is what runs tasks, wherever that is.
//!
//! Not here: datasets, the plan of a whole query, stages and the scheduler, the pool's protocol.

pub mod cache;
pub mod codec;
mod engine;
pub mod execute;
pub mod memory;
pub mod own_directory;
mod panics;
pub mod shuffle;
pub mod source;
pub mod task;

pub use engine::{Engine, EventStream, Settings, Worker};
pub use panics::panic_text;
