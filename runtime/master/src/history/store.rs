//! All sessions' histories: who records into them, who reads them, and what is forgotten when.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use partita_events::Event;
use tokio::sync::watch;

use super::log::{Line, Log};
use super::session::{Session, clip, clipped, epoch, from_epoch};
use super::{JobState, LogError, LogOptions, ReplayError, Replayed, replay};
use crate::Recorder;
use crate::metrics::JobMeter;

/// How much is kept in memory.
#[derive(Debug, Clone)]
pub struct HistoryLimits {
    /// Sessions; of those that ended the oldest are forgotten.
    pub sessions: usize,
    /// Jobs of one session; the oldest are forgotten.
    pub jobs: usize,
    /// Events of all jobs together. The oldest jobs keep their figures and lose their events; with an
    /// event log those are read from its files when somebody looks.
    pub events: usize,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self { sessions: 200, jobs: 500, events: 400_000 }
    }
}

/// What sessions told of their jobs. The master records into it, the page reads it.
#[derive(Debug)]
pub struct History {
    inner: Mutex<Inner>,
    changed: watch::Sender<u64>,
    limits: HistoryLimits,
    log: Option<Log>,
    directory: Option<PathBuf>,
    replayed: bool,
    pub(crate) meter: JobMeter,
}

#[derive(Debug, Default)]
struct Inner {
    sessions: BTreeMap<Arc<str>, Session>,
    /// Sessions that are open, by the master's number.
    open: HashMap<u64, Arc<str>>,
    /// Events in memory.
    events: usize,
}

/// How far somebody has read of a job.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cursor {
    workers: usize,
    events: usize,
}

/// The next events of a job.
#[derive(Debug)]
pub(crate) enum Piece {
    /// There is no such job.
    Unknown,
    /// They are not in memory but in the log's files.
    Elsewhere,
    /// They are kept nowhere any more.
    Forgotten,
    /// Here they are; `more` are there already, or the job has `ended` and these were the last.
    Events { events: Vec<Event>, more: bool, ended: bool },
}

impl History {
    /// An empty one, in memory alone.
    pub fn new(limits: HistoryLimits) -> Self {
        Self {
            inner: Mutex::default(),
            changed: watch::Sender::new(0),
            limits,
            log: None,
            directory: None,
            replayed: false,
            meter: JobMeter::default(),
        }
    }

    /// An empty one that also writes what it is told into files.
    ///
    /// # Errors
    /// When the directory cannot be written to.
    pub fn with_log(limits: HistoryLimits, log: LogOptions) -> Result<Self, LogError> {
        let directory = Some(log.directory.clone());
        Ok(Self { log: Some(Log::start(log)?), directory, ..Self::new(limits) })
    }

    /// What the event logs in a directory tell. Reads files: not for async code.
    ///
    /// # Errors
    /// When there is no log there, or one cannot be read. Lines that are no events are passed over and
    /// counted.
    pub fn replay(directory: &Path, limits: HistoryLimits) -> Result<(Self, Replayed), ReplayError> {
        let list = |cause| ReplayError::Directory { directory: directory.to_owned(), cause };
        let ids = replay::sessions(directory).map_err(list)?;
        if ids.is_empty() {
            return Err(ReplayError::Empty { directory: directory.to_owned() });
        }
        let mut history = Self::new(limits);
        history.directory = Some(directory.to_owned());
        history.replayed = true;
        let mut replayed = Replayed::default();
        let skipped = ids.len().saturating_sub(history.limits.sessions);
        for id in ids.iter().skip(skipped) {
            let mut open = None;
            replayed.unreadable += replay::read(directory, id, |line| match line {
                Line::Session { session, name, opened, zero, .. } => {
                    open = Some(session);
                    let mut inner = history.lock();
                    let mut session = Session::new(id.as_str().into(), session, &name, from_epoch(opened));
                    session.zero = Some(from_epoch(zero));
                    inner.open.insert(session.number, session.id.clone());
                    inner.sessions.insert(session.id.clone(), session);
                    replayed.sessions += 1;
                }
                Line::Event(event) => {
                    if let Some(number) = open {
                        history.take(number, event);
                        replayed.events += 1;
                    }
                }
                Line::Closed { at } => {
                    if let Some(number) = open.take() {
                        history.lock().close(number, from_epoch(at));
                    }
                }
                Line::Dropped { .. } => {}
            })?;
            if let Some(number) = open {
                // The master ended first, or still runs: what is known of the session ends here.
                let mut inner = history.lock();
                let last = inner.session(number).map(|session| session.last());
                inner.close(number, last.unwrap_or(UNIX_EPOCH));
            }
        }
        Ok((history, replayed))
    }

    /// Whether this shows files, and not a pool.
    pub fn is_replay(&self) -> bool {
        self.replayed
    }

    /// Events that could not be written to the log.
    pub fn dropped(&self) -> u64 {
        self.log.as_ref().map_or(0, Log::dropped)
    }

    /// Changes whenever something was recorded.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The sessions, the latest first, each with what `pick` makes of it.
    pub(crate) fn sessions<T>(&self, most: usize, pick: impl FnMut(&Session) -> T) -> Vec<T> {
        self.lock().sessions.values().rev().take(most).map(pick).collect()
    }

    /// One session.
    pub(crate) fn session<T>(&self, id: &str, pick: impl FnOnce(&Session) -> T) -> Option<T> {
        self.lock().sessions.get(id).map(pick)
    }

