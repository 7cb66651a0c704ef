use std::collections::{BTreeMap, HashMap};
use std::io::{self, Cursor};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use polars::prelude::*;

use super::{CacheId, StorageLevel};
use crate::memory::{Accountant, Room, SpillDirectory, SpillFile, Use};
use crate::shuffle::block::{Packing, read_stream, write_stream};

/// One partition of one session's cached dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub session: u64,
    pub cache: CacheId,
    pub partition: usize,
}

/// What became of a partition that was to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    No,
    InMemory,
    /// Bytes of its file.
    OnDisk(u64),
}

/// What is kept of one session's dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptDataset {
    pub session: u64,
    pub cache: CacheId,
    pub level: StorageLevel,
    /// Partitions, and their bytes.
    pub in_memory: usize,
    pub on_disk: usize,
    pub memory_bytes: u64,
    pub disk_bytes: u64,
}

/// Hears of partitions that are no longer kept although nobody asked for it.
type OnEvicted = Box<dyn Fn(Key) + Send + Sync>;

/// Cached partitions of one engine: in memory as far as the accountant has room for them.
pub(crate) struct CacheStore {
    accountant: Arc<Accountant>,
    spill: Arc<SpillDirectory>,
    on_evicted: OnEvicted,
    state: Mutex<State>,
    on_disk: Arc<AtomicU64>,
}

#[derive(Default)]
struct State {
    entries: HashMap<Key, Entry>,
    clock: u64,
}

struct Entry {
    level: StorageLevel,
    place: Place,
    last_used: u64,
    /// When it was put; tells it from a later one of the same key.
    put: u64,
    /// Somebody is writing it to disk.
    moving: bool,
}

enum Place {
    Memory(DataFrame, Room),
    Disk(Arc<Cached>),
}

/// A partition in a file.
struct Cached {
    file: Arc<SpillFile>,
    bytes: u64,
    on_disk: Arc<AtomicU64>,
}

