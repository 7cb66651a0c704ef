//! The engines: what runs a session's tasks. [`embedded`] is threads in this process, [`pool`] the workers
//! of a master, to which tasks travel as bytes. What a task is and how one is run is `partita_engine`'s
//! matter, and so is the trait that both implement; neither calls upwards.

pub(crate) mod embedded;
pub(crate) mod pool;
#[cfg(test)]
mod tests;
