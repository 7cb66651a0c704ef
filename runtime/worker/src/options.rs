use std::env;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use partita_wire::{TlsFiles, Token};

use crate::dial::wants_tls;

/// How a worker is started.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// Where the master is: `partita://host:port`, `partitas://host:port` with TLS, or `host:port`.
    pub master: String,
    /// What people call it; need not be unique.
    pub name: String,
    /// Tasks it runs side by side, one core each.
    pub slots: usize,
    /// Bytes that tasks, shuffle blocks and cache may hold together. The process needs some more: give
    /// it about three quarters of what the container may have.
    pub memory_limit: usize,
    /// The part of it that cached partitions may hold, from 0 to 1.
    pub cache_fraction: f64,
    /// Where other workers and the master reach its blocks; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// The host or host:port it gives out for that; where it listens, unless set.
    pub advertise: Option<String>,
    /// What every call must carry. May be absent on loopback only.
    pub token: Option<Token>,
    /// Certificates: its own, and whom to trust when it dials.
    pub tls: TlsFiles,
    /// Where to put what does not fit into memory.
    pub spill_dir: PathBuf,
    /// Directories that tasks may read files in.
    pub data_dirs: Vec<PathBuf>,
    /// Directories that tasks may write files in.
    pub output_dirs: Vec<PathBuf>,
    /// Whether shuffle blocks are compressed on their way to other workers. It pays on networks of about a
    /// gigabit a second and less; between workers of one machine it costs more than it saves.
    pub compress_shuffle: bool,
    /// Another worker that is silent for so long while it should send blocks has failed.
    pub fetch_silence: Duration,
}

impl WorkerOptions {
    /// A worker for the master at `master`: on loopback, a slot a core, 1 GB, everything else as usual.
    pub fn new(master: impl Into<String>) -> Self {
        Self {
            master: master.into(),
            name: "worker".into(),
            slots: std::thread::available_parallelism().map_or(1, usize::from),
            memory_limit: 1_000_000_000,
            cache_fraction: 0.4,
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            advertise: None,
            token: None,
            tls: TlsFiles::default(),
            spill_dir: env::temp_dir(),
            data_dirs: Vec::new(),
            output_dirs: Vec::new(),
            compress_shuffle: false,
            fetch_silence: Duration::from_secs(20),
        }
    }

    /// What is wrong with them, if anything is.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.slots == 0 {
            return Err("a worker needs at least one slot".into());
        }
        if !(0.0..=1.0).contains(&self.cache_fraction) {
            return Err(format!(
                "the cache's part of memory is {}; it goes from 0 to 1",
                self.cache_fraction
            ));
        }
        if self.token.is_none() && !self.listen.ip().is_loopback() {
            return Err(format!(
                "a worker without a token must not listen on {}, where others than this machine reach it: set \
                 PARTITA_TOKEN or PARTITA_TOKEN_FILE to the pool's token, or listen on 127.0.0.1",
                self.listen
            ));
        }
        if wants_tls(&self.master) && self.tls.ca.is_none() {
            return Err(format!(
                "{}: TLS needs to know whom to trust: set PARTITA_TLS_CA to the file of the authority's certificate",
                self.master
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(change: impl FnOnce(&mut WorkerOptions)) -> String {
        let mut options = WorkerOptions::new("localhost:7077");
        assert_eq!(options.check(), Ok(()));
        change(&mut options);
        options.check().unwrap_err()
    }

    #[test]
    fn what_cannot_work_or_is_not_safe_is_refused_with_the_remedy() {
        assert!(problem(|o| o.slots = 0).contains("one slot"));
        assert!(problem(|o| o.cache_fraction = 1.5).contains("1.5"));
        assert!(problem(|o| o.listen = ([0, 0, 0, 0], 7078).into()).contains("PARTITA_TOKEN"));
        assert!(problem(|o| o.master = "partitas://host:7077".into()).contains("PARTITA_TLS_CA"));
    }
}
