use std::env;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use partita_engine::{EngineError, Settings};

use super::Session;
use crate::engines::pool::PoolOptions;
use crate::error::{PartitaError, Result};

/// Environment variable with the address of the pool for [`Session::from_env`].
const MASTER_VARIABLE: &str = "PARTITA_MASTER";

impl Session {
    /// Connects to a pool; tasks run on its workers. The address is `partita://host:port`, or
    /// `partitas://host:port` with TLS. Token and certificates come from `PARTITA_TOKEN_FILE` or
    /// `PARTITA_TOKEN` and `PARTITA_TLS_CA`. Workers read files under the same paths as here.
    ///
    /// # Errors
    /// When the pool cannot be reached, refuses this session or has no workers; the message says what to do.
    pub fn connect(address: &str) -> Result<Self> {
        Self::connect_with(PoolOptions::new(address))
    }

    /// Like [`connect`](Self::connect), with options.
    ///
    /// # Errors
    /// As `connect`.
    pub fn connect_with(options: PoolOptions) -> Result<Self> {
        Self::builder().connect_with(options)
    }

    /// Connects to the pool that `PARTITA_MASTER` names. If it is not set, runs on one slot for each core of
    /// this process. So the same program runs on both.
    ///
    /// # Errors
    /// As [`connect`](Self::connect) and [`new`](Self::new).
    pub fn from_env() -> Result<Self> {
        match env::var(MASTER_VARIABLE) {
            Ok(address) if !address.is_empty() => Self::connect(&address),
            _ => Self::new(),
        }
    }

    /// Turns dynamic allocation on: the session uses as many of the pool's workers as its queue needs, within
    /// these bounds, and releases a worker that was idle for `idle`. By default all workers are used.
    ///
    /// # Errors
    /// When the bounds are invalid, or the session is not on a pool.
    pub fn set_dynamic_allocation(&self, workers: RangeInclusive<usize>, idle: Duration) -> Result<()> {
        if *workers.end() == 0 || workers.start() > workers.end() {
            let problem =
                format!("there is no number of workers between {} and {}", workers.start(), workers.end());
            let remedy = "the maximum must be at least 1 and at least the minimum";
            return Err(PartitaError::argument("set_dynamic_allocation", problem, remedy));
        }
        let settings = Settings { allocation: Some((workers, idle)), ..Settings::default() };
        self.set("set_dynamic_allocation", settings)
    }

    /// Sets how long a task waits for a worker that has its partition cached before any other worker may run
    /// it.
    ///
    /// # Errors
    /// When the session is not on a pool.
    pub fn set_locality_wait(&self, wait: Duration) -> Result<()> {
        self.set("set_locality_wait", Settings { locality_wait: Some(wait), ..Settings::default() })
    }

    fn set(&self, step: &str, settings: Settings) -> Result<()> {
        self.inner.engine.set(settings).map_err(|error| match error {
            EngineError::NoSettings(problem) => {
                PartitaError::argument(step, problem, "use it with a session on a pool")
            }
            EngineError::Unreachable(cause) => PartitaError::Other(cause),
            other => PartitaError::Other(Arc::new(other)),
        })
    }
}
