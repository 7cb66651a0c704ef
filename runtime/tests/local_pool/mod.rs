//! A pool whose processes are threads of the test.

// Not every test uses all of it.
#![allow(dead_code)]

use std::time::Duration;

use partita::prelude::*;
use partita_master::{Master, MasterOptions, View};
use partita_worker::{Worker, WorkerOptions};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// A master with workers of two slots each, all in this process but connected by sockets.
pub struct Pool {
    pub runtime: Runtime,
    pub address: String,
    pub stop: CancellationToken,
    pub view: View,
    pub workers: Vec<Worker>,
    pub directory: tempfile::TempDir,
}

impl Pool {
    pub fn start(workers: usize) -> Self {
        Self::start_at("127.0.0.1:0", workers)
    }

    pub fn start_at(listen: &str, workers: usize) -> Self {
        let mut pool = Self::with(MasterOptions::new(listen.parse().unwrap(), polars::VERSION));
        (0..workers).for_each(|_| pool.add_worker());
        pool
    }

    /// A master with these options, and no workers yet.
    pub fn with(options: MasterOptions) -> Self {
        let runtime = Runtime::new().unwrap();
        let master = runtime.block_on(Master::bind(options)).unwrap();
        let (address, stop, view) = (master.local_addr().to_string(), master.stop(), master.view());
        runtime.spawn(master.serve());
        let directory = tempfile::tempdir().unwrap();
        Self { runtime, address, stop, view, workers: Vec::new(), directory }
    }

    pub fn add_worker(&mut self) {
        self.add_worker_with(|_| ());
    }

    /// Adds a worker with default options, apart from what `change` changes.
    pub fn add_worker_with(&mut self, change: impl FnOnce(&mut WorkerOptions)) {
        let mut options = WorkerOptions::new(self.address.clone());
        options.name = format!("worker-{}", self.workers.len());
        options.slots = 2;
        options.data_dirs = vec![self.directory.path().to_owned()];
        options.output_dirs = vec![self.directory.path().to_owned()];
        change(&mut options);
        self.workers.push(self.runtime.block_on(Worker::start(options)).unwrap());
    }

    pub fn url(&self) -> String {
        format!("partita://{}", self.address)
    }

    /// A session that sees all workers.
    pub fn session(&self) -> Session {
        let session = Session::connect(&self.url()).unwrap();
        until("all workers", || session.slots() == 2 * self.workers.len());
        session
    }
}

/// Waits for a condition that nobody reports.
pub fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..3000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{what}: not after 30 seconds");
}
