//! All sessions' histories: recording, reading, and dropping what is over the limits.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::{Mutex, MutexGuard};
use partita_events::fold::{Job, JobState, Limits};
use partita_events::{Event, JobId};
use tokio::sync::watch;

use super::log::{Line, Log};
use super::meter::JobMeter;
use super::session::{Session, clip, clipped, epoch, from_epoch, limits};
use super::{LogError, LogOptions, ReplayError, Replayed, replay};
use crate::Recorder;

/// Limits on what is kept in memory.
#[derive(Debug, Clone)]
pub struct HistoryLimits {
    /// Sessions; the oldest closed ones are dropped.
    pub sessions: usize,
    /// Jobs of one session; the oldest are dropped.
    pub jobs: usize,
    /// Attempts of tasks of all jobs together. The oldest jobs keep their figures and lose their attempts;
    /// with an event log these are read from its files on request.
    pub attempts: usize,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self { sessions: 200, jobs: 500, attempts: 200_000 }
    }
}

/// What sessions reported of their jobs. The master records into it, the page reads it.
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
    /// Attempts in memory.
    attempts: usize,
}

/// Where a job's attempts are.
#[derive(Debug)]
pub(super) enum Place<T> {
    /// There is no such job.
    Unknown,
    /// In memory.
    Memory(T),
    /// In the log's files in this directory. The job may have been interrupted since.
    Files { directory: PathBuf, interrupted: bool },
    /// They are not kept anywhere.
    Forgotten,
}

impl History {
    /// An empty history, in memory only.
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

    /// An empty history that also writes what it records to files.
    ///
    /// # Errors
    /// When the directory cannot be written to.
    pub fn with_log(limits: HistoryLimits, log: LogOptions) -> Result<Self, LogError> {
        let directory = Some(log.directory.clone());
        Ok(Self { log: Some(Log::start(log)?), directory, ..Self::new(limits) })
    }

    /// The contents of the event logs in a directory. Reads files: not for async code.
    ///
    /// # Errors
    /// When there is no log, or one cannot be read. Lines that are not events are skipped and counted.
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
                    let (id, limits) = (id.as_str().into(), history.fold_limits());
                    let mut session = Session::new(id, session, &name, from_epoch(opened), limits);
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
                        history.close(&mut history.lock(), number, from_epoch(at));
                    }
                }
                Line::Dropped { .. } => {}
            })?;
            if let Some(number) = open {
                // The master ended first, or still runs: the log of the session ends here.
                let mut inner = history.lock();
                let last = inner.session(number).map(|session| session.last());
                history.close(&mut inner, number, last.unwrap_or(UNIX_EPOCH));
            }
        }
        Ok((history, replayed))
    }

    /// Whether this shows recorded files instead of a pool.
    pub fn is_replay(&self) -> bool {
        self.replayed
    }

    /// The number of events that could not be written to the log.
    pub fn dropped(&self) -> u64 {
        self.log.as_ref().map_or(0, Log::dropped)
    }

    /// Changes whenever something was recorded.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The result of `pick` for each session, the latest first.
    pub(crate) fn sessions<T>(&self, most: usize, pick: impl FnMut(&Session) -> T) -> Vec<T> {
        self.lock().sessions.values().rev().take(most).map(pick).collect()
    }

    /// One session.
    pub(crate) fn session<T>(&self, id: &str, pick: impl FnOnce(&Session) -> T) -> Option<T> {
        self.lock().sessions.get(id).map(pick)
    }

    /// What `pick` makes of a job and its session, if the job's attempts are in memory. Those of a running
    /// job count as there even if it has had too many to keep all, and so they do for somebody who has
    /// `begun` to read it.
    pub(super) fn find<T>(
        &self,
        id: &str,
        job: JobId,
        begun: bool,
        pick: impl FnOnce(&Session, &Job) -> T,
    ) -> Place<T> {
        let inner = self.lock();
        let Some(session) = inner.sessions.get(id) else { return Place::Unknown };
        let Some(job) = session.fold.job(job) else { return Place::Unknown };
        let none_kept = job.left_out > 0 && job.attempts().is_empty();
        let partly_kept = job.left_out > 0 && job.has_ended() && !begun;
        match &self.directory {
            Some(directory) if none_kept || partly_kept => {
                let (directory, interrupted) = (directory.clone(), job.state == JobState::Interrupted);
                Place::Files { directory, interrupted }
            }
            None if none_kept => Place::Forgotten,
            _ => Place::Memory(pick(session, job)),
        }
    }

    /// What `pick` makes of a job, which is folded again from the log's files if it is not in memory any
    /// more; `None` if it is nowhere. May read files: not for async code.
    pub(crate) fn job<T>(
        &self,
        id: &str,
        job: JobId,
        pick: impl FnOnce(&Job) -> T,
    ) -> Result<Option<T>, ReplayError> {
        let mut pick = Some(pick);
        let place = self.find(id, job, false, |_, job| pick.take().map(|pick| pick(job)));
        match (place, pick) {
            (Place::Memory(picked), _) => Ok(picked),
            (Place::Files { directory, interrupted }, Some(pick)) => {
                let session = replay::job(&directory, id, job, interrupted)?;
                Ok(session.job(job).map(pick))
            }
            _ => Ok(None),
        }
    }

    fn fold_limits(&self) -> Limits {
        limits(self.limits.jobs, self.limits.attempts)
    }

    fn take(&self, number: u64, event: Event) {
        let event = clipped(event);
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
        let kept = session.apply(&event, &self.meter);
        if let Some(log) = &self.log {
            log.write(&session.id, Line::Event(event));
        }
        inner.attempts = (inner.attempts + kept.more).saturating_sub(kept.fewer);
        if inner.attempts > self.limits.attempts {
            inner.forget_oldest();
        }
    }

    /// Ends a session, and its running jobs with it.
    fn close(&self, inner: &mut Inner, number: u64, at: SystemTime) {
        if let Some(session) = inner.session(number) {
            session.closed = Some(at);
            for job in session.fold.jobs_mut().filter(|job| !job.has_ended()) {
                job.interrupt();
                self.meter.job_ended(job.state);
            }
        }
        inner.open.remove(&number);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
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
        let name = clip(name.to_owned());
        inner.sessions.insert(id.clone(), Session::new(id.clone(), session, &name, now, self.fold_limits()));
        inner.open.insert(session, id);
        while inner.sessions.len() > self.limits.sessions.max(1) {
            let Some(oldest) = inner.sessions.values().find(|s| s.closed.is_some()).map(|s| s.id.clone())
            else {
                break;
            };
            if let Some(session) = inner.sessions.remove(&oldest) {
                inner.attempts -= session.fold.jobs().map(|job| job.attempts().len()).sum::<usize>();
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
        self.close(&mut inner, session, now);
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

    /// The attempts of the job that was submitted first: one that has ended, if there is one.
    fn forget_oldest(&mut self) {
        for ended in [true, false] {
            let job = self
                .sessions
                .values_mut()
                .flat_map(|session| session.fold.jobs_mut())
                .find(|job| !job.attempts().is_empty() && job.has_ended() == ended);
            if let Some(job) = job {
                self.attempts -= job.attempts().len();
                job.forget_attempts();
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
