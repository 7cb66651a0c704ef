//! Cached partitions and where they lie: storage levels as Spark names them, a memory bound, eviction
//! of the least recently used. What a partition is and how it is computed again is not known here.

mod lease;
mod store;

use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use lease::{CacheLease, CachedDatasets};
pub use store::{CacheStore, Kept, KeptDataset, Key};

/// Identifies one cached dataset in a session.
pub type CacheId = u64;

/// Where a cached partition is kept. An evicted or never kept partition is computed again from its
/// lineage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum StorageLevel {
    /// In memory only; what does not fit is dropped and computed again when needed.
    MemoryOnly,
    /// In memory, and what does not fit goes to disk.
    #[default]
    MemoryAndDisk,
    /// On disk only, as Arrow IPC files.
    DiskOnly,
}

impl std::fmt::Display for StorageLevel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::MemoryOnly => "MEMORY_ONLY",
            Self::MemoryAndDisk => "MEMORY_AND_DISK",
            Self::DiskOnly => "DISK_ONLY",
        })
    }
}

impl FromStr for StorageLevel {
    type Err = String;

    /// Reads Spark's spelling, in any case.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_uppercase().as_str() {
            "MEMORY_ONLY" => Ok(Self::MemoryOnly),
            "MEMORY_AND_DISK" => Ok(Self::MemoryAndDisk),
            "DISK_ONLY" => Ok(Self::DiskOnly),
            _ => Err(format!(
                "{text:?} is no storage level; there are MEMORY_ONLY, MEMORY_AND_DISK and DISK_ONLY"
            )),
        }
    }
}
