use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use partita_wire::pool::{
    CancelTasks, DynamicAllocation, EndSession, RemoveBlob, RemoveCache, RemoveShuffle, SessionHello,
    SessionOpened, SessionOptions, SubmitTasks, TaskEnded, TaskSpec, ToSession, from_session, task_ended,
    task_failure, task_success, to_session, to_worker,
};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::dispatch::{Attempt, Queued, Rule};
use crate::outbox::{Outbox, Sending, outbox};
use crate::state::{State, attempt, key, name, today};
use crate::workers::failure;

/// The most workers that one task can prefer or exclude.
const NAMED_WORKERS: usize = 1000;

/// The weight of a message without its rows and texts.
const MESSAGE: usize = 256;

/// An open session.
pub(crate) struct Session {
    pub(crate) name: String,
    pub(crate) opened: SystemTime,
    pub(crate) outbox: Outbox<ToSession>,
    /// Cancelled when the session ends.
    pub(crate) gone: CancellationToken,
    /// Results that wait at workers.
    pub(crate) results: BTreeMap<Attempt, u64>,
}

impl State {
    /// Opens a session. Returns its number and the stream to it.
    pub(crate) fn open_session(
        &mut self,
        hello: &SessionHello,
        wait: Duration,
        gone: CancellationToken,
    ) -> Result<(u64, Sending<ToSession>), Status> {
        if self.sessions.len() >= self.limits.sessions {
            let most = self.limits.sessions;
            return Err(Status::resource_exhausted(format!(
                "{most} sessions are open, the most that this master allows"
            )));
        }
        let session = self.next_session;
        self.next_session += 1;
        let limit = self.limits.session_bytes;
        let (outbox, sending) = outbox(limit, limit / 8, self.clock.clone(), gone.clone());
        let workers =
            self.workers.iter().map(|(worker, peer)| peer.info(*worker, self.dispatch.busy(*worker)));
        let opened = SessionOpened { session, workers: workers.collect() };
        let name = name(&hello.name);
        tracing::info!(session, name, "session opened");
        self.totals.sessions_opened += 1;
        self.dispatch.add_session(session, wait);
        let peer = Session { name, opened: today(), outbox, gone, results: BTreeMap::new() };
        self.sessions.insert(session, peer);
        self.tell_session(session, to_session::Message::Opened(opened));
        Ok((session, sending))
    }

    /// Handles a message from a session, except events.
    pub(crate) fn hear_session(
        &mut self,
        session: u64,
        message: from_session::Message,
        step: Duration,
        now: Instant,
    ) -> Result<(), Status> {
        if !self.sessions.contains_key(&session) {
            return Ok(());
        }
        match message {
            from_session::Message::Submit(SubmitTasks { tasks }) => {
                for task in tasks {
                    self.submit(session, task, now)?;
                }
            }
            from_session::Message::Cancel(CancelTasks { job, only, .. }) => {
                self.cancel(session, job, only.as_ref().map(attempt));
            }
            from_session::Message::RemoveShuffle(RemoveShuffle { shuffle, .. }) => {
                self.tell_workers(&to_worker::Message::RemoveShuffle(RemoveShuffle { session, shuffle }));
            }
            from_session::Message::RemoveCache(RemoveCache { cache, .. }) => {
                self.tell_workers(&to_worker::Message::RemoveCache(RemoveCache { session, cache }));
            }
            from_session::Message::RemoveBlob(RemoveBlob { blob, .. }) => {
                self.removed.extend(self.blobs.remove(session, blob));
                self.tell_workers(&to_worker::Message::RemoveBlob(RemoveBlob { session, blob }));
            }
            from_session::Message::Options(options) => self.options(session, &options, step)?,
            from_session::Message::Hello(_) => {
                return Err(Status::invalid_argument("a session must send only one hello"));
            }
            from_session::Message::Events(_) => {}
        }
        Ok(())
    }

    /// Closes a session: its queue is dropped, and workers are told to release everything that belongs to it.
    pub(crate) fn close_session(&mut self, session: u64, reason: Option<Status>) {
        let Some(peer) = self.sessions.remove(&session) else { return };
        let running = self.dispatch.running(session);
        self.dispatch.remove_session(session);
        let why = reason.as_ref().map_or("it left", Status::message);
        tracing::info!(session, name = peer.name, running, why, "session closed");
        peer.outbox.cut(reason);
        peer.gone.cancel();
        self.removed.extend(self.blobs.remove_session(session));
        self.tell_workers(&to_worker::Message::EndSession(EndSession { session }));
    }

