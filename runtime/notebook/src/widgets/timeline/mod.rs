//! The live timeline that appears under every cell that runs a job. This module assigns jobs to cells. A
//! [`Timeline`] has its `jobs`, folded by `partita_events`, which also makes the messages to the page; and
//! what stays in a saved notebook: a `picture` and a `text`. `archive` keeps it for a later kernel.
//!
//! Events arrive in the batches that are sent to the kernel, on the sending thread, so the scheduler
//! never waits for a page.

mod archive;
mod clock;
mod jobs;
mod live;
mod picture;
mod text;

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) use self::archive::reopen;
pub(crate) use self::live::Timeline;
use super::Viewer;
use super::model::Model;
use parking_lot::Mutex;
use partita_events::fold::{Limits, Workers};
use partita_events::{Event, JobId};

/// How many timelines keep answering the front end; the oldest are closed. A notebook has one per cell,
/// plus one each time a cell is run again.
const KEPT: usize = 500;
/// The maximum number of workers kept per session, lost ones included.
const WORKERS_KEPT: usize = 4096;

/// Whether cells get a timeline. Process-wide because [`set_timeline`] is called by a cell for all later ones.
static ON: AtomicBool = AtomicBool::new(true);
/// Process-wide because events of every session of the process are shown in the timeline of whichever cell
/// has started the job.
static TIMELINES: Mutex<Option<Timelines>> = Mutex::new(None);

thread_local! {
    /// Where the jobs started by this thread are shown, if not below the cell.
    static HERE: RefCell<Option<Arc<Timeline>>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Timelines {
    /// The timeline of the running cell, or between cells of the last one.
    cell: Option<Arc<Timeline>>,
    /// Where running jobs are shown, by session and job.
    running: HashMap<(u64, JobId), Arc<Timeline>>,
    /// The workers of each session.
    workers: HashMap<u64, Arc<Workers>>,
    /// The timelines that front ends know, oldest first.
    kept: VecDeque<(Arc<Timeline>, Model)>,
}

/// Turns the timeline under cells on or off, beginning with the next cell. It is on unless the
/// environment variable `PARTITA_TIMELINE` is `off`.
///
/// ```
/// # mod partita { pub use ::partita::*; pub use ::partita_notebook::*; }
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
    let cell = (timeline_is_on() && viewer != Viewer::Terminal).then(|| Timeline::new(viewer));
    TIMELINES.lock().get_or_insert_default().cell = cell;
}

/// The cell has ended, and all its events were passed to [`observe`].
pub(crate) fn end_cell() {
    let cell = TIMELINES.lock().as_ref().and_then(|timelines| timelines.cell.clone());
    if let Some(cell) = cell {
        cell.close();
    }
}

/// Does `work`, whose jobs are shown at `timeline`.
pub(super) fn within<T>(timeline: &Arc<Timeline>, work: impl FnOnce() -> T) -> T {
    /// Restores the previous timeline, even if the work unwinds.
    struct Back(Option<Arc<Timeline>>);
    impl Drop for Back {
        fn drop(&mut self) {
            HERE.set(self.0.take());
        }
    }
    let _back = Back(HERE.replace(Some(timeline.clone())));
    work()
}

/// Called where an event is emitted, so it must not wait: records where a job is shown.
pub(crate) fn note(session: u64, event: &Event) {
    let Event::JobSubmitted { job, .. } = event else { return };
    let mut timelines = TIMELINES.lock();
    let Some(timelines) = &mut *timelines else { return };
    let here = HERE.with(|here| here.borrow().clone()).or_else(|| timelines.cell.clone());
    if let Some(timeline) = here {
        timelines.running.insert((session, *job), timeline);
    }
}

/// Processes a session's next events.
pub(crate) fn observe(session: u64, events: &[Event]) {
    if let Some(last) = events.last() {
        clock::observe(session, last.at());
    }
    let (workers, sorted) = sorted(session, events);
    for (timeline, events) in sorted {
        timeline.receive(session, workers.clone(), &events);
        timeline.show_if_due();
        timeline.finish_if_closed();
    }
}

/// Events by the timeline that shows them.
type Sorted<'a> = Vec<(Arc<Timeline>, Vec<&'a Event>)>;

