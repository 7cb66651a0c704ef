//! A worker of a pool. It connects to the master, runs the tasks it receives in its slots, and keeps
//! their output (shuffle blocks, cached partitions, large results) until the master asks it to drop it.
//!
//! `connection` is the connection to the master, `outbox` the reports of tasks on it. What the master
//! has sent and what is kept for it is one `registration`, which is dropped as a whole when the stream
//! breaks. `task` runs one task in a slot. `stores` gives it access to other tasks' rows, here or at
//! other workers through `fetch`; `blocks` serves the latter. `partita_engine::memory` decides how
//! much memory tasks get, `estimate` how much they ask for. What a task is and how it is computed is in
//! `partita_engine`.

#![warn(missing_docs)]

mod blocks;
mod connection;
mod dial;
mod estimate;
mod fetch;
mod master_channel;
mod options;
mod outbox;
mod registration;
mod stores;
mod task;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::{fmt, io};

use crossbeam_channel::bounded;
use parking_lot::RwLock;
use partita_engine::codec::Access;
use partita_engine::execute::slots;
use partita_engine::memory::{Accountant, Bytes, Limits, SpillDirectory, heap};
use partita_wire::TlsError;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::ClientTlsConfig;

pub use options::WorkerOptions;

use fetch::Fetcher;
use registration::Registration;
use task::Launch;

/// The share of a worker's memory that shuffle blocks may use before they go to disk.
const SHUFFLE_SHARE: f64 = 0.3;

/// The minimum memory of a worker.
const LEAST_MEMORY: usize = 16 << 20;

/// Why a worker cannot start or cannot continue.
#[derive(Debug, Error)]
pub enum WorkerError {
    /// An option has no meaning or does not suit this machine.
    #[error("{0}")]
    Options(String),
    /// A certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address} for other workers: {cause}; choose another address or port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        cause: io::Error,
    },
    /// The directory for spilled data cannot be used.
    #[error("{0}; choose a directory that this process may write to")]
    Spill(io::Error),
    /// The system provides no threads.
    #[error("cannot start threads for the slots: {0}")]
    Threads(io::Error),
    /// The master rejects this worker, and will do so later as well.
    #[error("the master at {master} refuses this worker: {cause}")]
    Refused {
        /// The master's address.
        master: String,
        /// The master's reason.
        cause: String,
    },
}

/// A worker that runs until it is stopped. If it is dropped without that, its connections end, and its
/// slots end with their last task.
pub struct Worker {
    shared: Arc<Shared>,
    shutdown: CancellationToken,
    _ends_with_it: DropGuard,
    connection: JoinHandle<Result<(), WorkerError>>,
    serving: JoinHandle<()>,
    address: SocketAddr,
}

/// What all parts of a worker share.
struct Shared {
    options: WorkerOptions,
    /// The address that the Blocks service listens on.
    listening: SocketAddr,
    runtime: Handle,
    accountant: Arc<Accountant>,
    spill: Arc<SpillDirectory>,
    access: Access,
    fetcher: Fetcher,
    /// `None` while there is no master.
    registration: RwLock<Option<Arc<Registration>>>,
}

impl Shared {
    fn new(
        options: WorkerOptions,
        listening: SocketAddr,
        tls: Option<ClientTlsConfig>,
    ) -> Result<Self, WorkerError> {
        let total = options.memory_limit;
        if total < LEAST_MEMORY {
            return Err(WorkerError::Options(format!(
                "{} of memory is too little for a worker; give it at least {}",
                Bytes(total),
                Bytes(LEAST_MEMORY)
            )));
        }
        let limits = Limits {
            total,
            shuffle: (total as f64 * SHUFFLE_SHARE) as usize,
            cache: (total as f64 * options.cache_fraction) as usize,
        };
        let access = Access::new(&options.data_dirs, &options.output_dirs)
            .map_err(|error| WorkerError::Options(error.to_string()))?;
        let runtime = Handle::current();
        Ok(Self {
            fetcher: Fetcher::new(&options, tls, runtime.clone()),
            listening,
            runtime,
            accountant: Arc::new(Accountant::new(limits)),
            spill: Arc::new(SpillDirectory::new(options.spill_dir.clone())),
            access,
            registration: RwLock::default(),
            options,
        })
    }

