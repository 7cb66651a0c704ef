use std::env;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use partita_wire::{TlsFiles, Token};

use crate::dial::wants_tls;

/// How a worker is started.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// The master's address: `partita://host:port`, `partitas://host:port` with TLS, or `host:port`.
    pub master: String,
    /// Its name for people; need not be unique.
    pub name: String,
    /// How many tasks it runs in parallel, one core each.
    pub slots: usize,
    /// How many bytes tasks, shuffle blocks and cache may hold together. The process needs more than
    /// that: set it to about three quarters of the container's memory.
    pub memory_limit: usize,
    /// The share of it that cached partitions may use, from 0 to 1.
    pub cache_fraction: f64,
    /// The address at which other workers and the master reach its blocks. Port 0 means any free port.
    pub listen: SocketAddr,
    /// The host or host:port that it advertises for this. Defaults to where it listens.
    pub advertise: Option<String>,
    /// The token that every call must carry. Can be left out on loopback only.
    pub token: Option<Token>,
    /// Certificates: its own, and those to trust when it connects.
    pub tls: TlsFiles,
    /// The directory for data that does not fit into memory.
    pub spill_dir: PathBuf,
    /// The directories in which tasks may read files.
    pub data_dirs: Vec<PathBuf>,
    /// The directories in which tasks may write files.
    pub output_dirs: Vec<PathBuf>,
    /// Whether shuffle blocks are compressed on their way to other workers. This pays off on networks of
    /// about a gigabit per second or less; between workers on one machine it costs more than it saves.
    pub compress_shuffle: bool,
    /// How long another worker may be silent while sending blocks before it counts as failed.
    pub fetch_silence: Duration,
}

impl WorkerOptions {
    /// Options for a worker of the master at `master`: on loopback, one slot per core, 1 GB, and defaults
    /// for the rest.
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

    /// Checks the options. Returns what is wrong, if anything.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.slots == 0 {
            return Err("a worker needs at least one slot".into());
        }
        if !(0.0..=1.0).contains(&self.cache_fraction) {
            return Err(format!(
                "the cache's share of memory is {}; it must be between 0 and 1",
                self.cache_fraction
            ));
        }
        if self.token.is_none() && !self.listen.ip().is_loopback() {
            return Err(format!(
                "a worker without a token must not listen on {}, which other machines can reach: set \
                 PARTITA_TOKEN or PARTITA_TOKEN_FILE to the pool's token, or listen on 127.0.0.1",
                self.listen
            ));
        }
        if wants_tls(&self.master) && self.tls.ca.is_none() {
            return Err(format!(
                "{}: TLS needs a trusted certificate: set PARTITA_TLS_CA to the file with the authority's certificate",
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
