//! Channels between cells and code in the front end: Jupyter's comms, on which widgets are built. This
//! module has the open channels of the process, the targets with which the front end can open more, and
//! the thread that runs their callbacks, whether a cell runs or not. A message is a JSON object with
//! binary buffers; whoever opened the channel defines its meaning. How messages reach the front end is
//! decided elsewhere.
//!
//! ```
//! # mod partita { pub use ::partita::*; pub use ::partita_notebook::*; }
//! use partita::comm::{Comm, CommError, json};
//! // The front end may open it; it is answered on a thread of its own.
//! Comm::target("echo", |comm, _opened| {
//!     let echo = comm.clone();
//!     comm.on_message(move |message| drop(echo.send(message)));
//! });
//! // Without a front end there is nobody to open one to.
//! assert!(matches!(Comm::open("my.widget", json!({"value": 1})), Err(CommError::NoFrontEnd)));
//! ```

mod dispatch;
mod message;
mod registry;

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use partita_bridge::CommAction;
pub use serde_json::{Value, json};

pub use self::message::{CommError, CommMessage};
pub(crate) use self::registry::receive;
use self::{dispatch::Work, message::Incoming};

/// How many messages wait for the first [`Comm::on_message`], because the front end may be faster than
/// the cell.
const EARLY: usize = 64;

/// A channel to the front end. Cheap to clone; all clones are the same channel. It stays open until
/// either side closes it, even if the last clone is dropped.
#[derive(Clone)]
pub struct Comm {
    channel: Arc<Channel>,
}

type OnMessage = Box<dyn FnMut(CommMessage) + Send>;

struct Channel {
    id: String,
    target: String,
    open: AtomicBool,
    callbacks: Mutex<Callbacks>,
}

#[derive(Default)]
struct Callbacks {
    /// Whether a callback was ever registered; messages wait until then.
    listened: bool,
    early: VecDeque<Incoming>,
    message: Option<OnMessage>,
    close: Option<OnMessage>,
}

impl Comm {
    /// Lets the front end open channels to `name`. `opened` is called for each, with the opening message;
    /// it registers the callbacks for messages. A later call for the same name replaces it.
    pub fn target(name: impl Into<String>, opened: impl Fn(Comm, CommMessage) + Send + Sync + 'static) {
        registry::add_target(name.into(), Arc::new(opened));
    }

    /// Stops the front end from opening channels to `name`. Open ones stay open.
    pub fn forget_target(name: &str) {
        registry::remove_target(name);
    }

    /// Opens a channel to the front end's target `target`. A plain JSON object is enough as `message`;
    /// [`CommMessage`] adds metadata and buffers. If the front end has no such target, it closes the
    /// channel.
    ///
    /// # Errors
    /// When there is no front end, or the message cannot be sent.
    pub fn open(target: impl Into<String>, message: impl Into<CommMessage>) -> Result<Self, CommError> {
        Self::open_as(format!("{:032x}", rand::random::<u128>()), target.into(), message.into())
    }

    /// Opens a channel with an id that front ends know already.
    pub(crate) fn open_as(id: String, target: String, message: CommMessage) -> Result<Self, CommError> {
        let comm = Self::new(id, target);
        let action = CommAction::Open { target: comm.channel.target.clone() };
        registry::insert(&comm)?;
        if let Err(error) = registry::transmit(comm.id(), action, message) {
            registry::remove(comm.id());
            return Err(error);
        }
        Ok(comm)
    }

    fn new(id: String, target: String) -> Self {
        let channel = Channel { id, target, open: AtomicBool::new(true), callbacks: Mutex::default() };
        Self { channel: Arc::new(channel) }
    }

    /// The id by which both sides know it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.channel.id
    }

    /// The target that it was opened with.
    #[must_use]
    pub fn target_name(&self) -> &str {
        &self.channel.target
    }

    /// Whether messages can still be sent.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.channel.open.load(Ordering::Acquire)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// When the channel is closed, or the message cannot be sent.
    pub fn send(&self, message: impl Into<CommMessage>) -> Result<(), CommError> {
        if !self.is_open() {
            return Err(CommError::Closed);
        }
        registry::transmit(self.id(), CommAction::Message, message.into())
    }

    /// Closes the channel and sends the front end the reason. Does nothing if it is closed already.
    ///
    /// # Errors
    /// When the message cannot be sent. The channel is closed anyway.
    pub fn close(&self, message: impl Into<CommMessage>) -> Result<(), CommError> {
        if !self.shut() {
            return Ok(());
        }
        registry::remove(self.id());
        let told = registry::transmit(self.id(), CommAction::Close, message.into());
        // They often hold the channel itself, and nothing calls them any more.
        drop(self.take_callbacks());
        told
    }

    /// Calls `callback` for each later message from the front end, one at a time and in order, on a
    /// thread shared by all channels. Messages that arrived before the first callback was registered are
    /// delivered as well.
    pub fn on_message(&self, callback: impl FnMut(CommMessage) + Send + 'static) {
        let (early, _replaced) = {
            let mut callbacks = self.channel.callbacks.lock();
            callbacks.listened = true;
            let replaced = callbacks.message.replace(Box::new(callback));
            (std::mem::take(&mut callbacks.early), replaced)
        };
        for message in early {
            dispatch::push(Work::Message { comm: self.clone(), message });
        }
    }

    /// Calls `callback` when the front end closes the channel.
    pub fn on_close(&self, callback: impl FnOnce(CommMessage) + Send + 'static) {
        let mut callback = Some(callback);
        let once = Box::new(move |message| {
            if let Some(callback) = callback.take() {
                callback(message);
            }
        });
        let _replaced = self.channel.callbacks.lock().close.replace(once);
    }

    /// Marks it as closed. Returns whether it was open.
    fn shut(&self) -> bool {
        self.channel.open.swap(false, Ordering::AcqRel)
    }

    fn take_callbacks(&self) -> Callbacks {
        std::mem::take(&mut *self.channel.callbacks.lock())
    }

    /// Calls the callback for a message. No lock is held meanwhile, so the callback may do anything with
    /// the channel.
    fn deliver(&self, message: Incoming) {
        let callback = {
            let mut callbacks = self.channel.callbacks.lock();
            if !callbacks.listened && callbacks.early.len() < EARLY {
                callbacks.early.push_back(message);
                return;
            }
            callbacks.message.take()
        };
        let Some(mut callback) = callback else { return };
        // The hook reports a panic; the callback may be called again.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| callback(message.read())));
        let mut callbacks = self.channel.callbacks.lock();
        if self.is_open() && callbacks.message.is_none() {
            callbacks.message = Some(callback);
        }
    }
}

impl fmt::Debug for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_open() { "open" } else { "closed" };
        write!(f, "Comm({}, {}, {state})", self.target_name(), self.id())
    }
}
