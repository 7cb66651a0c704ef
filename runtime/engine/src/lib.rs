//! Tasks and what they are built on. A [`task`] is the work for one partition, as data: its input, a tree
//! of sources and fragments of plans, and what to do with the rows. [`execute`] runs a task on the calling
//! thread; [`codec`] encodes it as bytes. Below are [`source`] (files in pieces), [`shuffle`] (rows
//! between partitions), [`cache`] (cached partitions) and [`memory`], which keeps the total of all of
//! them. [`plans`] walks plans as they were written. [`Engine`] is what runs tasks, wherever that is.
//!
//! Not here: datasets, the plan of a whole query, stages and the scheduler, the pool's protocol.

pub mod cache;
pub mod codec;
mod engine;
pub mod execute;
pub mod memory;
pub mod own_directory;
mod panics;
pub mod plans;
pub mod shuffle;
pub mod source;
pub mod task;

pub use engine::{Engine, EngineError, EventStream, Settings, Worker};
pub use panics::panic_text;
