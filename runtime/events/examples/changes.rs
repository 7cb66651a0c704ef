//! What a page is sent: reads batches of a session's events from standard input, a JSON array of arrays, and
//! writes the messages after each batch, likewise. The tests of the page in `notebooks/tests` use it.
//!
//! ```sh
//! echo '[[{"JobSubmitted": {"job": 0, "action": "count", "slots": 2, "at": 0.0}}]]' |
//!     cargo run -p partita-events --example changes
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::io;

use partita_events::changes::{Cursor, since};
use partita_events::fold::{Limits, Session};
use partita_events::{Event, JobId};
use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let batches: Vec<Vec<Event>> = serde_json::from_reader(io::stdin().lock())?;
    let mut session = Session::new(Limits::default());
    let mut cursors: HashMap<JobId, Cursor> = HashMap::new();
    let mut written: Vec<Vec<Value>> = Vec::new();
    for batch in batches {
        for event in &batch {
            session.apply(event);
        }
        let mut messages = Vec::new();
        for job in session.jobs() {
            let cursor = cursors.entry(job.job).or_default();
            if let Some(changes) = since(job, session.workers(), job.last, cursor, usize::MAX) {
                let mut message = changes.message;
                message["session"] = 0.into();
                messages.push(message);
            }
        }
        written.push(messages);
    }
    serde_json::to_writer(io::stdout().lock(), &written)?;
    Ok(())
}
