use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fmt, io};

use partita_wire::{TlsError, TlsFiles, Token};
use thiserror::Error;

use crate::Recorder;

/// How a master is started.
#[derive(Clone)]
pub struct MasterOptions {
    /// Where to listen; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// What every call must carry. May be absent on loopback only.
    pub token: Option<Token>,
    /// Certificates: its own, and whom to trust when it dials workers.
    pub tls: TlsFiles,
    /// The version of Polars that workers and sessions must have.
    pub polars: String,
    /// How often a worker says that it lives.
    pub heartbeat: Duration,
    /// A worker that was silent for so long is lost.
    pub lost_after: Duration,
    /// How long a task waits for a worker that has some of its input, unless its session says
    /// otherwise.
    pub locality_wait: Duration,
    /// Under dynamic allocation: how long tasks queue before more workers are asked for.
    pub allocation_step: Duration,
    /// Where blobs lie, in files without a name.
    pub spool: PathBuf,
    /// What there may be at most.
    pub limits: Limits,
    /// Who keeps the sessions' events.
    pub recorder: Arc<dyn Recorder>,
}

/// What there may be at most.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Workers at a time.
    pub workers: usize,
    /// Sessions at a time.
    pub sessions: usize,
    /// Tasks in one session's queue, and bytes of them.
    pub queued_tasks: usize,
    /// See `queued_tasks`.
    pub queued_bytes: usize,
    /// Bytes of all sessions' blobs together, on disk.
    pub blob_bytes: u64,
    /// Bytes on the way to one session. A session that lets them pile up is closed; from a quarter of
    /// them on its tasks get no slots.
    pub session_bytes: usize,
}

impl MasterOptions {
    /// A master at `listen` with everything else as usual. `polars` is `polars::VERSION` of the build.
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

/// Why a master does not start, or stopped.
#[derive(Debug, Error)]
pub enum MasterError {
    /// It would be open to anybody.
    #[error(
        "{listen} can be reached from other machines, and there is no token: whoever reaches it could \
         run jobs and read data. Set PARTITA_TOKEN_FILE to a file that holds one (make it with \
         `openssl rand -hex 32 > pool.token`), or listen on 127.0.0.1"
    )]
    NoToken {
        /// Where it was to listen.
        listen: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {listen}: {cause}")]
    Listen {
        /// Where it was to listen.
        listen: SocketAddr,
        /// Why not.
        cause: io::Error,
    },
    /// Blobs cannot be kept there.
    #[error("cannot write to {path}, where rows for tasks are to be kept: {cause}")]
    Spool {
        /// The directory.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// A certificate cannot be read.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// What is set makes no sense.
    #[error("{0}")]
    Options(String),
    /// The transport failed.
    #[error("the transport failed: {0}")]
    Transport(#[from] tonic::transport::Error),
}
