use std::collections::{BTreeMap, HashMap};
use std::io::{self, Cursor};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};
use partita_events::SessionId;
use polars::prelude::*;

use super::{CacheId, StorageLevel};
use crate::memory::{Accountant, Room, SpillDirectory, SpillFile, Use};
use crate::shuffle::block::{Packing, read_stream, write_stream};

/// Identifies a partition of a session's cached dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CacheKey {
    pub session: SessionId,
    pub cache: CacheId,
    pub partition: usize,
}

/// Where a partition was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is not kept.
    No,
    /// In memory.
    InMemory,
    /// On disk, with the bytes of its file.
    OnDisk(u64),
}

/// What is cached of one session's dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptDataset {
    pub session: SessionId,
    pub cache: CacheId,
    pub level: StorageLevel,
    /// The number of partitions in memory.
    pub in_memory: usize,
    pub on_disk: usize,
    pub memory_bytes: u64,
    pub disk_bytes: u64,
}

/// Called when a partition is dropped that nobody asked to remove.
type OnEvicted = Box<dyn Fn(CacheKey) + Send + Sync>;

/// The cached partitions of one engine: in memory as far as the accountant has room for them.
pub struct CacheStore {
    accountant: Arc<Accountant>,
    spill: Arc<SpillDirectory>,
    on_evicted: OnEvicted,
    state: Mutex<State>,
    on_disk: Arc<AtomicU64>,
}

#[derive(Default)]
struct State {
    entries: HashMap<CacheKey, Entry>,
    clock: u64,
}

struct Entry {
    level: StorageLevel,
    place: Place,
    last_used: u64,
    /// When it was stored; distinguishes it from a later entry with the same key.
    put: u64,
    /// Another thread is writing it to disk.
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
    /// An empty cache. Calls `on_evicted` with each partition that is dropped to make room.
    pub fn new(accountant: Arc<Accountant>, spill: Arc<SpillDirectory>, on_evicted: OnEvicted) -> Self {
        Self { accountant, spill, on_evicted, state: Mutex::default(), on_disk: Arc::default() }
    }

    /// The partition, if it is cached.
    ///
    /// # Errors
    /// When the partition's file cannot be read. The partition is then dropped, so that a second call
    /// recomputes it.
    pub fn get(&self, key: CacheKey) -> PolarsResult<Option<DataFrame>> {
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

    /// Stores a partition at its level, evicting others if memory is short.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn put(&self, key: CacheKey, level: StorageLevel, frame: &DataFrame) -> PolarsResult<Kept> {
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

    /// Reserves room for a partition, evicting others if necessary; `None` if that would not help.
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

    fn insert(&self, key: CacheKey, level: StorageLevel, place: Place) {
        let mut state = self.lock();
        let clock = state.tick();
        state.entries.insert(key, Entry { level, place, last_used: clock, put: clock, moving: false });
    }

    /// Drops a dataset's partitions and frees their memory and files.
    pub fn remove(&self, session: SessionId, cache: CacheId) {
        self.remove_all(|key| key.session == session && key.cache == cache);
    }

    /// Drops all partitions for which `such` is true.
    pub fn remove_all(&self, such: impl Fn(&CacheKey) -> bool) {
        let removed: Vec<_> = self.lock().entries.extract_if(|key, _| such(key)).collect();
        drop(removed);
    }

    /// Whether a partition is cached. Does not check its file.
    pub fn contains(&self, key: CacheKey) -> bool {
        self.lock().entries.contains_key(&key)
    }

    /// The number of a dataset's cached partitions: in memory, and on disk.
    pub fn kept(&self, session: SessionId, cache: CacheId) -> (usize, usize) {
        self.count(|key| key.session == session && key.cache == cache)
    }

    /// The number of cached partitions of all datasets: in memory, and on disk.
    pub fn kept_in_all(&self) -> (usize, usize) {
        self.count(|_| true)
    }

    fn count(&self, which: impl Fn(&CacheKey) -> bool) -> (usize, usize) {
        let state = self.lock();
        let counted = || state.entries.iter().filter(|(key, _)| which(key));
        let memory = counted().filter(|(_, entry)| matches!(entry.place, Place::Memory(..))).count();
        (memory, counted().count() - memory)
    }

    /// What is cached of each dataset.
    pub fn datasets(&self) -> Vec<KeptDataset> {
        let mut datasets: BTreeMap<(SessionId, CacheId), KeptDataset> = BTreeMap::new();
        for (CacheKey { session, cache, .. }, entry) in &self.lock().entries {
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

    /// The bytes of all files.
    pub fn on_disk(&self) -> u64 {
        self.on_disk.load(Ordering::Relaxed)
    }

    /// Moves or drops the least recently used partitions until at least `bytes` bytes of memory are free,
    /// as far as possible. Returns how many were freed.
    ///
    /// # Errors
    /// When a partition cannot be written to disk; it then stays in memory.
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
            // It may have been removed meanwhile; then its memory is free already.
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

    /// The least recently used partition in memory that is not being moved. Marks it as being moved.
    fn oldest(&self) -> Option<(CacheKey, StorageLevel, u64, DataFrame)> {
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

    fn write(&self, key: CacheKey, frame: &DataFrame) -> PolarsResult<Cached> {
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
        self.state.lock()
    }
}

impl State {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }
}

#[cfg(test)]
mod tests;
