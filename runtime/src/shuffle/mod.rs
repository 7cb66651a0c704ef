//! Moving rows between partitions: which output partition each row of a frame goes to, and the frame
//! cut up accordingly (a [`Partitioner`] decides; [`sample`] and [`range_bounds`] prepare one that
//! orders), and where the blocks wait for the reduce tasks that fetch them (`store`), as
//! frames or Arrow IPC streams (`block`).

pub(crate) mod block;
mod error;
mod hash;
mod keys;
mod partition;
mod range;
mod store;

pub use error::ShuffleError;
pub use partition::{MAX_PARTITIONS, Partitioner};
pub use range::{range_bounds, sample};
pub use store::ShuffleId;
pub(crate) use store::{BlockStore, Output, Owner};
