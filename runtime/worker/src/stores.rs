use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use partita_engine::cache::{CacheId, CacheKey, Kept, StorageLevel};
use partita_engine::codec::ShuffleSource;
use partita_engine::execute::stores::{Stores, Written, split_into};
use partita_engine::memory::{Reservation, heap};
use partita_engine::shuffle::block::Block;
use partita_engine::shuffle::{Owner, Partitioner, ShuffleId};
use partita_engine::task::TaskError;
use partita_events::SessionId;
use partita_wire::pool::{CachedPartition, TaskKey};
use polars::prelude::*;

use crate::Shared;
use crate::estimate::{Estimate, too_large};
use crate::fetch::Wanted;
use crate::registration::Registration;

/// Rows are split in slices of this many bytes,
const SLICE_BYTES: usize = 64 << 20;
/// but not into blocks smaller than this.
const LEAST_BLOCK: usize = 64 << 10;
/// How many workers a task fetches from at once.
const SIDE_BY_SIDE: usize = 8;

/// Frames with their map partitions.
type Frames = Vec<(usize, Vec<DataFrame>)>;

/// What one running task can access: blocks here and at other workers, and this worker's cache.
pub(super) struct TaskStores<'a> {
    pub shared: &'a Shared,
    pub registration: &'a Registration,
    pub key: TaskKey,
    pub cancelled: &'a AtomicBool,
    /// Where the blocks of each shuffle are that it reads.
    pub sources: &'a HashMap<ShuffleId, Vec<ShuffleSource>>,
    pub estimate: Estimate,
    pub memory: RefCell<Reservation>,
    /// Bytes of input so far.
    pub input: Cell<usize>,
    /// Set to the memory needed if that is more than there is now: the task must give back what it has
    /// and start again with that much. Tasks that each hold some memory and wait for more would wait for
    /// ever.
    pub short: Cell<Option<usize>>,
    /// What it has put into the cache.
    pub cached: RefCell<Vec<CachedPartition>>,
}

impl TaskStores<'_> {
    /// Announces more input.
    fn expect(&self, bytes: usize) -> Result<(), TaskError> {
        let input = self.input.get() + bytes;
        self.input.set(input);
        let need = self.estimate.need(input);
        let most = self.shared.accountant.limits().total;
        if need > most {
            let name = &self.shared.options.name;
            return Err(TaskError::TooLarge(too_large(self.key.partition as usize, input, need, most, name)));
        }
        let mut memory = self.memory.borrow_mut();
        let held = memory.bytes();
        if memory.grow(need, self.registration) {
            heap::make_room(need.saturating_sub(held), most);
            return Ok(());
        }
        self.short.set(Some(need));
        Err(TaskError::Failed("it waits for memory".into()))
    }

    fn still_wanted(&self) -> Result<(), TaskError> {
        if self.cancelled.load(Ordering::Relaxed) { Err(TaskError::Cancelled) } else { Ok(()) }
    }

    fn local(&self, shuffle: ShuffleId, partition: usize, maps: &[usize]) -> Result<Frames, TaskError> {
        let owner = Owner::Shuffle { session: SessionId(self.key.session), shuffle };
        let found = self.registration.blocks.blocks(owner, partition, Some(maps));
        let found = found.map_err(|missing| TaskError::FetchFailed {
            shuffle,
            map_partitions: missing,
            cause: format!("worker {} does not have them", self.shared.options.name),
        })?;
        self.expect(found.iter().flat_map(|(_, blocks)| blocks).map(Block::bytes).sum())?;
        let read = |(map, blocks): (usize, Vec<Block>)| {
            self.still_wanted()?;
            let frames = blocks.into_iter().map(Block::read).collect::<PolarsResult<_>>();
            frames.map(|frames| (map, frames)).map_err(|error| {
                self.registration.blocks.forget(owner, map);
                TaskError::FetchFailed { shuffle, map_partitions: vec![map], cause: error.to_string() }
            })
        };
        found.into_iter().map(read).collect()
    }

    fn remote(&self, wanted: &Wanted, sources: &[&ShuffleSource]) -> Result<Frames, TaskError> {
        let mut frames = Vec::new();
        for sources in sources.chunks(SIDE_BY_SIDE) {
            self.still_wanted()?;
            let streams = self.shared.fetcher.open(wanted, sources)?;
            self.expect(streams.iter().map(|stream| stream.bytes).sum())?;
            for stream in streams {
                stream.read(|| self.still_wanted(), &mut frames)?;
            }
        }
        Ok(frames)
    }
}

impl Stores for TaskStores<'_> {
    fn fetch(
        &self,
        shuffle: ShuffleId,
        partition: usize,
        maps: Option<&Range<usize>>,
    ) -> Result<Vec<DataFrame>, TaskError> {
        let mut sources = self.sources.get(&shuffle).cloned().unwrap_or_default();
        if let Some(maps) = maps {
            sources.iter_mut().for_each(|source| source.map_partitions.retain(|map| maps.contains(map)));
            sources.retain(|source| !source.map_partitions.is_empty());
        }
        let (here, there): (Vec<_>, Vec<_>) =
            sources.iter().partition(|source| source.worker == self.registration.worker);
        let wanted = Wanted { session: SessionId(self.key.session), shuffle, partition };
        let mut frames = self.remote(&wanted, &there)?;
        let maps: Vec<usize> = here.iter().flat_map(|source| &source.map_partitions).copied().collect();
        frames.extend(self.local(shuffle, partition, &maps)?);
        frames.sort_unstable_by_key(|(map, _)| *map);
        Ok(frames.into_iter().flat_map(|(_, frames)| frames).collect())
    }

    fn put(
        &self,
        shuffle: ShuffleId,
        map_partition: usize,
        partitioner: &Partitioner,
        rows: DataFrame,
    ) -> Result<Written, TaskError> {
        self.still_wanted()?;
        let slice = SLICE_BYTES.max(partitioner.partitions().saturating_mul(LEAST_BLOCK));
        let slices = rows.estimated_size().div_ceil(slice).max(1);
        let slice_rows = rows.height().div_ceil(slices);
        let blocks = &self.registration.blocks;
        let (output, written) = split_into(blocks, map_partition, partitioner, &rows, slice_rows)?;
        self.registration.keep_output(&self.key, shuffle, map_partition, output);
        Ok(written)
    }

    fn cached(&self, cache: CacheId, partition: usize) -> Option<DataFrame> {
        let key = CacheKey { session: SessionId(self.key.session), cache, partition };
        self.registration.cache.get(key).ok().flatten()
    }

    fn keep(
        &self,
        cache: CacheId,
        partition: usize,
        level: StorageLevel,
        rows: &DataFrame,
    ) -> Result<u64, TaskError> {
        if !self.registration.may_cache(&self.key, cache) {
            return Ok(0);
        }
        let key = CacheKey { session: SessionId(self.key.session), cache, partition };
        let kept = self.registration.cache.put(key, level, rows)?;
        // It was removed while it was being stored; nobody would remove it later.
        if !self.registration.may_cache(&self.key, cache) {
            self.registration.cache.remove_all(|other| *other == key);
            return Ok(0);
        }
        let (on_disk, spilled) = match kept {
            Kept::No => return Ok(0),
            Kept::InMemory => (false, 0),
            Kept::OnDisk(bytes) => (true, bytes),
        };
        self.cached.borrow_mut().push(CachedPartition {
            cache: cache.0,
            partition: partition as u32,
            on_disk,
        });
        Ok(spilled)
    }

    fn observe(&self, bytes: usize) {
        self.memory.borrow_mut().observe(bytes, self.registration);
    }
}
