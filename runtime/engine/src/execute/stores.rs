//! Where a task's rows come from and go to, besides its own input and result: the interface to the
//! process that it runs in.

use std::ops::Range;
use std::sync::Arc;

use partita_events::SessionId;
use polars::prelude::*;

use crate::cache::{CacheId, CacheKey, CacheStore, Kept, StorageLevel};
use crate::memory::{Accountant, Limits, SpillDirectory};
use crate::shuffle::block::Block;
use crate::shuffle::{BlockStore, MapOutput, Owner, Partitioner, ShuffleId};
use crate::task::TaskError;

/// Block sizes are not reported for more reduce partitions than this.
const MOST_SIZES: usize = 4096;

/// What a task has written.
#[derive(Debug, Default)]
pub struct Written {
    /// The bytes in memory.
    pub bytes: u64,
    /// The bytes of those that went to disk.
    pub spilled: u64,
    /// The bytes for each reduce partition; empty if there are very many.
    pub blocks: Vec<u64>,
}

/// A task's access to rows that other tasks have made or will need.
pub trait Stores {
    /// The frames of one reduce partition in the order of their map partitions, or only those of `maps`.
    ///
    /// # Errors
    /// When some are lost or cannot be fetched.
    fn fetch(
        &self,
        shuffle: ShuffleId,
        partition: usize,
        maps: Option<&Range<usize>>,
    ) -> Result<Vec<DataFrame>, TaskError>;

    /// Splits a map task's rows and keeps them for the reduce side.
    ///
    /// # Errors
    /// When they cannot be split or stored.
    fn put(
        &self,
        shuffle: ShuffleId,
        map_partition: usize,
        partitioner: &Partitioner,
        rows: DataFrame,
    ) -> Result<Written, TaskError>;

    /// A cached partition, if it is here. One that cannot be read is recomputed.
    fn cached(&self, cache: CacheId, partition: usize) -> Option<DataFrame>;

    /// Caches a partition. Returns how many bytes of it went to disk.
    ///
    /// # Errors
    /// When it cannot be stored at its level.
    fn keep(
        &self,
        cache: CacheId,
        partition: usize,
        level: StorageLevel,
        rows: &DataFrame,
    ) -> Result<u64, TaskError>;

    /// Reports how many bytes of rows the task holds now.
    fn observe(&self, _bytes: usize) {}
}

/// Splits rows into blocks, slices of `slice_rows` rows at a time, and passes the blocks to `store`.
pub fn split_into(
    store: &BlockStore,
    map_partition: usize,
    partitioner: &Partitioner,
    rows: &DataFrame,
    slice_rows: usize,
) -> Result<(MapOutput, Written), TaskError> {
    let failed = |error: &dyn std::fmt::Display| TaskError::Failed(error.to_string());
    let mut output = MapOutput::default();
    let mut written = Written::default();
    let slices = partitioner.split_in_slices(rows, map_partition, slice_rows).map_err(|e| failed(&e))?;
    for blocks in slices {
        let blocks = blocks.map_err(|e| failed(&e))?;
        let sizes = blocks.iter().map(|block| block.estimated_size() as u64);
        if blocks.len() <= MOST_SIZES {
            written.blocks.resize(blocks.len(), 0);
            written.blocks.iter_mut().zip(sizes.clone()).for_each(|(sum, size)| *sum += size);
        }
        written.bytes += sizes.sum::<u64>();
        written.spilled += store.add(&mut output, blocks).map_err(|e| failed(&e))?;
    }
    Ok((output, written))
}

/// The stores of a single session in this process. A shuffle moves pointers.
pub struct LocalStores {
    pub blocks: BlockStore,
    pub cache: CacheStore,
    pub accountant: Arc<Accountant>,
}

impl LocalStores {
    /// The only session.
    pub const SESSION: SessionId = SessionId(0);

    /// Keeps at most `cache_bytes` of cached partitions in memory; what spills goes to `spill`.
    pub fn new(cache_bytes: usize, spill: SpillDirectory) -> Self {
        let limits = Limits { total: usize::MAX, shuffle: usize::MAX, cache: cache_bytes };
        let accountant = Arc::new(Accountant::new(limits));
        let spill = Arc::new(spill);
        Self {
            blocks: BlockStore::new(accountant.clone(), spill.clone()),
            cache: CacheStore::new(accountant.clone(), spill, Box::new(|_| {})),
            accountant,
        }
    }

    /// A shuffle's blocks, in the only session.
    pub fn owner(shuffle: ShuffleId) -> Owner {
        Owner::Shuffle { session: Self::SESSION, shuffle }
    }
}

fn key(cache: CacheId, partition: usize) -> CacheKey {
    CacheKey { session: LocalStores::SESSION, cache, partition }
}

impl Stores for LocalStores {
    fn fetch(
        &self,
        shuffle: ShuffleId,
        partition: usize,
        maps: Option<&Range<usize>>,
    ) -> Result<Vec<DataFrame>, TaskError> {
        let found = self.blocks.blocks(Self::owner(shuffle), partition, None).unwrap_or_default();
        let wanted = found.into_iter().filter(|(map, _)| maps.is_none_or(|maps| maps.contains(map)));
        let blocks = wanted.flat_map(|(_, blocks)| blocks);
        Ok(blocks.map(Block::read).collect::<PolarsResult<_>>()?)
    }

    fn put(
        &self,
        shuffle: ShuffleId,
        map_partition: usize,
        partitioner: &Partitioner,
        rows: DataFrame,
    ) -> Result<Written, TaskError> {
        let (output, written) = split_into(&self.blocks, map_partition, partitioner, &rows, usize::MAX)?;
        self.blocks.put(Self::owner(shuffle), map_partition, output);
        Ok(written)
    }

    fn cached(&self, cache: CacheId, partition: usize) -> Option<DataFrame> {
        self.cache.get(key(cache, partition)).ok().flatten()
    }

    fn keep(
        &self,
        cache: CacheId,
        partition: usize,
        level: StorageLevel,
        rows: &DataFrame,
    ) -> Result<u64, TaskError> {
        match self.cache.put(key(cache, partition), level, rows)? {
            Kept::OnDisk(bytes) => Ok(bytes),
            Kept::InMemory | Kept::No => Ok(0),
        }
    }
}
