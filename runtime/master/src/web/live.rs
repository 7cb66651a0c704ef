use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::sse::{Event as Message, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use partita_events::Event;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};
use tokio_stream::wrappers::ReceiverStream;

use super::{Shared, plain, pool::snapshot};
use crate::history::{Cursor, Piece};

/// The shortest interval between batches of events.
const BATCH: Duration = Duration::from_millis(50);

/// How often the state of the pool is read.
const LOOK: Duration = Duration::from_millis(500);

/// The most events in one message.
const EVENTS: usize = 2000;

/// Streams the state of the pool and of the sessions' jobs whenever it changes.
pub(super) async fn pool(State(shared): State<Shared>) -> Response {
    stream(shared, None)
}

/// Streams the same, and the events of one job: first those so far, then new ones.
pub(super) async fn job(
    State(shared): State<Shared>,
    Path((session, job)): Path<(String, usize)>,
) -> Response {
    stream(shared, Some((session, job)))
}

fn stream(shared: Shared, job: Option<(String, usize)>) -> Response {
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

async fn watch_pool(shared: Shared, job: Option<(String, usize)>, to: Sender, _permit: OwnedSemaphorePermit) {
    let mut changes = shared.page.history.changes();
    let mut told = String::new();
    let mut reader =
        job.map(|(session, job)| Reader { session, job, cursor: Cursor::default(), ended: false });
    let mut look = Instant::now();
    loop {
        changes.mark_unchanged();
        if let Some(reader) = reader.as_mut().filter(|reader| !reader.ended)
            && reader.tell(&shared, &to).await.is_none()
        {
            return;
        }
        if Instant::now() >= look {
            look = Instant::now() + LOOK;
            let now = snapshot(&shared).to_string();
            if now != told {
                if to.send(Ok(Message::default().event("pool").data(&now))).await.is_err() {
                    return;
                }
                told = now;
            }
        }
        let batched = Instant::now() + BATCH;
        let reading = reader.as_ref().is_some_and(|reader| !reader.ended);
        tokio::select! {
            // Without a job to follow, the next message can wait.
            () = changed(&mut changes), if reading => sleep_until(batched).await,
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

/// Reads one job's events from where the last message ended.
struct Reader {
    session: String,
    job: usize,
    cursor: Cursor,
    ended: bool,
}

impl Reader {
    /// Sends what is new. Returns `None` when nobody reads any more.
    async fn tell(&mut self, shared: &Shared, to: &Sender) -> Option<()> {
        loop {
            let piece = shared.page.history.next(&self.session, self.job, &mut self.cursor, EVENTS);
            match piece {
                Piece::Unknown => return self.end(to, "unknown").await,
                Piece::Forgotten => return self.end(to, "forgotten").await,
                Piece::Elsewhere => return self.tell_file(shared, to).await,
                Piece::Events { events, more, ended } => {
                    send(to, &events).await?;
                    if ended {
                        return self.end(to, "ended").await;
                    }
                    if !more {
                        return Some(());
                    }
                }
            }
        }
    }

    async fn tell_file(&mut self, shared: &Shared, to: &Sender) -> Option<()> {
        let (history, session, job) = (Arc::clone(&shared.page.history), self.session.clone(), self.job);
        match spawn_blocking(move || history.events(&session, job)).await {
            Ok(Ok(events)) if !events.is_empty() => {
                for events in events.chunks(EVENTS) {
                    send(to, events).await?;
                }
                self.end(to, "ended").await
            }
            Ok(Ok(_)) => self.end(to, "forgotten").await,
            Ok(Err(error)) => self.end(to, &error.to_string()).await,
            Err(_) => self.end(to, "forgotten").await,
        }
    }

    async fn end(&mut self, to: &Sender, how: &str) -> Option<()> {
        self.ended = true;
        let text = serde_json::Value::from(how).to_string();
        to.send(Ok(Message::default().event("end").data(text))).await.ok()
    }
}

async fn send(to: &Sender, events: &[Event]) -> Option<()> {
    if events.is_empty() {
        return Some(());
    }
    let text = serde_json::to_string(events).ok()?;
    to.send(Ok(Message::default().event("events").data(text))).await.ok()
}
