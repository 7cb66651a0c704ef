use std::sync::Arc;

use super::Session;
use crate::engines::embedded::EmbeddedEngine;
use crate::engines::pool::{PoolEngine, PoolOptions};
use crate::error::{PartitaError, Result};
use crate::host::{self, Host};

/// Memory for cached partitions if nothing else is said: Spark gives storage about half of an
/// executor; half a course worker's 2 GB.
pub(super) const CACHE_BYTES: usize = 1 << 30;

/// Makes a [`Session`] for another host than the current one; see [`Session::builder`].
pub struct SessionBuilder {
    host: Arc<dyn Host>,
}

impl Session {
    /// A session with something special about it, made by the builder's last call. See
    /// [`Host`](crate::host::Host) for an example.
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
            let remedy = "give at least 1, or use Session::new() for one a core";
            return Err(PartitaError::argument(step, "0 slots can run nothing", remedy));
        }
        let engine = EmbeddedEngine::start(slots, cache_bytes, self.host.temp_dir()).map_err(|error| {
            let problem = format!("the system gave no {slots} threads: {error}");
            PartitaError::argument(step, problem, "ask for fewer slots")
        })?;
        Ok(Session::on(Arc::new(engine), self.host))
    }
}
