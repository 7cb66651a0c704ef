use std::time::{Instant, SystemTime};

use partita_wire::pool::{
    Allocation, FromWorker, TaskEnded, TaskFailure, TaskKey, TaskStarted, ToWorker, WorkerHello, WorkerInfo,
    WorkerLost, WorkerStatus, WorkerWelcome, from_worker, task_ended, task_failure, task_success, to_session,
    to_worker,
};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::transport::Channel;

use crate::outbox::{Outbox, Sending, outbox};
use crate::state::{State, attempt, key, name, today};
use crate::view::LostWorker;

/// The most messages queued for one worker, beside its tasks: a few bytes each.
const WAITING: usize = 4096;

/// The most slots one worker can have.
const SLOTS: u32 = 1024;

/// The most file directories one worker can have; they are sent to every session.
const DIRECTORIES: usize = 64;

/// A session with more queued bytes than this is not sent the status of workers.
const BUSY_READER: usize = 64 << 10;

/// A connected worker.
pub(crate) struct Worker {
    pub(crate) hello: WorkerHello,
    pub(crate) status: Option<WorkerStatus>,
    pub(crate) outbox: Outbox<ToWorker>,
    /// To its Blocks service. It connects on first use.
    pub(crate) channel: Channel,
    pub(crate) joined: SystemTime,
    pub(crate) heard: Instant,
    /// Cancelled when it is lost or its connection closes.
    pub(crate) gone: CancellationToken,
    /// The status that was last sent to sessions.
    told: Option<(WorkerStatus, usize)>,
}

impl State {
    /// Registers a worker. Returns its number and the stream to it.
    pub(crate) fn add_worker(
        &mut self,
        mut hello: WorkerHello,
        channel: Channel,
        heartbeat_ms: u32,
        gone: CancellationToken,
        now: Instant,
    ) -> Result<(u64, Sending<ToWorker>), Status> {
        if self.workers.len() >= self.limits.workers {
            let most = self.limits.workers;
            return Err(Status::resource_exhausted(format!(
                "there are {most} workers, the most that this master allows"
            )));
        }
        if !(1..=SLOTS).contains(&hello.slots) {
            let slots = hello.slots;
            return Err(Status::invalid_argument(format!(
                "a worker must have 1 to {SLOTS} slots, not {slots}"
            )));
        }
        let directories = hello.data_dirs.len() + hello.output_dirs.len();
        if directories > DIRECTORIES {
            return Err(Status::invalid_argument(format!(
                "a worker has at most {DIRECTORIES} directories for data and output, not {directories}; name \
                 one that they have in common"
            )));
        }
        hello.name = name(&hello.name);
        let worker = self.next_worker;
        self.next_worker += 1;
        let slots = hello.slots as usize;
        let (outbox, sending) = outbox(WAITING + slots, 0, self.clock.clone(), gone.clone());
        tracing::info!(worker, name = hello.name, slots, address = hello.blocks_address, "worker joined");
        let (status, told) = (None, None);
        let peer = Worker { hello, status, outbox, channel, joined: today(), heard: now, gone, told };
        let info = peer.info(worker, 0);
        self.workers.insert(worker, peer);
        self.totals.workers_joined += 1;
        self.tell_worker(worker, to_worker::Message::Welcome(WorkerWelcome { worker, heartbeat_ms }));
        self.tell_sessions(&to_session::Message::WorkerJoined(info));
        self.dispatch.add_worker(worker, slots);
        let allocation = Allocation { worker, used: false };
        let mut dynamic: Vec<_> = self.sessions.keys().copied().collect();
        dynamic.retain(|session| self.dispatch.used(*session).1);
        for session in dynamic {
            self.tell_session(session, to_session::Message::Allocation(allocation));
        }
        Ok((worker, sending))
    }

    /// Handles a message from a worker. Messages from a lost worker are ignored.
    pub(crate) fn hear_worker(
        &mut self,
        worker: u64,
        message: FromWorker,
        now: Instant,
    ) -> Result<(), Status> {
        let Some(peer) = self.workers.get_mut(&worker) else { return Ok(()) };
        peer.heard = now;
        match message.message {
            Some(from_worker::Message::Status(status)) => {
                peer.status = Some(status);
                self.tell_status(worker);
            }
            Some(from_worker::Message::Started(TaskStarted { key: task, slot, .. })) => {
                let task = known(task)?;
                if self.dispatch.runs(worker, task.session, attempt(&task)) {
                    let started = TaskStarted { key: Some(task), slot, worker };
                    self.tell_session(task.session, to_session::Message::Started(started));
                }
            }
            Some(from_worker::Message::Ended(TaskEnded { key: task, outcome, .. })) => {
                let task = known(task)?;
                let outcome =
                    outcome.ok_or_else(|| Status::invalid_argument("a task ended without an outcome"))?;
                self.task_ended(worker, task, outcome, now);
            }
            Some(from_worker::Message::Evicted(evicted)) => {
                self.tell_session(evicted.session, to_session::Message::Evicted(evicted));
            }
            Some(from_worker::Message::Hello(_)) => {
                return Err(Status::invalid_argument("a worker must send only one hello"));
            }
            None => return Err(Status::invalid_argument("this master does not know a message of this kind")),
        }
        Ok(())
    }

