//! Moving rows between partitions: which output partition each row of a frame goes to, and the frame
//! cut up accordingly (a [`Partitioner`] decides; [`sample`] and [`range_bounds`] prepare one that
//! orders; [`Salt`] spreads keys that have too many rows, and `hot` finds them), and where the blocks wait for the reduce tasks that fetch them (`store`), as
//! frames or Arrow IPC streams (`block`).

pub mod block;
mod error;
mod hash;
mod hot;
mod keys;
mod partition;
mod range;
mod salt;
mod store;

pub use error::ShuffleError;
pub use partition::{MAX_PARTITIONS, Partitioner};
pub use range::{range_bounds, sample};
pub use salt::Salt;
pub use salt::hot_hashes;
pub use store::ShuffleId;
pub use store::{BlockStore, Output, Owner};
