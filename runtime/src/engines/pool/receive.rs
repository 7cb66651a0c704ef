//! Processes the master's messages on a plain thread.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use futures::StreamExt;
use partita_engine::codec;
use partita_engine::shuffle::ShuffleId;
use partita_engine::task::{TaskError, TaskEvent, TaskResult};
use partita_events::WorkerId;
use partita_wire::pool::{
    FromSession, RemoveBlob, TaskEnded, TaskFailure, TaskStarted, TaskSuccess, ToSession, from_session,
    task_ended, task_failure, task_success, to_session,
};
use partita_wire::{QUEUE, words};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::mpsc;
use tokio::time::{Duration, MissedTickBehavior};
use tokio_util::sync::DropGuard;
use tonic::{Status, Streaming};

use super::link::{Client, Link, send};
use super::state::{Attempt, Running, attempt};
use super::{Shared, connection_lost, results, worker_joined};
use crate::events::{Event, TaskMetrics};

/// How often frames without other owners are searched for.
const SWEEP: Duration = Duration::from_secs(1);

/// What the thread receives.
enum Received {
    /// All messages that were available at once: each separately would wake the thread.
    Messages(Vec<to_session::Message>),
    Tick,
    /// The connection broke.
    End(String),
}

/// What the thread needs of its connection. This does not keep the connection open.
struct Receiving {
    client: Client,
    session: u64,
    outgoing: mpsc::WeakSender<FromSession>,
    #[allow(dead_code)] // Dropped with the thread's end.
    gone: DropGuard,
}

/// Starts a task that reads the stream, and a thread that processes its messages until it ends.
pub(super) fn start(
    runtime: &Runtime,
    incoming: Streaming<ToSession>,
    shared: Arc<Shared>,
    link: &Link,
) -> io::Result<()> {
    let (sender, receiver) = mpsc::channel(64);
    let handle = runtime.handle().clone();
    let link = Receiving {
        client: link.client.clone(),
        session: link.session,
        outgoing: link.outgoing.downgrade(),
        gone: link.gone.clone().drop_guard(),
    };
    thread::Builder::new()
        .name("partita-pool-receive".into())
        .spawn(move || listen(&shared, &link, &handle, receiver))?;
    runtime.spawn(read(incoming, sender));
    Ok(())
}

async fn read(incoming: Streaming<ToSession>, received: mpsc::Sender<Received>) {
    let mut incoming = incoming.ready_chunks(QUEUE);
    let mut ticks = tokio::time::interval(SWEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let (next, end) = tokio::select! {
            batch = incoming.next() => messages(batch),
            _ = ticks.tick() => (Received::Tick, None),
        };
        if received.send(next).await.is_err() {
            return;
        }
        if let Some(cause) = end {
            // If nobody receives this, nobody wants to know.
            let _ = received.send(Received::End(cause)).await;
            return;
        }
    }
}

/// The messages, and the reason why no more will come, if that is the case.
fn messages(batch: Option<Vec<Result<ToSession, Status>>>) -> (Received, Option<String>) {
    let mut end = batch.is_none().then(|| "the master closed it".to_owned());
    let answers = batch
        .into_iter()
        .flatten()
        .map_while(|answer| answer.map_err(|status| end = Some(words(&status))).ok());
    let messages = answers.filter_map(|answer| answer.message).collect();
    (Received::Messages(messages), end)
}

fn listen(shared: &Arc<Shared>, link: &Receiving, handle: &Handle, mut receiver: mpsc::Receiver<Received>) {
    while let Some(received) = receiver.blocking_recv() {
        match received {
            Received::Messages(messages) => {
                messages.into_iter().for_each(|message| handle_message(shared, link, handle, message));
            }
            Received::Tick => sweep(shared, link),
            Received::End(cause) => {
                ended(shared, &cause);
                return;
            }
        }
    }
}

/// The connection has ended, and with it everything known of its pool.
fn ended(shared: &Shared, cause: &str) {
    let (running, workers) = {
        let mut state = shared.state();
        let workers: Vec<WorkerId> = state.workers.keys().copied().collect();
        (state.disconnected(cause), workers)
    };
    shared.workers_came.notify_all();
    for worker in workers {
        let cause = "the connection to the master was lost".to_owned();
        shared.emit(|at| Event::WorkerLost { worker, cause, at });
    }
    let text = connection_lost(&shared.at, cause);
    for (attempt, running) in running {
        end(&running, attempt, WorkerId::EMBEDDED, Err(TaskError::Failed(text.clone())));
    }
}

fn sweep(shared: &Shared, link: &Receiving) {
    // Another thread is sending a frame; the next time will do.
    let Some(mut blobs) = shared.blobs.try_lock() else { return };
    let unused = blobs.sweep();
    drop(blobs);
    let Some(outgoing) = link.outgoing.upgrade().filter(|_| !unused.is_empty()) else { return };
    for blob in unused {
        let message = from_session::Message::RemoveBlob(RemoveBlob { session: 0, blob });
        // A connection that broke has no frames left.
        let _ = send(&outgoing, message);
    }
}

