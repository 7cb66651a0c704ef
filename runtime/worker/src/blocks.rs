use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use partita_engine::shuffle::block::{Block, Packing, write_blocks};
use partita_engine::shuffle::{Owner, ShuffleId};
use partita_events::SessionId;
use partita_wire::pool::blocks_server::{Blocks, BlocksServer};
use partita_wire::pool::{FetchRequest, TaskKey};
use partita_wire::{ChunkStream, ChunkWriter, Token, chunks};
use polars::prelude::PolarsError;
use polars_async::executor::ALLOW_RAYON_THREADS;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Server, ServerTlsConfig};
use tonic::{Code, Request, Response, Status};

use crate::Shared;
use crate::registration::{Registration, result_of};

/// The header of an answer with the size of its rows in memory.
pub(super) const BYTES_HEADER: &str = "partita-bytes";

/// The maximum number of streams written at once; each has a thread.
const STREAMS: usize = 256;
/// A peer that is frozen or cut off is noticed within the sum of these, and its stream is dropped.
const PING: Duration = Duration::from_secs(10);
const PONG: Duration = Duration::from_secs(20);

/// Serves other workers and the master until `shutdown`.
pub(super) fn serve(
    shared: Arc<Shared>,
    listener: TcpListener,
    tls: Option<ServerTlsConfig>,
    shutdown: CancellationToken,
) -> Result<JoinHandle<()>, tonic::transport::Error> {
    let token = shared.options.token.clone();
    let service = Service { shared, streams: Arc::new(Semaphore::new(STREAMS)) };
    let mut server =
        Server::builder().http2_keepalive_interval(Some(PING)).http2_keepalive_timeout(Some(PONG));
    if let Some(tls) = tls {
        server = server.tls_config(tls)?;
    }
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let router = server.add_service(BlocksServer::with_interceptor(service, Token::require(token)));
    Ok(tokio::spawn(async move {
        // Open streams do not delay a worker that is stopping.
        tokio::select! {
            ended = router.serve_with_incoming(incoming) => {
                if let Err(error) = ended {
                    tracing::error!("stopped serving blocks: {error}");
                }
            }
            () = shutdown.cancelled() => {}
        }
    }))
}

struct Service {
    shared: Arc<Shared>,
    streams: Arc<Semaphore>,
}

impl Service {
    fn registration(&self) -> Result<Arc<Registration>, Status> {
        self.shared.registration().ok_or_else(|| {
            Status::not_found(format!("worker {} has no master at the moment", self.shared.options.name))
        })
    }

    /// Streams what `write` writes, on a thread of its own.
    async fn stream(
        &self,
        bytes: usize,
        write: impl FnOnce(&mut ChunkWriter) -> Result<(), PolarsError> + Send + 'static,
    ) -> Result<Response<ChunkStream>, Status> {
        let permit = self.streams.clone().acquire_owned().await;
        let permit = permit.map_err(|_| Status::unavailable("the worker is stopping"))?;
        let (mut writer, stream) = chunks();
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            // Serving uses no other cores of the tasks than this one.
            ALLOW_RAYON_THREADS.set(false);
            match write(&mut writer) {
                // A reader that has left needs no end of stream.
                Ok(()) => drop(writer.finish()),
                Err(PolarsError::IO { error, .. }) if error.kind() == ErrorKind::BrokenPipe => {}
                Err(error) => writer.fail(Status::data_loss(error.to_string())),
            }
            ALLOW_RAYON_THREADS.set(true);
        });
        let mut response = Response::new(stream);
        if let Ok(bytes) = bytes.to_string().parse() {
            response.metadata_mut().insert(BYTES_HEADER, bytes);
        }
        Ok(response)
    }
}

#[tonic::async_trait]
impl Blocks for Service {
    type FetchStream = ChunkStream;
    type TakeResultStream = ChunkStream;

    async fn fetch(&self, request: Request<FetchRequest>) -> Result<Response<ChunkStream>, Status> {
        let request = request.into_inner();
        let registration = self.registration()?;
        let owner =
            Owner::Shuffle { session: SessionId(request.session), shuffle: ShuffleId(request.shuffle) };
        let wanted: Vec<usize> = request.map_partitions.iter().map(|map| *map as usize).collect();
        let found = registration.blocks.blocks(owner, request.partition as usize, Some(&wanted));
        let found = found.map_err(|missing| {
            let name = &self.shared.options.name;
            let text = format!(
                "worker {name} does not have map partitions {missing:?} of shuffle {}",
                request.shuffle
            );
            let named: Vec<String> = missing.iter().map(usize::to_string).collect();
            Status::with_details(Code::NotFound, text, named.join(",").into())
        })?;
        let bytes = found.iter().flat_map(|(_, blocks)| blocks).map(Block::bytes).sum();
        let packing = if self.shared.options.compress_shuffle { Packing::Lz4 } else { Packing::Plain };
        self.stream(bytes, move |writer| {
            for (map, blocks) in found {
                if let Err(error) = write_blocks(&blocks, packing, writer) {
                    let left = matches!(&error, PolarsError::IO { error, .. } if error.kind() == ErrorKind::BrokenPipe);
                    if !left {
                        // What cannot be read once will not be readable later: it must be made again.
                        registration.blocks.forget(owner, map);
                    }
                    return Err(error);
                }
            }
            Ok(())
        })
        .await
    }

    async fn take_result(&self, request: Request<TaskKey>) -> Result<Response<ChunkStream>, Status> {
        let key = request.into_inner();
        let result = self.registration()?.blocks.take(result_of(&key));
        let Some(blocks) = result else {
            return Err(Status::not_found(format!(
                "worker {} has no result of partition {} of stage {} in job {}: a result can be fetched only once",
                self.shared.options.name, key.partition, key.stage, key.job
            )));
        };
        let bytes = blocks.iter().map(Block::bytes).sum();
        let write = move |writer: &mut ChunkWriter| {
            blocks.iter().try_for_each(|block| block.write(Packing::Lz4, writer))
        };
        self.stream(bytes, write).await
    }
}
