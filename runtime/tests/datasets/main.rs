//! What datasets promise in an embedded session, asked through the public interface. One program: each would be linked
//! with Polars, and that takes longer than most of them run. What needs a process to itself (interrupts, processor
//! time, memory) has one beside this folder.

mod aggregate;
mod caching;
mod errors;
mod partition;
mod remedies;
mod reports;
mod trips;
mod wide_steps;
