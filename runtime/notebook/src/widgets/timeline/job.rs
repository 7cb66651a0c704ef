//! One job as its events tell it, for a picture that stays: `assets/model.js` is the same for the page.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::log::{JobLog, Log};
use partita_events::{Event, Skew, TaskMetrics};

/// Lanes that are drawn of one worker.
const SLOTS_SHOWN: usize = 1024;

/// A job. Times are seconds on its session's clock.
pub(super) struct Job<'a> {
    pub number: usize,
    pub action: &'a str,
    pub submitted: f64,
    /// Its end, or its last event so far.
    pub last: f64,
    pub end: End<'a>,
    pub stages: Vec<Stage<'a>>,
    /// In the order they began.
    pub attempts: Vec<Attempt<'a>>,
    pub workers: Vec<Worker<'a>>,
    pub left_out: usize,
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End<'a> {
    Running,
    Done,
    Failed(&'a str),
    Cancelled,
}

pub(super) struct Stage<'a> {
    pub number: usize,
    pub name: &'a str,
    pub tasks: usize,
    pub submitted: f64,
    pub ended: Option<f64>,
    /// Partitions whose output is there, with the attempt that made it.
    pub won: HashMap<usize, &'a TaskMetrics>,
    pub failures: usize,
    pub copies: usize,
    pub again: usize,
    pub total: TaskMetrics,
}

pub(super) struct Attempt<'a> {
    /// Its stage's place in the job.
    pub stage: usize,
    pub partition: usize,
    pub attempt: usize,
    pub worker: u64,
    pub slot: usize,
    pub start: f64,
    pub end: Option<f64>,
    pub state: State,
    pub metrics: Option<&'a TaskMetrics>,
    /// It began while another attempt at the same task ran.
    pub copy: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Running,
    Done,
    Failed,
    /// Another attempt was faster.
    Beaten,
    /// Its job ended before it did, or nobody told how it ended.
    Cut,
}

/// A worker and how many of its slots are drawn.
pub(super) struct Worker<'a> {
    pub worker: u64,
    /// `None`: slots of this process.
    pub name: Option<&'a str>,
    pub slots: usize,
    pub lost: Option<(f64, &'a str)>,
}

impl<'a> Job<'a> {
    /// What a log knows of a job.
    pub fn of(log: &'a Log, job: &'a JobLog) -> Self {
        let mut told = Self {
            number: job.job,
            action: "",
            submitted: job.submitted.as_secs_f64(),
            last: job.last.as_secs_f64(),
            end: End::Running,
            stages: Vec::new(),
            attempts: Vec::new(),
            workers: Vec::new(),
            left_out: job.left_out,
        };
        let mut slots = 0;
        let mut known: HashMap<(usize, usize, usize), usize> = HashMap::new();
        for event in job.events() {
            if let Event::JobSubmitted { slots: of, .. } = event {
                slots = *of;
            }
            told.take(event, &mut known);
        }
        told.attempts.sort_by(|a, b| a.start.total_cmp(&b.start));
        told.workers = told.workers_of(log.workers(job.session), slots);
        told
    }

    fn take(&mut self, event: &'a Event, known: &mut HashMap<(usize, usize, usize), usize>) {
        match event {
            Event::JobSubmitted { action, .. } => self.action = action,
            Event::StageSubmitted { stage, name, tasks, at, .. } => self.stages.push(Stage {
                number: *stage,
                name,
                tasks: *tasks,
                submitted: at.as_secs_f64(),
                ended: None,
                won: HashMap::new(),
                failures: 0,
                copies: 0,
                again: 0,
                total: TaskMetrics::default(),
            }),
            Event::StageResubmitted { stage, tasks, .. } => {
                if let Some(stage) = self.stage(*stage) {
                    self.stages[stage].ended = None;
                    self.stages[stage].again += tasks;
                }
            }
            Event::TaskStarted { stage: number, partition, attempt, worker, slot, at, .. } => {
                let Some(stage) = self.stage(*number) else { return };
                let beside = *attempt > 0
                    && self.attempts.iter().any(|other| {
                        (other.stage, other.partition, other.state) == (stage, *partition, State::Running)
                    });
                if beside {
                    self.stages[stage].copies += 1;
                } else {
                    self.stages[stage].won.remove(partition);
                }
                known.insert((*number, *partition, *attempt), self.attempts.len());
                self.attempts.push(Attempt {
                    stage,
                    partition: *partition,
                    attempt: *attempt,
                    worker: *worker,
                    slot: *slot,
                    start: at.as_secs_f64(),
                    end: None,
                    state: State::Running,
                    metrics: None,
                    copy: beside,
                });
            }
            Event::TaskFinished { stage: number, partition, attempt, worker, metrics, at, .. } => {
                let Some(stage) = self.stage(*number) else { return };
                let ended = at.as_secs_f64();
                match known.get(&(*number, *partition, *attempt)) {
                    Some(&index) => {
                        let attempt = &mut self.attempts[index];
                        (attempt.state, attempt.end) = (State::Done, Some(ended));
                        attempt.metrics = Some(metrics);
                        attempt.start = attempt.start.min(ended - metrics.run.as_secs_f64());
                    }
                    None => self.attempts.push(Attempt {
                        stage,
                        partition: *partition,
                        attempt: *attempt,
                        worker: *worker,
                        slot: metrics.slot,
                        start: at.saturating_sub(metrics.run).as_secs_f64(),
                        end: Some(ended),
                        state: State::Done,
                        metrics: Some(metrics),
                        copy: false,
                    }),
                }
                let stage = &mut self.stages[stage];
                stage.won.insert(*partition, metrics);
                stage.ended = Some(stage.ended.map_or(ended, |latest| latest.max(ended)));
                add(&mut stage.total, metrics);
            }
            Event::TaskFailed { stage: number, partition, attempt, worker, at, .. } => {
                let Some(stage) = self.stage(*number) else { return };
                let at = at.as_secs_f64();
                let needless = self.stages[stage].won.contains_key(partition);
                let state = if needless { State::Beaten } else { State::Failed };
                self.stages[stage].failures += usize::from(!needless);
                match known.get(&(*number, *partition, *attempt)) {
                    Some(&index) => {
                        (self.attempts[index].state, self.attempts[index].end) = (state, Some(at));
                    }
                    None => self.attempts.push(Attempt {
                        stage,
                        partition: *partition,
                        attempt: *attempt,
                        worker: *worker,
                        slot: 0,
                        start: at,
                        end: Some(at),
                        state,
                        metrics: None,
                        copy: false,
                    }),
                }
            }
            Event::StageFinished { stage: number, at, .. } => {
                if let Some(stage) = self.stage(*number) {
                    self.stages[stage].ended = Some(at.as_secs_f64());
                    self.close(at.as_secs_f64(), Some(stage));
                }
            }
            Event::JobFinished { error, cancelled, at, .. } => {
                self.end = match error {
                    None => End::Done,
                    Some(_) if *cancelled => End::Cancelled,
                    Some(error) => End::Failed(error),
                };
                self.close(at.as_secs_f64(), None);
            }
            Event::WorkerJoined { .. } | Event::WorkerLost { .. } => {}
        }
    }

