use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Instant, SystemTime};

use parking_lot::Mutex;
use partita_wire::INLINE_BYTES;
use partita_wire::pool::{Allocation, CancelTasks, LaunchTask, TaskKey, ToSession, ToWorker, Versions};
use partita_wire::pool::{to_session, to_worker};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::blobs::Blobs;
use crate::dispatch::{Allocated, Attempt, Dispatch, Launch};
use crate::sessions::Session;
use crate::view::{Cluster, LostWorker, SessionView, Totals, WorkerView};
use crate::workers::Worker;
use crate::{Limits, MasterOptions};

/// How many lost workers are kept for display.
const LOST: usize = 32;

/// The state that all calls share.
pub(crate) struct Shared {
    pub(crate) options: MasterOptions,
    pub(crate) versions: Versions,
    /// Cancelled when the master stops.
    pub(crate) stop: CancellationToken,
    /// Notified when there may be something to place that no message announces: see
    /// [`crate::liveness::clock`].
    pub(crate) clock: Arc<Notify>,
    state: Mutex<State>,
}

impl Shared {
    pub(crate) fn new(options: MasterOptions) -> Self {
        let clock = Arc::new(Notify::new());
        Self {
            versions: Versions::new(&options.polars),
            stop: CancellationToken::new(),
            state: Mutex::new(State::new(options.limits.clone(), clock.clone())),
            clock,
            options,
        }
    }

    /// Changes the state and does everything that follows from the change. Nothing waits under the lock.
    pub(crate) fn with<R>(&self, change: impl FnOnce(&mut State, Instant) -> R) -> R {
        let (result, earlier, removed, wakers) = {
            let mut state = self.state.lock();
            let now = Instant::now();
            let result = change(&mut state, now);
            state.settle(now);
            let next = state.dispatch.next();
            let earlier = next.is_some_and(|next| state.alarm.is_none_or(|alarm| next < alarm));
            if earlier {
                state.alarm = next;
            }
            (result, earlier, std::mem::take(&mut state.removed), state.wakers())
        };
        wakers.into_iter().for_each(Waker::wake);
        if earlier {
            self.clock.notify_one();
        }
        if !removed.is_empty() {
            // Closing the last handle of a file of some GB waits for the file system. Without a runtime,
            // nothing is kept waiting by it.
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn_blocking(move || drop(removed));
            }
        }
        result
    }

    /// When to look again if no message arrives.
    pub(crate) fn alarm(&self) -> Option<Instant> {
        let mut state = self.state.lock();
        state.alarm = state.dispatch.next();
        state.alarm
    }

    /// The pool as it is now.
    pub(crate) fn cluster(&self) -> Cluster {
        self.state.lock().cluster()
    }
}

/// The whole state of the master, under one lock.
pub(crate) struct State {
    pub(crate) limits: Limits,
    pub(crate) workers: BTreeMap<u64, Worker>,
    pub(crate) sessions: BTreeMap<u64, Session>,
    pub(crate) dispatch: Dispatch,
    pub(crate) blobs: Blobs,
    pub(crate) totals: Totals,
    pub(crate) lost: VecDeque<LostWorker>,
    pub(crate) clock: Arc<Notify>,
    pub(crate) next_worker: u64,
    pub(crate) next_session: u64,
    /// Files to close outside the lock.
    pub(crate) removed: Vec<Arc<File>>,
    /// Peers that do not read and are to be disconnected.
    deaf_sessions: BTreeSet<u64>,
    deaf_workers: BTreeSet<u64>,
    alarm: Option<Instant>,
    started: Instant,
}

impl State {
    fn new(limits: Limits, clock: Arc<Notify>) -> Self {
        // After a restart, the master must not take a call meant for its predecessor for one of its own
        // sessions.
        let era = u64::from(uuid::Uuid::new_v4().as_fields().0 % 9999 + 1);
        // A session may stop reading at any time. The output of tasks that workers already have must then
        // fit.
        let most_sent = limits.session_bytes * 3 / 4 / INLINE_BYTES;
        Self {
            blobs: Blobs::new(limits.blob_bytes),
            limits,
            workers: BTreeMap::new(),
            sessions: BTreeMap::new(),
            dispatch: Dispatch::new(most_sent),
            totals: Totals::default(),
            lost: VecDeque::new(),
            clock,
            next_worker: 1,
            next_session: era * 1000 + 1,
            removed: Vec::new(),
            deaf_sessions: BTreeSet::new(),
            deaf_workers: BTreeSet::new(),
            alarm: None,
            started: Instant::now(),
        }
    }

    /// Queues a message for a session.
    pub(crate) fn tell_session(&mut self, session: u64, message: to_session::Message) {
        let Some(peer) = self.sessions.get(&session) else { return };
        let weight = crate::sessions::weight(&message);
        if peer.outbox.push(ToSession { message: Some(message) }, weight).is_err() {
            self.deaf_sessions.insert(session);
        } else if peer.outbox.weight() > self.limits.session_bytes / 4 {
            self.dispatch.pause(session, true);
        }
    }

    /// Queues a message for every session.
    pub(crate) fn tell_sessions(&mut self, message: &to_session::Message) {
        let sessions: Vec<_> = self.sessions.keys().copied().collect();
        for session in sessions {
            self.tell_session(session, message.clone());
        }
    }

