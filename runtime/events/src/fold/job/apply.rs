//! How a job changes: with its events, when its session ends, and when less of it is to be kept.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::{Job, JobState};
use crate::fold::{Attempt, AttemptState, Finished, Stage};
use crate::{Event, PartitionId, StageId, TaskMetrics, WorkerId};

impl Job {
    /// Takes the job's next event. Events of other jobs must not come here.
    pub fn apply(&mut self, event: &Event) {
        self.last = self.last.max(event.at());
        self.version += 1;
        match event {
            Event::StageSubmitted { stage, name, tasks, at, .. } => self.add_stage(*stage, name, *tasks, *at),
            Event::StageResubmitted { stage, tasks, cause, at, .. } => {
                if let Some(stage) = self.stage_mut(*stage) {
                    stage.resubmit(*tasks, cause, *at);
                }
            }
            Event::TaskStarted { stage, partition, attempt, worker, slot, at, .. } => {
                self.start((*stage, *partition, *attempt), *worker, *slot, *at);
            }
            Event::TaskFinished { stage, partition, attempt, worker, metrics, at, .. } => {
                self.finish((*stage, *partition, *attempt), *worker, metrics, *at);
            }
            Event::TaskFailed { stage, partition, attempt, worker, cause, retried, at, .. } => {
                self.fail((*stage, *partition, *attempt), *worker, cause, *retried, *at);
            }
            Event::StageFinished { stage, at, .. } => {
                if let Some(found) = self.stage_mut(*stage) {
                    found.finish_all(*at);
                    self.close(*at, Some(*stage));
                }
            }
            Event::JobFinished { error, cancelled, at, .. } => {
                self.error.clone_from(error);
                self.end(match error {
                    None => JobState::Done,
                    Some(_) if *cancelled => JobState::Cancelled,
                    Some(_) => JobState::Failed,
                });
                self.close(*at, None);
            }
            Event::JobSubmitted { .. } | Event::WorkerJoined { .. } | Event::WorkerLost { .. } => {}
        }
    }

    /// Its session ended before it did.
    pub fn interrupt(&mut self) {
        if !self.has_ended() {
            self.version += 1;
            self.end(JobState::Interrupted);
            self.close(self.last, None);
        }
    }

    /// Lets go of its attempts, which take most of the memory. Counts, sums and skew stay.
    pub fn forget_attempts(&mut self) {
        self.left_out += self.attempts.len();
        self.attempts = Vec::new();
        self.by_key = HashMap::new();
        self.open = BTreeSet::new();
        self.updated = Vec::new();
        self.stages.iter_mut().for_each(Stage::forget_attempts);
        self.limits.attempts = 0;
    }

    /// From now on, at most so many attempts are kept; those that are kept already stay.
    pub fn limit_attempts(&mut self, most: usize) {
        self.limits.attempts = most;
    }

    fn end(&mut self, state: JobState) {
        self.state = state;
    }

    fn add_stage(&mut self, stage: StageId, name: &str, tasks: usize, submitted: Duration) {
        if self.stages.len() < self.limits.stages {
            let (name, version) = (name.to_owned(), self.version);
            self.stages.push(Stage { stage, name, tasks, submitted, version, ..Stage::default() });
        }
    }

    fn start(&mut self, key: (StageId, PartitionId, usize), worker: WorkerId, slot: usize, at: Duration) {
        let (number, partition, _) = key;
        let full = self.running.len() >= self.limits.partitions;
        let known = self.running.contains_key(&(number, partition));
        let before = match self.stage_mut(number) {
            Some(stage) if known => {
                stage.running += 1;
                stage.copies += 1;
                None
            }
            Some(stage) if !full => {
                stage.running += 1;
                stage.first_started.get_or_insert(at);
                stage.begin(partition)
            }
            _ => return,
        };
        *self.running.entry((number, partition)).or_default() += 1;
        self.supersede(number, before);
        if self.slots_used.len() < self.limits.workers || self.slots_used.contains_key(&worker) {
            let slots = self.slots_used.entry(worker).or_default();
            *slots = (*slots).max(slot.saturating_add(1)).min(self.limits.slots);
        }
        let running = new_attempt(key, worker, slot, at);
        let index = self.add_attempt(Attempt { speculative: known, ..running });
        self.open.extend(index.map(|index| (number, index)));
    }

    fn finish(
        &mut self,
        key: (StageId, PartitionId, usize),
        worker: WorkerId,
        metrics: &TaskMetrics,
        at: Duration,
    ) {
        let (number, partition, _) = key;
        if self.stage_mut(number).is_none() {
            return;
        }
        // The slot knows best when it began. The start may also have been lost on the way.
        let began = at.saturating_sub(metrics.run);
        let index = self.end_attempt(key, || new_attempt(key, worker, metrics.slot, began));
        if let Some(index) = index {
            self.open.remove(&(number, index));
            let attempt = &mut self.attempts[index];
            attempt.end(AttemptState::Done, at);
            attempt.started = attempt.started.min(began);
            attempt.metrics = Some(metrics.clone());
            attempt.counts = true;
        }
        let finished = Finished {
            attempt: index,
            run: metrics.run,
            rows_in: metrics.rows_in,
            bytes_in: metrics.bytes_in(),
        };
        let limits = self.limits;
        let Some(stage) = self.stage_mut(number) else { return };
        let before = stage.finish(partition, finished, &limits);
        stage.ended = Some(stage.ended.map_or(at, |latest| latest.max(at)));
        stage.totals.add(metrics);
        self.supersede(number, before.filter(|before| before.attempt != index));
    }

