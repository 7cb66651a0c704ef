use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use partita_wire::pool::{EventBatch, FromSession, from_session};
use tokio::sync::{Notify, mpsc};

use crate::events::Event;

/// The maximum number of events that wait for the next batch; further ones are dropped and counted.
const MOST: usize = 50_000;

/// Events in one message.
const BATCH: usize = 2_000;

/// Forwards the session's events to the master.
#[derive(Default)]
pub(super) struct Forward {
    waiting: Mutex<VecDeque<String>>,
    left_out: AtomicUsize,
    /// Notified of the first event after the queue was empty.
    pub some: Notify,
}

impl Forward {
    pub fn push(&self, event: &Event) {
        let Ok(text) = serde_json::to_string(event) else { return };
        let mut waiting = self.waiting.lock();
        if waiting.len() == MOST {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.push_back(text);
        if waiting.len() == 1 {
            self.some.notify_one();
        }
    }

    /// Sends the events so far. Returns whether the connection accepted them.
    pub async fn pass_on(&self, outgoing: &mpsc::Sender<FromSession>) -> bool {
        for message in self.take() {
            if outgoing.send(FromSession { message: Some(message) }).await.is_err() {
                return false;
            }
        }
        true
    }

    fn take(&self) -> Vec<from_session::Message> {
        let left_out = self.left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            tracing::warn!(left_out, "the master did not receive all events");
        }
        let waiting = std::mem::take(&mut *self.waiting.lock());
        let texts: Vec<String> = waiting.into();
        let batch = |events: &[String]| from_session::Message::Events(EventBatch { events: events.to_vec() });
        texts.chunks(BATCH).map(batch).collect()
    }
}