impl Drop for Cached {
    fn drop(&mut self) {
        self.on_disk.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl CacheStore {
    pub fn new(accountant: Arc<Accountant>, spill: Arc<SpillDirectory>, on_evicted: OnEvicted) -> Self {
        Self { accountant, spill, on_evicted, state: Mutex::default(), on_disk: Arc::default() }
    }

    /// The partition, if it is kept.
    ///
    /// # Errors
    /// When the partition's file cannot be read; it is forgotten then, so a second call computes.
    pub fn get(&self, key: Key) -> PolarsResult<Option<DataFrame>> {
        let cached = {
            let mut state = self.lock();
            let clock = state.tick();
            let Some(entry) = state.entries.get_mut(&key) else { return Ok(None) };
            entry.last_used = clock;
            match &entry.place {
                Place::Memory(frame, _) => return Ok(Some(frame.clone())),
                Place::Disk(cached) => cached.clone(),
            }
        };
        let frame = cached.file.read(&(0..cached.bytes)).map_err(PolarsError::from);
        match frame.and_then(|bytes| read_stream(Cursor::new(bytes))) {
            Ok(frame) => Ok(Some(frame)),
            Err(error) => {
                let forgotten = self.lock().entries.remove(&key);
                drop(forgotten);
                (self.on_evicted)(key);
                Err(error)
            }
        }
    }

    /// Keeps a partition as its level says, evicting others if memory is short.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn put(&self, key: Key, level: StorageLevel, frame: &DataFrame) -> PolarsResult<Kept> {
        let before = self.lock().entries.remove(&key);
        drop(before);
        if level != StorageLevel::DiskOnly
            && let Some(room) = self.room(frame.estimated_size())?
        {
            self.insert(key, level, Place::Memory(frame.clone(), room));
            return Ok(Kept::InMemory);
        }
        if level == StorageLevel::MemoryOnly {
            return Ok(Kept::No);
        }
        let cached = self.write(key, frame)?;
        let bytes = cached.bytes;
        self.insert(key, level, Place::Disk(Arc::new(cached)));
        Ok(Kept::OnDisk(bytes))
    }

    /// Room for a partition, others evicted if need be; `None` if that would not help.
    fn room(&self, bytes: usize) -> PolarsResult<Option<Room>> {
        while bytes <= self.accountant.most(Use::Cache) {
            if let Some(room) = self.accountant.room(Use::Cache, bytes) {
                return Ok(Some(room));
            }
            if self.evict(1)? == 0 {
                break;
            }
        }
        Ok(None)
    }

    fn insert(&self, key: Key, level: StorageLevel, place: Place) {
        let mut state = self.lock();
        let clock = state.tick();
        state.entries.insert(key, Entry { level, place, last_used: clock, put: clock, moving: false });
    }

    /// Forgets a dataset's partitions and frees their memory and files.
    pub fn remove(&self, session: u64, cache: CacheId) {
        self.remove_all(|key| key.session == session && key.cache == cache);
    }

    /// Forgets all partitions that are such.
    pub fn remove_all(&self, such: impl Fn(&Key) -> bool) {
        let removed: Vec<_> = self.lock().entries.extract_if(|key, _| such(key)).collect();
        drop(removed);
    }

    /// Whether a partition is kept. Says nothing of its file.
    pub fn contains(&self, key: Key) -> bool {
        self.lock().entries.contains_key(&key)
    }

    /// Partitions kept of a dataset: in memory, on disk.
    pub fn kept(&self, session: u64, cache: CacheId) -> (usize, usize) {
        self.count(|key| key.session == session && key.cache == cache)
    }

    /// Partitions kept of all datasets: in memory, on disk.
    pub fn kept_in_all(&self) -> (usize, usize) {
        self.count(|_| true)
    }

    fn count(&self, which: impl Fn(&Key) -> bool) -> (usize, usize) {
        let state = self.lock();
        let counted = || state.entries.iter().filter(|(key, _)| which(key));
        let memory = counted().filter(|(_, entry)| matches!(entry.place, Place::Memory(..))).count();
        (memory, counted().count() - memory)
    }

    /// What is kept of each dataset.
    pub fn datasets(&self) -> Vec<KeptDataset> {
        let mut datasets: BTreeMap<(u64, CacheId), KeptDataset> = BTreeMap::new();
        for (Key { session, cache, .. }, entry) in &self.lock().entries {
            let (session, cache, level) = (*session, *cache, entry.level);
            let kept = datasets.entry((session, cache)).or_insert(KeptDataset {
                session,
                cache,
                level,
                in_memory: 0,
                on_disk: 0,
                memory_bytes: 0,
                disk_bytes: 0,
            });
            match &entry.place {
                Place::Memory(_, room) => {
                    kept.in_memory += 1;
                    kept.memory_bytes += room.bytes() as u64;
                }
                Place::Disk(cached) => {
                    kept.on_disk += 1;
                    kept.disk_bytes += cached.bytes;
                }
            }
        }
        datasets.into_values().collect()
    }

    /// Bytes of its files.
    pub fn on_disk(&self) -> u64 {
        self.on_disk.load(Ordering::Relaxed)
    }

    /// Moves or drops the least recently used partitions until about so many bytes of memory are free;
    /// says how many are.
    ///
    /// # Errors
    /// When a partition should go to disk and cannot; it stays in memory then.
    pub fn evict(&self, bytes: usize) -> PolarsResult<usize> {
        let mut freed = 0;
        while freed < bytes {
            let Some((key, level, put, frame)) = self.oldest() else { break };
            let written = match level {
                StorageLevel::MemoryAndDisk => Some(self.write(key, &frame)),
                _ => None,
            };
            drop(frame);
            let mut state = self.lock();
            // It may have been removed meanwhile: then its memory is free already.
            let Some(entry) = state.entries.get_mut(&key).filter(|entry| entry.put == put) else { continue };
            let before = match written {
                Some(Ok(cached)) => {
                    entry.moving = false;
                    std::mem::replace(&mut entry.place, Place::Disk(Arc::new(cached)))
                }
                Some(Err(error)) => {
                    entry.moving = false;
                    return Err(error);
                }
                None => match state.entries.remove(&key) {
                    Some(entry) => entry.place,
                    None => continue,
                },
            };
            drop(state);
            if let Place::Memory(_, room) = &before {
                freed += room.bytes();
            }
            drop(before);
            if level == StorageLevel::MemoryOnly {
                (self.on_evicted)(key);
            }
        }
        Ok(freed)
    }

    /// The least recently used partition in memory that nobody is moving yet; it is then.
    fn oldest(&self) -> Option<(Key, StorageLevel, u64, DataFrame)> {
        let mut state = self.lock();
        let in_memory = |entry: &Entry| !entry.moving && matches!(entry.place, Place::Memory(..));
        let (key, entry) = state
            .entries
            .iter_mut()
            .filter(|(_, entry)| in_memory(entry))
            .min_by_key(|(_, entry)| entry.last_used)?;
        let Place::Memory(frame, _) = &entry.place else { return None };
        let found = (*key, entry.level, entry.put, frame.clone());
        entry.moving = true;
        Some(found)
    }

    fn write(&self, key: Key, frame: &DataFrame) -> PolarsResult<Cached> {
        let written = self.spill.write::<_, PolarsError>(|writer| {
            write_stream(frame, Packing::Lz4, writer)?;
            Ok(writer.written())
        });
        let (file, bytes) = written
            .map_err(|error| io::Error::other(format!("caching partition {}: {error}", key.partition)))?;
        self.on_disk.fetch_add(bytes, Ordering::Relaxed);
        Ok(Cached { file, bytes, on_disk: self.on_disk.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl State {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Amounts, Limits};

    fn frame(n: i64) -> DataFrame {
        df!("a" => (0..1000).map(|i| i * n).collect::<Vec<i64>>()).unwrap()
    }

    fn key(cache: CacheId, partition: usize) -> Key {
        Key { session: 1, cache, partition }
    }

    struct Fixture {
        store: CacheStore,
        accountant: Arc<Accountant>,
        evicted: Arc<Mutex<Vec<Key>>>,
        directory: tempfile::TempDir,
    }

    fn fixture(cache: usize) -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let accountant = Arc::new(Accountant::new(Limits { total: usize::MAX, shuffle: 0, cache }));
        let evicted = Arc::new(Mutex::new(Vec::new()));
        let heard = evicted.clone();
        let spill = Arc::new(SpillDirectory::new(directory.path().join("spill")));
        std::fs::create_dir(directory.path().join("spill")).unwrap();
        let store =
            CacheStore::new(accountant.clone(), spill, Box::new(move |key| heard.lock().unwrap().push(key)));
        Fixture { store, accountant, evicted, directory }
    }

    #[test]
    fn memory_only_drops_the_least_recently_used_says_so_and_stays_under_its_limit() {
        let size = frame(1).estimated_size();
        let Fixture { store, accountant, evicted, .. } = fixture(2 * size);
        for partition in 0..2 {
            store.put(key(1, partition), StorageLevel::MemoryOnly, &frame(1)).unwrap();
        }
        store.get(key(1, 0)).unwrap().unwrap();
        store.put(key(1, 2), StorageLevel::MemoryOnly, &frame(2)).unwrap();
        assert!(store.get(key(1, 1)).unwrap().is_none(), "partition 1 was used least recently");
        assert!(store.get(key(1, 0)).unwrap().is_some() && store.get(key(1, 2)).unwrap().is_some());
        assert!(accountant.held().cache <= 2 * size);
        assert_eq!(*evicted.lock().unwrap(), [key(1, 1)]);
    }

    #[test]
    fn memory_and_disk_keeps_everything_and_disk_only_uses_no_memory() {
        let Fixture { store, accountant, evicted, directory: _directory } =
            fixture(frame(1).estimated_size());
        for partition in 0..3 {
            store.put(key(1, partition), StorageLevel::MemoryAndDisk, &frame(partition as i64)).unwrap();
        }
        assert_eq!(store.kept(1, 1), (1, 2));
        for partition in 0..3 {
            assert_eq!(store.get(key(1, partition)).unwrap().unwrap(), frame(partition as i64));
        }
        store.remove(1, 1);
        assert_eq!((store.kept(1, 1), accountant.held(), store.on_disk()), ((0, 0), Amounts::default(), 0));
        let kept = store.put(key(2, 0), StorageLevel::DiskOnly, &frame(7)).unwrap();
        assert!(matches!(kept, Kept::OnDisk(1..)));
        assert_eq!((store.kept(1, 2), accountant.held().cache), ((0, 1), 0));
        assert_eq!(store.get(key(2, 0)).unwrap().unwrap(), frame(7));
        assert!(evicted.lock().unwrap().is_empty(), "nothing was lost");
    }

    #[test]
    fn what_is_larger_than_the_whole_cache_evicts_nobody() {
        let size = frame(1).estimated_size();
        let Fixture { store, .. } = fixture(size);
        store.put(key(1, 0), StorageLevel::MemoryOnly, &frame(1)).unwrap();
        let large = frame(1).vstack(&frame(2)).unwrap();
        assert_eq!(store.put(key(1, 1), StorageLevel::MemoryOnly, &large).unwrap(), Kept::No);
        assert_eq!(store.kept(1, 1), (1, 0));
    }

    #[test]
    fn sessions_with_the_same_numbers_have_caches_of_their_own() {
        let Fixture { store, .. } = fixture(usize::MAX);
        let other = Key { session: 2, ..key(1, 0) };
        store.put(key(1, 0), StorageLevel::MemoryOnly, &frame(1)).unwrap();
        store.put(other, StorageLevel::MemoryOnly, &frame(2)).unwrap();
        store.remove(1, 1);
        assert!(store.get(key(1, 0)).unwrap().is_none());
        assert_eq!(store.get(other).unwrap().unwrap(), frame(2));
    }

    #[test]
    fn a_disk_that_takes_nothing_is_an_error_and_what_was_in_memory_stays() {
        let Fixture { store, directory, .. } = fixture(frame(1).estimated_size());
        std::fs::remove_dir(directory.path().join("spill")).unwrap();
        store.put(key(1, 0), StorageLevel::MemoryAndDisk, &frame(1)).unwrap();
        let error = store.put(key(1, 1), StorageLevel::MemoryAndDisk, &frame(2)).unwrap_err();
        assert!(error.to_string().contains("caching partition 0"), "{error}");
        assert_eq!(store.get(key(1, 0)).unwrap().unwrap(), frame(1));
    }
}
