use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures::Stream;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Status;

/// What is on its way to one peer. Whoever puts something in never waits: the peer's queue has a
/// bound, and a peer that lets it overflow is let go. A plain bounded channel counts messages; here
/// their weight counts, because rows travel in some of them.
#[derive(Debug)]
pub(crate) struct Outbox<T> {
    shared: Arc<Mutex<Queue<T>>>,
    limit: usize,
}

/// The other end: the stream that is sent to the peer. Dropping it cancels `gone`.
#[derive(Debug)]
pub(crate) struct Sending<T> {
    shared: Arc<Mutex<Queue<T>>>,
    /// Below this weight `room` is told, if the queue was above it.
    low: usize,
    room: Arc<Notify>,
    _gone: DropGuard,
}

#[derive(Debug)]
struct Queue<T> {
    messages: VecDeque<(T, usize)>,
    weight: usize,
    /// What the stream ends with when all is sent; no status means a good end.
    end: Option<Option<Status>>,
    waker: Option<Waker>,
}

/// The queue has no room: the peer does not read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// A queue that holds messages of `limit` weight together. `room` is notified when it sinks below
/// `low`; `gone` is cancelled when the peer's connection is.
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
    /// Appends a message, which goes out at the next [`waker`](Self::waker). After the end it is forgotten.
    ///
    /// # Errors
    /// When there is no room.
    pub(crate) fn push(&self, message: T, weight: usize) -> Result<(), Full> {
        let mut queue = lock(&self.shared);
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

    /// What there is to wake to have sent what waits: all that was appended until then in one piece. Woken by
    /// the first message, the stream would send that one, and then the next.
    pub(crate) fn waker(&self) -> Option<Waker> {
        let mut queue = lock(&self.shared);
        if queue.messages.is_empty() { None } else { queue.waker.take() }
    }

    /// How much waits.
    pub(crate) fn weight(&self) -> usize {
        lock(&self.shared).weight
    }

    /// What waits is still sent, then the stream ends.
    pub(crate) fn end(&self, status: Option<Status>) {
        let mut queue = lock(&self.shared);
        queue.end.get_or_insert(status);
        wake(queue);
    }

    /// What waits is thrown away, and the stream ends.
    pub(crate) fn cut(&self, status: Option<Status>) {
        let mut queue = lock(&self.shared);
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
        let mut queue = lock(&self.shared);
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

/// A panic under the lock leaves the queue as it is: each change is complete in itself.
fn lock<T>(queue: &Mutex<Queue<T>>) -> MutexGuard<'_, Queue<T>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
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
