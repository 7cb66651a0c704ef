//! How events travel to the page: see `assets/wire.js`, which reads them.

use std::time::Duration;

use serde_json::{Value, json};

use super::log::Log;
use partita_events::Event;

const STARTED: u64 = 0;
const FINISHED: u64 = 1;

/// Events of one session, with the session's clock as it is now.
pub(super) fn batch<'a>(session: u64, now: Duration, events: impl IntoIterator<Item = &'a Event>) -> Value {
    let rows: Vec<Value> = events.into_iter().map(row).collect();
    json!([session, micros(now), rows])
}

/// All that a log knows, in batches; `now` says a session's clock.
pub(super) fn whole(log: &Log, now: impl Fn(u64) -> Duration) -> Vec<Value> {
    let mut told: Vec<u64> = Vec::new();
    let mut batches = Vec::new();
    for job in log.jobs() {
        let session = job.session;
        if !told.contains(&session) {
            told.push(session);
            batches.push(batch(session, Duration::ZERO, log.workers(session)));
        }
        batches.push(batch(session, now(session), job.events()));
        if job.left_out > 0 {
            let left_out = json!({"TasksLeftOut": {"job": job.job, "tasks": job.left_out}});
            batches.push(json!([session, 0, [left_out]]));
        }
    }
    batches
}

fn row(event: &Event) -> Value {
    let numbers = match event {
        Event::TaskStarted { job, stage, partition, attempt, worker, slot, at } => {
            let (job, stage, partition, attempt, slot) =
                (*job as u64, *stage as u64, *partition as u64, *attempt as u64, *slot as u64);
            vec![STARTED, job, stage, partition, attempt, *worker, slot, micros(*at)]
        }
        Event::TaskFinished { job, stage, partition, attempt, worker, metrics: m, at } => {
            let (job, stage, partition, attempt, slot) =
                (*job as u64, *stage as u64, *partition as u64, *attempt as u64, m.slot as u64);
            let mut row = vec![FINISHED, job, stage, partition, attempt, *worker, slot, micros(*at)];
            row.extend([m.run, m.cpu, m.queue, m.fetch, m.write].map(micros));
            row.extend([m.rows_in, m.rows_out, m.bytes_read, m.row_groups_skipped]);
            row.extend([m.shuffle_in, m.shuffle_out, m.spilled, m.cache_hits]);
            row
        }
        // An enum of plain numbers and texts always has a JSON form.
        event => return serde_json::to_value(event).unwrap_or(Value::Null),
    };
    let end = numbers.iter().rposition(|number| *number != 0).map_or(1, |last| last + 1);
    numbers[..end].into()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::tests::*;
    use super::*;

    #[test]
    fn starts_and_ends_of_tasks_are_rows_of_numbers_without_zeros_at_the_end() {
        let events = [started(1, 2, 3, 0, 5), finished(1, 2, 3, 0, 9), job_finished(1, 9)];
        assert_eq!(
            batch(4, ms(10), &events),
            json!([4, 10_000, [
                [0, 1, 2, 3, 0, 0, 0, 5000],
                [1, 1, 2, 3, 0, 0, 0, 9000, 4000, 3000, 1000, 0, 0, 20, 10],
                {"JobFinished": {"job": 1, "error": null, "cancelled": false, "at": 0.009}},
            ]])
        );
    }

    #[test]
    fn ten_thousand_tasks_take_less_than_a_megabyte() {
        let mut log = Log::default();
        log.take(0, &submitted(0, 0));
        log.take(0, &stage(0, 0, 10_000, 0));
        for partition in 0..10_000 {
            log.take(0, &started(0, 0, partition, 0, 1));
            log.take(0, &finished(0, 0, partition, 0, 100 + partition as u64));
        }
        let bytes = Value::from(whole(&log, |_| ms(1))).to_string().len();
        assert!(bytes < 1_000_000, "{bytes}");
    }
}
