use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use super::{Comm, message::Incoming, registry};
use parking_lot::{Condvar, Mutex};

/// The maximum number of messages that wait for a slow callback. Further ones are lost, and that is
/// reported.
const MAX_WAITING: usize = 1024;
/// The maximum total size of those messages.
const MAX_WAITING_BYTES: usize = 256 << 20;
/// Callbacks are compiled without optimisation, so they need much stack.
const STACK_BYTES: usize = 64 << 20;

/// Process-wide: one thread calls the callbacks of all channels, in the order of the messages.
static QUEUE: Mutex<Queue> =
    Mutex::new(Queue { waiting: VecDeque::new(), bytes: 0, lost: 0, started: false });
static ARRIVED: Condvar = Condvar::new();

struct Queue {
    waiting: VecDeque<Work>,
    bytes: usize,
    /// The number of lost messages that were not reported yet.
    lost: usize,
    started: bool,
}

/// What the callback thread does, in order.
pub(super) enum Work {
    /// The front end opened a channel.
    Open { comm: Comm, message: Incoming },
    /// The front end opened a channel, but there was no room for it or its messages.
    Refuse { comm: Comm },
    /// A message on an open channel.
    Message { comm: Comm, message: Incoming },
    /// The front end closed a channel.
    Closed { comm: Comm, message: Incoming },
}

impl Work {
    fn bytes(&self) -> usize {
        match self {
            Self::Open { message, .. } | Self::Message { message, .. } | Self::Closed { message, .. } => {
                message.bytes()
            }
            Self::Refuse { .. } => 0,
        }
    }
}

/// Queues work for the callback thread, which is started with the first work.
pub(super) fn push(work: Work) {
    let mut queue = QUEUE.lock();
    if !queue.started {
        let thread = thread::Builder::new().name("comm".into()).stack_size(STACK_BYTES);
        queue.started = thread.spawn(serve).is_ok();
    }
    let full = queue.waiting.len() >= MAX_WAITING || queue.bytes >= MAX_WAITING_BYTES;
    let work = match work {
        // The front end must not think that it is open.
        Work::Open { comm, .. } if full => Some(Work::Refuse { comm }),
        Work::Message { .. } if full => None,
        work => Some(work),
    };
    match work {
        Some(work) => {
            queue.bytes += work.bytes();
            queue.waiting.push_back(work);
        }
        None => queue.lost += 1,
    }
    drop(queue);
    ARRIVED.notify_one();
}

fn serve() {
    loop {
        let (work, lost) = next();
        if lost > 0 {
            eprintln!("{lost} messages from the front end were lost: the comms' callbacks are too slow");
        }
        // Callbacks are guarded one by one; this guards what they drop.
        let _ = catch_unwind(AssertUnwindSafe(|| perform(work)));
    }
}

fn next() -> (Work, usize) {
    let mut queue = QUEUE.lock();
    loop {
        if let Some(work) = queue.waiting.pop_front() {
            queue.bytes -= work.bytes();
            return (work, std::mem::take(&mut queue.lost));
        }
        ARRIVED.wait(&mut queue);
    }
}

fn perform(work: Work) {
    match work {
        Work::Open { comm, message } => open(&comm, message),
        Work::Refuse { comm } => refuse(&comm),
        Work::Message { comm, message } => comm.deliver(message),
        Work::Closed { comm, message } => {
            if let Some(mut callback) = comm.take_callbacks().close {
                callback(message.read());
            }
        }
    }
}

fn open(comm: &Comm, message: Incoming) {
    let Some(opened) = registry::target(comm.target_name()) else { return refuse(comm) };
    if catch_unwind(AssertUnwindSafe(|| opened(comm.clone(), message.read()))).is_err() {
        // A half-prepared channel would answer nothing. A kernel that has gone needs no notice.
        let _ = comm.close(());
    }
}

/// The protocol's answer to a channel without a handler.
fn refuse(comm: &Comm) {
    // A kernel that has gone needs no answer.
    let _ = comm.close(());
}
