//! A session uses the host that it was built with, and no other.

use std::sync::{Arc, Mutex, mpsc};

use partita::cancel::Interrupts;
use partita::events::Event;
use partita::host::{Host, Shown, current, set_current};
use partita::input::InputError;
use partita::prelude::*;

#[derive(Default)]
struct Recorder {
    interrupts: Interrupts,
    shown: Mutex<Vec<Shown>>,
    events: Mutex<Vec<(u64, Event)>>,
}

impl Host for Recorder {
    fn show(&self, shown: Shown) {
        self.shown.lock().unwrap().push(shown);
    }

    fn ask(&self, _: &str, _: bool) -> Result<String, InputError> {
        Err(InputError::Unavailable("a test answers no questions".into()))
    }

    fn interrupts(&self) -> &Interrupts {
        &self.interrupts
    }

    fn receive(&self, session: u64, event: &Event) {
        self.events.lock().unwrap().push((session, event.clone()));
    }
}

fn session() -> (Session, Arc<Recorder>) {
    let host = Arc::new(Recorder::default());
    (Session::builder().host(host.clone()).embedded(2).unwrap(), host)
}

#[test]
fn displays_and_events_of_a_session_reach_its_host_alone() {
    let ((first, firsts), (second, seconds)) = (session(), session());
    first.range(0, 10, 2).show().unwrap();
    let shown = firsts.shown.lock().unwrap();
    let [Shown::New { bundle, .. }] = shown.as_slice() else { panic!("{shown:?}") };
    assert!(bundle.get("text/plain").unwrap().contains("id"));
    let events = firsts.events.lock().unwrap();
    assert!(events.iter().all(|(number, _)| *number == first.number() as u64));
    assert!(matches!(events.first(), Some((_, Event::JobSubmitted { .. }))), "{events:?}");
    assert!(matches!(events.last(), Some((_, Event::JobFinished { error: None, .. }))), "{events:?}");
    assert!(seconds.shown.lock().unwrap().is_empty() && seconds.events.lock().unwrap().is_empty());
    assert_eq!(second.range(0, 10, 2).count().unwrap(), 10);
    assert!(seconds.events.lock().unwrap().iter().all(|(number, _)| *number == second.number() as u64));
}

#[test]
fn an_interrupt_of_one_host_leaves_the_jobs_of_others_alone() {
    let ((first, host), (second, _)) = (session(), session());
    let (started, wait) = mpsc::channel();
    first.events().listen(move |event| {
        if matches!(event, Event::TaskStarted { .. }) {
            let _ = started.send(());
        }
    });
    let slow = first.range(0, 4, 4).map_partitions(|lf| {
        lf.with_columns([col("id").map(
            |column| {
                std::thread::sleep(std::time::Duration::from_millis(300));
                Ok(column)
            },
            |_, field| Ok(field.clone()),
        )])
    });
    let job = std::thread::spawn(move || slow.collect());
    wait.recv().unwrap();
    host.interrupts.cancel();
    assert_eq!(second.range(0, 100, 4).count().unwrap(), 100);
    let error = job.join().unwrap().unwrap_err();
    assert!(matches!(error, PartitaError::Cancelled { .. }), "{error}");
    assert!(first.range(0, 4, 4).count().is_err(), "the same cell starts nothing any more");
    host.interrupts.next_cell();
    assert_eq!(first.range(0, 100, 4).count().unwrap(), 100);
}

#[test]
fn the_current_host_is_fixed_once_it_is_used() {
    let used = current().clone();
    assert!(set_current(Arc::new(Recorder::default())).is_err());
    assert!(Arc::ptr_eq(&used, current()));
}
