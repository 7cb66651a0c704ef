//! Decisions on made-up pools: examples of each rule, and random steps compared with a model.

mod allocation;
mod any_steps;
mod queue;
mod sent_ahead;

use bytes::Bytes;

use super::*;

const WAIT: Duration = Duration::from_millis(100);
const STEP: Duration = Duration::from_millis(1000);
const IDLE: Duration = Duration::from_millis(500);
/// More tasks than any of these tests submits.
const MOST_SENT: usize = 1000;

fn attempt(job: u64, partition: u32) -> Attempt {
    Attempt { job, stage: 0, partition, attempt: 0 }
}

fn task(job: u64, partition: u32, preferred: &[u64], excluded: &[u64]) -> Queued {
    Queued {
        attempt: attempt(job, partition),
        body: Bytes::from_static(b"task"),
        preferred: preferred.to_vec(),
        excluded: excluded.to_vec(),
    }
}

/// A dispatch with workers of these slots and `sessions` sessions, both numbered from 1.
fn pool(slots: &[usize], sessions: u64) -> Dispatch {
    let mut dispatch = Dispatch::new(MOST_SENT);
    for (worker, slots) in (1..).zip(slots) {
        dispatch.add_worker(worker, *slots);
    }
    (1..=sessions).for_each(|session| dispatch.add_session(session, WAIT));
    dispatch
}

fn launched(dispatch: &mut Dispatch, now: Instant) -> Vec<(u64, u64, u32)> {
    let (launches, _) = dispatch.place(now);
    launches
        .into_iter()
        .map(|launch| (launch.worker, launch.session, launch.task.attempt.partition))
        .collect()
}
