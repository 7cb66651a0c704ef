//! The scheduler on an engine that fails on command: attempts, lost workers and output, copies of slow
//! tasks. The embedded engine behind it computes real rows.

mod attempts;
mod engine;
mod lineage;
mod programs;
mod speculation;

use std::sync::{Arc, Mutex};

use engine::{Fault, FaultyEngine, Moment};

use crate::Session;
use crate::events::Event;
use crate::host::recorder::Recorder;

/// A session whose attempts end as `faults` says, and all its events.
fn session(
    workers: usize,
    faults: impl FnMut(&Moment) -> Vec<Fault> + Send + 'static,
) -> (Session, Arc<FaultyEngine>, Arc<Mutex<Vec<Event>>>) {
    let engine = Arc::new(FaultyEngine::start(workers, faults));
    let session = Session::on(engine.clone(), Arc::new(Recorder::default()));
    let events = Arc::new(Mutex::new(Vec::new()));
    let heard = events.clone();
    session.events().listen(move |event| heard.lock().unwrap().push(event.clone()));
    (session, engine, events)
}

/// How often a stage's tasks were queued again because of lost output, and how many each time.
fn resubmitted(events: &Mutex<Vec<Event>>) -> Vec<(usize, usize)> {
    let events = events.lock().unwrap();
    let again = events.iter().filter_map(|event| match event {
        Event::StageResubmitted { stage, tasks, .. } => Some((stage.0, *tasks)),
        _ => None,
    });
    again.collect()
}

/// The failed attempts of a task, and whether the job went on.
fn failed(events: &Mutex<Vec<Event>>, of: (usize, usize)) -> Vec<(usize, bool)> {
    let events = events.lock().unwrap();
    let failed = events.iter().filter_map(|event| match event {
        Event::TaskFailed { stage, partition, attempt, retried, .. } if (stage.0, partition.0) == of => {
            Some((*attempt, *retried))
        }
        _ => None,
    });
    failed.collect()
}
