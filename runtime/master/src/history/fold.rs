use std::collections::HashSet;
use std::time::Duration;

use partita_events::{Event, TaskMetrics};

/// Stages of one job that are told apart; further ones are not kept.
const STAGES_KEPT: usize = 10_000;

/// Tasks of one stage that are told apart.
const TASKS_KEPT: usize = 1 << 20;

/// What a job came to so far: enough for lists, without its events.
#[derive(Debug, Clone, Default)]
pub(crate) struct JobFold {
    pub job: usize,
    pub action: String,
    pub submitted: Duration,
    /// Its latest event.
    pub last: Duration,
    pub state: JobState,
    pub error: Option<String>,
    pub stages: Vec<StageFold>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum JobState {
    #[default]
    Running,
    Done,
    Failed,
    Cancelled,
    /// Its session ended before it did.
    Interrupted,
}

impl JobState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What a stage came to so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct StageFold {
    /// Number in the job.
    pub stage: usize,
    /// Number in the session, as Spark counts stages.
    pub id: usize,
    pub name: String,
    pub tasks: usize,
    pub submitted: Duration,
    pub first_started: Option<Duration>,
    pub finished: Option<Duration>,
    /// Attempts that began, and that ended in whatever way.
    started: usize,
    ended: usize,
    /// Attempts that failed. Those that came second are not among them.
    pub failed: usize,
    /// Attempts that were not needed, because another one was faster.
    pub killed: usize,
    /// Partitions whose output is there.
    won: HashSet<usize>,
    /// The last failure's cause.
    pub cause: Option<String>,
    /// Sums over its finished tasks.
    pub totals: TaskMetrics,
}

impl JobFold {
    pub fn new(event: &Event) -> Option<Self> {
        let Event::JobSubmitted { job, action, at, .. } = event else { return None };
        let (job, action, submitted) = (*job, action.clone(), *at);
        Some(Self { job, action, submitted, last: submitted, ..Self::default() })
    }

    /// Takes the job's next event; `next_stage` counts the session's stages.
    pub fn apply(&mut self, event: &Event, next_stage: &mut usize) {
        self.last = self.last.max(event.at());
        match event {
            Event::StageSubmitted { stage, name, tasks, at, .. } => {
                if self.stages.len() < STAGES_KEPT {
                    self.stages.push(StageFold {
                        stage: *stage,
                        id: *next_stage,
                        name: name.clone(),
                        tasks: *tasks,
                        submitted: *at,
                        ..StageFold::default()
                    });
                    *next_stage += 1;
                }
            }
            Event::StageResubmitted { stage, cause, .. } => {
                if let Some(stage) = self.stage_mut(*stage) {
                    stage.finished = None;
                    stage.cause = Some(cause.clone());
                }
            }
            Event::TaskStarted { stage, partition, at, .. } => {
                if let Some(stage) = self.stage_mut(*stage) {
                    stage.started += 1;
                    // Its output was there, and is lost.
                    stage.won.remove(partition);
                    stage.first_started.get_or_insert(*at);
                }
            }
            Event::TaskFinished { stage, partition, metrics, .. } => {
                if let Some(stage) = self.stage_mut(*stage) {
                    stage.ended += 1;
                    if *partition < stage.tasks && stage.won.len() < TASKS_KEPT {
                        stage.won.insert(*partition);
                    }
                    add(&mut stage.totals, metrics);
                }
            }
            Event::TaskFailed { stage, partition, cause, .. } => {
                if let Some(stage) = self.stage_mut(*stage) {
                    stage.ended += 1;
                    if stage.won.contains(partition) {
                        stage.killed += 1;
                    } else {
                        stage.failed += 1;
                        stage.cause = Some(cause.clone());
                    }
                }
            }
            Event::StageFinished { stage, at, .. } => {
                if let Some(stage) = self.stage_mut(*stage) {
                    stage.finished = Some(*at);
                }
            }
            Event::JobFinished { error, cancelled, .. } => {
                self.error.clone_from(error);
                self.state = match error {
                    None => JobState::Done,
                    Some(_) if *cancelled => JobState::Cancelled,
                    Some(_) => JobState::Failed,
                };
            }
            Event::JobSubmitted { .. } | Event::WorkerJoined { .. } | Event::WorkerLost { .. } => {}
        }
    }

