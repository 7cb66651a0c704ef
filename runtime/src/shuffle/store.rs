use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard};

use polars::prelude::DataFrame;

/// Identifies one shuffle in a session.
pub type ShuffleId = u64;

/// What the map tasks of one shuffle left: by map partition, one frame a reduce partition.
type Outputs = BTreeMap<usize, Vec<DataFrame>>;

/// Shuffle blocks in memory. Frames share their buffers, so nothing is copied between threads.
#[derive(Default)]
pub struct ShuffleStore {
    outputs: Mutex<HashMap<ShuffleId, Outputs>>,
}

impl ShuffleStore {
    /// Makes room for a shuffle's blocks.
    pub fn open(&self, shuffle: ShuffleId) {
        self.lock().insert(shuffle, Outputs::new());
    }

    /// Keeps a map task's blocks, one a reduce partition. Blocks of a shuffle that is not open are
    /// dropped: they come from a task that outlived its cancelled job. So are those of a map partition
    /// that is there: they come from an attempt that was second, and others may have read the first.
    pub fn put(&self, shuffle: ShuffleId, map_partition: usize, blocks: Vec<DataFrame>) {
        if let Some(outputs) = self.lock().get_mut(&shuffle) {
            outputs.entry(map_partition).or_insert(blocks);
        }
    }

    /// The non-empty blocks of one reduce partition, in the order of their map partitions.
    pub fn fetch(&self, shuffle: ShuffleId, partition: usize) -> Vec<DataFrame> {
        let outputs = self.lock();
        let blocks = outputs.get(&shuffle).into_iter().flat_map(BTreeMap::values);
        blocks
            .filter_map(|blocks| blocks.get(partition))
            .filter(|block| block.height() > 0)
            .cloned()
            .collect()
    }

    /// Forgets a shuffle and frees its blocks.
    pub fn remove(&self, shuffle: ShuffleId) {
        self.lock().remove(&shuffle);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ShuffleId, Outputs>> {
        self.outputs.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
