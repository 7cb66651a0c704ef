use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use partita_events::figures;
use partita_wire::CHUNK_BYTES;
use partita_wire::pool::{BlobPart, BlobRequest, BlobStored, Chunk};
use tokio::task::spawn_blocking;
use tonic::{Status, Streaming};

use crate::liveness::{Heard, Pulse};
use crate::state::Shared;

/// The most blobs that one session can have at a time.
const BLOBS: usize = 10_000;

/// The blobs that exist, and their size. Their bytes are in unlinked files, which the system removes when
/// nobody reads them any more, however the master ends.
#[derive(Debug)]
pub(crate) struct Blobs {
    sessions: BTreeMap<u64, BTreeMap<u64, Blob>>,
    bytes: u64,
    limit: u64,
}

#[derive(Debug)]
struct Blob {
    file: Arc<File>,
    bytes: u64,
    /// Whether the upload is complete.
    whole: bool,
}

impl Blobs {
    pub(crate) fn new(limit: u64) -> Self {
        Self { sessions: BTreeMap::new(), bytes: 0, limit }
    }

    /// The size of all blobs, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The size of a session's blobs, in bytes.
    pub(crate) fn session_bytes(&self, session: u64) -> u64 {
        self.sessions.get(&session).map_or(0, |blobs| blobs.values().map(|blob| blob.bytes).sum())
    }

    /// Removes a blob.
    pub(crate) fn remove(&mut self, session: u64, blob: u64) -> Option<Arc<File>> {
        let removed = self.sessions.get_mut(&session)?.remove(&blob)?;
        self.bytes -= removed.bytes;
        Some(removed.file)
    }

    /// Removes a session's blobs.
    pub(crate) fn remove_session(&mut self, session: u64) -> Vec<Arc<File>> {
        let blobs = self.sessions.remove(&session).unwrap_or_default();
        self.bytes -= blobs.values().map(|blob| blob.bytes).sum::<u64>();
        blobs.into_values().map(|blob| blob.file).collect()
    }

    fn begin(&mut self, session: u64, blob: u64, file: Arc<File>) -> Result<(), Status> {
        let blobs = self.sessions.entry(session).or_default();
        if blobs.contains_key(&blob) {
            return Err(Status::already_exists(format!("blob {blob} of session {session} already exists")));
        }
        if blobs.len() >= BLOBS {
            return Err(Status::resource_exhausted(format!(
                "session {session} already has {BLOBS} blobs, the most that are allowed; remove some first"
            )));
        }
        blobs.insert(blob, Blob { file, bytes: 0, whole: false });
        Ok(())
    }

    /// The blob that is being stored in `file`. It may have been removed meanwhile and its number reused.
    fn unfinished(&mut self, session: u64, blob: u64, file: &Arc<File>) -> Result<&mut Blob, Status> {
        self.sessions
            .get_mut(&session)
            .and_then(|blobs| blobs.get_mut(&blob))
            .filter(|found| Arc::ptr_eq(&found.file, file))
            .ok_or_else(|| {
                Status::cancelled(format!("blob {blob} of session {session} was removed while it was stored"))
            })
    }

    /// Reserves bytes before they are written.
    fn grow(&mut self, session: u64, blob: u64, file: &Arc<File>, more: u64) -> Result<(), Status> {
        let (bytes, limit) = (self.bytes, self.limit);
        let found = self.unfinished(session, blob, file)?;
        if bytes.saturating_add(more) > limit {
            return Err(Status::resource_exhausted(format!(
                "frames that tasks need come to more than {} together, the most this master keeps; give it \
                 a larger limit, or read large tables from files",
                figures::bytes(limit)
            )));
        }
        found.bytes += more;
        self.bytes += more;
        Ok(())
    }

    fn finish(&mut self, session: u64, blob: u64, file: &Arc<File>) -> Result<u64, Status> {
        let found = self.unfinished(session, blob, file)?;
        found.whole = true;
        Ok(found.bytes)
    }

    /// Removes an upload that broke off.
    fn abandon(&mut self, session: u64, blob: u64, file: &Arc<File>) -> Option<Arc<File>> {
        self.unfinished(session, blob, file).ok().filter(|found| !found.whole)?;
        self.remove(session, blob)
    }

    fn find(&self, session: u64, blob: u64) -> Option<(Arc<File>, u64)> {
        let found = self.sessions.get(&session)?.get(&blob).filter(|found| found.whole)?;
        Some((found.file.clone(), found.bytes))
    }
}

