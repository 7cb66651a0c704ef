use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, MutexGuard};
use partita_engine::cache::{CacheId, CacheKey, CacheStore};
use partita_engine::codec::{self, BlobError};
use partita_engine::memory::{Accountant, Reclaim, Room, SpillDirectory, SpillError, Use};
use partita_engine::shuffle::block::read_stream;
use partita_engine::shuffle::{BlockStore, MapOutput, Owner, ShuffleId};
use partita_events::{JobId, PartitionId, SessionId, StageId, TaskId, WorkerId};
use partita_wire::ChunkReader;
use partita_wire::pool::from_worker::Message;
use partita_wire::pool::{BlobRequest, CacheEvicted, CachedPartition, CancelTasks, FromWorker, TaskKey};
use polars::prelude::DataFrame;
use tokio::sync::mpsc;

use crate::Shared;
use crate::master_channel::MasterChannel;
use crate::outbox::Outbox;

/// Everything that belongs to one registration with a master. A new master, or the same one after the
/// stream broke, knows nothing of it. It is then dropped as a whole, once the last task that uses it has
/// ended.
pub(super) struct Registration {
    /// The master's number for this worker.
    pub worker: WorkerId,
    pub blocks: BlockStore,
    pub cache: CacheStore,
    accountant: Arc<Accountant>,
    pub outbox: Arc<Outbox>,
    master: MasterChannel,
    /// `None` after it was closed.
    sessions: Mutex<Option<HashMap<SessionId, Session>>>,
}

#[derive(Default)]
struct Session {
    /// Tasks queued or running here. A task whose flag is true is cancelled.
    tasks: HashMap<TaskKey, Arc<AtomicBool>>,
    /// Shuffles removed while tasks were running that might still add to them.
    removed_shuffles: HashSet<ShuffleId>,
    removed_caches: HashSet<CacheId>,
    blobs: HashMap<u64, Arc<Mutex<Option<Blob>>>>,
    shared: Arc<codec::Shared>,
}

struct Blob {
    frame: DataFrame,
    _room: Room,
}

impl Registration {
    pub fn new(
        worker: WorkerId,
        accountant: Arc<Accountant>,
        spill: Arc<SpillDirectory>,
        to_master: mpsc::Sender<Vec<FromWorker>>,
        master: MasterChannel,
    ) -> Self {
        let outbox = Arc::new(Outbox::new(to_master));
        let evictions = outbox.clone();
        let on_evicted = move |key: CacheKey| {
            let gone =
                CachedPartition { cache: key.cache.0, partition: key.partition as u32, on_disk: false };
            let evicted = CacheEvicted { session: key.session.0, partitions: vec![gone] };
            evictions.send(|| Message::Evicted(evicted));
        };
        Self {
            worker,
            blocks: BlockStore::new(accountant.clone(), spill.clone()),
            cache: CacheStore::new(accountant.clone(), spill, Box::new(on_evicted)),
            accountant,
            outbox,
            master,
            sessions: Mutex::new(Some(HashMap::new())),
        }
    }

    /// Registers a task. Returns the flag that tells whether it is cancelled.
    pub fn begin(&self, key: TaskKey) -> Arc<AtomicBool> {
        let cancelled = Arc::new(AtomicBool::new(false));
        if let Some(sessions) = &mut *self.sessions() {
            sessions.entry(SessionId(key.session)).or_default().tasks.insert(key, cancelled.clone());
        }
        cancelled
    }

    /// A task has ended, successfully or not.
    pub fn end(&self, key: &TaskKey) {
        if let Some(session) =
            self.sessions().as_mut().and_then(|sessions| sessions.get_mut(&SessionId(key.session)))
        {
            session.tasks.remove(key);
            if session.tasks.is_empty() {
                session.removed_shuffles.clear();
                session.removed_caches.clear();
            }
        }
    }

    /// Cancels tasks.
    pub fn cancel(&self, cancel: &CancelTasks) {
        let sessions = self.sessions();
        let Some(session) = sessions.as_ref().and_then(|sessions| sessions.get(&SessionId(cancel.session)))
        else {
            return;
        };
        for (key, cancelled) in &session.tasks {
            if cancel.only.map_or(key.job == cancel.job, |only| only == *key) {
                cancelled.store(true, Ordering::Relaxed);
            }
        }
        drop(sessions);
        // These are results that nobody will fetch.
        self.blocks.remove_all(|owner| match (owner, &cancel.only) {
            (Owner::Shuffle { .. }, _) => false,
            (Owner::Result { session, task, .. }, None) => {
                (session.0, task.job.0 as u64) == (cancel.session, cancel.job)
            }
            (result, Some(only)) => *result == result_of(only),
        });
    }

    /// Keeps a map task's output, unless it comes too late.
    pub fn keep_output(&self, key: &TaskKey, shuffle: ShuffleId, map_partition: usize, output: MapOutput) {
        self.while_wanted(
            key,
            |session| !session.removed_shuffles.contains(&shuffle),
            || {
                let owner = Owner::Shuffle { session: SessionId(key.session), shuffle };
                self.blocks.open(owner);
                self.blocks.put(owner, map_partition, output);
            },
        );
    }

    /// Keeps a result until it is fetched, unless nobody will.
    pub fn keep_result(&self, key: &TaskKey, output: MapOutput) {
        self.while_wanted(
            key,
            |_| true,
            || {
                self.blocks.open(result_of(key));
                self.blocks.put(result_of(key), 0, output);
            },
        );
    }

