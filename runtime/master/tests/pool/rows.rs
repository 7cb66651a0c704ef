use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use partita_master::MasterOptions;
use partita_wire::pool::blocks_server::{Blocks, BlocksServer};
use partita_wire::pool::master_client::MasterClient;
use partita_wire::pool::{
    BlobPart, BlobRequest, Chunk, FetchRequest, RemoveBlob, TaskKey, from_session, to_worker,
};
use partita_wire::{CHUNK_BYTES, Token};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status};

use crate::peers::*;

/// A worker's Blocks service: a result of partition n has n chunks.
#[derive(Default, Clone)]
struct Results {
    given: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
}

type Chunks = Pin<Box<dyn Stream<Item = Result<Chunk, Status>> + Send>>;

#[tonic::async_trait]
impl Blocks for Results {
    type FetchStream = Chunks;
    type TakeResultStream = Chunks;

    async fn fetch(&self, _: Request<FetchRequest>) -> Result<Response<Chunks>, Status> {
        Err(Status::unimplemented("nobody shuffles here"))
    }

    async fn take_result(&self, request: Request<TaskKey>) -> Result<Response<Chunks>, Status> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let (given, chunks) = (self.given.clone(), request.get_ref().partition);
        let chunks = stream::iter(0..chunks).map(move |number| {
            given.fetch_add(1, Ordering::SeqCst);
            Ok(Chunk { data: Bytes::from(vec![number as u8; CHUNK_BYTES]) })
        });
        Ok(Response::new(Box::pin(chunks)))
    }
}

async fn serve(results: Results, token: Option<Token>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let service = BlocksServer::with_interceptor(results, Token::require(token));
    let incoming = TcpIncoming::from(listener);
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
    address
}

/// A session with results that wait at a worker.
async fn with_results(pool: &Pool, results: Results, partitions: &[u32]) -> (Worker, Session, Vec<TaskKey>) {
    let address = serve(results, None).await;
    let mut worker = Worker::say_hello(pool, worker_hello("one", 8, &address)).await.unwrap();
    let mut session = Session::open(pool, "notebook").await;
    session.submit(partitions.iter().map(|partition| task(0, *partition))).await;
    let mut keys = Vec::new();
    for _ in partitions {
        let key = worker.launched().await.key.unwrap();
        worker.end(key, waiting(u64::from(key.partition) << 20)).await;
        assert_eq!(session.ended().await.outcome, Some(waiting(u64::from(key.partition) << 20)));
        keys.push(key);
    }
    (worker, session, keys)
}

async fn read(mut chunks: tonic::Streaming<Chunk>) -> Result<Vec<Bytes>, Status> {
    let mut all = Vec::new();
    while let Some(chunk) = soon("a chunk", chunks.message()).await? {
        all.push(chunk.data);
    }
    Ok(all)
}

#[tokio::test]
async fn a_result_comes_through_the_master_once_and_whole() {
    let pool = Pool::usual().await;
    let (_worker, mut session, keys) = with_results(&pool, Results::default(), &[5]).await;
    let chunks = read(session.client.get_result(keys[0]).await.unwrap().into_inner()).await.unwrap();
    assert_eq!(
        chunks.iter().map(|chunk| (chunk.len(), chunk[0])).collect::<Vec<_>>(),
        [(CHUNK_BYTES, 0), (CHUNK_BYTES, 1), (CHUNK_BYTES, 2), (CHUNK_BYTES, 3), (CHUNK_BYTES, 4)]
    );
    let status = session.client.get_result(keys[0]).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert!(status.message().contains("partition 5 of stage 0 in job 0"), "{status}");
    pool.stop().await;
}

#[tokio::test]
async fn a_large_result_is_fetched_only_as_fast_as_it_is_read() {
    let pool = Pool::usual().await;
    let results = Results::default();
    let (_worker, mut session, keys) = with_results(&pool, results.clone(), &[1, 400]).await;
    let mut large = session.client.get_result(keys[1]).await.unwrap().into_inner();
    soon("the first chunk", large.message()).await.unwrap().unwrap();
    // Another result is read completely while nobody reads the large one.
    read(session.client.get_result(keys[0]).await.unwrap().into_inner()).await.unwrap();
    let given = results.given.load(Ordering::SeqCst);
    assert!(given < 100, "{given} MiB of 400 left the worker for a reader who took one");
    assert_eq!(read(large).await.unwrap().len(), 399);
    pool.stop().await;
}