/// A running upload. If it is dropped before its end, it removes what it has stored.
struct Upload<'a> {
    shared: &'a Shared,
    session: u64,
    blob: u64,
    file: Arc<File>,
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        self.shared.with(|state, _| {
            let file = state.blobs.abandon(self.session, self.blob, &self.file);
            state.removed.extend(file);
        });
    }
}

/// Stores the blob that a session sends in parts.
pub(crate) async fn put(shared: &Shared, mut parts: Streaming<BlobPart>) -> Result<BlobStored, Status> {
    let first = following(shared, &mut parts)
        .await?
        .ok_or_else(|| Status::invalid_argument("the upload of a blob has no part"))?;
    let BlobPart { session, blob, .. } = first;
    let spool = shared.options.spool.clone();
    let file = spawn_blocking(move || tempfile::tempfile_in(spool)).await.map_err(broken)?;
    let file = Arc::new(file.map_err(|error| unwritable(shared, &error))?);
    let gone = shared.with(|state, _| {
        let gone = state.sessions.get(&session).map(|peer| peer.gone.clone());
        let gone = gone.ok_or_else(|| Status::not_found(format!("there is no session {session}")))?;
        state.blobs.begin(session, blob, file.clone())?;
        Ok::<_, Status>(gone)
    })?;
    let upload = Upload { shared, session, blob, file };
    let store = async {
        let (mut next, mut at) = (Some(first), 0);
        while let Some(part) = next {
            if (part.session, part.blob) != (session, blob) && (part.session, part.blob) != (0, 0) {
                return Err(Status::invalid_argument(
                    "the parts of one call belong to several blobs; store one blob per call",
                ));
            }
            let more = part.data.len() as u64;
            shared.with(|state, _| state.blobs.grow(session, blob, &upload.file, more))?;
            let file = upload.file.clone();
            let written = spawn_blocking(move || file.write_all_at(&part.data, at)).await.map_err(broken)?;
            written.map_err(|error| unwritable(shared, &error))?;
            at += more;
            next = following(shared, &mut parts).await?;
        }
        shared.with(|state, _| state.blobs.finish(session, blob, &upload.file))
    };
    tokio::select! {
        stored = store => Ok(BlobStored { bytes: stored? }),
        () = gone.cancelled() => Err(Status::cancelled(format!("session {session} ended"))),
    }
}

/// Receives the next part. It times out, so that a call abandoned by its client does not hold what it has
/// stored.
async fn following(shared: &Shared, parts: &mut Streaming<BlobPart>) -> Result<Option<BlobPart>, Status> {
    match Pulse::new(shared.options.lost_after).next(parts).await {
        Heard::Something(part) => part.map(Some),
        Heard::End => Ok(None),
        Heard::Silence => Err(Status::deadline_exceeded(format!(
            "the upload of a blob sent nothing for {:?}",
            shared.options.lost_after
        ))),
    }
}

/// Streams a blob's bytes. Each chunk is read when it is needed.
pub(crate) fn get(
    shared: &Shared,
    request: &BlobRequest,
) -> Result<impl Stream<Item = Result<Chunk, Status>> + use<>, Status> {
    let BlobRequest { session, blob } = *request;
    let (file, bytes) = shared
        .with(|state, _| state.blobs.find(session, blob))
        .ok_or_else(|| Status::not_found(format!("there is no blob {blob} of session {session}")))?;
    Ok(futures::stream::try_unfold(0, move |at| {
        let file = file.clone();
        async move {
            let length = (bytes - at).min(CHUNK_BYTES as u64);
            if length == 0 {
                return Ok(None);
            }
            let read = move || {
                let mut data = vec![0; length as usize];
                file.read_exact_at(&mut data, at).map(|()| Bytes::from(data))
            };
            let data = spawn_blocking(read).await.map_err(broken)?;
            let data = data.map_err(|error| Status::internal(format!("cannot read blob {blob}: {error}")))?;
            Ok(Some((Chunk { data }, at + length)))
        }
    }))
}

fn broken(error: tokio::task::JoinError) -> Status {
    Status::internal(format!("a thread of the master panicked: {error}"))
}

fn unwritable(shared: &Shared, error: &io::Error) -> Status {
    let spool = shared.options.spool.display();
    Status::resource_exhausted(format!("the master cannot write to {spool}: {error}"))
}
