use std::collections::HashMap;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use futures::future::join_all;
use parking_lot::Mutex;
use partita_engine::codec::ShuffleSource;
use partita_engine::shuffle::ShuffleId;
use partita_engine::shuffle::block::read_blocks;
use partita_engine::task::TaskError;
use partita_events::SessionId;
use partita_wire::pool::blocks_client::BlocksClient;
use partita_wire::pool::{Chunk, FetchRequest};
use partita_wire::{ChunkReader, MESSAGE_BYTES, Token, words};
use polars::prelude::DataFrame;
use tokio::runtime::Handle;
use tonic::transport::{Channel, ClientTlsConfig};
use tonic::{Code, Status, Streaming};

use crate::blocks::BYTES_HEADER;
use crate::{WorkerOptions, dial};

/// The maximum number of channels kept; a pool has few more workers than that.
const MOST_CHANNELS: usize = 1024;

/// What to fetch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub session: SessionId,
    pub shuffle: ShuffleId,
    pub partition: usize,
}

/// Fetches blocks from other workers.
pub(super) struct Fetcher {
    token: Option<Token>,
    tls: Option<ClientTlsConfig>,
    silence: Duration,
    runtime: Handle,
    channels: Mutex<HashMap<String, Channel>>,
}

impl Fetcher {
    pub fn new(options: &WorkerOptions, tls: Option<ClientTlsConfig>, runtime: Handle) -> Self {
        let (token, silence) = (options.token.clone(), options.fetch_silence);
        Self { token, tls, silence, runtime, channels: Mutex::default() }
    }

    /// Requests the blocks of several workers at once. Their rows are not read yet, so the workers send
    /// only as much as fits into the windows. Call it on a thread that may block.
    ///
    /// # Errors
    /// [`TaskError::FetchFailed`] with the map partitions of all workers that do not answer.
    pub fn open(&self, wanted: &Wanted, sources: &[&ShuffleSource]) -> Result<Vec<Incoming>, TaskError> {
        let opened = sources.iter().map(|source| self.open_one(wanted, source));
        let opened = self.runtime.block_on(join_all(opened));
        let mut streams = Vec::with_capacity(opened.len());
        let mut missing = Vec::new();
        let mut causes: Vec<String> = Vec::new();
        for (answer, source) in opened.into_iter().zip(sources) {
            match answer {
                Ok(stream) => streams.push(stream),
                Err(status) => {
                    missing.extend(missing_of(&status, source));
                    causes.push(format!(
                        "worker {} at {}: {}",
                        source.worker,
                        source.address,
                        words(&status)
                    ));
                }
            }
        }
        if missing.is_empty() {
            return Ok(streams);
        }
        causes.dedup();
        Err(TaskError::FetchFailed {
            shuffle: wanted.shuffle,
            map_partitions: missing,
            cause: causes.join("; "),
        })
    }

    async fn open_one(&self, wanted: &Wanted, source: &ShuffleSource) -> Result<Incoming, Status> {
        let request = FetchRequest {
            session: wanted.session.0,
            shuffle: wanted.shuffle.0,
            partition: wanted.partition as u32,
            map_partitions: source.map_partitions.iter().map(|map| *map as u32).collect(),
        };
        let once = || async {
            let channel = self.channel(&source.address)?;
            let mut client = BlocksClient::with_interceptor(channel, Token::send(self.token.clone()))
                .max_decoding_message_size(MESSAGE_BYTES);
            match tokio::time::timeout(self.silence, client.fetch(request.clone())).await {
                Ok(answer) => answer,
                Err(_) => Err(Status::deadline_exceeded(format!(
                    "no answer for {} s: it is frozen or cut off",
                    self.silence.as_secs_f64()
                ))),
            }
        };
        // A connection may break by accident, but a worker that is gone must not be retried for long.
        let again = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(50))
            .with_max_times(3)
            .with_jitter();
        let answer = once.retry(again).when(|status| status.code() == Code::Unavailable).await?;
        let bytes = answer.metadata().get(BYTES_HEADER).and_then(|bytes| bytes.to_str().ok()?.parse().ok());
        Ok(Incoming {
            bytes: bytes.unwrap_or(0),
            wanted: *wanted,
            source: source.clone(),
            reader: ChunkReader::new(answer.into_inner(), self.runtime.clone(), self.silence),
        })
    }

    fn channel(&self, address: &str) -> Result<Channel, Status> {
        let mut channels = self.channels.lock();
        if let Some(channel) = channels.get(address) {
            return Ok(channel.clone());
        }
        let channel = dial::channel(address, self.tls.as_ref())
            .map_err(|error| Status::invalid_argument(format!("{address} is not an address: {error}")))?;
        if channels.len() == MOST_CHANNELS {
            channels.clear();
        }
        channels.insert(address.to_owned(), channel.clone());
        Ok(channel)
    }
}

/// Blocks on their way from one worker.
pub(super) struct Incoming {
    /// Their size in memory.
    pub bytes: usize,
    wanted: Wanted,
    source: ShuffleSource,
    reader: ChunkReader<Streaming<Chunk>>,
}

impl Incoming {
    /// Reads all of them. `go_on` is called between two of them and can stop the reading.
    ///
    /// # Errors
    /// [`TaskError::FetchFailed`] with the map partitions that were not received completely.
    pub fn read(
        mut self,
        go_on: impl Fn() -> Result<(), TaskError>,
        into: &mut Vec<(usize, Vec<DataFrame>)>,
    ) -> Result<(), TaskError> {
        let maps = &self.source.map_partitions;
        for (index, map) in maps.iter().enumerate() {
            go_on()?;
            let frames = read_blocks(&mut self.reader).map_err(|error| {
                let cause = match self.reader.failure() {
                    Some(status) => words(status),
                    None => error.to_string(),
                };
                TaskError::FetchFailed {
                    shuffle: self.wanted.shuffle,
                    map_partitions: maps[index..].to_vec(),
                    cause: format!("worker {} at {}: {cause}", self.source.worker, self.source.address),
                }
            })?;
            into.push((*map, frames));
        }
        Ok(())
    }
}

/// The map partitions that a worker reports as missing; all if it does not say.
fn missing_of(status: &Status, source: &ShuffleSource) -> Vec<usize> {
    let details = std::str::from_utf8(status.details()).unwrap_or_default();
    let named: Vec<usize> = details.split(',').filter_map(|map| map.parse().ok()).collect();
    if status.code() == Code::NotFound && !named.is_empty() { named } else { source.map_partitions.clone() }
}