fn handle_message(shared: &Arc<Shared>, link: &Receiving, handle: &Handle, message: to_session::Message) {
    match message {
        to_session::Message::Started(TaskStarted { key: Some(key), slot, worker }) => {
            let state = shared.state();
            if let Some(running) = state.running.get(&attempt(&key)) {
                let (_, stage, partition, attempt) = attempt(&key);
                let (worker, slot) = (WorkerId(worker), slot as usize);
                // A job that ended meanwhile is not listening any more.
                let _ = running.events.send(TaskEvent::Started { stage, partition, attempt, worker, slot });
            }
        }
        to_session::Message::Ended(ended) => task_ended(shared, link, handle, ended),
        to_session::Message::WorkerJoined(info) => {
            let attached = {
                let mut state = shared.state();
                state.workers.insert(WorkerId(info.worker), info.clone());
                shared.events.get().is_some()
            };
            shared.workers_came.notify_all();
            if attached {
                shared.emit(|at| worker_joined(&info, at));
            }
        }
        to_session::Message::WorkerLost(lost) => {
            let cause = shared.state().worker_lost(&lost);
            shared.emit(|at| Event::WorkerLost { worker: lost.worker.into(), cause, at });
        }
        to_session::Message::Evicted(evicted) => shared.state().evicted(&evicted.partitions),
        to_session::Message::WorkerStatus(info) => {
            if let Some(known) = shared.state().workers.get_mut(&WorkerId(info.worker)) {
                *known = info;
            }
        }
        to_session::Message::Opened(_)
        | to_session::Message::Allocation(_)
        | to_session::Message::Started(TaskStarted { key: None, .. }) => {}
    }
}

fn task_ended(shared: &Arc<Shared>, link: &Receiving, handle: &Handle, ended: TaskEnded) {
    let TaskEnded { key: Some(key), worker, outcome } = ended else { return };
    let (of, worker) = (attempt(&key), WorkerId(worker));
    let running = {
        let mut state = shared.state();
        if let Some(task_ended::Outcome::Success(success)) = &outcome {
            // This also applies to a task that nobody waits for any more.
            state.cached(worker, &success.cached);
        }
        let Some(running) = state.running.remove(&of) else { return };
        if let (Some(shuffle), Some(task_ended::Outcome::Success(_))) = (running.shuffle, &outcome) {
            state.output_at(shuffle, of.2.0, worker);
        }
        if let Some(task_ended::Outcome::Failure(failure)) = &outcome
            && failure.kind() == task_failure::Kind::FetchFailed
        {
            state.unreadable(ShuffleId(failure.shuffle), &failure.map_partitions);
        }
        running
    };
    let (metrics, blocks, result) = match outcome {
        Some(task_ended::Outcome::Success(TaskSuccess { metrics, blocks, result, .. })) => {
            (metrics, blocks, result)
        }
        Some(task_ended::Outcome::Failure(failure)) => {
            return end(&running, of, worker, Err(task_error(failure)));
        }
        None => {
            let text = "the worker did not report how it ended".to_owned();
            return end(&running, of, worker, Err(TaskError::Failed(text)));
        }
    };
    let metrics: TaskMetrics = match serde_json::from_str(&metrics) {
        Ok(metrics) => metrics,
        Err(error) => {
            let text = format!("the worker's metrics cannot be read: {error}");
            return end(&running, of, worker, Err(TaskError::Failed(text)));
        }
    };
    match result {
        None => end(&running, of, worker, Ok((TaskResult::Written(blocks), metrics))),
        Some(task_success::Result::Count(count)) => {
            end(&running, of, worker, Ok((TaskResult::Count(count), metrics)));
        }
        Some(task_success::Result::Rows(bytes)) => {
            let read = codec::read_frame(&bytes);
            let read = read.map_err(|error| TaskError::Failed(format!("its result cannot be read: {error}")));
            end(&running, of, worker, read.map(|rows| (TaskResult::Frame(rows), metrics)));
        }
        Some(task_success::Result::Waiting(_)) => {
            let client = link.client.clone();
            let key = partita_wire::pool::TaskKey { session: link.session, ..key };
            let at = shared.at.clone();
            handle.spawn(async move {
                let taken = results::take(client, key).await;
                tracing::debug!(at, ?of, ok = taken.is_ok(), "took a result");
                end(&running, of, worker, taken.map(|rows| (TaskResult::Frame(rows), metrics)));
            });
        }
    }
}

fn end(running: &Running, of: Attempt, worker: WorkerId, end: Result<(TaskResult, TaskMetrics), TaskError>) {
    let (_, stage, partition, attempt) = of;
    let (at, end) = (Instant::now(), Box::new(end));
    // A job that ended meanwhile is not listening any more.
    let _ = running.events.send(TaskEvent::Ended { stage, partition, attempt, worker, at, end });
}

fn task_error(failure: TaskFailure) -> TaskError {
    let TaskFailure { message, shuffle, map_partitions, .. } = &failure;
    match failure.kind() {
        task_failure::Kind::Failed => TaskError::Failed(message.clone()),
        task_failure::Kind::TooLarge => TaskError::TooLarge(message.clone()),
        task_failure::Kind::FetchFailed => TaskError::FetchFailed {
            shuffle: ShuffleId(*shuffle),
            map_partitions: map_partitions.iter().map(|partition| *partition as usize).collect(),
            cause: message.clone(),
        },
        task_failure::Kind::WorkerLost => TaskError::WorkerLost(message.clone()),
        task_failure::Kind::Cancelled => TaskError::Cancelled,
        task_failure::Kind::CacheLost => TaskError::CacheLost,
    }
}
