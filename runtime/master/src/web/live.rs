use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::sse::{Event as Message, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use partita_events::JobId;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};
use tokio_stream::wrappers::ReceiverStream;

use super::{Shared, plain, pool::snapshot};
use crate::history::{Piece, Reader};

/// The shortest interval between messages about a job.
const BATCH: Duration = Duration::from_millis(50);

/// How often the state of the pool is read.
const LOOK: Duration = Duration::from_millis(500);

/// The most new attempts in one message.
const ATTEMPTS: usize = 2000;

/// Streams the state of the pool and of the sessions' jobs whenever it changes.
pub(super) async fn pool(State(shared): State<Shared>) -> Response {
    stream(shared, None)
}

/// Streams the same, and the changes of one job: first the job so far, then what is new. Each message is a
/// list of what [`changes`](partita_events::changes) makes, with the session's id.
pub(super) async fn job(
    State(shared): State<Shared>,
    Path((session, job)): Path<(String, JobId)>,
) -> Response {
    stream(shared, Some(Reader::new(session, job)))
}

fn stream(shared: Shared, job: Option<Reader>) -> Response {
    let Ok(permit) = shared.watchers.clone().try_acquire_owned() else {
        let text = "Too many pages are open on this master; close some.\n";
        return plain(StatusCode::SERVICE_UNAVAILABLE, text);
    };
    // At most one message waits, so a slow reader delays only itself.
    let (sender, receiver) = mpsc::channel(1);
    let stopped = shared.stopped.clone();
    tokio::spawn(async move {
        let gone = sender.clone();
        tokio::select! {
            () = watch_pool(shared, job, sender, permit) => {}
            () = gone.closed() => {}
            () = stopped.cancelled() => {}
        }
    });
    Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::default()).into_response()
}

type Sender = mpsc::Sender<Result<Message, Infallible>>;

async fn watch_pool(shared: Shared, mut reader: Option<Reader>, to: Sender, _permit: OwnedSemaphorePermit) {
    let mut changes = shared.page.history.changes();
    let mut sent = String::new();
    let mut look = Instant::now();
    loop {
        changes.mark_unchanged();
        if let Some(following) = reader.take() {
            match send_changes(following, &shared, &to).await {
                Some(following) => reader = following,
                None => return,
            }
        }
        if Instant::now() >= look {
            look = Instant::now() + LOOK;
            let now = snapshot(&shared).to_string();
            if now != sent {
                if to.send(Ok(Message::default().event("pool").data(&now))).await.is_err() {
                    return;
                }
                sent = now;
            }
        }
        let batched = Instant::now() + BATCH;
        tokio::select! {
            // Without a job to follow, the next message can wait.
            () = changed(&mut changes), if reader.is_some() => sleep_until(batched).await,
            () = sleep_until(look) => {}
        }
    }
}

async fn changed(changes: &mut watch::Receiver<u64>) {
    if changes.changed().await.is_err() {
        // The history ended with the master.
        std::future::pending::<()>().await;
    }
}

/// Sends what is new of a job. Returns its reader, or none when there will be nothing more to read; `None`
/// when nobody receives any more.
async fn send_changes(mut reader: Reader, shared: &Shared, to: &Sender) -> Option<Option<Reader>> {
    loop {
        let history = Arc::clone(&shared.page.history);
        // The history is locked while a message is made of it, and files may have to be read.
        let read = spawn_blocking(move || {
            let piece = reader.next(&history, ATTEMPTS);
            (reader, piece)
        });
        let (read, piece) = read.await.ok()?;
        reader = read;
        match piece {
            Ok(Piece::Unknown) => return send_end(to, "unknown").await,
            Ok(Piece::Forgotten) => return send_end(to, "forgotten").await,
            Err(error) => return send_end(to, &error.to_string()).await,
            Ok(Piece::Changes { message, more, ended }) => {
                if let Some(message) = message {
                    let text = Value::from(vec![message]).to_string();
                    to.send(Ok(Message::default().event("changes").data(text))).await.ok()?;
                }
                if ended {
                    return send_end(to, "ended").await;
                }
                if !more {
                    return Some(Some(reader));
                }
            }
        }
    }
}

async fn send_end(to: &Sender, how: &str) -> Option<Option<Reader>> {
    let text = Value::from(how).to_string();
    to.send(Ok(Message::default().event("end").data(text))).await.ok()?;
    Some(None)
}
