use std::sync::Arc;

use super::CacheId;

/// Keeps the cached partitions of a session's datasets: an engine.
pub trait CachedDatasets: Send + Sync {
    /// Forgets a dataset's cached partitions.
    fn remove_cache(&self, cache: CacheId);

    /// Partitions of a dataset that are cached: in memory, on disk.
    fn cached_partitions(&self, cache: CacheId) -> (usize, usize);

    /// Bytes of memory of a dataset's cached partitions, where it is known.
    fn cached_bytes(&self, _cache: CacheId) -> Option<usize> {
        None
    }
}

/// One dataset's room in an engine's cache; freed when the last plan or task that needs it is dropped.
pub struct CacheLease {
    id: CacheId,
    /// `None` where a task arrived: its session frees the room.
    owner: Option<Arc<dyn CachedDatasets>>,
}

impl CacheLease {
    pub fn new(id: CacheId, owner: Arc<dyn CachedDatasets>) -> Self {
        Self { id, owner: Some(owner) }
    }

    /// Only the number, in a task that came from another process.
    pub fn detached(id: CacheId) -> Self {
        Self { id, owner: None }
    }

    pub fn id(&self) -> CacheId {
        self.id
    }

    /// Bytes in memory of the dataset, if all its partitions are kept there.
    pub fn bytes(&self, partitions: usize) -> Option<usize> {
        let owner = self.owner.as_ref()?;
        if owner.cached_partitions(self.id) == (partitions, 0) { owner.cached_bytes(self.id) } else { None }
    }
}

impl Drop for CacheLease {
    fn drop(&mut self) {
        if let Some(owner) = &self.owner {
            owner.remove_cache(self.id);
        }
    }
}
