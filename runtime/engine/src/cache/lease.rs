use std::sync::Arc;

use super::CacheId;

/// Keeps the cached partitions of a session's datasets. Implemented by engines.
pub trait CachedDatasets: Send + Sync {
    /// Drops a dataset's cached partitions.
    fn remove_cache(&self, cache: CacheId);

    /// The number of a dataset's cached partitions: in memory, and on disk.
    fn cached_partitions(&self, cache: CacheId) -> (usize, usize);

    /// The bytes of a dataset's cached partitions in memory, if known.
    fn cached_bytes(&self, _cache: CacheId) -> Option<usize> {
        None
    }
}

/// The reservation of one dataset in an engine's cache. It is freed when the last plan or task that needs
/// it is dropped.
pub struct CacheLease {
    id: CacheId,
    /// `None` in a task that was received from another process: the session there frees the cache.
    owner: Option<Arc<dyn CachedDatasets>>,
}

impl CacheLease {
    /// Room for a dataset that `owner` caches.
    pub fn new(id: CacheId, owner: Arc<dyn CachedDatasets>) -> Self {
        Self { id, owner: Some(owner) }
    }

    /// A lease with only the number, for a task that was received from another process.
    pub fn detached(id: CacheId) -> Self {
        Self { id, owner: None }
    }

    /// The dataset's number.
    pub fn id(&self) -> CacheId {
        self.id
    }

    /// The dataset's bytes in memory, if all its partitions are cached there.
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
