//! The one fold: events in, the state of a session's jobs and workers out.
//!
//! [`Session`] folds a whole stream. [`Job`] and [`Workers`] are its halves, for a view that shows the
//! jobs of several sessions. Nothing is formatted here, and no event can do harm: an event of a job or
//! stage that is not known is ignored, and [`Limits`] bound what is kept.

mod attempt;
mod job;
mod session;
mod stage;
#[cfg(test)]
mod tests;
mod worker;

pub use attempt::{Attempt, AttemptState};
pub use job::{Job, JobState};
pub use session::Session;
pub use stage::{Finished, Resubmission, Stage};
pub use worker::{JobWorker, Worker, Workers, slots};

/// How much a fold keeps. Beyond a limit, counts and sums stay right and details are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Jobs of a session; the oldest are forgotten.
    pub jobs: usize,
    /// Stages of a job.
    pub stages: usize,
    /// Partitions of a stage that are told apart.
    pub partitions: usize,
    /// Attempts of a job; [`Job::left_out`] counts the others.
    pub attempts: usize,
    /// Workers of a session.
    pub workers: usize,
    /// Slots of a worker.
    pub slots: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            jobs: 100,
            stages: 10_000,
            partitions: 1 << 20,
            attempts: 200_000,
            workers: 10_000,
            slots: 1024,
        }
    }
}

impl Limits {
    /// Keeps the last `jobs` jobs with all their details.
    pub fn whole_jobs(jobs: usize) -> Self {
        let all = usize::MAX;
        Self { jobs, stages: all, partitions: all, attempts: all, workers: all, slots: all }
    }
}
