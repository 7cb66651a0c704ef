//! The gRPC services between the processes of a pool, and what the processes have in common: versions, the
//! token, certificates, limits. This crate does not know tasks or rows: tasks are bytes, rows are chunks of
//! Arrow IPC streams.

#![warn(missing_docs)]

mod chunks;
mod limits;
mod tls;
mod token;
mod versions;
mod words;

pub use chunks::{ChunkReader, ChunkStream, ChunkWriter, chunks};
pub use limits::{AHEAD, CHUNK_BYTES, INLINE_BYTES, MESSAGE_BYTES, QUEUE};
pub use tls::{Identity, Pem, TlsError, TlsFiles};
pub use token::{Token, TokenError};
pub use versions::PROTOCOL;
pub use words::{is_distrust, root, words};

/// The messages and services, generated from `runtime/proto/pool.proto`, which documents them.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod pool {
    tonic::include_proto!("partita.v1");
}
