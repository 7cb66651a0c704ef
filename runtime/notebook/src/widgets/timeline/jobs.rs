use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use partita_events::changes::{Cursor, since};
use partita_events::fold::{Job, JobWorker, Limits, Workers};
use partita_events::{Event, summary};
use serde_json::Value;

/// The maximum number of jobs that one timeline holds; the oldest that have ended make room.
const JOBS_KEPT: usize = 100;
/// The maximum number of attempts at tasks that one timeline holds.
const ATTEMPTS_KEPT: usize = 100_000;

/// The jobs of a timeline, and how much of them the page was sent.
#[derive(Default)]
pub(super) struct Jobs {
    jobs: VecDeque<SessionJob>,
    /// The workers of each session.
    workers: HashMap<u64, Arc<Workers>>,
    /// Jobs that made room for later ones.
    pub forgotten: usize,
}

/// A job and the session that runs it.
pub(super) struct SessionJob {
    pub session: u64,
    pub job: Job,
    sent: Cursor,
}

impl Jobs {
    /// Takes the next events of a session's jobs. `workers` are those of the session after them.
    pub fn receive(&mut self, session: u64, workers: Arc<Workers>, events: &[&Event]) {
        for event in events {
            self.apply(session, event);
        }
        self.workers.insert(session, workers);
    }

    fn apply(&mut self, session: u64, event: &Event) {
        let Some(number) = event.job() else { return };
        let limits = Limits { attempts: ATTEMPTS_KEPT, ..Limits::default() };
        if let Some(job) = Job::submitted_by(event, limits) {
            while self.jobs.len() >= JOBS_KEPT && self.forget_oldest() {}
            self.jobs.push_back(SessionJob { session, job, sent: Cursor::default() });
            return;
        }
        while self.attempts() >= ATTEMPTS_KEPT && self.forget_oldest() {}
        let room = ATTEMPTS_KEPT.saturating_sub(self.attempts());
        let found = self.jobs.iter_mut().rfind(|of| (of.session, of.job.job) == (session, number));
        if let Some(SessionJob { job, .. }) = found {
            job.limit_attempts(job.attempts().len() + room);
            job.apply(event);
        }
    }

    /// Its jobs, in the order they were submitted.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &SessionJob> + Clone {
        self.jobs.iter()
    }

    /// The workers that a job could run on.
    pub fn workers_of(&self, job: &SessionJob) -> Vec<JobWorker> {
        match self.workers.get(&job.session) {
            Some(workers) => job.job.workers(workers),
            None => job.job.workers(&Workers::default()),
        }
    }

    /// The attempts that it holds.
    pub fn attempts(&self) -> usize {
        self.jobs.iter().map(|of| of.job.attempts().len()).sum()
    }

    /// Whether a job of it still runs.
    pub fn is_running(&self) -> bool {
        self.jobs.iter().any(|of| !of.job.has_ended())
    }

    /// What the page was not sent yet: a message for each job that changed. `now` is a session's clock.
    pub fn changes(&mut self, now: impl Fn(u64) -> Duration) -> Vec<Value> {
        let none = Workers::default();
        let mut messages = Vec::new();
        for SessionJob { session, job, sent } in &mut self.jobs {
            let workers = self.workers.get(session).map_or(&none, Arc::as_ref);
            if let Some(changes) = since(job, workers, now(*session), sent, usize::MAX) {
                let mut message = changes.message;
                message["session"] = (*session).into();
                messages.push(message);
            }
        }
        messages
    }

    /// The same for a page that was sent nothing so far.
    pub fn whole(&mut self, now: impl Fn(u64) -> Duration) -> Vec<Value> {
        self.jobs.iter_mut().for_each(|of| of.sent = Cursor::default());
        self.changes(now)
    }

    /// What several jobs came to together; `None` if there are not several.
    pub fn together(&self) -> Option<String> {
        (self.jobs.len() > 1).then(|| summary::together(self.jobs.iter().map(|of| &of.job)))
    }

    /// Lets go of the oldest job that has ended, unless it is the only one.
    fn forget_oldest(&mut self) -> bool {
        if self.jobs.len() < 2 {
            return false;
        }
        let oldest = self.jobs.iter().position(|of| of.job.has_ended());
        let forgotten = oldest.and_then(|index| self.jobs.remove(index)).is_some();
        self.forgotten += usize::from(forgotten);
        forgotten
    }
}

