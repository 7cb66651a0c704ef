use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use crate::session;

/// The conditions of a measurement, so that it can be repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conditions {
    /// The processor's model, or its architecture if the system does not provide the model.
    pub cpu: String,
    /// Cores this process may use.
    pub cores: usize,
    /// The sessions that ran jobs during the measurement, as they describe themselves.
    pub engines: Vec<String>,
    /// Partita's version.
    pub version: String,
    /// The seed of the order of runs within each round.
    pub seed: u64,
    /// Rounds before the measured ones.
    pub warmup: usize,
    /// Measured rounds.
    pub repeats: usize,
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = |n: usize| if n == 1 { "" } else { "s" };
        write!(f, "{}, {} core{}", self.cpu, self.cores, s(self.cores))?;
        for engine in &self.engines {
            write!(f, "; {engine}")?;
        }
        write!(
            f,
            "; Partita {}; {} run{} each after {} to warm up, in an order drawn from seed {}",
            self.version,
            self.repeats,
            s(self.repeats),
            self.warmup,
            self.seed
        )
    }
}

/// The last job of every session, to find out later which sessions ran jobs.
pub(super) struct Before(HashMap<usize, Option<usize>>);

impl Before {
    pub fn now() -> Self {
        Self(session::live().iter().map(|session| (session.number(), session.last_job())).collect())
    }

    /// The conditions of a measurement that ran between `self` and now.
    pub fn conditions(self, seed: u64, warmup: usize, repeats: usize) -> Conditions {
        let ran = |session: &session::Session| {
            let last = session.last_job();
            last.is_some() && self.0.get(&session.number()) != Some(&last)
        };
        Conditions {
            cpu: cpu(),
            cores: available_parallelism().map_or(1, NonZeroUsize::get),
            engines: session::live().iter().filter(|session| ran(session)).map(ToString::to_string).collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seed,
            warmup,
            repeats,
        }
    }
}

/// Linux names the model in a file; otherwise the architecture is used.
fn cpu() -> String {
    let told = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = told.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    match model.map(|(_, name)| name.trim()) {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => std::env::consts::ARCH.to_owned(),
    }
}
