use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};
use partita_events::{SessionId, ShuffleId, TaskId};
use polars::prelude::{DataFrame, PolarsResult};

use super::block::{Block, Packing, Place, write_stream};
use crate::memory::{Accountant, Room, SpillDirectory, SpillFile, Use};

/// The owner of blocks: one shuffle of one session, or one task's result, which is a single block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// The reduce side of a shuffle.
    Shuffle { session: SessionId, shuffle: ShuffleId },
    /// Whoever fetches a task's result.
    Result { session: SessionId, task: TaskId, attempt: usize },
}

impl Owner {
    /// The session it belongs to.
    pub fn session(&self) -> SessionId {
        match self {
            Self::Shuffle { session, .. } | Self::Result { session, .. } => *session,
        }
    }
}

/// Shuffle blocks: for each map partition, one per reduce partition. In memory, where frames share their
/// buffers and nothing is copied, or on disk if the accountant has no room for them.
pub struct BlockStore {
    accountant: Arc<Accountant>,
    spill: Arc<SpillDirectory>,
    outputs: Mutex<HashMap<Owner, HashMap<usize, MapOutput>>>,
    next_part: AtomicU64,
    on_disk: Arc<AtomicU64>,
}

/// What one map task has left, in the order of writing.
#[derive(Default)]
pub struct MapOutput {
    parts: Vec<Part>,
}

/// Blocks that were made together, one per reduce partition. They may be slices of one buffer, so they
/// leave memory together.
struct Part {
    number: u64,
    held: Held,
    /// Another thread is writing it to disk.
    moving: bool,
}

enum Held {
    Memory { blocks: Vec<DataFrame>, _room: Room },
    Disk(Spilled),
}

/// Blocks in one file.
struct Spilled {
    file: Arc<SpillFile>,
    places: Vec<Place>,
    bytes: u64,
    on_disk: Arc<AtomicU64>,
}

