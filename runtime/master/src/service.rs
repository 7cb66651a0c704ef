use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use partita_wire::pool::master_server::Master;
use partita_wire::pool::{
    BlobPart, BlobRequest, BlobStored, Chunk, FromSession, FromWorker, TaskKey, ToSession, ToWorker,
    from_session, from_worker,
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use crate::outbox::Sending;
use crate::state::Shared;
use crate::{blobs, listen, results};

/// How long a peer may take for its hello.
const HELLO: Duration = Duration::from_secs(10);

/// The service. The token was checked before.
pub(crate) struct Service(pub(crate) Arc<Shared>);

type Chunks = Pin<Box<dyn Stream<Item = Result<Chunk, Status>> + Send>>;

#[tonic::async_trait]
impl Master for Service {
    type WorkStream = Sending<ToWorker>;
    type OpenStream = Sending<ToSession>;
    type GetBlobStream = Chunks;
    type GetResultStream = Chunks;

    async fn work(
        &self,
        request: Request<Streaming<FromWorker>>,
    ) -> Result<Response<Self::WorkStream>, Status> {
        let shared = self.0.clone();
        let mut stream = request.into_inner();
        let Some(from_worker::Message::Hello(hello)) = first(&mut stream).await?.message else {
            return Err(Status::invalid_argument("the first message of a worker must be a hello"));
        };
        shared.versions.check("worker", hello.versions.as_ref())?;
        let channel = results::channel(&shared.options, &hello.blocks_address)?;
        let heartbeat = u32::try_from(shared.options.heartbeat.as_millis()).unwrap_or(u32::MAX).max(1);
        let gone = CancellationToken::new();
        let (worker, sending) =
            shared.with(|state, now| state.add_worker(hello, channel, heartbeat, gone.clone(), now))?;
        tokio::spawn(listen::to_worker(shared, worker, stream, gone));
        Ok(Response::new(sending))
    }

    async fn open(
        &self,
        request: Request<Streaming<FromSession>>,
    ) -> Result<Response<Self::OpenStream>, Status> {
        let shared = self.0.clone();
        let mut stream = request.into_inner();
        let Some(from_session::Message::Hello(hello)) = first(&mut stream).await?.message else {
            return Err(Status::invalid_argument("the first message of a session must be a hello"));
        };
        shared.versions.check("session", hello.versions.as_ref())?;
        let gone = CancellationToken::new();
        let wait = shared.options.locality_wait;
        let (session, sending) = shared.with(|state, _| state.open_session(&hello, wait, gone.clone()))?;
        shared.options.recorder.opened(session, &crate::state::name(&hello.name));
        tokio::spawn(listen::to_session(shared, session, stream, gone));
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

/// Receives the first message of a stream.
async fn first<T>(stream: &mut Streaming<T>) -> Result<T, Status> {
    tokio::time::timeout(HELLO, stream.message())
        .await
        .map_err(|_| Status::deadline_exceeded("no hello arrived within ten seconds"))??
        .ok_or_else(|| Status::invalid_argument("the stream ended before its first message"))
}
