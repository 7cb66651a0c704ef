use std::sync::Arc;
use std::time::Duration;

use partita_events::{Event, JobId, StageId};
use partita_master::{MasterOptions, Recorder};
use partita_wire::pool::{
    CacheEvicted, CachedPartition, EventBatch, RemoveCache, RemoveShuffle, TaskStarted, WorkerStatus,
    from_session, from_worker, task_failure, to_session, to_worker,
};
use tonic::Code;

use crate::peers::*;

#[tokio::test]
async fn a_session_hears_which_worker_was_lost_and_then_that_its_tasks_ended() {
    let pool = Pool::usual().await;
    let mut lost = Worker::join(&pool, "doomed", 2).await;
    let mut session = Session::open(&pool, "notebook").await;
    let mut bystander = Session::open(&pool, "bystander").await;
    session.submit(tasks(3)).await;
    lost.launched().await;
    lost.launched().await;
    let number = lost.number;
    drop(lost);
    let to_session::Message::WorkerLost(loss) = session.next().await else { panic!("no loss was reported") };
    assert_eq!(loss.worker, number);
    let ended = session.all_ended(2).await;
    for ended in ended.values() {
        let (kind, message) = failed(ended).unwrap();
        assert_eq!((kind, ended.worker), (task_failure::Kind::WorkerLost, number));
        assert!(message.contains("doomed"), "{message}");
    }
    assert!(matches!(bystander.next().await, to_session::Message::WorkerLost(_)));
    let cluster = pool.cluster();
    assert_eq!((cluster.workers.len(), cluster.lost[0].tasks, cluster.totals.workers_lost), (0, 2, 1));
    // The task that was queued and those that are retried run elsewhere.
    let mut second = Worker::join(&pool, "one", 1).await;
    assert_ne!(second.number, number);
    assert_eq!(second.launched().await.key.unwrap().partition, 2);
    pool.stop().await;
}

#[tokio::test]
async fn a_silent_worker_is_lost_and_nothing_it_says_afterwards_is_heard() {
    let pool = Pool::start(MasterOptions {
        heartbeat: Duration::from_millis(100),
        lost_after: Duration::from_secs(2),
        ..options()
    })
    .await;
    let mut zombie = Worker::join(&pool, "zombie", 1).await;
    assert_eq!(zombie.heartbeat_ms, 100);
    let mut session = Session::open(&pool, "notebook").await;
    session.submit(tasks(1)).await;
    let key = zombie.launched().await.key.unwrap();
    let mut alive = Worker::join(&pool, "alive", 1).await;
    alive.beat(Duration::from_millis(100));
    let ended = session.ended().await;
    let (kind, message) = failed(&ended).unwrap();
    assert_eq!((ended.worker, kind), (zombie.number, task_failure::Kind::WorkerLost));
    assert!(message.contains("it sent nothing for 2s"), "{message}");
    // Its result arrives too late, also for the second attempt, which now runs elsewhere.
    session.submit([task(0, 0)]).await;
    assert_eq!(alive.launched().await.key, Some(key));
    let _ = zombie
        .to
        .send(from_worker(from_worker::Message::Started(TaskStarted { key: Some(key), slot: 0, worker: 0 })))
        .await;
    let status = soon("the zombie's end", zombie.from.message()).await.unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
    assert!(status.message().contains("counts as lost"), "{status}");
    alive.end(key, success("second".into())).await;
    let ended = session.ended().await;
    assert_eq!((ended.worker, ended.outcome), (alive.number, Some(success("second".into()))));
    // It comes back as a new worker.
    let again = Worker::join(&pool, "zombie", 1).await;
    assert!(again.number > alive.number);
    pool.stop().await;
}

#[tokio::test]
async fn a_session_that_ends_leaves_its_slots_to_others_and_nothing_at_workers() {
    let pool = Pool::usual().await;
    let mut worker = Worker::join(&pool, "one", 1).await;
    let mut dying = Session::open(&pool, "dying").await;
    dying.submit(tasks(50)).await;
    let running = worker.launched().await.key.unwrap();
    let part = partita_wire::pool::BlobPart { session: dying.number, blob: 1, data: vec![1; 1000].into() };
    dying.client.put_blob(tokio_stream::once(part)).await.unwrap();
    assert_eq!(pool.cluster().blob_bytes, 1000);
    let mut other = Session::open(&pool, "other").await;
    other.submit(tasks(1)).await;
    let number = dying.number;
    drop(dying);
    let to_worker::Message::EndSession(end) = worker.next().await else { panic!("no end was reported") };
    assert_eq!(end.session, number);
    let cluster = pool.until("its end", |cluster| cluster.sessions.len() == 1).await;
    // The worker's slot stays taken until the task has stopped there.
    assert_eq!((cluster.blob_bytes, cluster.workers[0].busy), (0, 1));
    worker.end(running, failure(task_failure::Kind::Cancelled, "its session ended")).await;
    let next = worker.launched().await.key.unwrap();
    assert_eq!(next.session, other.number);
    worker.end(next, success("".into())).await;
    assert_eq!(failed(&other.ended().await), None);
    pool.stop().await;
}

