use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use partita_events::Event;

/// Jobs that one timeline holds; the oldest that have ended make room.
const JOBS_KEPT: usize = 100;
/// Attempts at tasks that one timeline holds.
const TASKS_KEPT: usize = 100_000;

/// What a timeline knows: the events of its jobs, as few of them as say the same. A task's end says when
/// it began, so its start is kept only as long as it runs, and where the order of attempts matters.
#[derive(Default)]
pub(super) struct Log {
    jobs: VecDeque<JobLog>,
    /// Events of the sessions' workers.
    workers: Vec<(u64, Event)>,
    tasks: usize,
    /// Jobs that made room for later ones.
    pub forgotten: usize,
}

/// One job's events.
pub(super) struct JobLog {
    pub session: u64,
    pub job: usize,
    pub submitted: Duration,
    /// Time of its last event.
    pub last: Duration,
    pub finished: bool,
    /// Attempts that there was no room for.
    pub left_out: usize,
    events: Vec<Event>,
    /// Where the starts are that an end may replace, by stage and partition.
    replaceable: HashMap<(usize, usize), usize>,
}

impl Log {
    /// Takes an event of a job, or of a session's worker.
    pub fn take(&mut self, session: u64, event: &Event) {
        let Some(job) = event.job() else {
            self.workers.push((session, event.clone()));
            return;
        };
        if let Event::JobSubmitted { at, .. } = event {
            self.make_room();
            self.jobs.push_back(JobLog {
                session,
                job,
                submitted: *at,
                last: *at,
                finished: false,
                left_out: 0,
                events: Vec::new(),
                replaceable: HashMap::new(),
            });
        }
        while self.tasks >= TASKS_KEPT && self.forget_oldest() {}
        let full = self.tasks >= TASKS_KEPT;
        if let Some(log) = self.jobs.iter_mut().rfind(|log| (log.session, log.job) == (session, job)) {
            self.tasks += log.take(event, full);
        }
    }

    /// Its jobs, in the order they were submitted.
    pub fn jobs(&self) -> impl Iterator<Item = &JobLog> {
        self.jobs.iter()
    }

    /// Events of tasks that it holds.
    pub fn tasks(&self) -> usize {
        self.tasks
    }

    /// Whether a job of it still runs.
    pub fn is_running(&self) -> bool {
        self.jobs.iter().any(|job| !job.finished)
    }

    /// The sessions whose jobs are in it.
    pub fn knows(&self, session: u64) -> bool {
        self.jobs.iter().any(|job| job.session == session)
    }

    /// What is known of a session's workers.
    pub fn workers(&self, session: u64) -> impl Iterator<Item = &Event> {
        self.workers.iter().filter(move |(of, _)| *of == session).map(|(_, event)| event)
    }

    fn make_room(&mut self) {
        while self.jobs.len() >= JOBS_KEPT && self.forget_oldest() {}
    }

    /// Lets go of the oldest job that has ended, unless it is the only one.
    fn forget_oldest(&mut self) -> bool {
        if self.jobs.len() < 2 {
            return false;
        }
        let oldest = self.jobs.iter().position(|job| job.finished);
        let Some(forgotten) = oldest.and_then(|index| self.jobs.remove(index)) else { return false };
        self.tasks -= forgotten.tasks();
        self.forgotten += 1;
        true
    }
}

impl JobLog {
    /// The events that say what is known of it.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// From its submission to its end, or to the last event so far.
    pub fn wall(&self) -> Duration {
        self.last.saturating_sub(self.submitted)
    }

    /// Takes an event; how many more events of tasks are kept now.
    fn take(&mut self, event: &Event, full: bool) -> usize {
        self.last = self.last.max(event.at());
        match event {
            Event::TaskStarted { stage, partition, attempt, .. } => {
                if full {
                    self.left_out += 1;
                    return 0;
                }
                let key = (*stage, *partition);
                if *attempt > 0 {
                    // Which attempt ran beside which is seen from the starts.
                    self.replaceable.remove(&key);
                } else {
                    self.replaceable.insert(key, self.events.len());
                }
            }
            Event::TaskFinished { stage, partition, attempt: 0, .. } => {
                if let Some(start) = self.replaceable.remove(&(*stage, *partition)) {
                    self.events[start] = event.clone();
                    return 0;
                }
            }
            Event::TaskFailed { stage, partition, .. } => {
                self.replaceable.remove(&(*stage, *partition));
            }
            Event::JobFinished { .. } => {
                self.finished = true;
                self.replaceable = HashMap::new();
            }
            _ => {}
        }
        let is_of_task = is_of_task(event);
        if full && is_of_task {
            return 0;
        }
        self.events.push(event.clone());
        usize::from(is_of_task)
    }

    fn tasks(&self) -> usize {
        self.events.iter().filter(|event| is_of_task(event)).count()
    }
}

fn is_of_task(event: &Event) -> bool {
    matches!(event, Event::TaskStarted { .. } | Event::TaskFinished { .. } | Event::TaskFailed { .. })
}

#[cfg(test)]
mod tests {
    use super::super::tests::*;
    use super::*;

    fn counts(log: &Log) -> (usize, usize) {
        let events = || log.jobs().flat_map(JobLog::events);
        let starts = events().filter(|event| matches!(event, Event::TaskStarted { .. })).count();
        let ends = events().filter(|event| matches!(event, Event::TaskFinished { .. })).count();
        (starts, ends)
    }

    #[test]
    fn a_tasks_end_takes_the_place_of_its_start() {
        let mut log = Log::default();
        for event in [submitted(0, 0), stage(0, 0, 3, 0), started(0, 0, 0, 0, 1), started(0, 0, 1, 0, 1)] {
            log.take(7, &event);
        }
        log.take(7, &finished(0, 0, 0, 0, 10));
        assert_eq!(counts(&log), (1, 1));
        assert!(log.is_running());
        log.take(7, &finished(0, 0, 1, 0, 12));
        log.take(7, &job_finished(0, 12));
        assert_eq!(counts(&log), (0, 2));
        assert!(!log.is_running());
        assert_eq!(log.jobs().next().unwrap().wall(), ms(12));
    }

    #[test]
    fn the_starts_of_attempts_that_ran_beside_each_other_are_kept() {
        let mut log = Log::default();
        log.take(0, &submitted(0, 0));
        log.take(0, &stage(0, 0, 1, 0));
        log.take(0, &started(0, 0, 0, 0, 1));
        log.take(0, &started(0, 0, 0, 1, 5));
        log.take(0, &finished(0, 0, 0, 0, 9));
        assert_eq!(counts(&log), (2, 1), "that there was a copy is seen from both starts");
    }

    #[test]
    fn old_jobs_make_room_and_a_job_larger_than_all_room_says_what_it_left_out() {
        let mut log = Log::default();
        for job in 0..JOBS_KEPT + 5 {
            log.take(0, &submitted(job, 0));
            log.take(0, &job_finished(job, 1));
        }
        assert_eq!((log.jobs().count(), log.forgotten), (JOBS_KEPT, 5));

        let mut log = Log::default();
        log.take(0, &submitted(0, 0));
        log.take(0, &stage(0, 0, TASKS_KEPT + 10, 0));
        for partition in 0..TASKS_KEPT + 10 {
            log.take(0, &started(0, 0, partition, 0, 1));
            log.take(0, &finished(0, 0, partition, 0, 2));
        }
        log.take(0, &job_finished(0, 3));
        let job = log.jobs().next().unwrap();
        assert_eq!((counts(&log), job.left_out), ((0, TASKS_KEPT), 10));
        assert!(job.finished);
    }
}
