use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use polars::prelude::DataFrame;

/// Identifies one shuffle in a session.
pub type ShuffleId = u64;

/// Shuffle blocks in memory: for each map partition, one frame a reduce partition. Frames share
/// their buffers, so nothing is copied between threads.
#[derive(Default)]
pub struct ShuffleStore {
    outputs: Mutex<HashMap<ShuffleId, Vec<MapOutput>>>,
}

/// What one map task left.
struct MapOutput {
    map_partition: usize,
    blocks: Vec<DataFrame>,
}

impl ShuffleStore {
    /// Makes room for a shuffle's blocks.
    pub fn open(&self, shuffle: ShuffleId) {
        self.lock().insert(shuffle, Vec::new());
    }

    /// Keeps a map task's blocks, one a reduce partition. Blocks of a shuffle that is not open are
    /// dropped: they come from a task that outlived its cancelled job.
    pub fn put(&self, shuffle: ShuffleId, map_partition: usize, blocks: Vec<DataFrame>) {
        if let Some(outputs) = self.lock().get_mut(&shuffle) {
            outputs.push(MapOutput { map_partition, blocks });
        }
    }

    /// The non-empty blocks of one reduce partition, in the order of their map partitions.
    pub fn fetch(&self, shuffle: ShuffleId, partition: usize) -> Vec<DataFrame> {
        let outputs = self.lock();
        let mut blocks: Vec<(usize, DataFrame)> = outputs
            .get(&shuffle)
            .into_iter()
            .flatten()
            .filter_map(|output| Some((output.map_partition, output.blocks.get(partition)?.clone())))
            .filter(|(_, block)| block.height() > 0)
            .collect();
        blocks.sort_by_key(|(map_partition, _)| *map_partition);
        blocks.into_iter().map(|(_, block)| block).collect()
    }

    /// Forgets a shuffle and frees its blocks.
    pub fn remove(&self, shuffle: ShuffleId) {
        self.lock().remove(&shuffle);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ShuffleId, Vec<MapOutput>>> {
        self.outputs.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