#[tokio::test]
async fn a_result_whose_worker_is_lost_is_an_error_and_no_short_result() {
    let pool = Pool::usual().await;
    let (worker, mut session, keys) = with_results(&pool, Results::default(), &[2, 400]).await;
    let mut large = session.client.get_result(keys[1]).await.unwrap().into_inner();
    soon("the first chunk", large.message()).await.unwrap().unwrap();
    drop(worker);
    pool.until("the loss", |cluster| cluster.workers.is_empty()).await;
    let status = read(large).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("worker 1 (one) was lost"), "{status}");
    assert_eq!(session.client.get_result(keys[0]).await.unwrap_err().code(), Code::NotFound);
    pool.stop().await;
}

#[tokio::test]
async fn a_worker_that_cannot_be_reached_is_named_and_its_result_can_be_asked_for_again() {
    let pool = Pool::usual().await;
    // A port that nothing listens on any more.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let mut worker = Worker::say_hello(&pool, worker_hello("one", 1, &closed)).await.unwrap();
    let mut session = Session::open(&pool, "notebook").await;
    session.submit(tasks(1)).await;
    let key = worker.launched().await.key.unwrap();
    worker.end(key, waiting(10)).await;
    session.ended().await;
    for _ in 0..2 {
        let status = soon("an answer", session.client.get_result(key)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("worker 1 (one)"), "{status}");
    }
    pool.stop().await;
}

#[tokio::test]
async fn the_master_shows_workers_the_pools_token() {
    let token = Token::new("correct horse", "the test").unwrap();
    let pool = Pool::start(MasterOptions { token: Some(token.clone()), ..options() }).await;
    let results = Results::default();
    let address = serve(results.clone(), Some(token.clone())).await;
    let channel =
        tonic::transport::Endpoint::from_shared(format!("http://{}", pool.address)).unwrap().connect_lazy();
    let mut client = MasterClient::with_interceptor(channel, Token::send(Some(token)));
    let (to_worker, messages) = tokio::sync::mpsc::channel(8);
    let hello = partita_wire::pool::from_worker::Message::Hello(worker_hello("one", 1, &address));
    to_worker.send(from_worker(hello)).await.unwrap();
    let work = client.work(tokio_stream::wrappers::ReceiverStream::new(messages)).await.unwrap();
    let (to, messages) = tokio::sync::mpsc::channel(8);
    to.send(from_session(from_session::Message::Hello(session_hello("notebook")))).await.unwrap();
    let mut opened =
        client.open(tokio_stream::wrappers::ReceiverStream::new(messages)).await.unwrap().into_inner();
    to.send(from_session(from_session::Message::Submit(partita_wire::pool::SubmitTasks {
        tasks: vec![task(0, 2)],
    })))
    .await
    .unwrap();
    let mut work = work.into_inner();
    let key = loop {
        let message = soon("a launch", work.message()).await.unwrap().unwrap().message;
        if let Some(to_worker::Message::Launch(launch)) = message {
            break launch.key.unwrap();
        }
    };
    let ended = partita_wire::pool::TaskEnded { key: Some(key), worker: 0, outcome: Some(waiting(2)) };
    to_worker.send(from_worker(partita_wire::pool::from_worker::Message::Ended(ended))).await.unwrap();
    while !matches!(
        soon("the task's end", opened.message()).await.unwrap().unwrap().message,
        Some(partita_wire::pool::to_session::Message::Ended(_))
    ) {}
    assert_eq!(read(client.get_result(key).await.unwrap().into_inner()).await.unwrap().len(), 2);
    assert_eq!(results.asked.load(Ordering::SeqCst), 1);
    pool.stop().await;
}

fn parts(session: u64, blob: u64, sizes: &[usize]) -> impl Stream<Item = BlobPart> + use<> {
    let parts: Vec<_> = sizes
        .iter()
        .enumerate()
        .map(|(number, size)| BlobPart { session, blob, data: vec![number as u8; *size].into() })
        .collect();
    stream::iter(parts)
}

