//! Processes that use TLS with certificates of an authority made for the test.

mod support;

use partita::prelude::*;
use support::{Node, Pool, Setup, assert_same, make_certificates, records, wait_for};

fn encrypted() -> Pool {
    Pool::start(Setup { tls: true, token: Some("correct horse"), ..Setup::default() })
}

#[test]
fn a_job_with_a_shuffle_and_large_results_runs_over_tls() {
    let pool = encrypted();
    let session = pool.session();
    let rows = records(200_000);
    let keys = [col("key"), col("name")];
    let ours = session.frame(rows.clone(), 6).group_by(&keys).agg([col("value").sum()]).collect().unwrap();
    let polars = rows.clone().lazy().group_by(&keys).agg([col("value").sum()]).collect().unwrap();
    assert_same(ours, polars);
    // This needs shuffle blocks between workers, a frame sent in advance, and results that the master
    // fetches.
    assert_same(session.frame(rows.clone(), 4).repartition(4).collect().unwrap(), rows.clone());
    let report = session.last_report().unwrap();
    let fetched: u64 = report.stages.iter().map(|stage| stage.total(|metrics| metrics.shuffle_in)).sum();
    assert!(fetched > 1 << 20, "{fetched} bytes");
    let workers: std::collections::BTreeSet<u64> =
        report.stages.iter().flat_map(|stage| &stage.tasks).map(|task| task.worker).collect();
    assert_eq!(workers.len(), 2, "both workers had a part in it");
}

#[test]
fn who_does_not_trust_the_authority_is_told_so_and_what_to_do() {
    let pool = encrypted();
    let elsewhere = tempfile::tempdir().unwrap();
    make_certificates(elsewhere.path());
    let mut options = pool.options();
    options.ca = Some(elsewhere.path().join("ca.pem"));
    let error = Session::connect_with(options).unwrap_err().to_string();
    for part in [&pool.address, "not trusted", "invalid peer certificate", "PARTITA_TLS_CA"] {
        assert!(error.contains(part), "{error}");
    }
    // A worker is refused too; it keeps trying, because its files may be fixed.
    let ca = elsewhere.path().join("ca.pem");
    let arguments = ["worker", "--master", &pool.url(), "--tls-ca", ca.to_str().unwrap()];
    let token = [("PARTITA_TOKEN", "correct horse")];
    let mut worker = Node::start(elsewhere.path().join("worker.log"), &arguments, &token);
    let said = worker.said("no master at ");
    assert!(said.contains("invalid peer certificate") && said.contains("PARTITA_TLS_CA"), "{said}");
}

#[test]
fn a_name_that_the_certificate_is_not_for_is_refused() {
    let pool = encrypted();
    let port = pool.address.rsplit_once(':').unwrap().1;
    let mut options = pool.options();
    // This machine too, but under a name that is not in the certificate.
    options.address = format!("partitas://127.0.0.2:{port}");
    let error = Session::connect_with(options).unwrap_err().to_string();
    // On some systems a master on 127.0.0.1 cannot be reached there at all.
    assert!(error.contains("not trusted") || error.contains("nothing listens"), "{error}");
}

#[test]
fn plain_sessions_and_workers_get_nowhere_with_a_master_that_speaks_tls() {
    let pool = encrypted();
    let plain = format!("partita://{}", pool.address);
    let mut options = pool.options();
    (options.address, options.ca) = (plain.clone(), None);
    let error = Session::connect_with(options).unwrap_err().to_string();
    assert!(error.contains(&pool.address) && error.contains("partitas://"), "{error}");
    let directory = tempfile::tempdir().unwrap();
    let token = [("PARTITA_TOKEN", "correct horse")];
    let mut worker =
        Node::start(directory.path().join("worker.log"), &["worker", "--master", &plain], &token);
    let said = worker.said("no master at ");
    assert!(said.contains("partitas://"), "{said}");
    assert_eq!(pool.session().slots(), 2, "it never joined");
}

#[test]
fn tls_gets_nowhere_with_a_master_that_does_not_speak_it() {
    let pool = Pool::of(1);
    let directory = tempfile::tempdir().unwrap();
    make_certificates(directory.path());
    let mut options = pool.options();
    options.address = format!("partitas://{}", pool.address);
    options.ca = Some(directory.path().join("ca.pem"));
    let error = Session::connect_with(options).unwrap_err().to_string();
    assert!(error.contains(&pool.address) && error.contains("does not speak it (partita://)"), "{error}");
}

#[test]
fn a_process_with_certificates_passes_its_own_health_check_over_tls() {
    let pool = encrypted();
    let ca = pool.authority();
    let health = |token: &'static str, log: &str| {
        let arguments = ["health", "--listen", &pool.address, "--tls-ca", ca.to_str().unwrap()];
        let directory = pool.output();
        let mut health = Node::start(directory.join(log), &arguments, &[("PARTITA_TOKEN", token)]);
        let status = health.wait();
        (status.success(), health.log())
    };
    let (healthy, log) = health("correct horse", "healthy.log");
    assert!(healthy, "{log}");
    let (healthy, log) = health("wrong horse", "refused.log");
    assert!(!healthy && log.contains("token"), "{log}");
    wait_for("both workers", || pool.session().slots() == 2);
}
