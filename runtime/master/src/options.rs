use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fmt, io};

use partita_wire::{TlsError, TlsFiles, Token};
use thiserror::Error;

use crate::Recorder;

/// Options of a master.
#[derive(Clone)]
pub struct MasterOptions {
    /// The address to listen on; port 0 takes any free port.
    pub listen: SocketAddr,
    /// The token that every call must carry. It may be absent on loopback only.
    pub token: Option<Token>,
    /// Certificates: its own, and the authority to trust when it connects to workers.
    pub tls: TlsFiles,
    /// The version of Polars that workers and sessions must have.
    pub polars: String,
    /// The interval of a worker's heartbeats.
    pub heartbeat: Duration,
    /// A worker that has been silent for this long is lost.
    pub lost_after: Duration,
    /// How long a task waits for a worker that has some of its input, unless its session sets another time.
    pub locality_wait: Duration,
    /// Under dynamic allocation: how long tasks queue before more workers are requested.
    pub allocation_step: Duration,
    /// The directory for blobs, which are unlinked files.
    pub spool: PathBuf,
    /// Limits on what the master accepts.
    pub limits: Limits,
    /// Records the sessions' events.
    pub recorder: Arc<dyn Recorder>,
}

/// Limits on what a master accepts.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Workers at a time.
    pub workers: usize,
    /// Sessions at a time.
    pub sessions: usize,
    /// Tasks in one session's queue.
    pub queued_tasks: usize,
    /// Bytes of the tasks in one session's queue.
    pub queued_bytes: usize,
    /// Bytes of all sessions' blobs together, on disk.
    pub blob_bytes: u64,
    /// Bytes queued for one session. A session that exceeds this is closed. Above a quarter of it, the
    /// session's tasks get no slots.
    pub session_bytes: usize,
}

impl MasterOptions {
    /// A master at `listen` with default options. `polars` is `polars::VERSION` of the build.
    pub fn new(listen: SocketAddr, polars: impl Into<String>) -> Self {
        Self {
            listen,
            token: None,
            tls: TlsFiles::default(),
            polars: polars.into(),
            heartbeat: Duration::from_secs(1),
            lost_after: Duration::from_secs(10),
            locality_wait: Duration::from_secs(1),
            allocation_step: Duration::from_secs(1),
            spool: env::temp_dir(),
            limits: Limits::default(),
            recorder: Arc::new(()),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            workers: 1000,
            sessions: 1000,
            queued_tasks: 100_000,
            queued_bytes: 256 << 20,
            blob_bytes: 8 << 30,
            session_bytes: 128 << 20,
        }
    }
}

impl fmt::Debug for MasterOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterOptions")
            .field("listen", &self.listen)
            .field("token", &self.token)
            .field("tls", &self.tls)
            .field("polars", &self.polars)
            .field("heartbeat", &self.heartbeat)
            .field("lost_after", &self.lost_after)
            .field("locality_wait", &self.locality_wait)
            .field("allocation_step", &self.allocation_step)
            .field("spool", &self.spool)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Why a master does not start, or why it stopped.
#[derive(Debug, Error)]
pub enum MasterError {
    /// It would listen beyond this machine without a token.
    #[error(
        "{listen} can be reached from other machines, and there is no token: whoever reaches it could \
         run jobs and read data. Set PARTITA_TOKEN_FILE to a file that holds one (make it with \
         `openssl rand -hex 32 > pool.token`), or listen on 127.0.0.1"
    )]
    NoToken {
        /// The address it was to listen on.
        listen: SocketAddr,
    },
    /// The address cannot be bound.
    #[error("cannot listen on {listen}: {cause}")]
    Listen {
        /// The address it was to listen on.
        listen: SocketAddr,
        /// The reason.
        cause: io::Error,
    },
    /// Blobs cannot be stored there.
    #[error("cannot write to {path}, the directory for blobs: {cause}")]
    Spool {
        /// The directory.
        path: PathBuf,
        /// The reason.
        cause: io::Error,
    },
    /// A certificate cannot be read.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The options are inconsistent.
    #[error("{0}")]
    Options(String),
    /// The transport failed.
    #[error("the transport failed: {0}")]
    Transport(#[from] tonic::transport::Error),
}
