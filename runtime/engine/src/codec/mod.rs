//! Encodes tasks as bytes for the pool. Nearly everything in a task is data and Polars plans. The rest
//! has a form of its own here: a cached dataset is sent as its number, files are reopened by the
//! receiver, and large frames are sent ahead as blobs. What is received is checked before use: first the
//! bytes (length, depth, checksum), then every path and every reference in them. How the bytes are
//! transported is not known here.

mod access;
mod decode;
mod fragments;
mod frames;
mod nodes;
mod packed;
mod plans;
mod shared;
#[cfg(test)]
mod tests;
mod visit;
mod wire;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use partita_events::WorkerId;
use polars::prelude::DataFrame;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use access::{Access, AccessError};
pub use frames::{read_frame, write_frame};
pub use shared::Shared;
pub use wire::Encoder;

use crate::panic_text;
use crate::shuffle::ShuffleId;
use crate::source::SourceError;
use crate::task::Task;

/// The first bytes of every task.
const MAGIC: &[u8; 4] = b"ptk1";

/// How deep inputs may be nested in a task: plans over caches of plans.
const MAX_INPUT_DEPTH: usize = 128;

/// Why a task cannot be sent, or why the received bytes are not a task.
#[derive(Debug, Error)]
pub enum CodecError {
    /// An expression that calls a closure.
    #[error(
        "{0} calls a closure, which cannot be sent to the pool's workers: write it as expressions (`when`, \
         arithmetic, the `str`, `dt` and `list` functions), or run it in an embedded session (`Session::new`)"
    )]
    Closure(String),
    /// Anything else that has no form as bytes.
    #[error("{what} cannot be sent to the pool's workers: {cause}")]
    CannotTravel { what: String, cause: String },
    /// Bytes that are not what they should be.
    #[error(
        "the task's bytes are damaged: {what}: {cause}; check that all machines run the same version of Partita"
    )]
    Malformed { what: String, cause: String },
    /// A path that tasks may not use.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// A file that cannot be opened here.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A frame that was to be sent ahead is not there.
    #[error("cannot get a frame that the task needs: {0}")]
    Blob(#[from] BlobError),
}

/// Why a frame that is sent ahead of its tasks is not available.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BlobError {
    /// The session has ended, and its frames with it.
    #[error("its session has ended")]
    SessionEnded,
    /// The frame did not reach the master.
    #[error("it cannot be sent to the pool: {0}")]
    NotSent(String),
    /// The frame did not come from the master.
    #[error("the master did not send it: {0}")]
    NotReceived(String),
}

impl CodecError {
    fn cannot_travel(what: &str, cause: impl ToString) -> Self {
        Self::CannotTravel { what: what.to_owned(), cause: cause.to_string() }
    }

    /// Something in a plan that the pool's tasks do not have.
    fn unsupported(what: &str) -> Self {
        Self::cannot_travel(what, "it is not supported there; use other steps")
    }

    fn too_deep(what: &str, most: usize) -> Self {
        Self::cannot_travel(what, format!("it is nested more than {most} deep; compute it in several steps"))
    }

    fn malformed(what: &str, cause: impl ToString) -> Self {
        Self::Malformed { what: what.to_owned(), cause: cause.to_string() }
    }
}

/// Where the shuffle blocks of some map tasks are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShuffleSource {
    /// host:port of the worker's Blocks service.
    pub address: String,
    pub worker: WorkerId,
    pub map_partitions: Vec<usize>,
}

/// Sends frames ahead that are too large for a task.
pub trait Blobs {
    /// Returns the number under which the frame will be found, or `None` if it should be sent inside the
    /// task.
    ///
    /// # Errors
    /// When it cannot be sent ahead.
    fn put(&self, frame: &DataFrame) -> Result<Option<u64>, BlobError>;
}

/// Finds a frame that was sent ahead. May block.
pub type GetBlob<'a> = dyn Fn(u64) -> Result<DataFrame, BlobError> + 'a;

/// A received task.
pub struct Decoded {
    pub task: Task,
    /// Where the blocks of each shuffle are that the task reads.
    pub sources: HashMap<ShuffleId, Vec<ShuffleSource>>,
}

/// Decodes a task from a peer's bytes. `shared` has the parts that it shares with other tasks of its
/// session. Opens the files that the task reads and calls `blobs` for its large frames, so it may block.
/// Deeply nested plans need a stack of [`STACK_BYTES`](crate::execute::slots::STACK_BYTES), both here and
/// where the task runs.
///
/// # Errors
/// When the bytes are not a task, or the task uses a path that `access` does not allow.
pub fn decode(
    bytes: &[u8],
    access: &Access,
    shared: &Shared,
    blobs: &GetBlob<'_>,
) -> Result<Decoded, CodecError> {
    let body = unsealed(bytes)?;
    // Not all of Polars' readers are safe against untrusted bytes.
    catch_unwind(AssertUnwindSafe(|| decode::decode(body, access, shared, blobs)))
        .unwrap_or_else(|panic| Err(CodecError::malformed("a task", panic_text(&*panic))))
}

fn sealed(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len() + 12);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&checksum(body).to_le_bytes());
    bytes.extend_from_slice(body);
    bytes
}

fn unsealed(bytes: &[u8]) -> Result<&[u8], CodecError> {
    let sealed = bytes.strip_prefix(MAGIC).and_then(|rest| rest.split_first_chunk());
    match sealed {
        Some((sum, body)) if u64::from_le_bytes(*sum) == checksum(body) => Ok(body),
        Some(_) => Err(CodecError::malformed("a task", "its checksum is wrong")),
        None => Err(CodecError::malformed("a task", "it does not begin with the task's mark")),
    }
}

/// FNV-1a over words of eight bytes. Protects against accidents, not against attacks.
fn checksum(body: &[u8]) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    let (words, rest) = body.as_chunks::<8>();
    let mix = |sum: u64, word: u64| (sum ^ word).wrapping_mul(PRIME).rotate_left(23);
    let sum = words.iter().fold(0xcbf2_9ce4_8422_2325, |sum, word| mix(sum, u64::from_le_bytes(*word)));
    mix(rest.iter().fold(sum, |sum, byte| mix(sum, u64::from(*byte))), body.len() as u64)
}

/// Rejects on this side what the other side would reject.
fn fits(what: &str, bytes: &[u8]) -> Result<(), CodecError> {
    packed::check(bytes, packed::MAX_DEPTH).map_err(|error| CodecError::cannot_travel(what, error))
}
