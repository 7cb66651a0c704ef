//! What a person sees of a job while it runs: a picture below the cell's text that is redrawn in place, and
//! one line that stays when the job has ended. All that is known of a job is in the one fold of its events;
//! [`render`] makes lines of it, and [`LiveView`] keeps them on the screen.

mod render;
mod view;

#[cfg(test)]
mod tests;

use partita_events::fold::Limits;
pub use view::{LiveView, REDRAWN_EVERY};

/// What is kept of a job for the screen. Counts and sums stay right beyond that.
const LIMITS: Limits = Limits {
    jobs: 1,
    stages: 10_000,
    partitions: 1 << 17,
    attempts: 1 << 17,
    workers: 1 << 10,
    slots: 1 << 10,
};
