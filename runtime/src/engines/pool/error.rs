use std::sync::Arc;

use partita_engine::EngineError;
use thiserror::Error;

use crate::error::PartitaError;

/// Why there is no connection to a pool. Every message says what to do.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum PoolError {
    /// The address is not valid.
    #[error(
        "{address:?} is not a pool's address: {problem}; write partita://HOST:PORT, such as partita://localhost:7077"
    )]
    Address {
        /// The address.
        address: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A token or certificate cannot be used.
    #[error("{0}")]
    Settings(String),
    /// The system did not start the threads that a connection needs.
    #[error("the system cannot start more threads: {0}")]
    Threads(String),
    /// The session is ending.
    #[error("this session is ending")]
    SessionEnded,
    /// The host name is unknown.
    #[error("unknown host {host:?} ({cause}); check the pool's address")]
    NoHost {
        /// The host.
        host: String,
        /// The system's reason.
        cause: String,
    },
    /// Nothing listens at the address.
    #[error(
        "nothing listens at {at} ({cause}); start a master there with `partita-node master`, or check the address"
    )]
    NothingListens {
        /// host:port
        at: String,
        /// The system's reason.
        cause: String,
    },
    /// Something answers at the address, but not as a master does.
    #[error(
        "what listens at {at} does not answer as a pool's master ({cause}); check the port (7077 unless set), and whether it wants TLS (partitas://) or does not speak it (partita://)"
    )]
    NoMaster {
        /// host:port
        at: String,
        /// The transport's reason.
        cause: String,
    },
    /// The certificate of the peer is not trusted.
    #[error("the master at {at} is not trusted: {cause}")]
    Certificate {
        /// host:port
        at: String,
        /// What is wrong with the certificate, and the remedy.
        cause: String,
    },
    /// The token is missing or wrong.
    #[error(
        "the master at {at} refuses this session: {cause}; set PARTITA_TOKEN_FILE or PARTITA_TOKEN to the pool's token"
    )]
    Token {
        /// host:port
        at: String,
        /// The master's reason.
        cause: String,
    },
    /// The versions differ, or the master is full.
    #[error("the master at {at} refuses this session: {cause}")]
    Refused {
        /// host:port
        at: String,
        /// The master's reason.
        cause: String,
    },
    /// The pool has no workers.
    #[error("the pool at {at} has no workers; start one with `partita-node worker --master {at}`")]
    NoWorkers {
        /// host:port
        at: String,
    },
}

impl From<PoolError> for EngineError {
    fn from(error: PoolError) -> Self {
        Self::Unreachable(Arc::new(error))
    }
}

impl From<PoolError> for PartitaError {
    fn from(error: PoolError) -> Self {
        Self::Other(Arc::new(error))
    }
}
