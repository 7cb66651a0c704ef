use std::time::{Duration, Instant};

use partita_events::{Event, JobId, StageId};
use partita_wire::pool::{
    CancelTasks, EventBatch, SessionOptions, TaskStarted, from_session, from_worker, task_failure,
    to_session, to_worker,
};

use crate::peers::*;

#[tokio::test]
async fn a_task_goes_to_a_worker_and_its_end_comes_back_with_the_workers_number() {
    let pool = Pool::usual().await;
    let mut worker = Worker::join(&pool, "one", 2).await;
    let mut session = Session::open(&pool, "notebook").await;
    assert_eq!(session.workers, [worker.number]);
    session.submit([task(3, 5)]).await;
    let launch = worker.launched().await;
    assert_eq!(&launch.body[..], b"task 5");
    let there = launch.key.unwrap();
    assert_eq!((there.session, there.job, there.partition), (session.number, 3, 5));
    worker.say(from_worker::Message::Started(TaskStarted { key: launch.key, slot: 1, worker: 0 })).await;
    let to_session::Message::Started(started) = session.next().await else { panic!("not started") };
    assert_eq!((started.worker, started.slot, started.key), (worker.number, 1, launch.key));
    worker.end(there, success("rows".into())).await;
    let ended = session.ended().await;
    assert_eq!((ended.worker, ended.key), (worker.number, launch.key));
    assert_eq!(ended.outcome, Some(success("rows".into())));
    pool.stop().await;
}

#[tokio::test]
async fn a_thousand_empty_tasks_end_once_each() {
    let pool = Pool::usual().await;
    let workers = [Worker::join(&pool, "one", 2).await, Worker::join(&pool, "two", 2).await];
    let workers = workers.map(|worker| worker.run(0));
    let mut session = Session::open(&pool, "notebook").await;
    let before = Instant::now();
    session.submit(tasks(1000)).await;
    let all = session.all_ended(1000).await;
    eprintln!("1000 tasks through two workers of two slots: {:?}", before.elapsed());
    assert!(all.values().all(|ended| failed(ended).is_none()));
    let totals = pool.cluster().totals;
    assert_eq!((totals.tasks_submitted, totals.tasks_launched, totals.tasks_succeeded), (1000, 1000, 1000));
    pool.stop().await;
    for worker in workers {
        soon("the worker's end", worker).await.unwrap();
    }
}

#[tokio::test]
async fn no_worker_gets_more_tasks_than_it_has_slots() {
    let pool = Pool::usual().await;
    let mut worker = Worker::join(&pool, "one", 3).await;
    let mut session = Session::open(&pool, "notebook").await;
    session.submit(tasks(10)).await;
    let mut running = Vec::new();
    for _ in 0..3 {
        running.push(worker.launched().await.key.unwrap());
    }
    let cluster = pool.cluster();
    assert_eq!((cluster.workers[0].busy, cluster.sessions[0].queued, cluster.sessions[0].running), (3, 7, 3));
    // A task's end causes one launch, not more.
    for partition in 3..10 {
        worker.end(running.remove(0), success("".into())).await;
        let next = worker.launched().await.key.unwrap();
        assert_eq!(next.partition, partition);
        running.push(next);
        assert!(pool.cluster().workers[0].busy <= 3);
    }
    // A task that has ended, or never ran, does not free a slot.
    worker.end(key(7, 7), success("".into())).await;
    for key in running {
        worker.end(key, success("".into())).await;
    }
    assert_eq!(session.all_ended(10).await.len(), 10);
    assert_eq!(pool.cluster().workers[0].busy, 0);
    pool.stop().await;
}

