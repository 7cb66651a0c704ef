//! Forwards the job events of every session in batches, and never delays the scheduler. `evaluation`
//! decides who receives them.

use std::io;
use std::mem;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use partita_events::Event;

/// The minimum time between two batches.
const INTERVAL: Duration = Duration::from_millis(50);

/// How many events may wait while the kernel is slow.
const WAITING_EVENTS: usize = 100_000;

/// The maximum number of events in one message, because messages have a size limit.
const MESSAGE_EVENTS: usize = 5_000;

/// Process-wide because it takes the events of all sessions, and [`interact`](crate::widgets::interact), a
/// free function, flushes it.
static FORWARDER: OnceLock<Forwarder> = OnceLock::new();

/// From now on passes the events of all sessions to `deliver`, in batches of one session each. `tick` is
/// called between batches; while it returns that it waits for time to pass, it is called again soon.
pub(crate) fn forward(deliver: fn(u64, Vec<Event>), tick: fn() -> bool) -> io::Result<()> {
    let forwarder = FORWARDER.get_or_init(|| Forwarder {
        waiting: Mutex::default(),
        some: Condvar::new(),
        sending: Mutex::default(),
        deliver,
    });
    thread::Builder::new().name("events".into()).spawn(move || {
        let mut soon = false;
        loop {
            forwarder.wait(soon);
            forwarder.send();
            soon = tick();
            thread::sleep(INTERVAL);
        }
    })?;
    Ok(())
}

/// Receives an event without ever waiting.
pub(crate) fn receive(session: u64, event: &Event) {
    if let Some(forwarder) = FORWARDER.get() {
        forwarder.take(session, event);
    }
}

/// Delivers the waiting events, so that they arrive before what is sent next.
pub(crate) fn flush() {
    if let Some(forwarder) = FORWARDER.get() {
        forwarder.send();
    }
}

struct Forwarder {
    waiting: Mutex<Waiting>,
    some: Condvar,
    /// Held from taking a batch until it is sent, so that batches keep their order.
    sending: Mutex<()>,
    deliver: fn(u64, Vec<Event>),
}

impl Forwarder {
    fn take(&self, session: u64, event: &Event) {
        let mut waiting = self.waiting.lock();
        waiting.push(session, event.clone());
        if waiting.events.len() == 1 {
            self.some.notify_one();
        }
    }

    /// Waits for an event; only briefly if something must be checked soon.
    fn wait(&self, soon: bool) {
        let mut waiting = self.waiting.lock();
        let none = |waiting: &mut Waiting| waiting.events.is_empty();
        if soon {
            self.some.wait_while_for(&mut waiting, none, INTERVAL);
        } else {
            self.some.wait_while(&mut waiting, none);
        }
    }

    fn send(&self) {
        let _order = self.sending.lock();
        let events = mem::take(&mut self.waiting.lock().events);
        for (session, events) in messages(events) {
            (self.deliver)(session, events);
        }
    }
}

/// The events not sent yet, in order, with their sessions.
#[derive(Default)]
struct Waiting {
    events: Vec<(u64, Event)>,
}

impl Waiting {
    /// Adds an event without ever waiting. If there are too many, the starts of tasks are dropped (a
    /// task's end also has its start time); if that is not enough, single tasks are. The events of jobs
    /// and stages, of which there are few, are kept, so that the totals stay correct.
    fn push(&mut self, session: u64, event: Event) {
        if self.events.len() >= WAITING_EVENTS && is_of_task(&event) {
            self.events.retain(|(_, event)| !matches!(event, Event::TaskStarted { .. }));
            // Hardly anything was gained: do not search again for each event.
            if self.events.len() > WAITING_EVENTS / 10 * 9 {
                self.events.retain(|(_, event)| !is_of_task(event));
            }
        }
        self.events.push((session, event));
    }
}

fn is_of_task(event: &Event) -> bool {
    matches!(event, Event::TaskStarted { .. } | Event::TaskFinished { .. } | Event::TaskFailed { .. })
}

/// Splits `events` into messages: each for one session, and none too long.
fn messages(events: Vec<(u64, Event)>) -> Vec<(u64, Vec<Event>)> {
    let mut messages: Vec<(u64, Vec<Event>)> = Vec::new();
    for (session, event) in events {
        match messages.last_mut() {
            Some((last, batch)) if *last == session && batch.len() < MESSAGE_EVENTS => batch.push(event),
            _ => messages.push((session, vec![event])),
        }
    }
    messages
}

#[cfg(test)]
mod tests {
    use partita_events::{JobId, PartitionId, StageId, TaskMetrics, WorkerId};

    use super::*;

    fn finished(partition: usize) -> Event {
        let (job, stage, partition) = (JobId(0), StageId(0), PartitionId(partition));
        let (attempt, worker, at) = (0, WorkerId(0), Duration::ZERO);
        let metrics = TaskMetrics::default();
        Event::TaskFinished { job, stage, partition, attempt, worker, metrics, at }
    }

    fn started(partition: usize) -> Event {
        let (job, stage, partition) = (JobId(0), StageId(0), PartitionId(partition));
        let (attempt, worker, slot, at) = (0, WorkerId(0), 0, Duration::ZERO);
        Event::TaskStarted { job, stage, partition, attempt, worker, slot, at }
    }

    fn stage_finished(stage: usize) -> Event {
        Event::StageFinished { job: JobId(0), stage: StageId(stage), at: Duration::ZERO }
    }

    #[test]
    fn messages_are_of_one_session_each_and_keep_the_order() {
        let events = vec![(0, started(1)), (0, finished(1)), (1, started(9)), (0, started(2))];
        let messages = messages(events);
        assert_eq!(
            messages,
            [(0, vec![started(1), finished(1)]), (1, vec![started(9)]), (0, vec![started(2)])]
        );
    }

    #[test]
    fn a_batch_of_ten_thousand_tasks_loses_nothing_and_is_cut_into_messages() {
        let mut waiting = Waiting::default();
        for partition in 0..10_000 {
            waiting.push(0, started(partition));
            waiting.push(0, finished(partition));
        }
        let messages = messages(waiting.events);
        assert!(messages.iter().all(|(_, events)| events.len() <= MESSAGE_EVENTS));
        assert_eq!(messages.iter().map(|(_, events)| events.len()).sum::<usize>(), 20_000);
    }

    #[test]
    fn what_waits_is_bounded_and_the_ends_of_stages_are_never_lost() {
        let mut waiting = Waiting::default();
        let stages = 50;
        for stage in 0..stages {
            for partition in 0..WAITING_EVENTS / 10 {
                waiting.push(0, started(partition));
                waiting.push(0, finished(partition));
            }
            waiting.push(0, stage_finished(stage));
        }
        assert!(waiting.events.len() <= WAITING_EVENTS + stages);
        let kept: Vec<_> =
            waiting.events.iter().filter(|(_, event)| matches!(event, Event::StageFinished { .. })).collect();
        assert_eq!(kept.len(), stages);
    }
}
