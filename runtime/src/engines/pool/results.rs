//! Fetches rows that wait at a worker, through the master.

use std::time::Duration;

use partita_engine::task::TaskError;
use partita_wire::pool::TaskKey;
use partita_wire::{ChunkReader, words};
use polars::prelude::DataFrame;
use tokio::runtime::Handle;

use super::link::Client;

/// How long a worker may be silent in the middle of its rows.
const SILENCE: Duration = Duration::from_secs(60);

/// Fetches the rows. The runtime thread only waits.
pub(super) async fn take(mut client: Client, key: TaskKey) -> Result<DataFrame, TaskError> {
    let lost = |text: String| TaskError::WorkerLost(format!("its result could not be fetched: {text}"));
    let stream = client.get_result(key).await.map_err(|status| lost(words(&status)))?.into_inner();
    let handle = Handle::current();
    let read = tokio::task::spawn_blocking(move || {
        let mut reader = ChunkReader::new(stream, handle, SILENCE);
        DataFrame::deserialize_from_reader(&mut reader).map_err(|error| match reader.failure() {
            Some(status) => lost(words(status)),
            None => TaskError::Failed(format!("its result cannot be read: {error}")),
        })
    });
    read.await.unwrap_or_else(|error| Err(TaskError::Failed(format!("its result cannot be read: {error}"))))
}
