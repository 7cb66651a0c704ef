use std::sync::Arc;

use super::Session;
use crate::engines::embedded::EmbeddedEngine;
use crate::engines::pool::{PoolEngine, PoolOptions};
use crate::error::{PartitaError, Result};
use crate::host::{self, Host};

/// The default memory for cached partitions: about half of a worker with 2 GB, as Spark gives storage about
/// half of an executor.
const CACHE_BYTES: usize = 1 << 30;

/// Builds a [`Session`] with another host than the current one; see [`Session::builder`].
pub struct SessionBuilder {
    host: Arc<dyn Host>,
}

impl Session {
    /// Builds a session with another host than the current one. [`Host`] has an example.
    pub fn builder() -> SessionBuilder {
        SessionBuilder { host: host::current().clone() }
    }
}

impl SessionBuilder {
    /// The host that the session's jobs use, in place of the current one: it receives their events, shows
    /// what [`Dataset::show`](crate::Dataset::show) shows, and cancels them.
    #[must_use]
    pub fn host(self, host: Arc<dyn Host>) -> Self {
        Self { host }
    }

    /// As [`Session::embedded`].
    ///
    /// # Errors
    /// As there.
    pub fn embedded(self, slots: usize) -> Result<Session> {
        self.embedded_in("Session::embedded", slots, CACHE_BYTES)
    }

    /// As [`Session::embedded_with_cache`].
    ///
    /// # Errors
    /// As there.
    pub fn embedded_with_cache(self, slots: usize, bytes: usize) -> Result<Session> {
        self.embedded_in("Session::embedded_with_cache", slots, bytes)
    }

    /// As [`Session::connect_with`].
    ///
    /// # Errors
    /// As there.
    pub fn connect_with(self, options: PoolOptions) -> Result<Session> {
        Ok(Session::on(Arc::new(PoolEngine::connect(options)?), self.host))
    }

    fn embedded_in(self, step: &str, slots: usize, cache_bytes: usize) -> Result<Session> {
        if slots == 0 {
            let remedy = "use at least 1, or Session::new() for one per core";
            return Err(PartitaError::argument(step, "0 slots cannot run any task", remedy));
        }
        let engine = EmbeddedEngine::start(slots, cache_bytes, self.host.temp_dir()).map_err(|error| {
            let problem = format!("the system cannot start {slots} threads: {error}");
            PartitaError::argument(step, problem, "use fewer slots")
        })?;
        Ok(Session::on(Arc::new(engine), self.host))
    }
}