    fn submit(&mut self, session: u64, task: TaskSpec, now: Instant) -> Result<(), Status> {
        let TaskSpec { key: task_key, body, preferred_workers, excluded_workers } = task;
        let attempt = task_key
            .as_ref()
            .map(attempt)
            .ok_or_else(|| Status::invalid_argument("a task was submitted without a key"))?;
        if preferred_workers.len().max(excluded_workers.len()) > NAMED_WORKERS {
            return Err(Status::invalid_argument(format!("a task names more than {NAMED_WORKERS} workers")));
        }
        self.totals.tasks_submitted += 1;
        let (tasks, bytes) = self.dispatch.queued(session);
        let refusal = if tasks >= self.limits.queued_tasks {
            Some(format!(
                "{tasks} tasks of this session are queued, the most that this master allows; use fewer partitions"
            ))
        } else if bytes.saturating_add(body.len()) > self.limits.queued_bytes {
            Some(format!(
                "the queued tasks of this session come to {bytes} bytes and would come to more than {}, the \
                 most this master takes; use fewer partitions, or files in place of large frames",
                self.limits.queued_bytes
            ))
        } else {
            None
        };
        if let Some(refusal) = refusal {
            self.end_task(session, attempt, failure(task_failure::Kind::Failed, refusal));
            return Ok(());
        }
        let task = Queued { attempt, body, preferred: preferred_workers, excluded: excluded_workers };
        if !self.dispatch.submit(session, task, now) {
            let Attempt { job, stage, partition, attempt } = attempt;
            return Err(Status::invalid_argument(format!(
                "attempt {attempt} of partition {partition} in stage {stage} of job {job} was submitted twice"
            )));
        }
        Ok(())
    }

    fn cancel(&mut self, session: u64, job: u64, only: Option<Attempt>) {
        let (queued, workers) = self.dispatch.cancel(session, job, only);
        self.tell_cancel(workers, session, job, only);
        for attempt in queued {
            let cancelled = failure(task_failure::Kind::Cancelled, "cancelled before it got a slot".into());
            self.end_task(session, attempt, cancelled);
        }
    }

    /// Ends a task that never got a slot.
    fn end_task(&mut self, session: u64, attempt: Attempt, outcome: task_ended::Outcome) {
        self.totals.tasks_failed += 1;
        let ended = TaskEnded { key: Some(key(session, attempt)), worker: 0, outcome: Some(outcome) };
        self.tell_session(session, to_session::Message::Ended(ended));
    }

    fn options(&mut self, session: u64, options: &SessionOptions, step: Duration) -> Result<(), Status> {
        if let Some(wait) = options.locality_wait_ms {
            self.dispatch.set_wait(session, Duration::from_millis(wait.into()));
        }
        if let Some(allocation) = &options.dynamic_allocation {
            let rule = rule(allocation, step)?;
            let allocated = self.dispatch.set_rule(session, rule);
            self.tell_allocated(allocated);
        }
        Ok(())
    }
}

fn rule(allocation: &DynamicAllocation, step: Duration) -> Result<Option<Rule>, Status> {
    let DynamicAllocation { enabled, min_workers, max_workers, idle_timeout_ms } = *allocation;
    if !enabled {
        return Ok(None);
    }
    if max_workers == 0 || min_workers > max_workers {
        return Err(Status::invalid_argument(format!(
            "dynamic allocation between {min_workers} and {max_workers} workers: the maximum must be \
             at least 1 and at least the minimum"
        )));
    }
    Ok(Some(Rule {
        min: min_workers as usize,
        max: max_workers as usize,
        idle: Duration::from_millis(idle_timeout_ms.into()),
        step,
    }))
}

/// The weight of a message in a session's queue: about its bytes.
pub(crate) fn weight(message: &to_session::Message) -> usize {
    let more = match message {
        to_session::Message::Opened(opened) => MESSAGE * opened.workers.len(),
        to_session::Message::WorkerLost(lost) => lost.reason.len(),
        to_session::Message::Evicted(evicted) => 24 * evicted.partitions.len(),
        to_session::Message::Ended(ended) => match &ended.outcome {
            Some(task_ended::Outcome::Success(success)) => {
                let rows = match &success.result {
                    Some(task_success::Result::Rows(rows)) => rows.len(),
                    _ => 0,
                };
                rows + success.metrics.len() + 24 * success.cached.len() + 8 * success.blocks.len()
            }
            Some(task_ended::Outcome::Failure(failure)) => {
                failure.message.len() + 4 * failure.map_partitions.len()
            }
            None => 0,
        },
        _ => 0,
    };
    MESSAGE + more
}