    /// Queues a message for a worker.
    pub(crate) fn tell_worker(&mut self, worker: u64, message: to_worker::Message) {
        let Some(peer) = self.workers.get(&worker) else { return };
        if peer.outbox.push(ToWorker { message: Some(message) }, 1).is_err() {
            self.deaf_workers.insert(worker);
        }
    }

    /// Queues a message for every worker.
    pub(crate) fn tell_workers(&mut self, message: &to_worker::Message) {
        let workers: Vec<_> = self.workers.keys().copied().collect();
        for worker in workers {
            self.tell_worker(worker, message.clone());
        }
    }

    /// Tells workers to stop tasks of a job.
    pub(crate) fn tell_cancel(&mut self, workers: Vec<u64>, session: u64, job: u64, only: Option<Attempt>) {
        let only = only.map(|attempt| key(session, attempt));
        for worker in workers {
            self.tell_worker(worker, to_worker::Message::Cancel(CancelTasks { session, job, only }));
        }
    }

    pub(crate) fn tell_allocated(&mut self, allocated: Vec<Allocated>) {
        for (session, change) in allocated {
            let allocation = Allocation { worker: change.worker, used: change.used };
            self.tell_session(session, to_session::Message::Allocation(allocation));
        }
    }

    pub(crate) fn remember_lost(&mut self, lost: LostWorker) {
        if self.lost.len() == LOST {
            self.lost.pop_front();
        }
        self.lost.push_back(lost);
    }

    /// Disconnects peers that do not read, and places tasks.
    fn settle(&mut self, now: Instant) {
        let low = self.limits.session_bytes / 8;
        for (session, peer) in &self.sessions {
            if peer.outbox.weight() < low {
                self.dispatch.pause(*session, false);
            }
        }
        loop {
            let (launches, allocated) = self.dispatch.place(now);
            self.tell_allocated(allocated);
            for launch in launches {
                self.launch(launch);
            }
            let (sessions, workers) =
                (std::mem::take(&mut self.deaf_sessions), std::mem::take(&mut self.deaf_workers));
            if sessions.is_empty() && workers.is_empty() {
                return;
            }
            for session in sessions {
                let reason = "the session does not read what the master sends: its queue is full";
                self.close_session(session, Some(Status::resource_exhausted(reason)));
            }
            for worker in workers {
                let reason = "it does not read what the master sends: its queue is full";
                self.lose_worker(worker, reason, Some(Status::resource_exhausted(reason)), now);
            }
        }
    }

    /// The wakers that send the queued messages of sessions and workers.
    fn wakers(&self) -> Vec<Waker> {
        let sessions = self.sessions.values().filter_map(|peer| peer.outbox.waker());
        sessions.chain(self.workers.values().filter_map(|peer| peer.outbox.waker())).collect()
    }

    fn launch(&mut self, Launch { worker, session, task, local }: Launch) {
        self.totals.tasks_launched += 1;
        self.totals.tasks_local += u64::from(local);
        let key = Some(key(session, task.attempt));
        self.tell_worker(worker, to_worker::Message::Launch(LaunchTask { key, body: task.body }));
    }

    fn cluster(&self) -> Cluster {
        let workers = self.workers.iter().map(|(worker, peer)| WorkerView {
            worker: *worker,
            name: peer.hello.name.clone(),
            slots: peer.hello.slots as usize,
            busy: self.dispatch.busy(*worker),
            memory_limit: peer.hello.memory_limit,
            cache_limit: peer.hello.cache_limit,
            blocks_address: peer.hello.blocks_address.clone(),
            status: peer.status.clone(),
            silent: peer.heard.elapsed(),
            joined: peer.joined,
        });
        let sessions = self.sessions.iter().map(|(session, peer)| {
            let (workers, dynamic) = self.dispatch.used(*session);
            SessionView {
                session: *session,
                name: peer.name.clone(),
                opened: peer.opened,
                queued: self.dispatch.queued(*session).0,
                running: self.dispatch.running(*session),
                workers,
                dynamic,
                blob_bytes: self.blobs.session_bytes(*session),
            }
        });
        Cluster {
            workers: workers.collect(),
            lost: self.lost.iter().cloned().collect(),
            sessions: sessions.collect(),
            totals: self.totals,
            blob_bytes: self.blobs.bytes(),
            blob_limit: self.limits.blob_bytes,
            up: self.started.elapsed(),
        }
    }

    /// Ends every peer's stream after its queued messages.
    pub(crate) fn say_goodbye(&mut self) {
        let goodbye = || Some(Status::unavailable("the master is stopping"));
        self.sessions.values().for_each(|peer| peer.outbox.end(goodbye()));
        self.workers.values().for_each(|peer| peer.outbox.end(goodbye()));
    }

    /// Stops receiving from all peers.
    pub(crate) fn hang_up(&mut self) {
        self.sessions.values().for_each(|peer| peer.gone.cancel());
        self.workers.values().for_each(|peer| peer.gone.cancel());
    }
}

/// Converts an attempt to the wire's key.
pub(crate) fn key(session: u64, attempt: Attempt) -> TaskKey {
    let Attempt { job, stage, partition, attempt } = attempt;
    TaskKey { session, job, stage, partition, attempt }
}

/// Converts a key from the wire to an attempt.
pub(crate) fn attempt(key: &TaskKey) -> Attempt {
    Attempt { job: key.job, stage: key.stage, partition: key.partition, attempt: key.attempt }
}

/// A peer's own description of itself, made short and printable.
pub(crate) fn name(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

/// The wall-clock time, for display.
pub(crate) fn today() -> SystemTime {
    SystemTime::now()
}
