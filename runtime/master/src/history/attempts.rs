use std::collections::{HashMap, HashSet};
use std::time::Duration;

use partita_events::{Event, TaskMetrics};

/// One attempt at one task.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub stage: usize,
    pub partition: usize,
    pub attempt: usize,
    pub worker: u64,
    pub started: Duration,
    pub ended: Option<Duration>,
    /// Begun while another attempt at the same task ran.
    pub speculative: bool,
    pub outcome: Outcome,
}

#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    Running,
    Done(TaskMetrics),
    Failed(String),
    /// Its job, its worker or another attempt ended before it did.
    Killed(String),
}

/// The attempts of one job, from its events, in the order they began.
pub(crate) fn attempts(events: &[Event]) -> Vec<Attempt> {
    let mut all: Vec<Attempt> = Vec::new();
    let mut open: HashMap<(usize, usize, usize), usize> = HashMap::new();
    let mut running: HashMap<(usize, usize), usize> = HashMap::new();
    let mut done: HashSet<(usize, usize)> = HashSet::new();
    for event in events {
        match event {
            Event::TaskStarted { stage, partition, attempt, worker, at, .. } => {
                let beside = running.entry((*stage, *partition)).or_default();
                open.insert((*stage, *partition, *attempt), all.len());
                all.push(Attempt {
                    stage: *stage,
                    partition: *partition,
                    attempt: *attempt,
                    worker: *worker,
                    started: *at,
                    ended: None,
                    speculative: *beside > 0,
                    outcome: Outcome::Running,
                });
                *beside += 1;
            }
            Event::TaskFinished { stage, partition, attempt, worker, metrics, at, .. } => {
                done.insert((*stage, *partition));
                let outcome = Outcome::Done(metrics.clone());
                end(&mut all, &mut open, (*stage, *partition, *attempt), *worker, *at, metrics.run, outcome);
                leave(&mut running, *stage, *partition);
            }
            Event::TaskFailed { stage, partition, attempt, worker, cause, at, .. } => {
                let outcome = if done.contains(&(*stage, *partition)) {
                    Outcome::Killed(cause.clone())
                } else {
                    Outcome::Failed(cause.clone())
                };
                let key = (*stage, *partition, *attempt);
                end(&mut all, &mut open, key, *worker, *at, Duration::ZERO, outcome);
                leave(&mut running, *stage, *partition);
            }
            Event::StageResubmitted { stage, .. } => done.retain(|(of, _)| of != stage),
            Event::JobFinished { at, .. } => {
                for attempt in all.iter_mut().filter(|a| matches!(a.outcome, Outcome::Running)) {
                    attempt.ended = Some(*at);
                    attempt.outcome = Outcome::Killed("its job ended".to_owned());
                }
            }
            _ => {}
        }
    }
    all
}

fn end(
    all: &mut Vec<Attempt>,
    open: &mut HashMap<(usize, usize, usize), usize>,
    key: (usize, usize, usize),
    worker: u64,
    at: Duration,
    run: Duration,
    outcome: Outcome,
) {
    let (stage, partition, attempt) = key;
    match open.remove(&key) {
        Some(place) => (all[place].ended, all[place].outcome) = (Some(at), outcome),
        // Its start was lost on the way.
        None => all.push(Attempt {
            stage,
            partition,
            attempt,
            worker,
            started: at.saturating_sub(run),
            ended: Some(at),
            speculative: false,
            outcome,
        }),
    }
}

fn leave(running: &mut HashMap<(usize, usize), usize>, stage: usize, partition: usize) {
    if let Some(count) = running.get_mut(&(stage, partition)) {
        *count = count.saturating_sub(1);
    }
}
