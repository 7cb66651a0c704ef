use std::sync::Arc;

use partita_engine::EngineError;
use thiserror::Error;

use crate::error::PartitaError;

/// Why there is no connection to a pool. Every message says what to do.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum PoolError {
    /// An address that is none.
    #[error(
        "{address:?} is no pool's address: {problem}; write partita://HOST:PORT, such as partita://localhost:7077"
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
    /// The host's name is unknown.
    #[error("there is no host {host:?} ({cause}); check the pool's address")]
    NoHost {
        /// The host.
        host: String,
        /// What the system says.
        cause: String,
    },
    /// Nobody is there.
    #[error(
        "nothing listens at {at} ({cause}); start a master there with `partita-node master`, or check the address"
    )]
    NothingListens {
        /// host:port
        at: String,
        /// What the system says.
        cause: String,
    },
    /// Somebody is there, but does not speak as a master does.
    #[error(
        "what listens at {at} does not answer as a pool's master ({cause}); check the port (7077 unless set), and whether it wants TLS (partitas://) or does not speak it (partita://)"
    )]
    NoMaster {
        /// host:port
        at: String,
        /// What the transport says.
        cause: String,
    },
    /// Somebody is there whose certificate is not trusted.
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
        /// The master's words.
        cause: String,
    },
    /// The versions differ, or the master is full.
    #[error("the master at {at} refuses this session: {cause}")]
    Refused {
        /// host:port
        at: String,
        /// The master's words.
        cause: String,
    },
    /// A pool without workers.
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
