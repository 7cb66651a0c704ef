//! The current time on a session's clock, derived from its events.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// When each session's clock was at zero, as far as its events tell: no event arrives before it happens.
/// Process-wide because sessions are numbered for the whole process.
static ZEROS: Mutex<Option<HashMap<u64, Instant>>> = Mutex::new(None);

/// An event with this time has just arrived.
pub(super) fn observe(session: u64, at: Duration) {
    let Some(zero) = Instant::now().checked_sub(at) else { return };
    let mut zeros = ZEROS.lock();
    let known = zeros.get_or_insert_default().entry(session).or_insert(zero);
    *known = zero.min(*known);
}

/// The session's current time.
pub(super) fn now(session: u64) -> Duration {
    let zeros = ZEROS.lock();
    zeros.as_ref().and_then(|zeros| zeros.get(&session)).map_or(Duration::ZERO, Instant::elapsed)
}
