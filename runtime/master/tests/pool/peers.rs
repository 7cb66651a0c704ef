use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use partita_events::Event;
use partita_master::{Cluster, Master, MasterOptions, Recorder, View};
use partita_wire::pool::master_client::MasterClient;
use partita_wire::pool::{
    FromSession, FromWorker, LaunchTask, SessionHello, SubmitTasks, TaskEnded, TaskFailure, TaskKey,
    TaskSpec, TaskStarted, TaskSuccess, ToSession, ToWorker, Versions, WorkerHello, WorkerStatus,
    from_session, from_worker, task_ended, task_failure, task_success, to_session, to_worker,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};

pub const POLARS: &str = "0.55.0";

/// Long enough for a machine that is busy with other work; no test should ever need it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for something that must happen.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} did not happen"))
}

/// A running master.
pub struct Pool {
    pub address: SocketAddr,
    view: View,
    stop: CancellationToken,
    served: JoinHandle<()>,
}

pub fn options() -> MasterOptions {
    MasterOptions {
        heartbeat: Duration::from_secs(10),
        lost_after: PATIENCE,
        ..MasterOptions::new(([127, 0, 0, 1], 0).into(), POLARS)
    }
}

impl Pool {
    pub async fn start(options: MasterOptions) -> Self {
        let master = Master::bind(options).await.unwrap();
        let (address, view, stop) = (master.local_addr(), master.view(), master.stop());
        let served = tokio::spawn(async move { master.serve().await.unwrap() });
        Self { address, view, stop, served }
    }

    pub async fn usual() -> Self {
        Self::start(options()).await
    }

    pub fn cluster(&self) -> Cluster {
        self.view.cluster()
    }

