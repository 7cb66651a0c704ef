//! What datasets guarantee in an embedded session, tested through the public interface. All of it is one
//! program: each program would be linked with Polars, which takes longer than most tests run. Tests that
//! need a process of their own (interrupts, processor time, memory) are beside this folder.

mod aggregate;
mod caching;
mod errors;
mod hosts;
mod partition;
mod remedies;
mod reports;
mod trips;
mod wide_steps;
