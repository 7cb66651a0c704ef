use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures::Stream;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Status;

/// The queue of messages to one peer. The sender never waits: the queue is bounded, and a peer that lets it
/// overflow is disconnected. A plain bounded channel counts messages; this one counts their weight, because
/// some of them carry rows.
#[derive(Debug)]
pub(crate) struct Outbox<T> {
    shared: Arc<Mutex<Queue<T>>>,
    limit: usize,
}

/// The other end: the stream that is sent to the peer. Dropping it cancels `gone`.
#[derive(Debug)]
pub(crate) struct Sending<T> {
    shared: Arc<Mutex<Queue<T>>>,
    /// `room` is notified when the weight sinks below this.
    low: usize,
    room: Arc<Notify>,
    _gone: DropGuard,
}

#[derive(Debug)]
struct Queue<T> {
    messages: VecDeque<(T, usize)>,
    weight: usize,
    /// How the stream ends after the last message; without a status it ends normally.
    end: Option<Option<Status>>,
    waker: Option<Waker>,
}

/// The queue is full: the peer does not read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// A queue that holds messages of up to `limit` total weight. `room` is notified when the weight sinks below
/// `low`; `gone` is cancelled when the peer's connection closes.
pub(crate) fn outbox<T>(
    limit: usize,
    low: usize,
    room: Arc<Notify>,
    gone: CancellationToken,
) -> (Outbox<T>, Sending<T>) {
    let queue = Queue { messages: VecDeque::new(), weight: 0, end: None, waker: None };
    let shared = Arc::new(Mutex::new(queue));
    let sending = Sending { shared: shared.clone(), low, room, _gone: gone.drop_guard() };
    (Outbox { shared, limit }, sending)
}

impl<T> Outbox<T> {
    /// Appends a message. It is sent when [`waker`](Self::waker) is called next. After the end it is
    /// discarded.
    ///
    /// # Errors
    /// When the queue is full.
    pub(crate) fn push(&self, message: T, weight: usize) -> Result<(), Full> {
        let mut queue = self.shared.lock();
        if queue.end.is_some() {
            return Ok(());
        }
        if queue.weight + weight > self.limit && !queue.messages.is_empty() {
            return Err(Full);
        }
        queue.weight += weight;
        queue.messages.push_back((message, weight));
        Ok(())
    }

    /// The waker that sends the queued messages in one piece. If the stream were woken by the first message,
    /// it would send that message alone.
    pub(crate) fn waker(&self) -> Option<Waker> {
        let mut queue = self.shared.lock();
        if queue.messages.is_empty() { None } else { queue.waker.take() }
    }

    /// The weight of the queued messages.
    pub(crate) fn weight(&self) -> usize {
        self.shared.lock().weight
    }

    /// Ends the stream after the queued messages are sent.
    pub(crate) fn end(&self, status: Option<Status>) {
        let mut queue = self.shared.lock();
        queue.end.get_or_insert(status);
        wake(queue);
    }

    /// Ends the stream and discards the queued messages.
    pub(crate) fn cut(&self, status: Option<Status>) {
        let mut queue = self.shared.lock();
        queue.messages = VecDeque::new();
        queue.weight = 0;
        queue.end.get_or_insert(status);
        wake(queue);
    }
}

impl<T> Drop for Outbox<T> {
    fn drop(&mut self) {
        self.end(None);
    }
}

impl<T> Stream for Sending<T> {
    type Item = Result<T, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut queue = self.shared.lock();
        if let Some((message, weight)) = queue.messages.pop_front() {
            let high = queue.weight >= self.low;
            queue.weight -= weight;
            if high && queue.weight < self.low {
                self.room.notify_one();
            }
            return Poll::Ready(Some(Ok(message)));
        }
        match &mut queue.end {
            Some(end) => Poll::Ready(end.take().map(Err)),
            None => {
                queue.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

fn wake<T>(mut queue: MutexGuard<'_, Queue<T>>) {
    let waker = queue.waker.take();
    drop(queue);
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};

    use super::*;

    fn pair(limit: usize, low: usize) -> (Outbox<u32>, Sending<u32>, Arc<Notify>, CancellationToken) {
        let (room, gone) = (Arc::new(Notify::new()), CancellationToken::new());
        let (outbox, sending) = outbox(limit, low, room.clone(), gone.clone());
        (outbox, sending, room, gone)
    }

    #[tokio::test]
    async fn what_waits_has_a_bound_and_comes_out_in_order() {
        let (outbox, mut sending, room, gone) = pair(10, 4);
        assert_eq!(outbox.push(1, 6), Ok(()));
        assert_eq!(outbox.push(2, 4), Ok(()));
        assert_eq!(outbox.push(3, 1), Err(Full));
        assert_eq!(sending.next().await.unwrap().unwrap(), 1);
        assert_eq!(outbox.push(3, 1), Ok(()));
        assert_eq!(sending.next().await.unwrap().unwrap(), 2);
        room.notified().await;
        assert_eq!(sending.next().await.unwrap().unwrap(), 3);
        assert_eq!(outbox.weight(), 0);
        drop(sending);
        assert!(gone.is_cancelled());
    }

    #[tokio::test]
    async fn a_message_that_alone_is_too_heavy_still_goes_out() {
        let (outbox, mut sending, ..) = pair(10, 4);
        assert_eq!(outbox.push(1, 100), Ok(()));
        assert_eq!(outbox.push(2, 0), Err(Full));
        assert_eq!(sending.next().await.unwrap().unwrap(), 1);
    }

    #[tokio::test]
    async fn an_end_comes_after_what_waits_and_a_cut_at_once() {
        let (outbox, mut sending, ..) = pair(10, 4);
        outbox.push(1, 1).unwrap();
        outbox.end(Some(Status::unavailable("stopping")));
        outbox.push(2, 1).unwrap();
        assert_eq!(sending.next().await.unwrap().unwrap(), 1);
        assert_eq!(sending.next().await.unwrap().unwrap_err().message(), "stopping");
        assert!(sending.next().await.is_none());

        let (outbox, mut sending, ..) = pair(10, 4);
        outbox.push(1, 1).unwrap();
        outbox.cut(Some(Status::resource_exhausted("reads nothing")));
        assert_eq!(sending.next().await.unwrap().unwrap_err().message(), "reads nothing");
        assert!(sending.next().await.is_none());
    }

    #[tokio::test]
    async fn who_waits_is_woken_once_for_all_that_came_meanwhile() {
        let (outbox, mut sending, ..) = pair(10, 4);
        assert!(sending.next().now_or_never().is_none());
        assert!(outbox.waker().is_none(), "there is nothing to be woken for");
        let waiting = tokio::spawn(async move { (sending.next().await, sending) });
        tokio::task::yield_now().await;
        outbox.push(1, 1).unwrap();
        outbox.push(2, 1).unwrap();
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "a message alone wakes nobody");
        outbox.waker().unwrap().wake();
        assert!(outbox.waker().is_none(), "woken already");
        let (first, mut sending) = waiting.await.unwrap();
        assert_eq!((first.unwrap().unwrap(), sending.next().await.unwrap().unwrap()), (1, 2));
    }

    #[tokio::test]
    async fn dropping_the_outbox_ends_the_stream() {
        let (outbox, mut sending, ..) = pair(10, 4);
        let end = tokio::spawn(async move { sending.next().await.is_none() });
        drop(outbox);
        assert!(end.await.unwrap());
    }
}