    /// Whether a partition may still be cached.
    pub fn may_cache(&self, key: &TaskKey, cache: CacheId) -> bool {
        let mut may = false;
        self.while_wanted(key, |session| !session.removed_caches.contains(&cache), || may = true);
        may
    }

    /// Runs `action` for a task that is not cancelled, and keeps it from being cancelled meanwhile.
    fn while_wanted(&self, key: &TaskKey, also: impl FnOnce(&Session) -> bool, action: impl FnOnce()) {
        let sessions = self.sessions();
        let session = sessions.as_ref().and_then(|sessions| sessions.get(&SessionId(key.session)));
        let wanted = session.is_some_and(|session| {
            let running = session.tasks.get(key).is_some_and(|cancelled| !cancelled.load(Ordering::Relaxed));
            running && also(session)
        });
        if wanted {
            action();
        }
    }

    pub fn remove_shuffle(&self, session: SessionId, shuffle: ShuffleId) {
        self.of_session(session, |session| {
            if !session.tasks.is_empty() {
                session.removed_shuffles.insert(shuffle);
            }
        });
        self.blocks.remove(Owner::Shuffle { session, shuffle });
    }

    pub fn remove_cache(&self, session: SessionId, cache: CacheId) {
        self.of_session(session, |session| {
            if !session.tasks.is_empty() {
                session.removed_caches.insert(cache);
            }
        });
        self.cache.remove(session, cache);
    }

    pub fn remove_blob(&self, session: SessionId, blob: u64) {
        let mut removed = None;
        self.of_session(session, |session| removed = session.blobs.remove(&blob));
        drop(removed);
    }

    /// Drops everything of a session.
    pub fn end_session(&self, session: SessionId) {
        let ended = self.sessions().as_mut().and_then(|sessions| sessions.remove(&session));
        if let Some(ended) = &ended {
            ended.give_up();
        }
        drop(ended);
        self.blocks.remove_all(|owner| owner.session() == session);
        self.cache.remove_all(|key| key.session == session);
    }

    /// Ends the registration: cancels its tasks and keeps nothing any more.
    pub fn close(&self) {
        let sessions = self.sessions().take();
        for session in sessions.iter().flat_map(HashMap::values) {
            session.give_up();
        }
        drop(sessions);
        self.blocks.remove_all(|_| true);
        self.cache.remove_all(|_| true);
    }

    fn of_session(&self, session: SessionId, change: impl FnOnce(&mut Session)) {
        if let Some(session) = self.sessions().as_mut().and_then(|sessions| sessions.get_mut(&session)) {
            change(session);
        }
    }

    /// What the session's tasks have in common; empty if the session has ended.
    pub fn shared(&self, session: SessionId) -> Arc<codec::Shared> {
        let mut shared = Arc::default();
        self.of_session(session, |session| shared = session.shared.clone());
        shared
    }

    /// A frame that the session has sent ahead, fetched from the master the first time. Blocks.
    pub fn blob(&self, shared: &Shared, session: SessionId, blob: u64) -> Result<DataFrame, BlobError> {
        let mut place = None;
        self.of_session(session, |session| place = Some(session.blobs.entry(blob).or_default().clone()));
        let Some(place) = place else { return Err(BlobError::SessionEnded) };
        let mut place = place.lock();
        if let Some(blob) = &*place {
            return Ok(blob.frame.clone());
        }
        let request = BlobRequest { session: session.0, blob };
        let cause = |status: tonic::Status| BlobError::NotReceived(status.message().to_owned());
        let stream = shared.runtime.block_on(self.master.blob(request)).map_err(cause)?;
        let reader = ChunkReader::new(stream, shared.runtime.clone(), shared.options.fetch_silence);
        let frame = read_stream(reader)
            .map_err(|error| BlobError::NotReceived(format!("not all of it arrived: {error}")))?;
        if let Some(room) = self.accountant.room(Use::Blobs, frame.estimated_size()) {
            *place = Some(Blob { frame: frame.clone(), _room: room });
        }
        Ok(frame)
    }

    fn sessions(&self) -> MutexGuard<'_, Option<HashMap<SessionId, Session>>> {
        self.sessions.lock()
    }
}

impl Session {
    fn give_up(&self) {
        for cancelled in self.tasks.values() {
            cancelled.store(true, Ordering::Relaxed);
        }
    }
}

/// A task's result as an owner of blocks.
pub(super) fn result_of(key: &TaskKey) -> Owner {
    let task = TaskId {
        job: JobId(key.job as usize),
        stage: StageId(key.stage as usize),
        partition: PartitionId(key.partition as usize),
    };
    Owner::Result { session: SessionId(key.session), task, attempt: key.attempt as usize }
}

/// Shuffle blocks are moved first: they are read once, and nothing of them is lost. Cached partitions
/// come next; some of them have to be recomputed.
impl Reclaim for Registration {
    fn reclaim(&self, bytes: usize) -> Result<usize, SpillError> {
        let spilled = self.blocks.spill(bytes);
        let freed = *spilled.as_ref().unwrap_or(&0);
        let evicted = if freed < bytes { self.cache.evict(bytes - freed) } else { Ok(0) };
        match (spilled, evicted) {
            (Ok(_), Ok(evicted)) => Ok(freed + evicted),
            (Err(_), Ok(evicted)) if evicted > 0 => Ok(evicted),
            (Ok(freed), Err(_)) if freed > 0 => Ok(freed),
            (Err(error), _) | (_, Err(error)) => Err(SpillError(error.to_string())),
        }
    }
}