#[tokio::test]
async fn a_session_with_few_tasks_does_not_queue_behind_one_with_many() {
    let pool = Pool::usual().await;
    let mut worker = Worker::join(&pool, "one", 2).await;
    let many = Session::open(&pool, "many").await;
    let few = Session::open(&pool, "few").await;
    many.submit(tasks(100)).await;
    let first = worker.launched().await.key.unwrap();
    let second = worker.launched().await.key.unwrap();
    assert_eq!((first.session, second.session), (many.number, many.number));
    few.submit(tasks(3)).await;
    pool.until("queueing", |cluster| cluster.sessions.iter().any(|session| session.queued == 3)).await;
    worker.end(first, success("".into())).await;
    let third = worker.launched().await.key.unwrap();
    assert_eq!(third.session, few.number);
    // Each session has one slot now; the one without a running task is next.
    worker.end(third, success("".into())).await;
    assert_eq!(worker.launched().await.key.unwrap().session, few.number);
    worker.end(second, success("".into())).await;
    assert_eq!(worker.launched().await.key.unwrap().session, many.number);
    pool.stop().await;
}

#[tokio::test]
async fn a_task_waits_for_a_preferred_worker_only_as_long_as_its_session_says() {
    let pool = Pool::start(partita_master::MasterOptions { locality_wait: PATIENCE * 10, ..options() }).await;
    let mut first = Worker::join(&pool, "one", 1).await;
    let mut second = Worker::join(&pool, "two", 1).await;
    let session = Session::open(&pool, "notebook").await;
    let preferring = |partition| partita_wire::pool::TaskSpec {
        preferred_workers: vec![second.number],
        ..task(0, partition)
    };
    session.submit([preferring(0), preferring(1)]).await;
    let there = second.launched().await.key.unwrap();
    // The other worker stays free for a task without a preference.
    session.submit([task(0, 2)]).await;
    let other = first.launched().await.key.unwrap();
    assert_eq!((there.partition, other.partition), (0, 2));
    first.end(other, success("".into())).await;
    second.end(there, success("".into())).await;
    assert_eq!(second.launched().await.key.unwrap().partition, 1);
    // With a short wait the next task goes to any free worker.
    let wait = SessionOptions { locality_wait_ms: Some(20), dynamic_allocation: None };
    session.say(from_session::Message::Options(wait)).await;
    session
        .submit([partita_wire::pool::TaskSpec { preferred_workers: vec![second.number], ..task(0, 3) }])
        .await;
    assert_eq!(first.launched().await.key.unwrap().partition, 3);
    assert_eq!(pool.cluster().totals.tasks_local, 2);
    pool.stop().await;
}

#[tokio::test]
async fn a_speculative_copy_goes_to_another_worker_even_if_that_one_has_to_come_first() {
    let pool = Pool::usual().await;
    let mut first = Worker::join(&pool, "one", 2).await;
    let mut session = Session::open(&pool, "notebook").await;
    let mut copy = task(0, 0);
    copy.excluded_workers = vec![first.number];
    session.submit([copy, task(0, 1)]).await;
    assert_eq!(first.launched().await.key.unwrap().partition, 1);
    let mut second = Worker::join(&pool, "two", 1).await;
    assert_eq!(second.launched().await.key.unwrap().partition, 0);
    let to_session::Message::WorkerJoined(joined) = session.next().await else { panic!("nobody joined") };
    assert_eq!((joined.worker, joined.name.as_str(), joined.slots), (second.number, "two", 1));
    pool.stop().await;
}

