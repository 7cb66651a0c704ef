//! Cached partitions: storage levels as in Spark, a memory limit, and eviction of the least recently
//! used. This module does not know what a partition is or how it is recomputed.

mod lease;
mod store;

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use lease::{CacheLease, CachedDatasets};
pub use store::{CacheKey, CacheStore, Kept, KeptDataset};

/// Identifies one cached dataset in a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CacheId(pub u64);

/// Where a cached partition is kept. A partition that was evicted or never kept is recomputed from its
/// lineage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum StorageLevel {
    /// In memory only. What does not fit is dropped, and recomputed when needed.
    MemoryOnly,
    /// In memory; what does not fit goes to disk.
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

/// A text that names no storage level.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a storage level; use MEMORY_ONLY, MEMORY_AND_DISK or DISK_ONLY")]
pub struct UnknownStorageLevel(pub String);

impl FromStr for StorageLevel {
    type Err = UnknownStorageLevel;

    /// Parses Spark's spelling, in any case.
    fn from_str(text: &str) -> Result<Self, UnknownStorageLevel> {
        match text.to_ascii_uppercase().as_str() {
            "MEMORY_ONLY" => Ok(Self::MemoryOnly),
            "MEMORY_AND_DISK" => Ok(Self::MemoryAndDisk),
            "DISK_ONLY" => Ok(Self::DiskOnly),
            _ => Err(UnknownStorageLevel(text.to_owned())),
        }
    }
}
