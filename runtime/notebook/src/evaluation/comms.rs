use partita_bridge::{Comm, FrameError, FromEvaluation};

use super::bridge;
use crate::comm::{self, CommError};

/// Receives a comm message from the front end. Never waits.
pub(super) fn receive(comm: Comm) {
    comm::receive(comm);
}

/// Sends a comm message to the front end.
pub(super) fn send(comm: Comm) -> Result<(), CommError> {
    let bridge = bridge().ok_or(CommError::NoFrontEnd)?;
    bridge.send(&FromEvaluation::Comm(comm)).map_err(|error| match error {
        FrameError::TooLarge(bytes) => CommError::TooLarge(bytes),
        error => CommError::Connection(error.to_string()),
    })
}