#[tokio::test]
async fn cancelled_tasks_end_and_their_slots_are_free_when_the_worker_says_so() {
    let pool = Pool::usual().await;
    let mut worker = Worker::join(&pool, "one", 1).await;
    let mut session = Session::open(&pool, "notebook").await;
    session.submit(tasks(5)).await;
    session.submit([task(1, 9)]).await;
    let running = worker.launched().await.key.unwrap();
    let attempt = CancelTasks { session: 0, job: 0, only: Some(key(0, 4)) };
    session.say(from_session::Message::Cancel(attempt)).await;
    let ended = session.ended().await;
    assert_eq!(ended.key.unwrap().partition, 4);
    assert_eq!(failed(&ended).unwrap().0, task_failure::Kind::Cancelled);
    session.say(from_session::Message::Cancel(CancelTasks { session: 0, job: 0, only: None })).await;
    let to_worker::Message::Cancel(cancel) = worker.next().await else { panic!("nothing was cancelled") };
    assert_eq!((cancel.session, cancel.job, cancel.only), (session.number, 0, None));
    let all = session.all_ended(3).await;
    assert_eq!(all.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
    // The other job continues, but only when the slot is free.
    let cluster = pool.cluster();
    assert_eq!((cluster.workers[0].busy, cluster.sessions[0].queued), (1, 1));
    worker.end(running, failure(task_failure::Kind::Cancelled, "cancelled")).await;
    assert_eq!(session.ended().await.key, Some(running));
    assert_eq!(worker.launched().await.key.unwrap().job, 1);
    pool.stop().await;
}

#[tokio::test]
async fn tasks_past_the_queues_bounds_fail_with_a_reason_and_the_others_run() {
    let mut options = options();
    options.limits.queued_tasks = 10;
    options.limits.queued_bytes = 1000;
    let pool = Pool::start(options).await;
    let mut session = Session::open(&pool, "notebook").await;
    session.submit(tasks(12)).await;
    let refused = session.all_ended(2).await;
    assert_eq!(refused.keys().copied().collect::<Vec<_>>(), [10, 11]);
    let (kind, message) = failed(&refused[&10]).unwrap();
    assert_eq!(kind, task_failure::Kind::Failed);
    assert!(message.contains("10 tasks") && message.contains("fewer partitions"), "{message}");
    Worker::join(&pool, "one", 1).await.run(0);
    assert_eq!(session.all_ended(10).await.len(), 10);
    let mut large = task(0, 20);
    large.body = vec![0; 1001].into();
    session.submit([large]).await;
    let (_, message) = failed(&session.ended().await).map(|(kind, text)| (kind, text.to_owned())).unwrap();
    assert!(message.contains("1001 bytes") || message.contains("more than 1000"), "{message}");
    pool.stop().await;
}

#[tokio::test]
async fn the_same_attempt_twice_ends_its_session_with_a_reason() {
    let pool = Pool::usual().await;
    let mut session = Session::open(&pool, "notebook").await;
    session.submit([task(0, 4), task(0, 4)]).await;
    let status = session.end().await.unwrap();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    assert!(status.message().contains("partition 4") && status.message().contains("twice"), "{status}");
    assert!(pool.cluster().sessions.is_empty());
    pool.stop().await;
}

#[tokio::test]
async fn a_sessions_events_are_recorded_in_order_from_its_opening_to_its_end() {
    let notes = Notes::new();
    let pool = Pool::start(partita_master::MasterOptions { recorder: notes.clone(), ..options() }).await;
    let session = Session::open(&pool, "lesson\u{1b}[31m 3").await;
    let events: Vec<_> = (0..3)
        .map(|job| Event::StageFinished { job: JobId(job), stage: StageId(1), at: Duration::from_secs(1) })
        .collect();
    let mut texts: Vec<_> = events.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
    texts.insert(1, "no event".into());
    session.say(from_session::Message::Events(EventBatch { events: texts })).await;
    let number = session.number;
    // A session that leaves properly ends its half of the stream and reads until the other half ends.
    let Session { to, mut from, .. } = session;
    drop(to);
    assert_eq!(soon("the stream's end", from.message()).await.unwrap(), None);
    let closed = |notes: &Notes| notes.0.lock().unwrap().last().is_some_and(|(_, note)| note == "closed");
    pool.until("the session's end", |_| closed(&notes)).await;
    let mut expected = vec!["opened lesson[31m 3".to_owned()];
    expected.extend(events.iter().map(|event| format!("{event:?}")));
    expected.push("closed".into());
    assert_eq!(*notes.0.lock().unwrap(), expected.into_iter().map(|note| (number, note)).collect::<Vec<_>>());
    pool.stop().await;
}
