use std::collections::VecDeque;

use super::{Job, Limits, Workers};
use crate::{Event, JobId};

/// What a session's events describe: its latest jobs and its workers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Session {
    jobs: VecDeque<Job>,
    workers: Workers,
    limits: Limits,
    next_stage: usize,
}

impl Session {
    /// A session without events.
    pub fn new(limits: Limits) -> Self {
        Self { workers: Workers::new(limits), limits, ..Self::default() }
    }

    /// Takes the session's next event. Returns the job that made room for a new one, if
    /// any had to.
    pub fn apply(&mut self, event: &Event) -> Option<Job> {
        self.workers.apply(event);
        let id = event.job()?;
        if let Some(job) = Job::submitted_by(event, self.limits) {
            let full = self.jobs.len() >= self.limits.jobs.max(1);
            // A number that comes again is a job that begins anew.
            let same = self.jobs.iter().rposition(|job| job.job == id);
            let forgotten = same.or(full.then_some(0)).and_then(|index| self.jobs.remove(index));
            self.jobs.push_back(job);
            return forgotten;
        }
        let job = self.jobs.iter_mut().rfind(|job| job.job == id)?;
        let (stages, beaten) = (job.stages().len(), beaten(job, event));
        job.apply(event);
        if job.stages().len() > stages {
            job.number_latest_stage(self.next_stage);
            self.next_stage += 1;
        }
        if let Event::TaskFailed { worker, .. } = event
            && self::beaten(job, event) > beaten
        {
            self.workers.beaten(*worker);
        }
        None
    }

    /// Its jobs, in the order they were submitted.
    pub fn jobs(&self) -> impl DoubleEndedIterator<Item = &Job> + ExactSizeIterator {
        self.jobs.iter()
    }

    /// The same, to forget attempts or to interrupt.
    pub fn jobs_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Job> {
        self.jobs.iter_mut()
    }

    /// A job by its number: the latest with it.
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.iter().rfind(|job| job.job == id)
    }

    /// Its workers.
    pub fn workers(&self) -> &Workers {
        &self.workers
    }
}

/// Attempts that were not needed, of the stage whose attempt failed.
fn beaten(job: &Job, event: &Event) -> Option<usize> {
    let Event::TaskFailed { stage, .. } = event else { return None };
    job.stage(*stage).map(|stage| stage.beaten)
}