#[cfg(test)]
mod tests {
    use partita_events::fold::AttemptState;

    use super::super::tests::*;
    use super::*;

    fn receive(jobs: &mut Jobs, session: u64, events: &[Event]) {
        jobs.receive(session, Arc::default(), &events.iter().collect::<Vec<_>>());
    }

    #[test]
    fn jobs_are_told_apart_by_session_and_number() {
        let mut jobs = Jobs::default();
        receive(&mut jobs, 7, &[submitted(0, 0), stage(0, 0, 3, 0), started(0, 0, 0, 0, 1)]);
        receive(&mut jobs, 8, &[submitted(0, 0)]);
        receive(&mut jobs, 7, &[finished(0, 0, 0, 0, 10), started(0, 0, 1, 0, 10)]);
        assert!(jobs.is_running());
        let states = |of: &SessionJob| of.job.attempts().iter().map(|a| a.state).collect::<Vec<_>>();
        assert_eq!(
            jobs.iter().map(states).collect::<Vec<_>>(),
            [vec![AttemptState::Done, AttemptState::Running], vec![]]
        );
        receive(&mut jobs, 7, &[finished(0, 0, 1, 0, 12), job_finished(0, 12)]);
        receive(&mut jobs, 8, &[job_finished(0, 12)]);
        assert!(!jobs.is_running());
        assert_eq!(jobs.iter().next().unwrap().job.wall(), ms(12));
        assert_eq!(jobs.together().unwrap(), "24.0 ms in all");
    }

    #[test]
    fn a_page_is_sent_each_change_once_and_a_new_page_everything() {
        let mut jobs = Jobs::default();
        receive(&mut jobs, 7, &[submitted(0, 0), stage(0, 0, 3, 0), started(0, 0, 0, 0, 1)]);
        let sent = jobs.changes(|_| ms(2));
        assert_eq!((&sent[0]["session"], &sent[0]["now"]), (&7.into(), &2000.into()));
        assert!(jobs.changes(|_| ms(3)).is_empty());
        receive(&mut jobs, 7, &[finished(0, 0, 0, 0, 10)]);
        let sent = jobs.changes(|_| ms(11));
        assert_eq!((sent[0]["added"].as_array().unwrap().len(), &sent[0]["first"]), (0, &1.into()));
        let whole = jobs.whole(|_| ms(11));
        assert_eq!((whole[0]["added"].as_array().unwrap().len(), &whole[0]["first"]), (1, &0.into()));
        assert!(jobs.changes(|_| ms(12)).is_empty(), "the state that a page is sent has all changes");
    }

    #[test]
    fn old_jobs_make_room_and_a_job_larger_than_all_room_says_what_it_left_out() {
        let mut jobs = Jobs::default();
        for job in 0..JOBS_KEPT + 5 {
            receive(&mut jobs, 0, &[submitted(job, 0), job_finished(job, 1)]);
        }
        assert_eq!((jobs.iter().count(), jobs.forgotten), (JOBS_KEPT, 5));

        let mut jobs = Jobs::default();
        receive(&mut jobs, 0, &[submitted(0, 0), stage(0, 0, ATTEMPTS_KEPT + 10, 0)]);
        for partition in 0..ATTEMPTS_KEPT + 10 {
            receive(&mut jobs, 0, &[started(0, 0, partition, 0, 1), finished(0, 0, partition, 0, 2)]);
        }
        receive(&mut jobs, 0, &[job_finished(0, 3)]);
        let SessionJob { job, .. } = jobs.iter().next().unwrap();
        assert_eq!((jobs.attempts(), job.left_out), (ATTEMPTS_KEPT, 10));
        assert_eq!(job.tasks(), (ATTEMPTS_KEPT + 10, ATTEMPTS_KEPT + 10), "all are counted");
        assert!(job.has_ended());
    }
}