/// Groups the events by the timelines that show them, and returns the session's workers too.
fn sorted(session: u64, events: &[Event]) -> (Arc<Workers>, Sorted<'_>) {
    let mut sorted: Sorted<'_> = Vec::new();
    let mut timelines = TIMELINES.lock();
    let Some(timelines) = &mut *timelines else { return (Arc::default(), sorted) };
    for event in events {
        let shown: Vec<Arc<Timeline>> = match event.job() {
            Some(job) => timelines.running.get(&(session, job)).cloned().into_iter().collect(),
            None => {
                let limits = Limits { workers: WORKERS_KEPT, ..Limits::default() };
                let workers = timelines.workers.entry(session);
                Arc::make_mut(workers.or_insert_with(|| Arc::new(Workers::new(limits)))).apply(event);
                let mut shown: Vec<Arc<Timeline>> = Vec::new();
                for ((of, _), timeline) in &timelines.running {
                    if *of == session && !shown.iter().any(|known| Arc::ptr_eq(known, timeline)) {
                        shown.push(timeline.clone());
                    }
                }
                shown
            }
        };
        for timeline in shown {
            match sorted.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &timeline)) {
                Some((_, events)) => events.push(event),
                None => sorted.push((timeline, vec![event])),
            }
        }
        if let Event::JobFinished { job, .. } = event {
            timelines.running.remove(&(session, *job));
        }
    }
    (timelines.workers.get(&session).cloned().unwrap_or_default(), sorted)
}

/// Shows what is due although nothing has happened. Returns whether it should be called again soon.
pub(crate) fn show_due() -> bool {
    let running: Vec<Arc<Timeline>> = match &*TIMELINES.lock() {
        Some(timelines) => timelines.running.values().cloned().collect(),
        None => return false,
    };
    running.iter().fold(false, |soon, timeline| timeline.show_if_due() | soon)
}

/// Keeps a timeline for requests of front ends, and closes the oldest if there are too many.
fn keep(timeline: Option<Arc<Timeline>>, model: &Model) {
    let Some(timeline) = timeline else { return };
    let oldest = {
        let mut timelines = TIMELINES.lock();
        let kept = &mut timelines.get_or_insert_default().kept;
        kept.push_back((timeline, model.clone()));
        if kept.len() > KEPT { kept.pop_front() } else { None }
    };
    if let Some((_, model)) = oldest {
        model.close();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use partita_events::{Event, JobId, PartitionId, StageId, TaskMetrics, WorkerId};

    pub fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    pub fn submitted(job: usize, at: u64) -> Event {
        Event::JobSubmitted { job: JobId(job), action: "collect".into(), slots: 2, at: ms(at) }
    }

    pub fn stage(job: usize, stage: usize, tasks: usize, at: u64) -> Event {
        let (job, stage, name) = (JobId(job), StageId(stage), format!("stage of {tasks}"));
        Event::StageSubmitted { job, stage, name, tasks, at: ms(at) }
    }

    pub fn started(job: usize, stage: usize, partition: usize, attempt: usize, at: u64) -> Event {
        let (worker, slot, at) = (WorkerId::EMBEDDED, usize::from(partition == 1), ms(at));
        let (job, stage, partition) = (JobId(job), StageId(stage), PartitionId(partition));
        Event::TaskStarted { job, stage, partition, attempt, worker, slot, at }
    }

    /// It took 4 ms after waiting for one.
    pub fn finished(job: usize, stage: usize, partition: usize, attempt: usize, at: u64) -> Event {
        let metrics = TaskMetrics {
            slot: usize::from(partition == 1),
            run: ms(4),
            cpu: ms(3),
            queue: ms(1),
            rows_in: 20,
            rows_out: 10,
            ..TaskMetrics::default()
        };
        ended((job, stage, partition, attempt), metrics, ms(at))
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
        ended((job, stage, partition, 0), metrics, ms(from) + run)
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
        ended((job, stage, partition, attempt), metrics, ms(from + run))
    }

    fn ended(
        (job, stage, partition, attempt): (usize, usize, usize, usize),
        metrics: TaskMetrics,
        at: Duration,
    ) -> Event {
        let (job, stage, partition) = (JobId(job), StageId(stage), PartitionId(partition));
        Event::TaskFinished { job, stage, partition, attempt, worker: WorkerId::EMBEDDED, metrics, at }
    }

    pub fn job_finished(job: usize, at: u64) -> Event {
        Event::JobFinished { job: JobId(job), error: None, cancelled: false, at: ms(at) }
    }
}