impl Drop for Spilled {
    fn drop(&mut self) {
        self.on_disk.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Part {
    /// Its block for a reduce partition, if that has rows.
    fn block(&self, partition: usize) -> Option<Block> {
        match &self.held {
            Held::Memory { blocks, .. } => {
                blocks.get(partition).filter(|block| block.height() > 0).cloned().map(Block::Memory)
            }
            Held::Disk(spilled) => {
                let place = spilled.places.get(partition).filter(|place| place.rows > 0)?;
                Some(Block::Disk { file: spilled.file.clone(), place: place.clone() })
            }
        }
    }
}

impl BlockStore {
    /// An empty store. Blocks that find no room in memory go to `spill`.
    pub fn new(accountant: Arc<Accountant>, spill: Arc<SpillDirectory>) -> Self {
        Self {
            accountant,
            spill,
            outputs: Mutex::default(),
            next_part: AtomicU64::default(),
            on_disk: Arc::default(),
        }
    }

    /// Opens the store for a shuffle's blocks.
    pub fn open(&self, owner: Owner) {
        self.lock().entry(owner).or_default();
    }

    /// Adds blocks, one per reduce partition, to a map task's output: in memory if there is room, else on
    /// disk. Returns how many bytes went to disk.
    ///
    /// # Errors
    /// When they cannot be written to disk.
    pub fn add(&self, output: &mut MapOutput, blocks: Vec<DataFrame>) -> PolarsResult<u64> {
        let number = self.next_part.fetch_add(1, Ordering::Relaxed);
        let bytes = blocks.iter().map(DataFrame::estimated_size).sum();
        let (held, to_disk) = match self.accountant.room(Use::Shuffle, bytes) {
            Some(room) => (Held::Memory { blocks, _room: room }, 0),
            None => {
                let spilled = self.write(&blocks)?;
                let to_disk = spilled.bytes;
                (Held::Disk(spilled), to_disk)
            }
        };
        output.parts.push(Part { number, held, moving: false });
        Ok(to_disk)
    }

    /// Keeps a map task's output. It is dropped if its shuffle is not open, because the task has then
    /// outlived its job. It is also dropped if there is an output of that map partition already: it comes
    /// from a second attempt, and others may have read the first.
    pub fn put(&self, owner: Owner, map_partition: usize, output: MapOutput) {
        if let Some(maps) = self.lock().get_mut(&owner)
            && let Entry::Vacant(place) = maps.entry(map_partition)
        {
            place.insert(output);
        }
    }

    /// Drops a map task's output because it cannot be read. The output of another attempt will be kept.
    pub fn forget(&self, owner: Owner, map_partition: usize) {
        let forgotten = self.lock().get_mut(&owner).and_then(|maps| maps.remove(&map_partition));
        drop(forgotten);
    }

    /// The blocks of one reduce partition by map partition: all of them in order, or the wanted ones in
    /// the given order.
    ///
    /// # Errors
    /// The wanted map partitions that are not here.
    pub fn blocks(
        &self,
        owner: Owner,
        partition: usize,
        wanted: Option<&[usize]>,
    ) -> Result<Vec<(usize, Vec<Block>)>, Vec<usize>> {
        let outputs = self.lock();
        let maps = outputs.get(&owner);
        let of = |output: &MapOutput| output.parts.iter().filter_map(|part| part.block(partition)).collect();
        let Some(wanted) = wanted else {
            let mut all: Vec<(usize, Vec<Block>)> =
                maps.into_iter().flatten().map(|(map, output)| (*map, of(output))).collect();
            all.sort_unstable_by_key(|(map, _)| *map);
            return Ok(all);
        };
        let find = |map: &usize| maps.and_then(|maps| maps.get(map)).map(of).map(|blocks| (*map, blocks));
        let found: Vec<_> = wanted.iter().map(|map| find(map).ok_or(*map)).collect();
        if found.iter().all(Result::is_ok) {
            return Ok(found.into_iter().flatten().collect());
        }
        Err(found.into_iter().filter_map(Result::err).collect())
    }

    /// Drops blocks and frees their memory and files.
    pub fn remove(&self, owner: Owner) {
        let removed = self.lock().remove(&owner);
        drop(removed);
    }

    /// Drops all blocks whose owner satisfies `such`.
    pub fn remove_all(&self, such: impl Fn(&Owner) -> bool) {
        let removed: Vec<_> = self.lock().extract_if(|owner, _| such(owner)).collect();
        drop(removed);
    }

    /// Removes and returns a task's result.
    pub fn take(&self, owner: Owner) -> Option<Vec<Block>> {
        let maps = self.lock().remove(&owner)?;
        Some(maps.into_values().flat_map(|output| output.parts).filter_map(|part| part.block(0)).collect())
    }

    /// The bytes of its files.
    pub fn on_disk(&self) -> u64 {
        self.on_disk.load(Ordering::Relaxed)
    }

    /// Moves blocks to disk, largest first, until about this many bytes of memory are free. Returns how
    /// many were freed.
    ///
    /// # Errors
    /// When they cannot be written; they then stay in memory.
    pub fn spill(&self, bytes: usize) -> PolarsResult<usize> {
        let mut freed = 0;
        while freed < bytes {
            let Some((owner, map_partition, number, blocks)) = self.largest() else { break };
            let written = self.write(&blocks);
            drop(blocks);
            let mut outputs = self.lock();
            let part = outputs
                .get_mut(&owner)
                .and_then(|maps| maps.get_mut(&map_partition))
                .and_then(|output| output.parts.iter_mut().find(|part| part.number == number));
            // It may have been removed meanwhile; then its memory is free already.
            let before = match (part, written) {
                (Some(part), Ok(spilled)) => {
                    part.moving = false;
                    std::mem::replace(&mut part.held, Held::Disk(spilled))
                }
                (Some(part), Err(error)) => {
                    part.moving = false;
                    return Err(error);
                }
                (None, _) => continue,
            };
            drop(outputs);
            if let Held::Memory { _room, .. } = &before {
                freed += _room.bytes();
            }
        }
        Ok(freed)
    }

    /// The part with the most bytes in memory that is not being moved. Marks it as being moved.
    fn largest(&self) -> Option<(Owner, usize, u64, Vec<DataFrame>)> {
        let mut outputs = self.lock();
        let parts = outputs.iter_mut().flat_map(|(owner, maps)| {
            maps.iter_mut().flat_map(|(map, output)| {
                output.parts.iter_mut().filter(|part| !part.moving).map(|part| (*owner, *map, part))
            })
        });
        let size = |part: &Part| match &part.held {
            Held::Memory { _room, .. } => _room.bytes(),
            Held::Disk(_) => 0,
        };
        let (owner, map, part) =
            parts.max_by_key(|(_, _, part)| size(part)).filter(|(_, _, part)| size(part) > 0)?;
        let Held::Memory { blocks, .. } = &part.held else { return None };
        part.moving = true;
        Some((owner, map, part.number, blocks.clone()))
    }

    fn write(&self, blocks: &[DataFrame]) -> PolarsResult<Spilled> {
        let (file, (places, bytes)) = self.spill.write::<_, polars::prelude::PolarsError>(|writer| {
            let mut places = Vec::with_capacity(blocks.len());
            for block in blocks {
                let start = writer.written();
                if block.height() > 0 {
                    write_stream(block, Packing::Lz4, writer)?;
                }
                let (rows, bytes) = (block.height(), block.estimated_size());
                places.push(Place { range: start..writer.written(), rows, bytes });
            }
            Ok((places, writer.written()))
        })?;
        self.on_disk.fetch_add(bytes, Ordering::Relaxed);
        Ok(Spilled { file, places, bytes, on_disk: self.on_disk.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Owner, HashMap<usize, MapOutput>>> {
        self.outputs.lock()
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