    /// A job's events from where `cursor` stands, and moves it on.
    pub(crate) fn next(&self, id: &str, job: usize, cursor: &mut Cursor, most: usize) -> Piece {
        let inner = self.lock();
        let Some(session) = inner.sessions.get(id) else { return Piece::Unknown };
        let Some(job) = session.job(job) else { return Piece::Unknown };
        if !job.whole {
            return if self.directory.is_some() { Piece::Elsewhere } else { Piece::Forgotten };
        }
        let mut events: Vec<Event> = session.worker_events.iter().skip(cursor.workers).cloned().collect();
        cursor.workers += events.len();
        let end = job.events.len().min(cursor.events.saturating_add(most));
        events.extend_from_slice(job.events.get(cursor.events..end).unwrap_or_default());
        cursor.events = cursor.events.max(end);
        let more = end < job.events.len();
        Piece::Events { events, more, ended: !more && !job.fold.is_running() }
    }

    /// A job's events, from the log's files if they are not in memory any more. May read files: not
    /// for async code.
    pub(crate) fn events(&self, id: &str, job: usize) -> Result<Vec<Event>, ReplayError> {
        let mut cursor = Cursor::default();
        let directory = match (self.next(id, job, &mut cursor, usize::MAX), &self.directory) {
            (Piece::Events { events, .. }, _) => return Ok(events),
            (Piece::Elsewhere, Some(directory)) => directory,
            _ => return Ok(Vec::new()),
        };
        let mut events = Vec::new();
        replay::read(directory, id, |line| {
            if let Line::Event(event) = line
                && event.job().is_none_or(|of| of == job)
            {
                events.push(event);
            }
        })?;
        Ok(events)
    }

    fn take(&self, number: u64, event: Event) {
        let event = clipped(event);
        self.meter.event(&event);
        let mut inner = self.lock();
        let Some(session) = inner.session(number) else { return };
        if session.zero.is_none() {
            let now = SystemTime::now();
            let zero = now.checked_sub(event.at()).unwrap_or(now);
            if let Some(log) = &self.log {
                log.write(
                    &session.id,
                    head(session.number, &session.name, &session.id, session.opened, zero),
                );
            }
            session.zero = Some(zero);
        }
        if let Some(log) = &self.log {
            log.write(&session.id, Line::Event(event.clone()));
        }
        let (kept, freed) = session.apply(event, self.limits.jobs);
        inner.events = (inner.events + kept).saturating_sub(freed);
        if inner.events > self.limits.events {
            inner.forget_oldest();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn tell(&self) {
        self.changed.send_modify(|version| *version = version.wrapping_add(1));
    }
}

impl Recorder for History {
    fn opened(&self, session: u64, name: &str) {
        let now = SystemTime::now();
        let id: Arc<str> = format!("session-{:013}-{session}", (epoch(now) * 1e3) as u64).into();
        let mut inner = self.lock();
        inner.sessions.insert(id.clone(), Session::new(id.clone(), session, &clip(name.to_owned()), now));
        inner.open.insert(session, id);
        while inner.sessions.len() > self.limits.sessions.max(1) {
            let Some(oldest) = inner.sessions.values().find(|s| s.closed.is_some()).map(|s| s.id.clone())
            else {
                break;
            };
            if let Some(session) = inner.sessions.remove(&oldest) {
                inner.events -= session.jobs.iter().map(|job| job.events.len()).sum::<usize>();
            }
        }
        drop(inner);
        self.tell();
    }

    fn event(&self, session: u64, event: &Event) {
        self.take(session, event.clone());
        self.tell();
    }

    fn closed(&self, session: u64) {
        let now = SystemTime::now();
        let mut inner = self.lock();
        let told = inner.session(session).filter(|s| s.zero.is_some()).map(|s| s.id.clone());
        inner.close(session, now);
        if let (Some(log), Some(id)) = (&self.log, told) {
            log.write(&id, Line::Closed { at: epoch(now) });
            log.close(&id);
        }
        drop(inner);
        self.tell();
    }
}

impl Inner {
    fn session(&mut self, number: u64) -> Option<&mut Session> {
        self.sessions.get_mut(self.open.get(&number)?)
    }

    fn close(&mut self, number: u64, at: SystemTime) {
        if let Some(session) = self.session(number) {
            session.closed = Some(at);
            for job in session.jobs.iter_mut().filter(|job| job.fold.is_running()) {
                job.fold.state = JobState::Interrupted;
            }
        }
        self.open.remove(&number);
    }

    /// The events of the job that was submitted first: one that has ended, if there is one.
    fn forget_oldest(&mut self) {
        for running in [false, true] {
            let job = self
                .sessions
                .values_mut()
                .flat_map(|session| &mut session.jobs)
                .find(|job| !job.events.is_empty() && (job.fold.is_running() == running));
            if let Some(job) = job {
                self.events -= job.events.len();
                job.events = Vec::new();
                job.whole = false;
                return;
            }
        }
    }
}

fn head(session: u64, name: &str, id: &Arc<str>, opened: SystemTime, zero: SystemTime) -> Line {
    Line::Session {
        id: id.to_string(),
        session,
        name: name.to_owned(),
        opened: epoch(opened),
        zero: epoch(zero),
        partita: env!("CARGO_PKG_VERSION").to_owned(),
    }
}