    /// Waits until the master's own view matches; there is no event for it.
    pub async fn until(&self, what: &str, wanted: impl Fn(&Cluster) -> bool) -> Cluster {
        soon(what, async {
            loop {
                let cluster = self.cluster();
                if wanted(&cluster) {
                    return cluster;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
    }

    pub async fn stop(self) {
        self.stop.cancel();
        soon("the master's end", self.served).await.unwrap();
    }

    /// A separate connection for every peer.
    pub async fn dial(&self) -> MasterClient<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        MasterClient::new(endpoint.connect().await.unwrap()).max_decoding_message_size(usize::MAX)
    }
}

/// A worker as the master sees it.
pub struct Worker {
    pub number: u64,
    pub heartbeat_ms: u32,
    pub to: mpsc::Sender<FromWorker>,
    pub from: Streaming<ToWorker>,
    pub client: MasterClient<Channel>,
}

pub fn worker_hello(name: &str, slots: u32, blocks_address: &str) -> WorkerHello {
    WorkerHello {
        versions: Some(Versions::new(POLARS)),
        name: name.into(),
        slots,
        memory_limit: 1 << 30,
        cache_limit: 1 << 29,
        blocks_address: blocks_address.into(),
        ..WorkerHello::default()
    }
}

impl Worker {
    pub async fn join(pool: &Pool, name: &str, slots: u32) -> Self {
        Self::say_hello(pool, worker_hello(name, slots, "127.0.0.1:9")).await.unwrap()
    }

    pub async fn say_hello(pool: &Pool, hello: WorkerHello) -> Result<Self, Status> {
        let mut client = pool.dial().await;
        let (to, messages) = mpsc::channel(1024);
        to.send(from_worker(from_worker::Message::Hello(hello))).await.unwrap();
        let mut from = client.work(ReceiverStream::new(messages)).await?.into_inner();
        let welcome = soon("the welcome", from.message()).await?.unwrap().message;
        let Some(to_worker::Message::Welcome(welcome)) = welcome else { panic!("{welcome:?}") };
        Ok(Self { number: welcome.worker, heartbeat_ms: welcome.heartbeat_ms, to, from, client })
    }

    pub async fn say(&self, message: from_worker::Message) {
        self.to.send(from_worker(message)).await.unwrap();
    }

    pub async fn next(&mut self) -> to_worker::Message {
        soon("a message to a worker", self.from.message()).await.unwrap().unwrap().message.unwrap()
    }

    pub async fn launched(&mut self) -> LaunchTask {
        match self.next().await {
            to_worker::Message::Launch(launch) => launch,
            other => panic!("a launch was expected, not {other:?}"),
        }
    }

    pub async fn end(&self, key: TaskKey, outcome: task_ended::Outcome) {
        self.say(from_worker::Message::Ended(TaskEnded {
            key: Some(key),
            worker: 0,
            outcome: Some(outcome),
        }))
        .await;
    }

    /// Ends every task at once with `rows` bytes of rows, until the stream ends.
    pub fn run(mut self, rows: usize) -> JoinHandle<()> {
        let rows = Bytes::from(vec![7; rows]);
        tokio::spawn(async move {
            while let Ok(Some(message)) = self.from.message().await {
                let Some(to_worker::Message::Launch(LaunchTask { key, .. })) = message.message else {
                    continue;
                };
                let started = TaskStarted { key, slot: 0, worker: 0 };
                let ended = TaskEnded { key, worker: 0, outcome: Some(success(rows.clone())) };
                for message in [from_worker::Message::Started(started), from_worker::Message::Ended(ended)] {
                    if self.to.send(from_worker(message)).await.is_err() {
                        return;
                    }
                }
            }
        })
    }

    /// Sends a heartbeat at this interval for as long as the worker is there.
    pub fn beat(&self, every: Duration) {
        let to = self.to.downgrade();
        tokio::spawn(async move {
            while let Some(to) = to.upgrade() {
                let status = from_worker(from_worker::Message::Status(WorkerStatus::default()));
                if to.send(status).await.is_err() {
                    return;
                }
                drop(to);
                tokio::time::sleep(every).await;
            }
        });
    }
}

/// A session as the master sees it.
pub struct Session {
    pub number: u64,
    pub workers: Vec<u64>,
    pub to: mpsc::Sender<FromSession>,
    pub from: Streaming<ToSession>,
    pub client: MasterClient<Channel>,
}

pub fn session_hello(name: &str) -> SessionHello {
    SessionHello { versions: Some(Versions::new(POLARS)), name: name.into() }
}

impl Session {
    pub async fn open(pool: &Pool, name: &str) -> Self {
        Self::say_hello(pool, session_hello(name)).await.unwrap()
    }

    pub async fn say_hello(pool: &Pool, hello: SessionHello) -> Result<Self, Status> {
        Self::with(pool.dial().await, hello).await
    }

    pub async fn with(mut client: MasterClient<Channel>, hello: SessionHello) -> Result<Self, Status> {
        let (to, messages) = mpsc::channel(64);
        to.send(from_session(from_session::Message::Hello(hello))).await.unwrap();
        let mut from = client.open(ReceiverStream::new(messages)).await?.into_inner();
        let opened = soon("the session's number", from.message()).await?.unwrap().message;
        let Some(to_session::Message::Opened(opened)) = opened else { panic!("{opened:?}") };
        let workers = opened.workers.iter().map(|worker| worker.worker).collect();
        Ok(Self { number: opened.session, workers, to, from, client })
    }

    pub async fn say(&self, message: from_session::Message) {
        self.to.send(from_session(message)).await.unwrap();
    }

    pub async fn submit(&self, tasks: impl IntoIterator<Item = TaskSpec>) {
        self.say(from_session::Message::Submit(SubmitTasks { tasks: tasks.into_iter().collect() })).await;
    }

    pub async fn next(&mut self) -> to_session::Message {
        soon("a message to a session", self.from.message()).await.unwrap().unwrap().message.unwrap()
    }

    /// Waits for the next task's end and skips other messages.
    pub async fn ended(&mut self) -> TaskEnded {
        loop {
            if let to_session::Message::Ended(ended) = self.next().await {
                return ended;
            }
        }
    }

    /// Waits for the ends of this many tasks, by partition. None may end twice.
    pub async fn all_ended(&mut self, tasks: usize) -> BTreeMap<u32, TaskEnded> {
        let mut all = BTreeMap::new();
        for _ in 0..tasks {
            let ended = self.ended().await;
            let twice = all.insert(ended.key.unwrap().partition, ended);
            assert!(twice.is_none(), "ended twice: {twice:?}");
        }
        all
    }

    /// The status that the stream ends with.
    pub async fn end(&mut self) -> Option<Status> {
        loop {
            match soon("the stream's end", self.from.message()).await {
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(status) => return Some(status),
            }
        }
    }
}

pub fn from_worker(message: from_worker::Message) -> FromWorker {
    FromWorker { message: Some(message) }
}

pub fn from_session(message: from_session::Message) -> FromSession {
    FromSession { message: Some(message) }
}

pub fn key(job: u64, partition: u32) -> TaskKey {
    // The master fills in the session's number.
    TaskKey { session: 999, job, stage: 0, partition, attempt: 0 }
}

pub fn task(job: u64, partition: u32) -> TaskSpec {
    TaskSpec {
        key: Some(key(job, partition)),
        body: Bytes::from(format!("task {partition}")),
        ..TaskSpec::default()
    }
}

pub fn tasks(count: u32) -> Vec<TaskSpec> {
    (0..count).map(|partition| task(0, partition)).collect()
}

pub fn success(rows: Bytes) -> task_ended::Outcome {
    let metrics = "{}".into();
    task_ended::Outcome::Success(TaskSuccess {
        metrics,
        result: Some(task_success::Result::Rows(rows)),
        ..TaskSuccess::default()
    })
}

pub fn waiting(bytes: u64) -> task_ended::Outcome {
    let result = Some(task_success::Result::Waiting(bytes));
    task_ended::Outcome::Success(TaskSuccess { metrics: "{}".into(), result, ..TaskSuccess::default() })
}

/// How a task failed; `None` if it did not.
pub fn failed(ended: &TaskEnded) -> Option<(task_failure::Kind, &str)> {
    match ended.outcome.as_ref().unwrap() {
        task_ended::Outcome::Success(_) => None,
        task_ended::Outcome::Failure(failure) => Some((failure.kind(), &failure.message)),
    }
}

pub fn failure(kind: task_failure::Kind, message: &str) -> task_ended::Outcome {
    let message = message.into();
    task_ended::Outcome::Failure(TaskFailure {
        kind: kind.into(),
        message,
        shuffle: 0,
        map_partitions: vec![],
    })
}

/// A recorder that keeps what it receives.
#[derive(Default)]
pub struct Notes(pub Mutex<Vec<(u64, String)>>);

impl Notes {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }
}

impl Recorder for Notes {
    fn opened(&self, session: u64, name: &str) {
        self.0.lock().unwrap().push((session, format!("opened {name}")));
    }

    fn event(&self, session: u64, event: &Event) {
        self.0.lock().unwrap().push((session, format!("{event:?}")));
    }

    fn closed(&self, session: u64) {
        self.0.lock().unwrap().push((session, "closed".into()));
    }
}
