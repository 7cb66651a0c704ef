//! What time it is on a session's clock, told from its events alone.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::widgets::lock;

/// When each session's clock stood at zero, as far as its events tell: none is heard before it happens.
static ZEROS: Mutex<Option<HashMap<u64, Instant>>> = Mutex::new(None);

/// An event of this time was heard just now.
pub(super) fn hear(session: u64, at: Duration) {
    let Some(zero) = Instant::now().checked_sub(at) else { return };
    let mut zeros = lock(&ZEROS);
    let known = zeros.get_or_insert_default().entry(session).or_insert(zero);
    *known = zero.min(*known);
}

/// The session's time.
pub(super) fn now(session: u64) -> Duration {
    let zeros = lock(&ZEROS);
    zeros.as_ref().and_then(|zeros| zeros.get(&session)).map_or(Duration::ZERO, Instant::elapsed)
}