#[tokio::test]
async fn a_blob_is_stored_once_and_every_worker_gets_it() {
    let pool = Pool::usual().await;
    let mut workers = [Worker::join(&pool, "one", 1).await, Worker::join(&pool, "two", 1).await];
    let mut session = Session::open(&pool, "notebook").await;
    let number = session.number;
    let sizes = [CHUNK_BYTES, CHUNK_BYTES, 17];
    let stored = session.client.put_blob(parts(number, 4, &sizes)).await.unwrap().into_inner();
    assert_eq!(stored.bytes, (2 * CHUNK_BYTES + 17) as u64);
    let again = session.client.put_blob(parts(number, 4, &sizes)).await.unwrap_err();
    assert_eq!(again.code(), Code::AlreadyExists);
    assert_eq!(pool.cluster().blob_bytes, stored.bytes);
    let request = BlobRequest { session: number, blob: 4 };
    for worker in &mut workers {
        let chunks = read(worker.client.get_blob(request).await.unwrap().into_inner()).await.unwrap();
        assert!(chunks.iter().all(|chunk| chunk.len() <= CHUNK_BYTES));
        let expected: Vec<u8> = (0u8..3).flat_map(|part| vec![part; sizes[usize::from(part)]]).collect();
        assert!(chunks.concat() == expected);
    }
    session.say(from_session::Message::RemoveBlob(RemoveBlob { session: 0, blob: 4 })).await;
    for worker in &mut workers {
        assert_eq!(
            worker.next().await,
            to_worker::Message::RemoveBlob(RemoveBlob { session: number, blob: 4 })
        );
    }
    assert_eq!(workers[0].client.get_blob(request).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(pool.cluster().blob_bytes, 0);
    // An empty blob is valid too.
    session.client.put_blob(parts(number, 5, &[0])).await.unwrap();
    let empty = workers[0].client.get_blob(BlobRequest { session: number, blob: 5 }).await.unwrap();
    assert!(read(empty.into_inner()).await.unwrap().is_empty());
    pool.stop().await;
}

#[tokio::test]
async fn blobs_past_the_limit_are_refused_and_what_was_stored_of_them_is_gone() {
    let mut options = options();
    options.limits.blob_bytes = 3 << 20;
    let pool = Pool::start(options).await;
    let mut session = Session::open(&pool, "notebook").await;
    let number = session.number;
    session.client.put_blob(parts(number, 1, &[CHUNK_BYTES; 2])).await.unwrap();
    let status = session.client.put_blob(parts(number, 2, &[CHUNK_BYTES; 2])).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("3.15 MB"), "{status}");
    pool.until("the room", |cluster| cluster.blob_bytes == 2 << 20).await;
    // Its number can be reused for a blob that fits.
    session.client.put_blob(parts(number, 2, &[CHUNK_BYTES])).await.unwrap();
    pool.stop().await;
}

/// Begins an upload that stops after the first part, as if from another process: dropping the runtime closes
/// its sockets.
fn unfinished(pool: &Pool, session: u64) -> (Runtime, JoinHandle<Result<(), Status>>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let address = format!("http://{}", pool.address);
    let upload = runtime.spawn(async move {
        let endpoint = tonic::transport::Endpoint::from_shared(address).unwrap();
        let mut client = MasterClient::new(endpoint.connect().await.unwrap());
        client.put_blob(parts(session, 1, &[1000]).chain(stream::pending())).await.map(drop)
    });
    (runtime, upload)
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing_and_is_seen_by_nobody() {
    let pool = Pool::usual().await;
    let mut session = Session::open(&pool, "notebook").await;
    let number = session.number;
    let (process, _upload) = unfinished(&pool, number);
    pool.until("the first part", |cluster| cluster.blob_bytes == 1000).await;
    let half = session.client.get_blob(BlobRequest { session: number, blob: 1 }).await.unwrap_err();
    assert_eq!(half.code(), Code::NotFound);
    process.shutdown_background();
    pool.until("the room", |cluster| cluster.blob_bytes == 0).await;
    // A session's end also ends its uploads.
    let (process, upload) = unfinished(&pool, number);
    pool.until("the first part", |cluster| cluster.blob_bytes == 1000).await;
    drop(session);
    let status = soon("the upload's end", upload).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Cancelled);
    assert_eq!(pool.cluster().blob_bytes, 0);
    process.shutdown_background();
    pool.stop().await;
}

#[tokio::test]
async fn an_upload_that_stands_still_is_given_up_and_its_session_goes_on() {
    let (heartbeat, lost_after) = (Duration::from_millis(50), Duration::from_millis(400));
    let pool = Pool::start(MasterOptions { heartbeat, lost_after, ..options() }).await;
    let mut session = Session::open(&pool, "notebook").await;
    let number = session.number;
    let (process, upload) = unfinished(&pool, number);
    let status = soon("the upload's end", upload).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(pool.cluster().blob_bytes, 0);
    session.client.put_blob(parts(number, 1, &[10])).await.unwrap();
    process.shutdown_background();
    pool.stop().await;
}

#[tokio::test]
async fn a_blob_of_no_session_or_of_two_is_refused() {
    let pool = Pool::usual().await;
    let mut session = Session::open(&pool, "notebook").await;
    let number = session.number;
    let status = session.client.put_blob(parts(number + 1, 1, &[5])).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let mixed = parts(number, 1, &[5]).chain(parts(number, 2, &[5]));
    let status = session.client.put_blob(mixed).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let status = session.client.put_blob(stream::empty::<BlobPart>()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    pool.until("nothing left", |cluster| cluster.blob_bytes == 0).await;
    pool.stop().await;
}
