//! Moves rows between partitions. A [`Partitioner`] decides which output partition each row goes to, and
//! splits a frame accordingly. [`sample`] and [`range_bounds`] prepare one that sorts. [`Salt`] spreads
//! keys that have too many rows, and `hot` finds such keys. The blocks wait in the `store` for the reduce
//! tasks that fetch them, as frames or Arrow IPC streams (`block`).

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
pub use partita_events::ShuffleId;
pub use partition::{MAX_PARTITIONS, Partitioner};
pub use range::{range_bounds, sample};
pub use salt::Salt;
pub use salt::hot_hashes;
pub use store::{BlockStore, MapOutput, Owner};
