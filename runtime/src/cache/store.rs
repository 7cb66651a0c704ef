use std::collections::HashMap;
use std::env;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

use partita_bridge::SPILL_VARIABLE;
use polars::prelude::*;

use super::{CacheId, StorageLevel};

type Key = (CacheId, usize);

/// Cached partitions of one engine, at most `memory_limit` bytes of them in memory.
pub struct CacheStore {
    memory_limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<Key, Entry>,
    memory: usize,
    clock: u64,
    /// Made when the first partition goes to disk; removed with the store.
    directory: Option<tempfile::TempDir>,
}

struct Entry {
    level: StorageLevel,
    place: Place,
    last_used: u64,
}

enum Place {
    Memory(DataFrame, usize),
    Disk(PathBuf),
}

impl CacheStore {
    /// An empty store that keeps at most `memory_limit` bytes in memory.
    pub fn new(memory_limit: usize) -> Self {
        Self { memory_limit, state: Mutex::default() }
    }

    /// The partition, if it is kept.
    ///
    /// # Errors
    /// When the partition's file cannot be read; it is forgotten then, so a second call computes.
    pub fn get(&self, cache: CacheId, partition: usize) -> PolarsResult<Option<DataFrame>> {
        let path = {
            let mut state = self.lock();
            state.clock += 1;
            let clock = state.clock;
            let Some(entry) = state.entries.get_mut(&(cache, partition)) else { return Ok(None) };
            entry.last_used = clock;
            match &entry.place {
                Place::Memory(frame, _) => return Ok(Some(frame.clone())),
                Place::Disk(path) => path.clone(),
            }
        };
        let frame =
            File::open(path).map_err(PolarsError::from).and_then(|file| IpcReader::new(file).finish());
        match frame {
            Ok(frame) => Ok(Some(frame)),
            Err(error) => {
                self.lock().remove((cache, partition));
                Err(error)
            }
        }
    }

