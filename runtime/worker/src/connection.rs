use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use crossbeam_channel::{Sender, TrySendError};
use partita_engine::cache::{CacheId, KeptDataset};
use partita_engine::memory::heap;
use partita_engine::shuffle::ShuffleId;
use partita_engine::task::TaskError;
use partita_events::{SessionId, WorkerId};
use partita_wire::pool::from_worker::Message;
use partita_wire::pool::to_worker::Message as Order;
use partita_wire::pool::{
    CachedDataset, FromWorker, TaskEnded, Versions, WorkerHello, WorkerStatus, WorkerWelcome,
};
use partita_wire::{QUEUE, words};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tonic::transport::ClientTlsConfig;
use tonic::{Code, Status};

use crate::master_channel::MasterChannel;
use crate::registration::Registration;
use crate::task::{Launch, failure};
use crate::{Shared, WorkerError, dial, outbox};

/// How long the master may take to answer the hello.
const WELCOME: Duration = Duration::from_secs(10);
/// The wait between two attempts to reach the master: the first and the longest.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The maximum delay of reports about tasks that start or end while others wait for their slot.
const FLUSH_EVERY: Duration = Duration::from_millis(20);
/// The maximum number of cached datasets in a heartbeat.
const DATASETS: usize = 256;
/// The limit for the heartbeat interval that a master may ask for.
const FASTEST_HEARTBEAT: u32 = 20;

/// How a connection to the master ended.
enum Ended {
    /// The master may be reachable again later.
    Lost(String),
    /// The master rejects this worker.
    Refused(String),
}

impl From<Status> for Ended {
    fn from(status: Status) -> Self {
        let text = words(&status);
        match status.code() {
            Code::Unauthenticated
            | Code::FailedPrecondition
            | Code::InvalidArgument
            | Code::PermissionDenied => Self::Refused(text),
            _ if text.is_empty() => Self::Lost(status.code().to_string()),
            _ => Self::Lost(text),
        }
    }
}

fn waits() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(FIRST_WAIT)
        .with_max_delay(LONGEST_WAIT)
        .without_max_times()
        .with_jitter()
        .build()
}

/// Stays connected to the master, and reconnects whenever the connection breaks, until `shutdown`.
pub(super) async fn stay_connected(
    shared: Arc<Shared>,
    queue: Sender<Launch>,
    tls: Option<ClientTlsConfig>,
    shutdown: CancellationToken,
) -> Result<(), WorkerError> {
    let mut wait = waits();
    loop {
        let ended = tokio::select! {
            ended = serve(&shared, &queue, tls.as_ref()) => Some(ended),
            () = shutdown.cancelled() => None,
        };
        let registered = shared.registration().is_some();
        let forgetting = shared.clone();
        // This removes files.
        let _ = tokio::task::spawn_blocking(move || forgetting.register(None)).await;
        let master = &shared.options.master;
        match ended {
            None => return Ok(()),
            Some(Ended::Refused(cause)) => {
                return Err(WorkerError::Refused { master: master.clone(), cause });
            }
            Some(Ended::Lost(cause)) if registered => {
                tracing::warn!(
                    "lost the connection to the master at {master}: {cause}; everything kept for it is dropped"
                );
                wait = waits();
            }
            Some(Ended::Lost(cause)) => tracing::warn!(
                "no master at {master}: {cause}; trying again (partitas:// is for a master that speaks TLS, \
                 partita:// for one that does not)"
            ),
        }
        tokio::select! {
            () = tokio::time::sleep(wait.next().unwrap_or(LONGEST_WAIT)) => {}
            () = shutdown.cancelled() => return Ok(()),
        }
    }
}

/// One registration with the master, from the hello to the end of the stream.
async fn serve(shared: &Arc<Shared>, queue: &Sender<Launch>, tls: Option<&ClientTlsConfig>) -> Ended {
    match serve_until_lost(shared, queue, tls).await {
        Ok(()) => Ended::Lost("it ended the connection".into()),
        Err(ended) => ended,
    }
}

async fn serve_until_lost(
    shared: &Arc<Shared>,
    queue: &Sender<Launch>,
    tls: Option<&ClientTlsConfig>,
) -> Result<(), Ended> {
    let options = &shared.options;
    let channel = dial::channel(&options.master, tls)
        .map_err(|error| Ended::Refused(format!("`{}` is not an address: {error}", options.master)))?;
    let master = MasterChannel { channel, token: options.token.clone() };
    let (to_master, outgoing) = outbox::to_master(4 * QUEUE);
    let hello = hello(shared).await.map_err(|error| Ended::Lost(error.to_string()))?;
    to_master
        .try_send(outbox::piece(Message::Hello(hello)))
        .map_err(|error| Ended::Lost(error.to_string()))?;
    let mut incoming = master.client().work(outgoing).await?.into_inner();
    let first = timeout(WELCOME, incoming.message()).await;
    let first = first.map_err(|_| Ended::Lost("it does not answer".into()))??;
    let Some(Order::Welcome(WorkerWelcome { worker, heartbeat_ms })) = first.and_then(|first| first.message)
    else {
        return Err(Ended::Refused("it did not answer with a welcome; is it a master?".into()));
    };
    tracing::info!("worker {} is number {worker} of the pool at {}", options.name, options.master);
    let registration = Arc::new(Registration::new(
        WorkerId(worker),
        shared.accountant.clone(),
        shared.spill.clone(),
        to_master.clone(),
        master,
    ));
    shared.register(Some(registration.clone()));
    let mut heartbeat = interval(Duration::from_millis(heartbeat_ms.max(FASTEST_HEARTBEAT).into()));
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut flush = interval(FLUSH_EVERY);
    flush.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            order = incoming.message() => match order? {
                Some(order) => handle_order(order.message, &registration, queue, &to_master).await,
                None => return Ok(()),
            },
            _ = flush.tick() => registration.outbox.flush(),
            _ = heartbeat.tick() => {
                // If that much is waiting to be sent, the master hears from this worker anyway.
                let status = Message::Status(status(shared, &registration));
                let _ = to_master.try_send(outbox::piece(status));
            }
        }
    }
}

