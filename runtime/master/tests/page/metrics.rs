use std::sync::Arc;

use partita_master::{Cluster, History, HistoryLimits, Recorder, SessionView, View};

use crate::made_up::{whole_job, worker};
use crate::served::Served;

#[test]
fn metrics_count_what_events_say_and_what_the_pool_is() {
    let worker = worker(3);
    let session = SessionView {
        session: 1,
        name: "one".into(),
        opened: std::time::SystemTime::now(),
        queued: 5,
        running: 1,
        workers: vec![3],
        dynamic: false,
        blob_bytes: 0,
    };
    let cluster = Cluster { workers: vec![worker], sessions: vec![session], ..Cluster::default() };
    let history = Arc::new(History::new(HistoryLimits::default()));
    history.opened(1, "one");
    whole_job(0).iter().for_each(|event| history.event(1, event));
    let served = Served::new(&history, Some(View::new(move || cluster.clone())), None);
    let (_, text) = served.get("/metrics");
    for line in [
        "partita_workers 1",
        "partita_slots 4",
        "partita_slots_busy 1",
        "partita_tasks_queued 5",
        "partita_jobs_total{outcome=\"succeeded\"} 1",
        "partita_shuffle_bytes_total 1000",
        "partita_task_run_seconds_count 1",
        "partita_worker_memory_bytes{worker=\"3\",name=\"a \\\"quoted\\\" name\",kind=\"limit\"} 2000000",
        "# EOF",
    ] {
        assert!(text.lines().any(|l| l == line), "no `{line}` in\n{text}");
    }
    let pool = served.json("/api/v1/pool");
    assert_eq!(
        (&pool["pool"]["workers"][0]["slots"], &pool["sessions"][0]["queued"]),
        (&4.into(), &5.into())
    );
}
