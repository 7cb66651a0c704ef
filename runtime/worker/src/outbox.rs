use std::mem;

use futures::{Stream, StreamExt, stream};
use parking_lot::{Mutex, MutexGuard};
use partita_wire::pool::FromWorker;
use partita_wire::pool::from_worker::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Reports from slots to the master about tasks and their output, in order. Reports made at the same time
/// are sent as one piece: each separate message would wake a thread here, one at the master and one at
/// the session, which on busy cores compete with the slots.
pub(super) struct Outbox {
    to_master: mpsc::Sender<Vec<FromWorker>>,
    /// Messages to be sent along with the next one.
    queued: Mutex<Vec<FromWorker>>,
}

/// A channel of messages to the master, for this many pieces, with its receiving end.
pub(super) fn to_master(
    pieces: usize,
) -> (mpsc::Sender<Vec<FromWorker>>, impl Stream<Item = FromWorker> + Send) {
    let (sender, receiver) = mpsc::channel(pieces);
    (sender, ReceiverStream::new(receiver).flat_map(stream::iter))
}

/// A piece with a single message.
pub(super) fn piece(message: Message) -> Vec<FromWorker> {
    vec![FromWorker { message: Some(message) }]
}

impl Outbox {
    pub fn new(to_master: mpsc::Sender<Vec<FromWorker>>) -> Self {
        Self { to_master, queued: Mutex::default() }
    }

    /// Queues a message to be sent along with the next one, or when [`flush`](Self::flush) is
    /// called. The message is created while nothing else can be queued, so that it is up to date.
    pub fn queue(&self, message: impl FnOnce() -> Message) {
        let mut queued = self.queued();
        queued.extend(piece(message()));
    }

    /// Sends the queued messages and this one, from a thread that may block. If the master has gone,
    /// nobody wants to know.
    pub fn send(&self, message: impl FnOnce() -> Message) {
        let mut queued = self.queued();
        queued.extend(piece(message()));
        let _ = self.to_master.blocking_send(mem::take(&mut queued));
    }

    /// Sends the queued messages. Never waits; what finds no room is sent later.
    pub fn flush(&self) {
        // Without the lock, another thread is sending them.
        let Some(mut queued) = self.queued.try_lock() else { return };
        if queued.is_empty() {
            return;
        }
        if let Ok(room) = self.to_master.try_reserve() {
            room.send(mem::take(&mut queued));
        }
    }

    fn queued(&self) -> MutexGuard<'_, Vec<FromWorker>> {
        self.queued.lock()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use partita_wire::pool::{CacheEvicted, TaskEnded};

    use super::*;

    fn of_session(session: u64) -> Message {
        Message::Evicted(CacheEvicted { session, partitions: Vec::new() })
    }

    #[tokio::test]
    async fn what_was_noted_first_is_told_first_and_all_of_it_in_one_piece() {
        let (sender, heard) = to_master(1);
        let outbox = Outbox::new(sender);
        outbox.queue(|| Message::Ended(TaskEnded::default()));
        let outbox = tokio::task::spawn_blocking(move || {
            outbox.send(|| of_session(1));
            outbox
        });
        let outbox = outbox.await.unwrap();
        outbox.queue(|| of_session(2));
        drop(outbox);
        let told: Vec<_> = heard.map(|told| told.message.unwrap()).collect().await;
        // What was only queued is gone with the outbox.
        assert_eq!(told, [Message::Ended(TaskEnded::default()), of_session(1)]);
    }

    #[tokio::test]
    async fn what_finds_no_room_is_told_later() {
        let (sender, heard) = to_master(1);
        let mut heard = std::pin::pin!(heard);
        let outbox = Outbox::new(sender);
        outbox.queue(|| of_session(0));
        outbox.flush();
        outbox.queue(|| of_session(1));
        outbox.flush();
        assert_eq!(heard.next().await.unwrap().message, Some(of_session(0)));
        assert!(heard.next().now_or_never().is_none(), "there was no room");
        outbox.flush();
        assert_eq!(heard.next().await.unwrap().message, Some(of_session(1)));
    }
}
