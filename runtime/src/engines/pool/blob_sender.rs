//! Sends frames to the master, ahead of the tasks that need them.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use partita_engine::codec::{self, BlobError};
use partita_engine::panic_text;
use partita_wire::pool::{BlobPart, Chunk};
use partita_wire::{ChunkStream, chunks, words};
use polars::prelude::DataFrame;

use super::PoolEngine;
use super::blob_table::BlobTable;
use super::link::Link;

/// Sends frames ahead of the tasks that need them.
pub(super) struct BlobSender<'a> {
    pub engine: &'a PoolEngine,
    pub link: &'a Link,
}

impl codec::Blobs for BlobSender<'_> {
    fn put(&self, frame: &DataFrame) -> Result<Option<u64>, BlobError> {
        if !BlobTable::wants(frame) {
            return Ok(None);
        }
        let mut blobs = self.engine.shared.blobs.lock();
        blobs.number(frame, |number| self.send(frame, number)).map(Some)
    }
}

impl BlobSender<'_> {
    fn send(&self, frame: &DataFrame, blob: u64) -> Result<(), BlobError> {
        let runtime = self.engine.runtime.as_ref().ok_or(BlobError::SessionEnded)?;
        let (writer, stream) = chunks();
        let parts = Parts { stream, session: self.link.session, blob };
        let mut client = self.link.client.clone();
        let (done, stored) = crossbeam_channel::bounded(1);
        let call = runtime.spawn(async move {
            let _ = done.send(client.put_blob(parts).await);
        });
        // On a thread of its own: the caller's thread may belong to a runtime, where the writer must not
        // wait.
        let write = move || {
            let mut writer = writer;
            codec::write_frame(frame, &mut writer).map(|()| writer.finish())
        };
        let written = std::thread::scope(|scope| scope.spawn(write).join());
        // If the call failed first, it knows better than the writer why.
        let broken = |error: String| match stored.try_recv() {
            Ok(Err(status)) => words(&status),
            _ => error,
        };
        let failure = match written {
            Ok(Ok(Ok(()))) => None,
            Ok(Ok(Err(error))) => Some(error.to_string()),
            Ok(Err(error)) => Some(error.to_string()),
            Err(panic) => Some(panic_text(&*panic)),
        };
        if let Some(error) = failure {
            call.abort();
            return Err(BlobError::NotSent(broken(error)));
        }
        match stored.recv() {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(status)) => Err(BlobError::NotSent(words(&status))),
            Err(_) => Err(BlobError::NotSent("the connection broke".to_owned())),
        }
    }
}

/// Chunks as parts of a blob.
struct Parts {
    stream: ChunkStream,
    session: u64,
    blob: u64,
}

impl Stream for Parts {
    type Item = BlobPart;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<BlobPart>> {
        let (session, blob) = (self.session, self.blob);
        match Pin::new(&mut self.stream).poll_next(context) {
            Poll::Ready(Some(Ok(Chunk { data }))) => Poll::Ready(Some(BlobPart { session, blob, data })),
            // The call is abandoned then; its end must not look like the end of the rows.
            Poll::Ready(Some(Err(_))) | Poll::Pending => Poll::Pending,
            Poll::Ready(None) => Poll::Ready(None),
        }
    }
}
