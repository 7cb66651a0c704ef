//! The connection to the kernel.

use std::{
    env,
    io::{self, BufWriter},
    os::unix::net::UnixStream,
    sync::OnceLock,
};

use parking_lot::Mutex;
use partita_bridge::{FrameError, FromEvaluation, SOCKET_VARIABLE, write_frame};

/// Process-wide because a cell's `println!` has no handle to pass. A process has one kernel.
static BRIDGE: OnceLock<Bridge> = OnceLock::new();

/// The connection to the kernel, if this process has one.
#[must_use]
pub fn bridge() -> Option<&'static Bridge> {
    BRIDGE.get()
}

/// The sending half of the connection to the kernel. Messages are written at once and in order, so that
/// what a cell printed before a crash arrives.
#[derive(Debug)]
pub struct Bridge {
    writer: Mutex<BufWriter<UnixStream>>,
}

impl Bridge {
    /// Sends one message; waits while the kernel is slow.
    ///
    /// # Errors
    /// When the message is too large or the kernel has gone.
    pub fn send(&self, message: &FromEvaluation) -> Result<(), FrameError> {
        write_frame(&mut *self.writer.lock(), message)
    }
}

/// Connects to the kernel. The returned stream is the receiving half.
pub(crate) fn connect() -> io::Result<UnixStream> {
    let path = env::var_os(SOCKET_VARIABLE).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!("{SOCKET_VARIABLE} is not set; only the kernel can start this process"),
        )
    })?;
    let stream = UnixStream::connect(path)?;
    let writer = Mutex::new(BufWriter::with_capacity(64 << 10, stream.try_clone()?));
    BRIDGE
        .set(Bridge { writer })
        .map_err(|_| io::Error::new(io::ErrorKind::AlreadyExists, "the bridge is already connected"))?;
    Ok(stream)
}
