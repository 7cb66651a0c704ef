//! One session's part of the history: the fold of its events, and the wall-clock times of its events.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use partita_events::fold::{self, Job, Limits};
use partita_events::{Event, JobId};

use super::meter::{JobMeter, Tally};

/// The most characters of a name or cause that are kept.
const TEXT: usize = 8 << 10;
/// The most hot keys of a task that are kept.
const HOT_KEYS: usize = 3;
/// The most workers of one session that are kept.
const WORKERS: usize = 4096;

/// A session, open or not.
#[derive(Debug)]
pub(crate) struct Session {
    pub id: Arc<str>,
    pub number: u64,
    pub name: String,
    pub opened: SystemTime,
    /// The wall-clock time of its events' time zero.
    pub zero: Option<SystemTime>,
    pub closed: Option<SystemTime>,
    /// Its jobs and workers.
    pub fold: fold::Session,
}

/// The numbers of attempts in memory that an event added and removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Kept {
    pub more: usize,
    pub fewer: usize,
}

impl Session {
    pub fn new(id: Arc<str>, number: u64, name: &str, opened: SystemTime, limits: Limits) -> Self {
        let (name, fold) = (name.to_owned(), fold::Session::new(limits));
        Self { id, number, name, opened, zero: None, closed: None, fold }
    }

    /// The clock of its events.
    pub fn clock(&self) -> Clock {
        Clock { zero: self.zero.unwrap_or(self.opened) }
    }

    /// A time of its events on the clock on the wall.
    pub fn wall(&self, at: Duration) -> SystemTime {
        self.clock().wall(at)
    }

    /// When its latest event was.
    pub fn last(&self) -> SystemTime {
        self.wall(self.fold.jobs().map(|job| job.last).max().unwrap_or_default())
    }

    /// The current time on its events' clock, for a job that may still be running.
    pub fn now(&self, job: &Job) -> Duration {
        if job.has_ended() || self.closed.is_some() {
            return job.last;
        }
        let since = self.clock().zero.elapsed().unwrap_or_default();
        since.max(job.last)
    }

    /// Applies an event and counts its effect.
    pub(super) fn apply(&mut self, event: &Event, meter: &JobMeter) -> Kept {
        let before = Tally::of(&self.fold, event);
        let attempts = self.attempts(event.job());
        let forgotten = self.fold.apply(event);
        meter.count(event, before, Tally::of(&self.fold, event));
        match forgotten {
            // A job takes the place of another one and has no attempts yet.
            Some(job) => Kept { more: 0, fewer: job.attempts().len() },
            None => Kept { more: self.attempts(event.job()).saturating_sub(attempts), fewer: 0 },
        }
    }

    fn attempts(&self, job: Option<JobId>) -> usize {
        job.and_then(|job| self.fold.job(job)).map_or(0, |job| job.attempts().len())
    }
}

/// The clock of a session's events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    /// The wall-clock time of time zero.
    zero: SystemTime,
}

impl Clock {
    /// A time of the events on the clock on the wall.
    pub fn wall(self, at: Duration) -> SystemTime {
        self.zero.checked_add(at).unwrap_or(self.zero)
    }
}

/// The limits of one session's fold, derived from the history's.
pub(super) fn limits(jobs: usize, attempts: usize) -> Limits {
    Limits { jobs, attempts, workers: WORKERS, ..Limits::default() }
}

/// Seconds since 1970.
pub(crate) fn epoch(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

pub(super) fn from_epoch(seconds: f64) -> SystemTime {
    let since = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
}

/// The event with its texts cut, so that they cannot fill the memory.
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