    fn registration(&self) -> Option<Arc<Registration>> {
        self.registration.read().clone()
    }

    fn register(&self, registration: Option<Arc<Registration>>) {
        let mut current = self.registration.write();
        let before = std::mem::replace(&mut *current, registration);
        drop(current);
        if let Some(before) = before {
            before.close();
        }
    }
}

impl Worker {
    /// Starts the slots and the Blocks service and begins to connect to the master. If the master is not
    /// there yet, keeps trying. Call it inside a Tokio runtime.
    ///
    /// # Errors
    /// When one of the options cannot be used.
    pub async fn start(options: WorkerOptions) -> Result<Self, WorkerError> {
        let client_tls = options.tls.client()?;
        let server_tls = options.tls.server()?;
        let address = options.listen;
        options.check().map_err(WorkerError::Options)?;
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|cause| WorkerError::Listen { address, cause })?;
        let address = listener.local_addr().map_err(|cause| WorkerError::Listen { address, cause })?;
        let shared = Arc::new(Shared::new(options, address, client_tls.clone())?);
        shared.spill.make().map_err(WorkerError::Spill)?;
        heap::keep_what_is_freed(true);
        // The master sends a few tasks per slot. After the master has restarted, tasks of the old one may
        // still run.
        let per_slot = 2 * (1 + partita_wire::AHEAD);
        let (queue, launches) = bounded::<Launch>(per_slot * shared.options.slots + partita_wire::QUEUE);
        let (on_slot, waiting) = (shared.clone(), launches.clone());
        let started = slots::start(shared.options.slots, &launches, move |slot, launch, busy| {
            task::run(&on_slot, slot, launch, busy, || waiting.len());
        });
        started.map_err(WorkerError::Threads)?;

        let shutdown = CancellationToken::new();
        let serving = blocks::serve(shared.clone(), listener, server_tls, shutdown.clone())
            .map_err(|error| WorkerError::Options(format!("TLS: {error}")))?;
        let connection =
            tokio::spawn(connection::stay_connected(shared.clone(), queue, client_tls, shutdown.clone()));
        let _ends_with_it = shutdown.clone().drop_guard();
        Ok(Self { shared, shutdown, _ends_with_it, connection, serving, address })
    }

    /// The address that its Blocks service listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it is currently registered with a master.
    pub fn is_registered(&self) -> bool {
        self.shared.registration().is_some()
    }

    /// The directory for data that does not fit into memory. It is removed when the worker ends.
    pub fn spill_directory(&self) -> io::Result<PathBuf> {
        self.shared.spill.make()
    }

    /// Waits until the worker cannot continue, which only happens if the master rejects it. Can be
    /// dropped and called again.
    pub async fn failed(&mut self) -> WorkerError {
        match (&mut self.connection).await {
            Ok(Err(error)) => error,
            Ok(Ok(())) => WorkerError::Options("the worker was stopped".into()),
            Err(error) => {
                WorkerError::Options(format!("the worker's connection to the master failed: {error}"))
            }
        }
    }

    /// Unregisters from the master, cancels its tasks and removes its files.
    pub async fn stop(self) {
        self.shutdown.cancel();
        if !self.connection.is_finished() {
            // Nobody is left to receive its errors.
            let _ = self.connection.await;
        }
        let _ = self.serving.await;
        self.shared.register(None);
        let spill = self.shared.spill.clone();
        let _ = tokio::task::spawn_blocking(move || spill.remove()).await;
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.spill.remove();
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("name", &self.shared.options.name)
            .field("address", &self.address)
            .finish()
    }
}