    /// Removes a lost worker. Sessions are notified of the loss first and then of the end of its tasks. The
    /// worker itself gets `end`, if it can still receive it.
    pub(crate) fn lose_worker(&mut self, worker: u64, reason: &str, end: Option<Status>, now: Instant) {
        let Some(peer) = self.workers.remove(&worker) else { return };
        let tasks = self.dispatch.remove_worker(worker, now);
        tracing::warn!(worker, name = peer.hello.name, reason, tasks = tasks.len(), "worker lost");
        peer.outbox.cut(end);
        peer.gone.cancel();
        self.totals.workers_lost += 1;
        self.totals.tasks_failed += tasks.len() as u64;
        self.tell_sessions(&to_session::Message::WorkerLost(WorkerLost { worker, reason: reason.into() }));
        let message = format!("worker {worker} ({}) was lost: {reason}", peer.hello.name);
        self.remember_lost(LostWorker {
            worker,
            name: peer.hello.name,
            reason: reason.into(),
            tasks: tasks.len(),
            at: today(),
        });
        for session in self.sessions.values_mut() {
            session.results.retain(|_, at| *at != worker);
        }
        for (session, attempt) in tasks {
            let failure = failure(task_failure::Kind::WorkerLost, message.clone());
            let ended = TaskEnded { key: Some(key(session, attempt)), worker, outcome: Some(failure) };
            self.tell_session(session, to_session::Message::Ended(ended));
        }
    }

    fn task_ended(&mut self, worker: u64, task: TaskKey, outcome: task_ended::Outcome, now: Instant) {
        let attempt = attempt(&task);
        if !self.dispatch.ended(worker, task.session, attempt, now) {
            return;
        }
        match &outcome {
            task_ended::Outcome::Success(success) => {
                self.totals.tasks_succeeded += 1;
                let waits = matches!(success.result, Some(task_success::Result::Waiting(_)));
                if let Some(session) = self.sessions.get_mut(&task.session).filter(|_| waits) {
                    // If nobody fetches results, those of the oldest jobs are dropped.
                    if session.results.len() >= self.limits.queued_tasks {
                        session.results.pop_first();
                    }
                    session.results.insert(attempt, worker);
                }
            }
            task_ended::Outcome::Failure(_) => self.totals.tasks_failed += 1,
        }
        let ended = TaskEnded { key: Some(task), worker, outcome: Some(outcome) };
        self.tell_session(task.session, to_session::Message::Ended(ended));
    }

    /// Sends a worker's status, if it has changed, to the sessions that keep up.
    fn tell_status(&mut self, worker: u64) {
        let busy = self.dispatch.busy(worker);
        let Some(peer) = self.workers.get_mut(&worker) else { return };
        let told = peer.status.clone().map(|status| (status, busy));
        if peer.told == told {
            return;
        }
        peer.told = told;
        let info = peer.info(worker, busy);
        let readers = self.sessions.iter().filter(|(_, session)| session.outbox.weight() < BUSY_READER);
        let readers: Vec<_> = readers.map(|(session, _)| *session).collect();
        for session in readers {
            self.tell_session(session, to_session::Message::WorkerStatus(info.clone()));
        }
    }
}

impl Worker {
    /// The description of a worker that is sent to sessions.
    pub(crate) fn info(&self, worker: u64, busy: usize) -> WorkerInfo {
        WorkerInfo {
            worker,
            name: self.hello.name.clone(),
            slots: self.hello.slots,
            busy: u32::try_from(busy).unwrap_or(u32::MAX),
            memory_limit: self.hello.memory_limit,
            cache_limit: self.hello.cache_limit,
            blocks_address: self.hello.blocks_address.clone(),
            status: self.status.clone(),
            data_dirs: self.hello.data_dirs.clone(),
            output_dirs: self.hello.output_dirs.clone(),
        }
    }
}

/// The outcome of a task that failed.
pub(crate) fn failure(kind: task_failure::Kind, message: String) -> task_ended::Outcome {
    task_ended::Outcome::Failure(TaskFailure {
        kind: kind.into(),
        message,
        shuffle: 0,
        map_partitions: Vec::new(),
    })
}

fn known(task: Option<TaskKey>) -> Result<TaskKey, Status> {
    task.ok_or_else(|| Status::invalid_argument("a message about a task has no key"))
}
