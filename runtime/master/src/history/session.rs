//! One session's part of the history: its jobs, its workers, and how events change them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use partita_events::Event;

use super::{JobFold, WorkerFold};

/// Characters of a name or cause that are kept.
const TEXT: usize = 8 << 10;
/// Keys of a task's report that are kept.
const HOT_KEYS: usize = 3;

/// Workers of one session that are told apart.
const WORKERS_KEPT: usize = 4096;

/// A session, open or not.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub id: Arc<str>,
    pub number: u64,
    pub name: String,
    pub opened: SystemTime,
    /// What time zero of its events is.
    pub zero: Option<SystemTime>,
    pub closed: Option<SystemTime>,
    pub workers: BTreeMap<u64, WorkerFold>,
    pub jobs: VecDeque<Job>,
    /// Events of workers, which belong to no job.
    pub worker_events: Vec<Event>,
    next_stage: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub fold: JobFold,
    pub events: Vec<Event>,
    /// Whether its events are all in `events`.
    pub whole: bool,
}

impl Session {
    pub fn new(id: Arc<str>, number: u64, name: &str, opened: SystemTime) -> Self {
        Self {
            id,
            number,
            name: name.to_owned(),
            opened,
            zero: None,
            closed: None,
            workers: BTreeMap::new(),
            jobs: VecDeque::new(),
            worker_events: Vec::new(),
            next_stage: 0,
        }
    }

    pub fn job(&self, number: usize) -> Option<&Job> {
        self.jobs.iter().rfind(|job| job.fold.job == number)
    }

    /// All of it but its jobs.
    pub fn without_jobs(&self) -> Self {
        Self {
            id: self.id.clone(),
            name: self.name.clone(),
            workers: self.workers.clone(),
            jobs: VecDeque::new(),
            worker_events: Vec::new(),
            ..*self
        }
    }

    /// A time of its events on the clock on the wall.
    pub fn wall(&self, at: Duration) -> SystemTime {
        self.zero.unwrap_or(self.opened).checked_add(at).unwrap_or(self.opened)
    }

    pub fn last(&self) -> SystemTime {
        self.wall(self.jobs.iter().map(|job| job.fold.last).max().unwrap_or_default())
    }

    /// Takes an event; returns how many more are kept now and how many less.
    pub fn apply(&mut self, event: Event, most: usize) -> (usize, usize) {
        if let Event::WorkerJoined { worker, .. }
        | Event::WorkerLost { worker, .. }
        | Event::TaskStarted { worker, .. }
        | Event::TaskFinished { worker, .. }
        | Event::TaskFailed { worker, .. } = &event
            && (self.workers.len() < WORKERS_KEPT || self.workers.contains_key(worker))
        {
            self.workers.entry(*worker).or_default().apply(&event);
        }
        let Some(number) = event.job() else {
            if self.worker_events.len() < 2 * WORKERS_KEPT {
                self.worker_events.push(event);
            }
            return (0, 0);
        };
        let mut freed = 0;
        if let Some(fold) = JobFold::new(&event) {
            if self.jobs.len() >= most.max(1) {
                freed = self.jobs.pop_front().map_or(0, |job| job.events.len());
            }
            self.jobs.push_back(Job { fold, events: vec![event], whole: true });
            return (1, freed);
        }
        let Some(job) = self.jobs.iter_mut().rfind(|job| job.fold.job == number) else { return (0, 0) };
        job.fold.apply(&event, &mut self.next_stage);
        if !job.whole {
            return (0, 0);
        }
        job.events.push(event);
        (1, 0)
    }
}

/// Seconds since 1970.
pub(crate) fn epoch(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

pub(super) fn from_epoch(seconds: f64) -> SystemTime {
    let since = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
}

/// The event with texts that cannot fill the memory.
pub(super) fn clipped(mut event: Event) -> Event {
    match &mut event {
        Event::JobSubmitted { action: text, .. }
        | Event::StageSubmitted { name: text, .. }
        | Event::StageResubmitted { cause: text, .. }
        | Event::TaskFailed { cause: text, .. }
        | Event::JobFinished { error: Some(text), .. }
        | Event::WorkerJoined { name: text, .. }
        | Event::WorkerLost { cause: text, .. } => *text = clip(std::mem::take(text)),
        Event::TaskFinished { metrics, .. } => {
            metrics.hot_keys.truncate(HOT_KEYS);
            for key in &mut metrics.hot_keys {
                key.columns = clip(std::mem::take(&mut key.columns));
                key.value = clip(std::mem::take(&mut key.value));
            }
        }
        _ => {}
    }
    event
}

pub(super) fn clip(text: String) -> String {
    if text.len() <= TEXT {
        return text;
    }
    let end = (0..=TEXT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &text[..end])
}
