use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use partita_events::Event;
use partita_wire::pool::{EventBatch, FromSession, FromWorker, from_session};
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use crate::liveness::{Heard, Pulse};
use crate::state::Shared;

/// The most messages that are handled in one batch.
const BATCH: usize = 64;

/// Receives a worker's messages until it is lost. A panic here also counts as a loss, so that no worker is
/// left without a receiver.
pub(crate) async fn to_worker(
    shared: Arc<Shared>,
    worker: u64,
    stream: Streaming<FromWorker>,
    gone: CancellationToken,
) {
    let heard = tokio::spawn(hear_worker(shared.clone(), worker, stream, gone)).await;
    let (reason, end) = heard.unwrap_or_else(|error| {
        let status = broken(&error);
        (status.message().to_owned(), Some(status))
    });
    shared.with(|state, now| state.lose_worker(worker, &reason, end, now));
}

/// Receives a session's messages until it ends.
pub(crate) async fn to_session(
    shared: Arc<Shared>,
    session: u64,
    stream: Streaming<FromSession>,
    gone: CancellationToken,
) {
    let heard = tokio::spawn(hear_session(shared.clone(), session, stream, gone)).await;
    let reason = heard.unwrap_or_else(|error| Some(broken(&error)));
    shared.with(|state, _| state.close_session(session, reason));
    shared.options.recorder.closed(session);
}

/// Returns why the worker is lost, and the status to send to it.
async fn hear_worker(
    shared: Arc<Shared>,
    worker: u64,
    stream: Streaming<FromWorker>,
    gone: CancellationToken,
) -> (String, Option<Status>) {
    let mut pulse = Pulse::new(shared.options.lost_after);
    let mut batches = stream.ready_chunks(BATCH);
    loop {
        let heard = tokio::select! {
            biased;
            () = gone.cancelled() => break ("its connection broke".to_owned(), None),
            heard = pulse.next(&mut batches) => heard,
        };
        let batch = match heard {
            Heard::Something(batch) => batch,
            Heard::End => break ("it left".to_owned(), None),
            Heard::Silence => {
                let reason = format!("it sent nothing for {:?}", shared.options.lost_after);
                let end = Status::aborted(format!("this worker counts as lost: {reason}"));
                break (reason, Some(end));
            }
        };
        let done = shared.with(|state, now| {
            batch.into_iter().try_for_each(|message| state.hear_worker(worker, message?, now))
        });
        if let Err(status) = done {
            break (describe(&status), Some(status));
        }
    }
}

/// Returns the status to send to the session when it is closed.
async fn hear_session(
    shared: Arc<Shared>,
    session: u64,
    stream: Streaming<FromSession>,
    gone: CancellationToken,
) -> Option<Status> {
    let mut batches = stream.ready_chunks(BATCH);
    let step = shared.options.allocation_step.max(Duration::from_millis(1));
    loop {
        let batch = tokio::select! {
            biased;
            () = gone.cancelled() => break None,
            batch = batches.next() => batch,
        };
        let Some(batch) = batch else { break None };
        let mut events = Vec::new();
        let done = shared.with(|state, now| {
            for message in batch {
                match message?.message {
                    Some(from_session::Message::Events(batch)) => events.push(batch),
                    Some(message) => state.hear_session(session, message, step, now)?,
                    None => {
                        return Err(Status::invalid_argument(
                            "this master does not know a message of this kind",
                        ));
                    }
                }
            }
            Ok(())
        });
        events.into_iter().for_each(|batch| record(&shared, session, batch));
        if let Err(status) = done {
            break Some(status);
        }
    }
}

fn record(shared: &Shared, session: u64, batch: EventBatch) {
    for text in batch.events {
        match serde_json::from_str::<Event>(&text) {
            Ok(event) => shared.options.recorder.event(session, &event),
            Err(error) => tracing::warn!(session, %error, "an event cannot be decoded and is dropped"),
        }
    }
}

fn broken(error: &JoinError) -> Status {
    Status::internal(format!("an internal error of the master ended this connection: {error}"))
}

/// A readable reason why a peer's stream broke; the transport's own message says little.
fn describe(status: &Status) -> String {
    match status.code() {
        tonic::Code::Cancelled | tonic::Code::Unknown | tonic::Code::Unavailable => {
            format!("its connection broke ({})", status.message())
        }
        _ => status.message().to_owned(),
    }
}
