//! How much memory a process's tasks, shuffle blocks and cache use, and what happens when it runs out:
//! tasks wait for room, blocks and cached partitions go to disk. [`Accountant`] keeps the total,
//! [`SpillDirectory`] the files. What is moved out of memory first is decided by its owners. `heap` is
//! the system's view of this process.

mod accountant;
mod bytes;
pub mod heap;
mod spill;

pub use accountant::{Accountant, Amounts, Limits, Reclaim, Refused, Reservation, Room, SpillError, Use};
pub use bytes::Bytes;
pub use spill::{SpillDirectory, SpillFile};
