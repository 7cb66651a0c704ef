//! Measures a gigabyte over one gRPC stream on this machine, in chunks as for shuffle blocks, between two
//! runtimes. `bench/pool.py` compares a shuffle with it.

use std::pin::Pin;
use std::time::Instant;

use futures::{Stream, StreamExt, stream};
use partita_wire::CHUNK_BYTES;
use partita_wire::pool::blocks_client::BlocksClient;
use partita_wire::pool::blocks_server::{Blocks, BlocksServer};
use partita_wire::pool::{Chunk, FetchRequest, TaskKey};
use tokio::net::TcpListener;
use tonic::transport::{Channel, Server, server::TcpIncoming};
use tonic::{Request, Response, Status};

const CHUNKS: usize = (1 << 30) / CHUNK_BYTES;
const REPEATS: usize = 5;

struct Zeros;

type Chunks = Pin<Box<dyn Stream<Item = Result<Chunk, Status>> + Send>>;

#[tonic::async_trait]
impl Blocks for Zeros {
    type FetchStream = Chunks;
    type TakeResultStream = Chunks;

    async fn fetch(&self, _: Request<FetchRequest>) -> Result<Response<Chunks>, Status> {
        let chunks = stream::repeat_with(|| Ok(Chunk { data: vec![0; CHUNK_BYTES].into() })).take(CHUNKS);
        Ok(Response::new(Box::pin(chunks)))
    }

    async fn take_result(&self, _: Request<TaskKey>) -> Result<Response<Chunks>, Status> {
        Err(Status::unimplemented("only streams are measured"))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::var_os("PARTITA_BENCH_STREAM").is_none() {
        // Started by Cargo among all benchmarks or tests.
        return Ok(());
    }
    let server = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let listener = server.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    server.spawn(async move {
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        Server::builder().add_service(BlocksServer::new(Zeros)).serve_with_incoming(incoming).await
    });
    let client = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut times: Vec<f64> = client.block_on(async {
        let channel = Channel::from_shared(format!("http://{address}"))?.connect().await?;
        let mut client = BlocksClient::new(channel).max_decoding_message_size(2 * CHUNK_BYTES);
        let mut times = Vec::new();
        for _ in 0..REPEATS {
            let began = Instant::now();
            let mut chunks = client.fetch(FetchRequest::default()).await?.into_inner();
            let mut bytes = 0;
            while let Some(chunk) = chunks.message().await? {
                bytes += chunk.data.len();
            }
            if bytes != CHUNKS * CHUNK_BYTES {
                return Err(format!("{bytes} bytes came").into());
            }
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        Ok::<_, Box<dyn std::error::Error>>(times)
    })?;
    times.sort_by(f64::total_cmp);
    println!("{}", serde_json::json!({"times": {"a gigabyte as a stream": times[REPEATS / 2]}}));
    Ok(())
}
