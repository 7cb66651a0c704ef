use std::env;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use partita_engine::{EngineError, Settings};

use super::Session;
use crate::engines::pool::{PoolEngine, PoolOptions};
use crate::error::{PartitaError, Result};

/// Names the pool that [`Session::from_env`] connects to.
const MASTER_VARIABLE: &str = "PARTITA_MASTER";

impl Session {
    /// A session on a pool: tasks run on its workers. The address is `partita://host:port`, with TLS
    /// `partitas://host:port`; token and certificates come from `PARTITA_TOKEN_FILE` or `PARTITA_TOKEN`
    /// and `PARTITA_TLS_CA`. Files are read where the workers are, under the same paths as here.
    ///
    /// # Errors
    /// When the pool cannot be reached, refuses this session or has no workers; the message says what
    /// to do.
    pub fn connect(address: &str) -> Result<Self> {
        Self::connect_with(PoolOptions::new(address))
    }

    /// Like [`connect`](Self::connect), with more said.
    ///
    /// # Errors
    /// As `connect`.
    pub fn connect_with(options: PoolOptions) -> Result<Self> {
        Ok(Self::on(Arc::new(PoolEngine::connect(options)?)))
    }

    /// The pool that `PARTITA_MASTER` names, or one slot for each core of this process where it is not
    /// set: the same program runs on both.
    ///
    /// # Errors
    /// As [`connect`](Self::connect) and [`new`](Self::new).
    pub fn from_env() -> Result<Self> {
        match env::var(MASTER_VARIABLE) {
            Ok(address) if !address.is_empty() => Self::connect(&address),
            _ => Self::new(),
        }
    }

    /// Uses as many of the pool's workers as the queue asks for, between these bounds, and gives one
    /// back that had nothing to do for `idle`. Unless called, all are used.
    ///
    /// # Errors
    /// When the bounds make no sense, or the session is not on a pool.
    pub fn set_dynamic_allocation(&self, workers: RangeInclusive<usize>, idle: Duration) -> Result<()> {
        if *workers.end() == 0 || workers.start() > workers.end() {
            let problem = format!("between {} and {} workers there are none", workers.start(), workers.end());
            let remedy = "the second must be at least 1 and not below the first";
            return Err(PartitaError::argument("set_dynamic_allocation", problem, remedy));
        }
        let settings = Settings { allocation: Some((workers, idle)), ..Settings::default() };
        self.set("set_dynamic_allocation", settings)
    }

    /// How long a task waits for a worker that has its partition cached, before any other may take it.
    ///
    /// # Errors
    /// When the session is not on a pool.
    pub fn set_locality_wait(&self, wait: Duration) -> Result<()> {
        self.set("set_locality_wait", Settings { locality_wait: Some(wait), ..Settings::default() })
    }

    fn set(&self, step: &str, settings: Settings) -> Result<()> {
        self.inner.engine.set(settings).map_err(|error| match error {
            EngineError::NoSettings(problem) => {
                PartitaError::argument(step, problem, "this is for sessions on a pool")
            }
            EngineError::Unreachable(cause) => PartitaError::Other(cause),
            other => PartitaError::Other(Arc::new(other)),
        })
    }
}