async fn handle_order(
    order: Option<Order>,
    registration: &Arc<Registration>,
    queue: &Sender<Launch>,
    to_master: &mpsc::Sender<Vec<FromWorker>>,
) {
    match order {
        Some(Order::Launch(launch)) => {
            let Some(key) = launch.key else { return };
            let cancelled = registration.begin(key);
            let launch = Launch {
                key,
                body: launch.body,
                cancelled,
                registration: registration.clone(),
                arrived: Instant::now(),
            };
            if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = queue.try_send(launch) {
                registration.end(&key);
                let error = TaskError::Failed("the worker was given more tasks than it has slots".into());
                let ended = TaskEnded { key: Some(key), worker: 0, outcome: Some(failure(&error)) };
                // A stream that has closed needs no answers.
                let _ = to_master.send(outbox::piece(Message::Ended(ended))).await;
            }
        }
        Some(Order::Cancel(cancel)) => in_background(registration, move |kept| kept.cancel(&cancel)),
        Some(Order::RemoveShuffle(gone)) => {
            in_background(registration, move |kept| {
                kept.remove_shuffle(SessionId(gone.session), ShuffleId(gone.shuffle))
            });
        }
        Some(Order::RemoveCache(gone)) => {
            in_background(registration, move |kept| {
                kept.remove_cache(SessionId(gone.session), CacheId(gone.cache))
            });
        }
        Some(Order::RemoveBlob(gone)) => {
            in_background(registration, move |kept| kept.remove_blob(SessionId(gone.session), gone.blob));
        }
        Some(Order::EndSession(gone)) => in_background(registration, move |kept| {
            kept.end_session(SessionId(gone.session));
            // Other processes may need the memory before the next task does.
            heap::give_back();
        }),
        Some(Order::Welcome(_)) | None => {}
    }
}

/// Frees memory and files on a thread that may block. This need not be ordered with other work, because
/// numbers are never reused.
fn in_background(registration: &Arc<Registration>, work: impl FnOnce(&Registration) + Send + 'static) {
    let registration = registration.clone();
    tokio::task::spawn_blocking(move || work(&registration));
}

async fn hello(shared: &Shared) -> io::Result<WorkerHello> {
    let limits = shared.accountant.limits();
    Ok(WorkerHello {
        versions: Some(Versions::new(polars::VERSION)),
        name: shared.options.name.clone(),
        slots: shared.options.slots as u32,
        memory_limit: limits.total as u64,
        cache_limit: limits.cache as u64,
        blocks_address: advertised(shared).await?,
        data_dirs: names(shared.access.data()),
        output_dirs: names(shared.access.outputs()),
    })
}

/// What is cached of each dataset, largest first.
fn datasets(registration: &Registration) -> Vec<CachedDataset> {
    let mut kept = registration.cache.datasets();
    kept.sort_by_key(|dataset| std::cmp::Reverse(dataset.memory_bytes + dataset.disk_bytes));
    kept.truncate(DATASETS);
    let message = |dataset: KeptDataset| CachedDataset {
        session: dataset.session.0,
        cache: dataset.cache.0,
        level: dataset.level.to_string(),
        in_memory: dataset.in_memory as u32,
        on_disk: dataset.on_disk as u32,
        memory_bytes: dataset.memory_bytes,
        disk_bytes: dataset.disk_bytes,
    };
    kept.into_iter().map(message).collect()
}

/// Paths as text. A path that is not text cannot be named in a plan either.
fn names(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().filter_map(|path| path.to_str().map(str::to_owned)).collect()
}

/// The address at which others reach the Blocks service: the one set, or the one it listens on, or this
/// machine's address on the route to the master.
async fn advertised(shared: &Shared) -> io::Result<String> {
    let port = shared.listening.port();
    match &shared.options.advertise {
        Some(address) if address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) => {
            Ok(address.clone())
        }
        Some(host) => Ok(format!("{host}:{port}")),
        None if !shared.listening.ip().is_unspecified() => Ok(shared.listening.to_string()),
        None => {
            let master = dial::host_and_port(&shared.options.master);
            // Nothing is sent: the system only determines which of its addresses it would send from.
            let socket =
                UdpSocket::bind((if shared.listening.is_ipv6() { "[::]" } else { "0.0.0.0" }, 0)).await?;
            socket.connect(master).await?;
            let mut address = socket.local_addr()?;
            address.set_port(port);
            Ok(address.to_string())
        }
    }
}

fn status(shared: &Shared, registration: &Registration) -> WorkerStatus {
    let held = shared.accountant.held();
    let (cached_in_memory, cached_on_disk) = registration.cache.kept_in_all();
    WorkerStatus {
        memory_tasks: (held.tasks + held.blobs) as u64,
        memory_shuffle: held.shuffle as u64,
        memory_cache: held.cache as u64,
        disk_shuffle: registration.blocks.on_disk(),
        disk_cache: registration.cache.on_disk(),
        resident: heap::resident() as u64,
        cached_in_memory: cached_in_memory as u32,
        cached_on_disk: cached_on_disk as u32,
        datasets: datasets(registration),
    }
}