    /// Keeps a partition as its level says, evicting others if memory is short.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn put(
        &self,
        cache: CacheId,
        partition: usize,
        level: StorageLevel,
        frame: &DataFrame,
    ) -> PolarsResult<()> {
        let key = (cache, partition);
        let size = frame.estimated_size();
        let mut state = self.lock();
        state.clock += 1;
        let last_used = state.clock;
        state.remove(key);
        let fits = size <= self.memory_limit;
        let place = match level {
            StorageLevel::MemoryOnly if !fits => return Ok(()),
            StorageLevel::MemoryOnly | StorageLevel::MemoryAndDisk if fits => {
                state.make_room(self.memory_limit - size)?;
                state.memory += size;
                Place::Memory(frame.clone(), size)
            }
            _ => Place::Disk(state.spill(key, frame)?),
        };
        state.entries.insert(key, Entry { level, place, last_used });
        Ok(())
    }

    /// Forgets a dataset's partitions and frees their memory and files.
    pub fn remove(&self, cache: CacheId) {
        let mut state = self.lock();
        let keys: Vec<Key> = state.entries.keys().filter(|key| key.0 == cache).copied().collect();
        for key in keys {
            state.remove(key);
        }
    }

    /// Partitions kept of a dataset: in memory, on disk.
    pub fn kept(&self, cache: CacheId) -> (usize, usize) {
        self.count(|key| key.0 == cache)
    }

    /// Partitions kept of all datasets: in memory, on disk.
    pub fn kept_in_all(&self) -> (usize, usize) {
        self.count(|_| true)
    }

    fn count(&self, which: impl Fn(&Key) -> bool) -> (usize, usize) {
        let state = self.lock();
        let counted = || state.entries.iter().filter(|(key, _)| which(key));
        let memory = counted().filter(|(_, e)| matches!(e.place, Place::Memory(..))).count();
        (memory, counted().count() - memory)
    }

    /// Bytes it keeps in memory at most.
    pub fn memory_limit(&self) -> usize {
        self.memory_limit
    }

    /// Bytes held in memory now.
    pub fn memory(&self) -> usize {
        self.lock().memory
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl State {
    fn remove(&mut self, key: Key) {
        match self.entries.remove(&key).map(|entry| entry.place) {
            Some(Place::Memory(_, size)) => self.memory -= size,
            Some(Place::Disk(path)) => drop(std::fs::remove_file(path)),
            None => {}
        }
    }

    /// Evicts the least recently used partitions until at most `limit` bytes are in memory.
    fn make_room(&mut self, limit: usize) -> PolarsResult<()> {
        while self.memory > limit {
            let oldest = self
                .entries
                .iter()
                .filter(|(_, entry)| matches!(entry.place, Place::Memory(..)))
                .min_by_key(|(_, entry)| entry.last_used)
                .map(|(key, _)| *key);
            let Some(key) = oldest else { return Ok(()) };
            let Some(mut entry) = self.entries.remove(&key) else { return Ok(()) };
            if let Place::Memory(frame, size) = &entry.place {
                self.memory -= size;
                if entry.level == StorageLevel::MemoryAndDisk {
                    entry.place = Place::Disk(self.spill(key, &frame.clone())?);
                    self.entries.insert(key, entry);
                }
            }
        }
        Ok(())
    }

    fn spill(&mut self, (cache, partition): Key, frame: &DataFrame) -> PolarsResult<PathBuf> {
        let directory = match &self.directory {
            Some(directory) => directory,
            None => {
                let parent = env::var_os(SPILL_VARIABLE).map_or_else(env::temp_dir, PathBuf::from);
                let made = tempfile::Builder::new()
                    .prefix("partita-cache-")
                    .permissions(Permissions::from_mode(0o700))
                    .tempdir_in(&parent)
                    .map_err(|error| {
                        let place = parent.display();
                        io::Error::other(format!(
                            "cannot make a directory for cached data in {place}: {error}"
                        ))
                    })?;
                self.directory.insert(made)
            }
        };
        let path = directory.path().join(format!("{cache}-{partition}.arrow"));
        let write = |path: &PathBuf| -> PolarsResult<()> {
            IpcWriter::new(File::create(path)?).finish(&mut frame.clone())
        };
        write(&path).map_err(|error| {
            io::Error::other(format!("caching partition {partition} to {}: {error}", path.display()))
        })?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(n: i64) -> DataFrame {
        df!("a" => (0..1000).map(|i| i * n).collect::<Vec<i64>>()).unwrap()
    }

    #[test]
    fn memory_only_drops_the_least_recently_used_and_stays_under_its_limit() {
        let size = frame(1).estimated_size();
        let store = CacheStore::new(2 * size);
        for partition in 0..2 {
            store.put(1, partition, StorageLevel::MemoryOnly, &frame(1)).unwrap();
        }
        store.get(1, 0).unwrap().unwrap();
        store.put(1, 2, StorageLevel::MemoryOnly, &frame(2)).unwrap();
        assert!(store.get(1, 1).unwrap().is_none(), "partition 1 was used least recently");
        assert!(store.get(1, 0).unwrap().is_some() && store.get(1, 2).unwrap().is_some());
        assert!(store.memory() <= 2 * size);
    }

    #[test]
    fn memory_and_disk_keeps_everything_and_disk_only_uses_no_memory() {
        let store = CacheStore::new(frame(1).estimated_size());
        for partition in 0..3 {
            store.put(1, partition, StorageLevel::MemoryAndDisk, &frame(partition as i64)).unwrap();
        }
        assert_eq!(store.kept(1), (1, 2));
        for partition in 0..3 {
            assert_eq!(store.get(1, partition).unwrap().unwrap(), frame(partition as i64));
        }
        store.remove(1);
        assert_eq!((store.kept(1), store.memory()), ((0, 0), 0));
        store.put(2, 0, StorageLevel::DiskOnly, &frame(7)).unwrap();
        assert_eq!((store.kept(2), store.memory()), ((0, 1), 0));
        assert_eq!(store.get(2, 0).unwrap().unwrap(), frame(7));
    }
}
