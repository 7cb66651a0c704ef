//! Made-up events and workers.

use std::time::Duration;

use partita_events::{Event, JobId, PartitionId, StageId, TaskMetrics, WorkerId};
use partita_master::WorkerView;

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub fn submitted(job: usize, at: u64) -> Event {
    Event::JobSubmitted { job: JobId(job), action: "collect".into(), slots: 2, at: ms(at) }
}

pub fn stage(job: usize, tasks: usize, at: u64) -> Event {
    Event::StageSubmitted { job: JobId(job), stage: StageId(0), name: "scan".into(), tasks, at: ms(at) }
}

pub fn started(job: usize, partition: usize, at: u64) -> Event {
    let (job, stage, partition, worker) = (JobId(job), StageId(0), PartitionId(partition), WorkerId(1));
    Event::TaskStarted { job, stage, partition, attempt: 0, worker, slot: 0, at: ms(at) }
}

pub fn finished(job: usize, partition: usize, at: u64) -> Event {
    let metrics = TaskMetrics { run: ms(10), shuffle_out: 1000, rows_out: 7, ..TaskMetrics::default() };
    let (job, stage, partition, worker) = (JobId(job), StageId(0), PartitionId(partition), WorkerId(1));
    Event::TaskFinished { job, stage, partition, attempt: 0, worker, metrics, at: ms(at) }
}

pub fn ended(job: usize, at: u64) -> Event {
    Event::JobFinished { job: JobId(job), error: None, cancelled: false, at: ms(at) }
}

pub fn joined(worker: u64, at: u64) -> Event {
    Event::WorkerJoined { worker: WorkerId(worker), name: "w".into(), slots: 2, at: ms(at) }
}

pub fn whole_job(job: usize) -> Vec<Event> {
    vec![submitted(job, 1), stage(job, 1, 2), started(job, 0, 3), finished(job, 0, 13), ended(job, 14)]
}

/// A worker that has not sent anything yet.
pub fn worker(number: u64) -> WorkerView {
    WorkerView {
        worker: number,
        name: "a \"quoted\" name".into(),
        slots: 4,
        busy: 1,
        memory_limit: 2_000_000,
        cache_limit: 1_000_000,
        blocks_address: format!("10.0.0.{number}:7078"),
        status: None,
        silent: Duration::ZERO,
        joined: std::time::SystemTime::now(),
    }
}
