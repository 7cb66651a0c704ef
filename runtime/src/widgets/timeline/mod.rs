//! The live timeline that appears under every cell that runs a job. This module assigns jobs to cells. A
//! [`Place`] is one timeline, with its state (`log`), the messages to the page (`wire`), and what stays
//! in a saved notebook: a `picture` and a `summary`, made from `job`s. `archive` keeps it for a later
//! kernel.
//!
//! Events arrive in the batches that are sent to the kernel, on the sending thread, so the scheduler
//! never waits for a page.

mod archive;
mod clock;
mod figures;
mod job;
mod log;
mod picture;
mod place;
mod summary;
mod wire;

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

pub(super) use self::archive::reopen;
pub(crate) use self::place::Place;
use super::model::Model;
use super::{Viewer, lock};
use crate::events::Event;

/// How many timelines keep answering the front end; the oldest are closed. A notebook has one per cell,
/// plus one each time a cell is run again.
const KEPT: usize = 500;
/// The maximum number of worker events kept per session.
const WORKER_EVENTS: usize = 4096;

static ON: AtomicBool = AtomicBool::new(true);
static FLUSH: OnceLock<fn()> = OnceLock::new();
static PLACES: Mutex<Option<Places>> = Mutex::new(None);

thread_local! {
    /// Where the jobs started by this thread are shown, if not below the cell.
    static HERE: RefCell<Option<Arc<Place>>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Places {
    /// The timeline of the running cell, or between cells of the last one.
    cell: Option<Arc<Place>>,
    /// Where running jobs are shown, by session and job.
    running: HashMap<(u64, usize), Arc<Place>>,
    /// The worker events of each session.
    workers: HashMap<u64, Vec<Event>>,
    /// The timelines that front ends know, oldest first.
    kept: VecDeque<(Arc<Place>, Model)>,
}

/// Turns the timeline under cells on or off, beginning with the next cell. It is on unless the
/// environment variable `PARTITA_TIMELINE` is `off`.
///
/// ```
/// partita::widgets::set_timeline(false);
/// assert!(!partita::widgets::timeline_is_on());
/// ```
pub fn set_timeline(on: bool) {
    ON.store(on, Ordering::Relaxed);
}

/// Whether cells get a timeline.
#[must_use]
pub fn timeline_is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// A cell begins whose outputs are seen by `viewer`.
pub(super) fn begin_cell(viewer: Viewer) {
    let cell = (timeline_is_on() && viewer != Viewer::Terminal).then(|| Place::new(viewer));
    lock(&PLACES).get_or_insert_default().cell = cell;
}

/// The cell has ended, and all its events were passed to [`observe`].
pub(crate) fn end_cell() {
    let cell = lock(&PLACES).as_ref().and_then(|places| places.cell.clone());
    if let Some(cell) = cell {
        cell.close();
    }
}

/// Does `work`, whose jobs are shown at `place`.
pub(super) fn within<T>(place: &Arc<Place>, work: impl FnOnce() -> T) -> T {
    /// Restores the previous place, even if the work unwinds.
    struct Back(Option<Arc<Place>>);
    impl Drop for Back {
        fn drop(&mut self) {
            HERE.set(self.0.take());
        }
    }
    let _back = Back(HERE.replace(Some(place.clone())));
    work()
}

/// Sets how waiting events are passed to [`observe`] at once. Only the first call has an effect.
pub(crate) fn catch_up_by(flush: fn()) {
    let _ = FLUSH.set(flush);
}

/// Processes the waiting events.
pub(super) fn catch_up() {
    if let Some(flush) = FLUSH.get() {
        flush();
    }
}

/// Called where an event is emitted, so it must not wait: records where a job is shown.
pub(crate) fn note(session: u64, event: &Event) {
    let Event::JobSubmitted { job, .. } = event else { return };
    let mut places = lock(&PLACES);
    let Some(places) = &mut *places else { return };
    let here = HERE.with(|here| here.borrow().clone()).or_else(|| places.cell.clone());
    if let Some(place) = here {
        places.running.insert((session, *job), place);
    }
}

/// Processes a session's next events.
pub(crate) fn observe(session: u64, events: &[Event]) {
    if let Some(last) = events.last() {
        clock::hear(session, last.at());
    }
    for (place, workers, events) in sorted(session, events) {
        place.take(session, &workers, &events);
        place.look();
        place.settle_if_closed();
    }
}

/// Groups the events by the places that show them.
fn sorted(session: u64, events: &[Event]) -> Vec<(Arc<Place>, Vec<Event>, Vec<&Event>)> {
    let mut sorted: Vec<(Arc<Place>, Vec<Event>, Vec<&Event>)> = Vec::new();
    let mut places = lock(&PLACES);
    let Some(places) = &mut *places else { return sorted };
    for event in events {
        let shown: Vec<Arc<Place>> = match event.job() {
            Some(job) => places.running.get(&(session, job)).cloned().into_iter().collect(),
            None => {
                let known = places.workers.entry(session).or_default();
                if known.len() < WORKER_EVENTS {
                    known.push(event.clone());
                }
                let mut shown: Vec<Arc<Place>> = Vec::new();
                for ((of, _), place) in &places.running {
                    if *of == session && !shown.iter().any(|known| Arc::ptr_eq(known, place)) {
                        shown.push(place.clone());
                    }
                }
                shown
            }
        };
        for place in shown {
            match sorted.iter_mut().find(|(known, ..)| Arc::ptr_eq(known, &place)) {
                Some((.., events)) => events.push(event),
                None => {
                    let workers = places.workers.get(&session).cloned().unwrap_or_default();
                    sorted.push((place, workers, vec![event]));
                }
            }
        }
        if let Event::JobFinished { job, .. } = event {
            places.running.remove(&(session, *job));
        }
    }
    sorted
}

/// Shows what is due although nothing has happened. Returns whether it should be called again soon.
pub(crate) fn look() -> bool {
    let running: Vec<Arc<Place>> = match &*lock(&PLACES) {
        Some(places) => places.running.values().cloned().collect(),
        None => return false,
    };
    running.iter().fold(false, |soon, place| place.look() | soon)
}

/// Keeps a timeline for requests of front ends, and closes the oldest if there are too many.
fn keep(place: Option<Arc<Place>>, model: &Model) {
    let Some(place) = place else { return };
    let oldest = {
        let mut places = lock(&PLACES);
        let kept = &mut places.get_or_insert_default().kept;
        kept.push_back((place, model.clone()));
        if kept.len() > KEPT { kept.pop_front() } else { None }
    };
    if let Some((_, model)) = oldest {
        model.close();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use crate::events::{Event, TaskMetrics};

    pub fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    pub fn submitted(job: usize, at: u64) -> Event {
        Event::JobSubmitted { job, action: "collect".into(), slots: 2, at: ms(at) }
    }

    pub fn stage(job: usize, stage: usize, tasks: usize, at: u64) -> Event {
        Event::StageSubmitted { job, stage, name: format!("stage of {tasks}"), tasks, at: ms(at) }
    }

    pub fn started(job: usize, stage: usize, partition: usize, attempt: usize, at: u64) -> Event {
        let (worker, slot, at) = (0, partition % 2, ms(at));
        let slot = if partition > 1 { 0 } else { slot };
        Event::TaskStarted { job, stage, partition, attempt, worker, slot, at }
    }

    /// It took 4 ms, one of them for writing, after waiting for one.
    pub fn finished(job: usize, stage: usize, partition: usize, attempt: usize, at: u64) -> Event {
        let slot = if partition == 1 { 1 } else { 0 };
        let metrics = TaskMetrics {
            slot,
            run: ms(4),
            cpu: ms(3),
            queue: ms(1),
            rows_in: 20,
            rows_out: 10,
            ..TaskMetrics::default()
        };
        Event::TaskFinished { job, stage, partition, attempt, worker: 0, metrics, at: ms(at) }
    }

    /// A first attempt that ran from `at` for this long, some of it fetching and writing.
    pub fn took(
        job: usize,
        stage: usize,
        partition: usize,
        slot: usize,
        (from, run): (u64, u64),
        (fetch, write): (u64, u64),
    ) -> Event {
        let (run, fetch, write, queue) = (ms(run), ms(fetch), ms(write), ms(1));
        let metrics = TaskMetrics { slot, run, fetch, write, queue, ..TaskMetrics::default() };
        let at = ms(from) + run;
        Event::TaskFinished { job, stage, partition, attempt: 0, worker: 0, metrics, at }
    }

    /// A task of a later attempt.
    pub fn took_attempt(
        job: usize,
        stage: usize,
        partition: usize,
        attempt: usize,
        (from, run): (u64, u64),
    ) -> Event {
        let metrics = TaskMetrics { run: ms(run), ..TaskMetrics::default() };
        Event::TaskFinished { job, stage, partition, attempt, worker: 0, metrics, at: ms(from + run) }
    }

    pub fn job_finished(job: usize, at: u64) -> Event {
        Event::JobFinished { job, error: None, cancelled: false, at: ms(at) }
    }
}
