//! Any stream of events, also of a hostile session or a damaged log, is folded and shown.

use partita_events::changes::{Cursor, since};
use partita_events::fold::{Limits, Session};
use partita_events::{Event, summary};

#[test]
fn event_lines() {
    partita_fuzz::run("tests/corpus/events", |bytes| {
        let mut session = Session::new(Limits { jobs: 3, attempts: 50, slots: 64, ..Limits::default() });
        for line in bytes.split(|byte| *byte == b'\n') {
            if let Ok(event) = serde_json::from_slice::<Event>(line) {
                session.apply(&event);
            }
        }
        for job in session.jobs() {
            let (done, all) = job.tasks();
            assert!(done <= all);
            let workers = job.workers(session.workers());
            assert!(workers.iter().all(|worker| worker.slots <= 64));
            assert!(!summary::line(job, &workers).is_empty());
            let mut cursor = Cursor::default();
            while since(job, session.workers(), job.last, &mut cursor, 7).is_some_and(|changes| changes.more)
            {
            }
        }
    });
}
