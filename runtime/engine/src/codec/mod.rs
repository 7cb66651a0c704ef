//! Tasks as bytes, for the pool. Nearly everything in a task is data and Polars plans; the rest has a
//! form of its own here: a cached dataset is its number, files are opened anew where the task arrives,
//! large frames went ahead as blobs. What arrives is checked first: bytes (length, depth, checksum),
//! then every path in them. How bytes get from here to there is not known here.

mod access;
mod decode;
mod frames;
mod packed;
mod plans;
mod shared;
#[cfg(test)]
mod tests;
mod walk;
mod wire;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

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

/// Inputs inside of inputs that a task may have: joins and unions of joins.
const MAX_INPUT_DEPTH: usize = 128;

/// Why a task cannot travel, or why what arrived is none.
#[derive(Debug, Error)]
pub enum CodecError {
    #[error(
        "{0} calls a closure, which cannot travel to the pool's workers: write it as expressions (`when`, \
         arithmetic, the `str`, `dt` and `list` functions), or run it in an embedded session (`Session::new`)"
    )]
    Closure(String),
    #[error("{what} cannot travel to the pool's workers: {cause}")]
    CannotTravel { what: String, cause: String },
    #[error("the task's bytes are damaged: {what}: {cause}; is everybody on the same version of Partita?")]
    Malformed { what: String, cause: String },
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("a frame that the task needs: {0}")]
    Blob(String),
}

impl CodecError {
    fn malformed(what: &str, cause: impl Into<String>) -> Self {
        Self::Malformed { what: what.to_owned(), cause: cause.into() }
    }
}

/// Where some map tasks' blocks of a shuffle lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShuffleSource {
    /// host:port of the worker's Blocks service.
    pub address: String,
    pub worker: u64,
    pub map_partitions: Vec<usize>,
}

/// Takes frames that are too large for a task ahead of it.
pub trait Blobs {
    /// The number under which the frame will be found, or `None` if it may travel in the task.
    ///
    /// # Errors
    /// When it cannot be sent ahead.
    fn put(&self, frame: &DataFrame) -> Result<Option<u64>, String>;
}

/// Finds a frame that went ahead; may block.
pub type GetBlob<'a> = dyn Fn(u64) -> Result<DataFrame, String> + 'a;

/// A task that arrived.
pub struct Decoded {
    pub task: Task,
    /// Where each shuffle that the task reads has its blocks.
    pub sources: HashMap<ShuffleId, Vec<ShuffleSource>>,
}

/// Reads a task from a peer's bytes; `shared` knows what it has in common with others of its session. Opens the files it reads and calls `blobs` for its large frames, so
/// it may block; plans nested deeply need a stack of some [`STACK_BYTES`](crate::execute::slots::STACK_BYTES) here and where it runs.
///
/// # Errors
/// When the bytes are no task, or it uses a path outside of what `access` allows.
pub fn decode(
    bytes: &[u8],
    access: &Access,
    shared: &Shared,
    blobs: &GetBlob<'_>,
) -> Result<Decoded, CodecError> {
    let body = unsealed(bytes)?;
    // Polars' readers are not all written for bytes of strangers.
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
        None => Err(CodecError::malformed("a task", "it begins with something else")),
    }
}

/// FNV-1a over words of eight bytes: against accidents, not against malice.
fn checksum(body: &[u8]) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    let (words, rest) = body.as_chunks::<8>();
    let mix = |sum: u64, word: u64| (sum ^ word).wrapping_mul(PRIME).rotate_left(23);
    let sum = words.iter().fold(0xcbf2_9ce4_8422_2325, |sum, word| mix(sum, u64::from_le_bytes(*word)));
    mix(rest.iter().fold(sum, |sum, byte| mix(sum, u64::from(*byte))), body.len() as u64)
}

/// Refuses on this side what the other side would refuse.
fn fits(what: &str, bytes: &[u8]) -> Result<(), CodecError> {
    packed::check(bytes, packed::MAX_DEPTH)
        .map_err(|error| CodecError::CannotTravel { what: what.to_owned(), cause: error.to_string() })
}
