use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use parking_lot::Mutex;
use partita_bridge::{Comm as WireComm, CommAction, FrameError, FromEvaluation};

use super::{
    Comm, CommError, CommMessage,
    dispatch::{self, Work},
    message::Incoming,
};
use crate::bridge::bridge;

/// The maximum number of open channels. A cell that opens more in a loop gets an error.
const MAX_OPEN: usize = 4096;

pub(super) type OnOpen = Arc<dyn Fn(Comm, CommMessage) + Send + Sync>;

/// Process-wide because [`Comm::open`] and [`Comm::target`] are called with nothing in hand, and a process has
/// one front end.
static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Registry {
    targets: HashMap<String, OnOpen>,
    open: HashMap<String, Comm>,
}

/// Receives a message from the front end. Never waits: callbacks run on another thread.
pub(crate) fn receive(comm: WireComm) {
    let WireComm { id, action, data, metadata, buffers } = comm;
    let message = Incoming::new(data, metadata, buffers);
    match action {
        CommAction::Open { target } => {
            // Registered at once: the next message may arrive before anybody has handled this one.
            let comm = Comm::new(id, target);
            match insert(&comm) {
                Ok(()) => dispatch::push(Work::Open { comm, message }),
                Err(_) => dispatch::push(Work::Refuse { comm }),
            }
        }
        CommAction::Message => {
            if let Some(comm) = get(&id) {
                dispatch::push(Work::Message { comm, message });
            }
        }
        CommAction::Close => {
            if let Some(comm) = remove(&id) {
                // At once: nothing may be sent any more.
                comm.shut();
                dispatch::push(Work::Closed { comm, message });
            }
        }
    }
}

pub(super) fn transmit(id: &str, action: CommAction, message: CommMessage) -> Result<(), CommError> {
    let bridge = bridge().ok_or(CommError::NoFrontEnd)?;
    if !message.data.is_object() {
        return Err(CommError::NotAnObject("data"));
    }
    if !message.metadata.is_object() {
        return Err(CommError::NotAnObject("metadata"));
    }
    let CommMessage { data, metadata, buffers } = message;
    let comm = WireComm {
        id: id.to_owned(),
        action,
        data: data.to_string(),
        metadata: metadata.to_string(),
        buffers,
    };
    bridge.send(&FromEvaluation::Comm(comm)).map_err(|error| match error {
        FrameError::TooLarge(bytes) => CommError::TooLarge(bytes),
        error => CommError::Connection(error.to_string()),
    })
}

pub(super) fn add_target(name: String, opened: OnOpen) {
    // The replaced callback is the person's code, so it is dropped after the lock is released.
    let _replaced = REGISTRY.lock().targets.insert(name, opened);
}

pub(super) fn remove_target(name: &str) {
    let _removed = REGISTRY.lock().targets.remove(name);
}

pub(super) fn target(name: &str) -> Option<OnOpen> {
    REGISTRY.lock().targets.get(name).cloned()
}

pub(super) fn insert(comm: &Comm) -> Result<(), CommError> {
    let mut registry = REGISTRY.lock();
    if registry.open.len() >= MAX_OPEN {
        return Err(CommError::TooMany(MAX_OPEN));
    }
    registry.open.insert(comm.id().to_owned(), comm.clone());
    Ok(())
}

fn get(id: &str) -> Option<Comm> {
    REGISTRY.lock().open.get(id).cloned()
}

pub(super) fn remove(id: &str) -> Option<Comm> {
    REGISTRY.lock().open.remove(id)
}