    /// Ends the attempts nobody told the end of.
    fn close(&mut self, at: f64, stage: Option<usize>) {
        for attempt in &mut self.attempts {
            if attempt.state == State::Running && stage.is_none_or(|stage| stage == attempt.stage) {
                let beaten = self.stages[attempt.stage].won.contains_key(&attempt.partition);
                attempt.state = if beaten { State::Beaten } else { State::Cut };
                attempt.end = Some(at);
            }
        }
    }

    fn stage(&self, number: usize) -> Option<usize> {
        self.stages.iter().rposition(|stage| stage.number == number)
    }

    fn workers_of(&self, events: impl Iterator<Item = &'a Event>, slots: usize) -> Vec<Worker<'a>> {
        let mut workers: BTreeMap<u64, Worker<'a>> = BTreeMap::new();
        for event in events {
            match event {
                Event::WorkerJoined { worker, name, slots, at } if at.as_secs_f64() <= self.last => {
                    let (worker, name, slots) = (*worker, Some(name.as_str()), (*slots).min(SLOTS_SHOWN));
                    workers.insert(worker, Worker { worker, name, slots, lost: None });
                }
                Event::WorkerLost { worker, cause, at } => {
                    if at.as_secs_f64() < self.submitted {
                        workers.remove(worker);
                    } else if let Some(worker) = workers.get_mut(worker) {
                        worker.lost = Some((at.as_secs_f64(), cause));
                    }
                }
                _ => {}
            }
        }
        if workers.is_empty() && slots > 0 {
            workers.insert(0, Worker { worker: 0, name: None, slots: slots.min(SLOTS_SHOWN), lost: None });
        }
        for attempt in &self.attempts {
            let unnamed = || Worker { worker: attempt.worker, name: None, slots: 0, lost: None };
            let worker = workers.entry(attempt.worker).or_insert_with(unnamed);
            worker.slots = worker.slots.max(attempt.slot.saturating_add(1)).min(SLOTS_SHOWN);
        }
        workers.into_values().collect()
    }

    /// Seconds from its submission to its end, or to the last event so far.
    pub fn wall(&self) -> f64 {
        (self.last - self.submitted).max(0.0)
    }

    /// Slots of all workers.
    pub fn slots(&self) -> usize {
        self.workers.iter().map(|worker| worker.slots).sum()
    }

    /// Whether its slots are those of workers in other processes.
    pub fn is_of_pool(&self) -> bool {
        self.workers.iter().any(|worker| worker.name.is_some())
    }
}

impl Stage<'_> {
    /// How unevenly its finished tasks' times are spread, in seconds; the worst is a partition.
    pub fn skew(&self) -> Option<Skew> {
        let (partitions, times): (Vec<usize>, Vec<f64>) =
            self.won.iter().map(|(partition, metrics)| (*partition, metrics.run.as_secs_f64())).unzip();
        let mut skew = Skew::of(&times)?;
        skew.worst = partitions[skew.worst];
        Some(skew)
    }

    /// Whether a person should be told: far from the median, and long enough to matter to the job.
    pub fn is_skewed(&self, skew: &Skew, wall: f64) -> bool {
        self.won.len() > 1 && skew.ratio >= 2.0 && skew.max - skew.median >= wall / 20.0
    }
}

fn add(total: &mut TaskMetrics, metrics: &TaskMetrics) {
    for (sum, time) in [
        (&mut total.run, metrics.run),
        (&mut total.cpu, metrics.cpu),
        (&mut total.queue, metrics.queue),
        (&mut total.fetch, metrics.fetch),
        (&mut total.write, metrics.write),
    ] {
        *sum = sum.checked_add(time).unwrap_or(Duration::MAX);
    }
    for (sum, number) in [
        (&mut total.rows_in, metrics.rows_in),
        (&mut total.rows_out, metrics.rows_out),
        (&mut total.bytes_read, metrics.bytes_read),
        (&mut total.shuffle_in, metrics.shuffle_in),
        (&mut total.shuffle_out, metrics.shuffle_out),
        (&mut total.spilled, metrics.spilled),
        (&mut total.cache_hits, metrics.cache_hits),
    ] {
        *sum = sum.saturating_add(number);
    }
}
