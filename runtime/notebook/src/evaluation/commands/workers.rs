use partita::session;
use partita_bridge::{MimeBundle, Table};
use partita_events::figures::bytes;

use super::Answer;

/// The workers of each session, and what they cache.
pub(super) fn list() -> Answer {
    let sessions = session::live();
    if sessions.is_empty() {
        let text = "no session yet; `let session = Session::new()?;` starts one with a slot per core";
        return Ok(Some(MimeBundle::text(text)));
    }
    let header =
        ["session", "worker", "slots", "busy", "jobs", "cached in memory", "on disk", "cache memory"];
    let mut table = [0, 2, 3, 4, 5, 6, 7].into_iter().fold(Table::new(header), Table::right);
    for session in &sessions {
        let jobs = session.reports().len();
        for worker in session.workers() {
            table.row([
                session.number().to_string(),
                worker.name,
                worker.slots.to_string(),
                worker.busy.to_string(),
                jobs.to_string(),
                worker.cached_in_memory.to_string(),
                worker.cached_on_disk.to_string(),
                format!("{} of {}", bytes(worker.cache_bytes as u64), bytes(worker.cache_limit as u64)),
            ]);
        }
    }
    Ok(Some(table.bundle("cached: partitions that `cache` and `persist` keep")))
}
