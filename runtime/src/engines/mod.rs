//! The engines, which run a session's tasks. [`embedded`] uses threads of this process; [`pool`] uses the
//! workers of a master, to which tasks are sent as bytes. What a task is, how it is run, and the trait
//! that both engines implement are in `partita_engine`. Engines never call upwards.

pub(crate) mod embedded;
pub(crate) mod pool;
#[cfg(test)]
mod tests;
