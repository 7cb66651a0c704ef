//! Where a task's rows come from and go to, other than its own input and result: what it needs of the
//! place it runs in.

use std::ops::Range;
use std::sync::Arc;

use polars::prelude::*;

use crate::cache::{CacheId, CacheStore, Kept, Key, StorageLevel};
use crate::memory::{Accountant, Limits, SpillDirectory};
use crate::shuffle::block::Block;
use crate::shuffle::{BlockStore, Output, Owner, Partitioner, ShuffleId};
use crate::task::TaskError;

/// For more reduce partitions than this nobody is told how large each is.
const MOST_SIZES: usize = 4096;

/// What was written of a task's rows.
#[derive(Debug, Default)]
pub struct Written {
    /// Bytes in memory.
    pub bytes: u64,
    /// Bytes of it that went to disk.
    pub spilled: u64,
    /// Bytes for each reduce partition; none where there are very many.
    pub blocks: Vec<u64>,
}

/// A task's way to rows that other tasks made or will need.
pub trait Stores {
    /// Frames of one reduce partition, in the order of their map partitions; of those `maps`, if not all.
    ///
    /// # Errors
    /// When some are gone or cannot be reached.
    fn fetch(
        &self,
        shuffle: ShuffleId,
        partition: usize,
        maps: Option<&Range<usize>>,
    ) -> Result<Vec<DataFrame>, TaskError>;

    /// Splits a map task's rows and keeps them for the reduce side.
    ///
    /// # Errors
    /// When they cannot be split or kept.
    fn put(
        &self,
        shuffle: ShuffleId,
        map_partition: usize,
        partitioner: &Partitioner,
        rows: DataFrame,
    ) -> Result<Written, TaskError>;

    /// A cached partition, if it is here. One that cannot be read is computed again.
    fn cached(&self, cache: CacheId, partition: usize) -> Option<DataFrame>;

    /// Keeps a partition; says how many bytes of it went to disk.
    ///
    /// # Errors
    /// When it cannot be kept as its level says.
    fn keep(
        &self,
        cache: CacheId,
        partition: usize,
        level: StorageLevel,
        rows: &DataFrame,
    ) -> Result<u64, TaskError>;

    /// The task holds so many bytes of rows now.
    fn observe(&self, _bytes: usize) {}
}

/// Splits rows, slices of `slice_rows` rows at a time, into blocks that `store` is to keep.
pub fn split_into(
    store: &BlockStore,
    map_partition: usize,
    partitioner: &Partitioner,
    rows: &DataFrame,
    slice_rows: usize,
) -> Result<(Output, Written), TaskError> {
    let failed = |error: &dyn std::fmt::Display| TaskError::Failed(error.to_string());
    let mut output = Output::default();
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

/// Everything in this process, for one session: a shuffle moves pointers.
pub struct LocalStores {
    pub blocks: BlockStore,
    pub cache: CacheStore,
    pub accountant: Arc<Accountant>,
}

impl LocalStores {
    /// The only session there is.
    pub const SESSION: u64 = 0;

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

    pub fn owner(shuffle: ShuffleId) -> Owner {
        Owner::Shuffle { session: Self::SESSION, shuffle }
    }
}

fn key(cache: CacheId, partition: usize) -> Key {
    Key { session: LocalStores::SESSION, cache, partition }
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
        blocks.map(Block::read).collect::<PolarsResult<_>>().map_err(|e| TaskError::Failed(e.to_string()))
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
        match self.cache.put(key(cache, partition), level, rows) {
            Ok(Kept::OnDisk(bytes)) => Ok(bytes),
            Ok(Kept::InMemory | Kept::No) => Ok(0),
            Err(error) => Err(TaskError::Failed(error.to_string())),
        }
    }
}
