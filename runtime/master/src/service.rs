use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use partita_bridge::Event;
use partita_wire::pool::master_server::Master;
use partita_wire::pool::{
    BlobPart, BlobRequest, BlobStored, Chunk, EventBatch, FromSession, FromWorker, TaskKey, ToSession, ToWorker,
    from_session, from_worker,
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use crate::liveness::{Heard, Pulse};
use crate::outbox::Sending;
use crate::state::Shared;
use crate::{blobs, results};

/// How long a peer may take for its hello.
const HELLO: Duration = Duration::from_secs(10);

/// Messages taken in one go, if so many are there.
const BATCH: usize = 64;

/// The service; the token was checked before.
pub(crate) struct Service(pub(crate) Arc<Shared>);

type Chunks = Pin<Box<dyn Stream<Item = Result<Chunk, Status>> + Send>>;

#[tonic::async_trait]
impl Master for Service {
    type WorkStream = Sending<ToWorker>;
    type OpenStream = Sending<ToSession>;
    type GetBlobStream = Chunks;
    type GetResultStream = Chunks;

    async fn work(
        &self, request: Request<Streaming<FromWorker>>,
    ) -> Result<Response<Self::WorkStream>, Status> {
        let shared = self.0.clone();
        let mut stream = request.into_inner();
        let Some(from_worker::Message::Hello(hello)) = first(&mut stream).await?.message else {
            return Err(Status::invalid_argument("a worker says hello first"));
        };
        shared.versions.check("worker", hello.versions.as_ref())?;
        let channel = results::channel(&shared.options, &hello.blocks_address)?;
        let heartbeat = u32::try_from(shared.options.heartbeat.as_millis()).unwrap_or(u32::MAX).max(1);
        let gone = CancellationToken::new();
        let (worker, sending) =
            shared.with(|state, now| state.add_worker(hello, channel, heartbeat, gone.clone(), now))?;
        tokio::spawn(listen_to_worker(shared, worker, stream, gone));
        Ok(Response::new(sending))
    }

    async fn open(
        &self, request: Request<Streaming<FromSession>>,
    ) -> Result<Response<Self::OpenStream>, Status> {
        let shared = self.0.clone();
        let mut stream = request.into_inner();
        let Some(from_session::Message::Hello(hello)) = first(&mut stream).await?.message else {
            return Err(Status::invalid_argument("a session says hello first"));
        };
        shared.versions.check("session", hello.versions.as_ref())?;
        let gone = CancellationToken::new();
        let wait = shared.options.locality_wait;
        let (session, sending) = shared.with(|state, _| state.open_session(&hello, wait, gone.clone()))?;
        shared.options.recorder.opened(session, &crate::state::name(&hello.name));
        tokio::spawn(listen_to_session(shared, session, stream, gone));
        Ok(Response::new(sending))
    }

    async fn put_blob(&self, request: Request<Streaming<BlobPart>>) -> Result<Response<BlobStored>, Status> {
        blobs::put(&self.0, request.into_inner()).await.map(Response::new)
    }

    async fn get_blob(&self, request: Request<BlobRequest>) -> Result<Response<Chunks>, Status> {
        let chunks = blobs::get(&self.0, request.get_ref())?;
        Ok(Response::new(Box::pin(chunks)))
    }

    async fn get_result(&self, request: Request<TaskKey>) -> Result<Response<Chunks>, Status> {
        let chunks = results::get(&self.0, request.into_inner()).await?;
        Ok(Response::new(Box::pin(chunks)))
    }
}

/// The first message of a stream.
async fn first<T>(stream: &mut Streaming<T>) -> Result<T, Status> {
    tokio::time::timeout(HELLO, stream.message())
        .await
        .map_err(|_| Status::deadline_exceeded("nothing was said for ten seconds"))??
        .ok_or_else(|| Status::invalid_argument("the stream ended before it said anything"))
}

async fn listen_to_worker(
    shared: Arc<Shared>, worker: u64, stream: Streaming<FromWorker>, gone: CancellationToken,
) {
    let mut pulse = Pulse::new(shared.options.lost_after);
    let mut batches = stream.ready_chunks(BATCH);
    let (reason, end) = loop {
        let heard = tokio::select! {
            biased;
            () = gone.cancelled() => break ("its connection broke".to_owned(), None),
            heard = pulse.next(&mut batches) => heard,
        };
        let batch = match heard {
            Heard::Something(batch) => batch,
            Heard::End => break ("it left".to_owned(), None),
            Heard::Silence => {
                let reason = format!("nothing was heard of it for {:?}", shared.options.lost_after);
                let end = Status::aborted(format!("this worker counts as lost: {reason}"));
                break (reason, Some(end));
            }
        };
        let done = shared.with(|state, now| {
            batch.into_iter().try_for_each(|message| state.from_worker(worker, message?, now))
        });
        if let Err(status) = done {
            break (describe(&status), Some(status));
        }
    };
    shared.with(|state, now| state.lose_worker(worker, &reason, end, now));
}

async fn listen_to_session(
    shared: Arc<Shared>, session: u64, stream: Streaming<FromSession>, gone: CancellationToken,
) {
    let mut batches = stream.ready_chunks(BATCH);
    let step = shared.options.allocation_step.max(Duration::from_millis(1));
    let reason = loop {
        let batch = tokio::select! {
            biased;
            () = gone.cancelled() => break None,
            batch = batches.next() => batch,
        };
        let Some(batch) = batch else { break None };
        let mut events = Vec::new();
        let done = shared.with(|state, now| {
            for message in batch {
                match message?.message {
                    Some(from_session::Message::Events(batch)) => events.push(batch),
                    Some(message) => state.from_session(session, message, step, now)?,
                    None => {
                        return Err(Status::invalid_argument("a message of a kind this master does not know"));
                    }
                }
            }
            Ok(())
        });
        events.into_iter().for_each(|batch| record(&shared, session, batch));
        if let Err(status) = done {
            break Some(status);
        }
    };
    shared.with(|state, _| state.close_session(session, reason));
    shared.options.recorder.closed(session);
}

fn record(shared: &Shared, session: u64, batch: EventBatch) {
    for text in batch.events {
        match serde_json::from_str::<Event>(&text) {
            Ok(event) => shared.options.recorder.event(session, &event),
            Err(error) => tracing::warn!(session, %error, "an event that cannot be read is left out"),
        }
    }
}

/// Why a peer's stream broke, for people: the transport's own words say little.
fn describe(status: &Status) -> String {
    match status.code() {
        tonic::Code::Cancelled | tonic::Code::Unknown | tonic::Code::Unavailable => {
            format!("its connection broke ({})", status.message())
        }
        _ => status.message().to_owned(),
    }
}
