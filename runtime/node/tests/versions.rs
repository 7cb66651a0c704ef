//! Peers of another version are refused at the handshake, with both versions named on their side.

mod support;

use partita::prelude::*;
use partita_master::{Master, MasterOptions};
use support::Node;

/// The version of the master's Polars.
const OTHER: &str = "0.54.9";

#[test]
fn sessions_and_workers_of_another_version_are_refused_with_both_versions_named() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options = MasterOptions::new("127.0.0.1:0".parse().unwrap(), OTHER);
    let master = runtime.block_on(Master::bind(options)).unwrap();
    let (address, view) = (master.local_addr(), master.view());
    runtime.spawn(master.serve());
    let named = |text: &str| {
        for part in [OTHER, polars::VERSION, env!("CARGO_PKG_VERSION"), "install the same version"] {
            assert!(text.contains(part), "{part} in: {text}");
        }
    };

    named(&Session::connect(&format!("partita://{address}")).unwrap_err().to_string());
    let directory = tempfile::tempdir().unwrap();
    let master = format!("partita://{address}");
    let mut worker = Node::start(directory.path().join("worker.log"), &["worker", "--master", &master], &[]);
    assert!(!worker.wait().success(), "it ends, because it will not be let in later");
    named(&worker.log());

    let cluster = view.cluster();
    assert_eq!((cluster.totals.sessions_opened, cluster.totals.workers_joined), (0, 0));
}