    pub fn is_running(&self) -> bool {
        self.state == JobState::Running
    }

    pub fn wall(&self) -> Duration {
        self.last.saturating_sub(self.submitted)
    }

    pub fn sum(&self, figure: impl Fn(&StageFold) -> usize) -> usize {
        self.stages.iter().fold(0, |sum, stage| sum.saturating_add(figure(stage)))
    }

    fn stage_mut(&mut self, number: usize) -> Option<&mut StageFold> {
        self.stages.iter_mut().rfind(|stage| stage.stage == number)
    }
}

impl StageFold {
    /// Tasks whose output is there.
    pub fn done(&self) -> usize {
        // The ends of single tasks may have been lost on the way.
        if self.finished.is_some() { self.tasks } else { self.won.len() }
    }

    /// Attempts that run, while its job does.
    pub fn active(&self) -> usize {
        self.started.saturating_sub(self.ended)
    }
}

/// A worker, as a session's events tell of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct WorkerFold {
    pub name: String,
    pub slots: usize,
    pub joined: Duration,
    pub lost: Option<(Duration, String)>,
    pub started: usize,
    pub done: usize,
    pub failed: usize,
    pub totals: TaskMetrics,
}

impl WorkerFold {
    /// Takes an event of this worker.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::WorkerJoined { name, slots, at, .. } => {
                (self.name, self.slots, self.joined) = (name.clone(), *slots, *at);
            }
            Event::WorkerLost { cause, at, .. } => self.lost = Some((*at, cause.clone())),
            Event::TaskStarted { slot, .. } => {
                self.started += 1;
                self.slots = self.slots.max(slot.saturating_add(1));
            }
            Event::TaskFinished { metrics, .. } => {
                self.done += 1;
                add(&mut self.totals, metrics);
            }
            Event::TaskFailed { .. } => self.failed += 1,
            _ => {}
        }
    }

    pub fn active(&self) -> usize {
        if self.lost.is_some() { 0 } else { self.started.saturating_sub(self.done + self.failed) }
    }
}

fn add(sum: &mut TaskMetrics, more: &TaskMetrics) {
    let TaskMetrics {
        slot: _,
        queue,
        fetch,
        read,
        write,
        run,
        cpu,
        rows_in,
        rows_out,
        bytes_read,
        row_groups_skipped,
        shuffle_in,
        shuffle_out,
        spilled,
        cache_hits,
        hot_keys: _,
    } = more;
    sum.queue = sum.queue.saturating_add(*queue);
    sum.fetch = sum.fetch.saturating_add(*fetch);
    sum.read = sum.read.saturating_add(*read);
    sum.write = sum.write.saturating_add(*write);
    sum.run = sum.run.saturating_add(*run);
    sum.cpu = sum.cpu.saturating_add(*cpu);
    sum.rows_in = sum.rows_in.saturating_add(*rows_in);
    sum.rows_out = sum.rows_out.saturating_add(*rows_out);
    sum.bytes_read = sum.bytes_read.saturating_add(*bytes_read);
    sum.row_groups_skipped = sum.row_groups_skipped.saturating_add(*row_groups_skipped);
    sum.shuffle_in = sum.shuffle_in.saturating_add(*shuffle_in);
    sum.shuffle_out = sum.shuffle_out.saturating_add(*shuffle_out);
    sum.spilled = sum.spilled.saturating_add(*spilled);
    sum.cache_hits = sum.cache_hits.saturating_add(*cache_hits);
}
