use std::collections::BTreeSet;
use std::time::Duration;

use partita_master::MasterOptions;
use partita_wire::pool::{DynamicAllocation, SessionOptions, from_session, to_session};

use crate::peers::*;

fn between(min_workers: u32, max_workers: u32, idle_timeout_ms: u32) -> from_session::Message {
    let rule = DynamicAllocation { enabled: true, min_workers, max_workers, idle_timeout_ms };
    from_session::Message::Options(SessionOptions { dynamic_allocation: Some(rule), locality_wait_ms: None })
}

/// Receives messages until the session knows the `wanted` workers, from the messages alone.
async fn learn(session: &mut Session, used: &mut BTreeSet<u64>, wanted: impl Fn(&BTreeSet<u64>) -> bool) {
    while !wanted(used) {
        match session.next().await {
            to_session::Message::Allocation(allocation) if allocation.used => used.insert(allocation.worker),
            to_session::Message::Allocation(allocation) => used.remove(&allocation.worker),
            to_session::Message::WorkerJoined(joined) => used.insert(joined.worker),
            to_session::Message::WorkerLost(lost) => used.remove(&lost.worker),
            _ => false,
        };
    }
}

#[tokio::test]
async fn a_session_takes_workers_while_its_tasks_queue_and_gives_them_back_when_idle() {
    let options = MasterOptions { allocation_step: Duration::from_millis(20), ..options() };
    let pool = Pool::start(options).await;
    let mut workers = Vec::new();
    for name in ["one", "two", "three"] {
        workers.push(Worker::join(&pool, name, 1).await);
    }
    let mut session = Session::open(&pool, "notebook").await;
    let mut used: BTreeSet<_> = session.workers.iter().copied().collect();
    session.say(between(1, 3, 50)).await;
    learn(&mut session, &mut used, |used| used.len() == 1).await;
    session.submit(tasks(3)).await;
    learn(&mut session, &mut used, |used| used.len() == 3).await;
    let cluster = pool.until("three running", |cluster| cluster.sessions[0].running == 3).await;
    assert!(cluster.sessions[0].dynamic);
    for worker in &mut workers {
        let key = worker.launched().await.key.unwrap();
        worker.end(key, success("".into())).await;
    }
    learn(&mut session, &mut used, |used| used.len() == 1).await;
    assert_eq!(used.iter().copied().collect::<Vec<_>>(), pool.cluster().sessions[0].workers);
    pool.stop().await;
}

#[tokio::test]
async fn a_session_held_to_few_workers_leaves_the_others_alone() {
    let options = MasterOptions { allocation_step: Duration::from_millis(5), ..options() };
    let pool = Pool::start(options).await;
    let mut first = Worker::join(&pool, "one", 1).await;
    let mut second = Worker::join(&pool, "two", 1).await;
    let mut modest = Session::open(&pool, "modest").await;
    modest.say(between(0, 1, 10)).await;
    let mut used: BTreeSet<_> = modest.workers.iter().copied().collect();
    learn(&mut modest, &mut used, BTreeSet::is_empty).await;
    modest.submit(tasks(20)).await;
    let key = first.launched().await.key.unwrap();
    assert_eq!(key.session, modest.number);
    // However long its queue: the other worker's first task is another session's.
    let free = Session::open(&pool, "free").await;
    free.submit(tasks(1)).await;
    assert_eq!(second.launched().await.key.unwrap().session, free.number);
    // When its worker is lost, it takes another one at once.
    drop(first);
    let cluster = pool.until("the loss", |cluster| cluster.workers.len() == 1).await;
    assert_eq!(cluster.sessions[0].workers, [second.number]);
    pool.stop().await;
}

#[tokio::test]
async fn a_worker_that_joins_is_used_at_once() {
    let pool = Pool::usual().await;
    let mut session = Session::open(&pool, "notebook").await;
    let mut dynamic = Session::open(&pool, "dynamic").await;
    dynamic.say(between(1, 2, 1000)).await;
    session.submit(tasks(1)).await;
    dynamic.submit(tasks(1)).await;
    pool.until("both queue", |cluster| cluster.sessions.iter().all(|session| session.queued == 1)).await;
    Worker::join(&pool, "late", 1).await.run(0);
    assert_eq!(failed(&session.ended().await), None);
    assert_eq!(failed(&dynamic.ended().await), None);
    pool.stop().await;
}

#[tokio::test]
async fn a_rule_that_makes_no_sense_is_refused() {
    let pool = Pool::usual().await;
    for (min, max) in [(3, 2), (0, 0)] {
        let mut session = Session::open(&pool, "notebook").await;
        session.say(between(min, max, 10)).await;
        let status = session.end().await.unwrap();
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
        assert!(status.message().contains(&format!("between {min} and {max} workers")), "{status}");
    }
    pool.stop().await;
}