#[tokio::test]
async fn a_session_that_reads_slowly_waits_for_slots_and_then_gets_all_its_results() {
    let mut options = options();
    options.limits.session_bytes = 1 << 20;
    let pool = Pool::start(options).await;
    Worker::join(&pool, "one", 2).await.run(100 << 10);
    let mut slow = Session::open(&pool, "slow").await;
    let mut quick = Session::open(&pool, "quick").await;
    slow.submit(tasks(200)).await;
    quick.submit(tasks(50)).await;
    assert_eq!(quick.all_ended(50).await.len(), 50);
    pool.until("a pause", |cluster| {
        let slow = &cluster.sessions[0];
        slow.running == 0 && slow.queued > 100
    })
    .await;
    let all = slow.all_ended(200).await;
    assert!(all.values().all(|ended| failed(ended).is_none()));
    pool.stop().await;
}

#[tokio::test]
async fn a_session_that_reads_nothing_is_closed_when_its_queue_is_full() {
    let mut options = options();
    options.limits.session_bytes = 256 << 10;
    let pool = Pool::start(options).await;
    let worker = Worker::join(&pool, "one", 1).await;
    let mut deaf = Session::open(&pool, "deaf").await;
    let mut other = Session::open(&pool, "other").await;
    let partitions: Vec<_> =
        (0..1000).map(|partition| CachedPartition { cache: 1, partition, on_disk: false }).collect();
    let evicted = CacheEvicted { session: deaf.number, partitions };
    let flood = tokio::spawn(async move {
        loop {
            worker.say(from_worker::Message::Evicted(evicted.clone())).await;
            tokio::task::yield_now().await;
        }
    });
    pool.until("its end", |cluster| cluster.sessions.len() == 1).await;
    flood.abort();
    let status = deaf.end().await.unwrap();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("does not read"), "{status}");
    Worker::join(&pool, "two", 1).await.run(0);
    other.submit(tasks(10)).await;
    assert_eq!(other.all_ended(10).await.len(), 10);
    pool.stop().await;
}

#[tokio::test]
async fn what_a_session_no_longer_needs_is_told_to_every_worker() {
    let pool = Pool::usual().await;
    let mut workers = [Worker::join(&pool, "one", 1).await, Worker::join(&pool, "two", 1).await];
    let session = Session::open(&pool, "notebook").await;
    session.say(from_session::Message::RemoveShuffle(RemoveShuffle { session: 0, shuffle: 7 })).await;
    session.say(from_session::Message::RemoveCache(RemoveCache { session: 0, cache: 8 })).await;
    let number = session.number;
    for worker in &mut workers {
        let to_worker::Message::RemoveShuffle(shuffle) = worker.next().await else { panic!("no shuffle") };
        assert_eq!((shuffle.session, shuffle.shuffle), (number, 7));
        let to_worker::Message::RemoveCache(cache) = worker.next().await else { panic!("no cache") };
        assert_eq!((cache.session, cache.cache), (number, 8));
    }
    pool.stop().await;
}

#[tokio::test]
async fn sessions_hear_how_workers_are_when_that_changes() {
    let pool = Pool::usual().await;
    let worker = Worker::join(&pool, "one", 2).await;
    let mut session = Session::open(&pool, "notebook").await;
    let say =
        |memory_cache| from_worker::Message::Status(WorkerStatus { memory_cache, ..WorkerStatus::default() });
    for bytes in [5, 5, 6] {
        worker.say(say(bytes)).await;
    }
    for bytes in [5, 6] {
        let to_session::Message::WorkerStatus(info) = session.next().await else { panic!("no status") };
        assert_eq!((info.worker, info.status.unwrap().memory_cache), (worker.number, bytes));
    }
    let evicted = vec![CachedPartition { cache: 3, partition: 4, on_disk: true }];
    let evicted = CacheEvicted { session: session.number, partitions: evicted };
    worker.say(from_worker::Message::Evicted(evicted.clone())).await;
    assert_eq!(session.next().await, to_session::Message::Evicted(evicted));
    pool.stop().await;
}

#[tokio::test]
async fn a_master_that_stops_says_so_to_everybody() {
    let pool = Pool::usual().await;
    let mut worker = Worker::join(&pool, "one", 1).await;
    let mut session = Session::open(&pool, "notebook").await;
    pool.stop().await;
    let status = session.end().await.unwrap();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "the master is stopping"));
    let status = soon("the worker's end", worker.from.message()).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "the master is stopping"));
}

/// A recorder that panics on a certain event.
struct Fragile;

impl Recorder for Fragile {
    fn opened(&self, _: u64, _: &str) {}
    fn event(&self, _: u64, event: &Event) {
        assert_eq!(
            event.to_owned(),
            Event::StageFinished { job: JobId(0), stage: StageId(0), at: Duration::ZERO }
        );
    }
    fn closed(&self, _: u64) {}
}

#[tokio::test]
async fn a_panic_over_one_session_closes_that_one_with_a_reason() {
    let pool = Pool::start(MasterOptions { recorder: Arc::new(Fragile), ..options() }).await;
    Worker::join(&pool, "one", 1).await.run(0);
    let mut unlucky = Session::open(&pool, "unlucky").await;
    let mut other = Session::open(&pool, "other").await;
    let event = Event::StageFinished { job: JobId(1), stage: StageId(0), at: Duration::ZERO };
    let events = vec![serde_json::to_string(&event).unwrap()];
    unlucky.say(from_session::Message::Events(EventBatch { events })).await;
    assert_eq!(unlucky.end().await.unwrap().code(), Code::Internal);
    other.submit(tasks(2)).await;
    assert_eq!(other.all_ended(2).await.len(), 2);
    pool.stop().await;
}