    fn fail(
        &mut self,
        key: (StageId, PartitionId, usize),
        worker: WorkerId,
        cause: &str,
        retried: bool,
        at: Duration,
    ) {
        let (number, partition, _) = key;
        let Some(stage) = self.stage_mut(number) else { return };
        let beaten = stage.has_finished(partition);
        if beaten {
            stage.beaten += 1;
        } else {
            stage.failed += 1;
            stage.retried += usize::from(retried);
            stage.cause = Some(cause.to_owned());
        }
        let index = self.end_attempt(key, || new_attempt(key, worker, 0, at));
        if let Some(index) = index {
            self.open.remove(&(number, index));
            let attempt = &mut self.attempts[index];
            attempt.end(if beaten { AttemptState::Beaten } else { AttemptState::Failed }, at);
            (attempt.cause, attempt.retried) = (Some(cause.to_owned()), retried);
        }
    }

    /// What counted before does not any more.
    fn supersede(&mut self, stage: StageId, before: Option<Finished>) {
        let Some(index) = before.and_then(|before| before.attempt) else { return };
        let Some(attempt) = self.attempts.get_mut(index) else { return };
        attempt.counts = false;
        let metrics = attempt.metrics.clone();
        self.update(index);
        if let Some(metrics) = metrics
            && let Some(stage) = self.stage_mut(stage)
        {
            stage.totals.subtract(&metrics);
        }
    }

    fn add_attempt(&mut self, attempt: Attempt) -> Option<usize> {
        if self.attempts.len() >= self.limits.attempts {
            self.left_out += 1;
            return None;
        }
        let index = self.attempts.len();
        self.by_key.insert((attempt.stage, attempt.partition, attempt.attempt), index);
        self.attempts.push(attempt);
        Some(index)
    }

    /// The place of an attempt that is about to change.
    fn attempt_mut(&mut self, key: (StageId, PartitionId, usize)) -> Option<usize> {
        let index = *self.by_key.get(&key)?;
        self.update(index);
        Some(index)
    }

    /// Notes that an attempt changes.
    fn update(&mut self, index: usize) {
        // An attempt starts, ends and may be superseded; no true stream has more to say of it.
        if self.updated.len() < self.limits.attempts.saturating_mul(8) {
            self.updated.push(index);
        }
    }

    /// The place of an attempt that ends now; it is added if its start is not known. `None` if it is not
    /// kept.
    fn end_attempt(
        &mut self,
        key: (StageId, PartitionId, usize),
        attempt: impl FnOnce() -> Attempt,
    ) -> Option<usize> {
        let was_running = self.leave(key);
        match self.attempt_mut(key) {
            // There was no room for it when it started, and it is counted already.
            None if was_running => None,
            None => self.add_attempt(attempt()),
            known => known,
        }
    }

    /// An attempt is no longer running, if it was. Returns whether it was.
    fn leave(&mut self, key: (StageId, PartitionId, usize)) -> bool {
        let (number, partition, _) = key;
        let was_running = match self.by_key.get(&key) {
            Some(index) => self.attempts[*index].state == AttemptState::Running,
            // Of those that are not kept nobody knows; their starts were counted.
            None => self.left_out > 0,
        };
        if !was_running {
            return false;
        }
        let Some(running) = self.running.get_mut(&(number, partition)) else { return false };
        *running -= 1;
        if *running == 0 {
            self.running.remove(&(number, partition));
        }
        if let Some(stage) = self.stage_mut(number) {
            stage.running = stage.running.saturating_sub(1);
        }
        true
    }

    /// Ends the attempts that no event ended: of one stage, or of the whole job.
    fn close(&mut self, at: Duration, only: Option<StageId>) {
        let ending: Vec<(StageId, usize)> = match only {
            Some(stage) => self.open.range((stage, 0)..=(stage, usize::MAX)).copied().collect(),
            None => self.open.iter().copied().collect(),
        };
        for (number, index) in ending {
            self.open.remove(&(number, index));
            let attempt = &mut self.attempts[index];
            let stage = self.stages.iter().rfind(|stage| stage.stage == number);
            let beaten = stage.is_some_and(|stage| stage.has_finished(attempt.partition));
            let unreported = stage.is_some_and(|stage| stage.finished);
            let state = match (beaten, unreported) {
                (true, _) => AttemptState::Beaten,
                (false, true) => AttemptState::Unknown,
                (false, false) => AttemptState::Cut,
            };
            attempt.end(state, at);
            self.updated.push(index);
        }
        self.running.retain(|(stage, _), _| only.is_some_and(|only| only != *stage));
        for stage in self.stages.iter_mut().filter(|stage| only.is_none_or(|only| only == stage.stage)) {
            stage.running = 0;
        }
    }

    fn stage_mut(&mut self, number: StageId) -> Option<&mut Stage> {
        let stage = self.stages.iter_mut().rfind(|stage| stage.stage == number)?;
        stage.version = self.version;
        Some(stage)
    }
}

fn new_attempt(
    (stage, partition, attempt): (StageId, PartitionId, usize),
    worker: WorkerId,
    slot: usize,
    started: Duration,
) -> Attempt {
    Attempt {
        stage,
        partition,
        attempt,
        worker,
        slot,
        started,
        ended: None,
        state: AttemptState::Running,
        speculative: false,
        retried: false,
        counts: false,
        metrics: None,
        cause: None,
    }
}
