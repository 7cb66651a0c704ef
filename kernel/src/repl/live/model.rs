use std::time::Duration;

use crate::interpreter::Event;

/// Tasks of a stage that are shown one by one; of more only the numbers are kept.
const TASKS_KEPT: usize = 1 << 17;

/// Slots that are shown.
const SLOTS_KEPT: usize = 1 << 10;

/// A job as its events have told it so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobView {
    /// Number in its session.
    pub job: usize,
    /// The action that started it.
    pub action: String,
    /// When it was submitted, on the session's clock.
    pub submitted: Duration,
    /// The last event's time.
    pub last: Duration,
    /// Stages in the order they were submitted.
    pub stages: Vec<StageView>,
    /// What each slot runs: stage, partition and since when.
    pub lanes: Vec<Option<(usize, usize, Duration)>>,
    /// How it ended, if it has.
    pub end: Option<End>,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Done,
    Cancelled,
    Failed(String),
}

/// A stage of a job.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StageView {
    /// Number in the job.
    pub stage: usize,
    /// What it does.
    pub name: String,
    /// How many tasks it has.
    pub tasks: usize,
    /// How many of them have finished.
    pub done: usize,
    /// Rows that its finished tasks have put out.
    pub rows_out: u64,
    /// Whether all have finished.
    pub finished: bool,
    /// Its tasks as far as anything is known of them, by partition.
    pub states: Vec<Task>,
}

/// A task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Task {
    /// Nothing was heard of it.
    #[default]
    Waiting,
    /// A slot has it.
    Running,
    /// It finished after this time on its slot.
    Done(Duration),
    /// It failed.
    Failed,
}

impl JobView {
    /// Takes the job's next event; [`Event::JobSubmitted`] is the first.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::JobSubmitted { job, action, slots, at } => {
                *self = Self {
                    job: *job,
                    action: action.clone(),
                    submitted: *at,
                    lanes: vec![None; (*slots).min(SLOTS_KEPT)],
                    ..Self::default()
                };
            }
            Event::StageSubmitted { stage, name, tasks, .. } => self.stages.push(StageView {
                stage: *stage,
                name: name.clone(),
                tasks: *tasks,
                ..StageView::default()
            }),
            Event::TaskStarted { stage, partition, slot, at, .. } => {
                self.set(*stage, *partition, Task::Running);
                if let Some(lane) = self.lanes.get_mut(*slot) {
                    *lane = Some((*stage, *partition, *at));
                }
            }
            Event::TaskFinished { stage, partition, metrics, .. } => {
                self.set(*stage, *partition, Task::Done(metrics.run));
                self.leave_lane(*stage, *partition);
                if let Some(stage) = self.stage(*stage) {
                    stage.done = (stage.done + 1).min(stage.tasks);
                    stage.rows_out = stage.rows_out.saturating_add(metrics.rows_out);
                }
            }
            Event::TaskFailed { stage, partition, .. } => {
                self.set(*stage, *partition, Task::Failed);
                self.leave_lane(*stage, *partition);
            }
            Event::StageFinished { stage, .. } => {
                if let Some(stage) = self.stage(*stage) {
                    // The ends of single tasks may have been lost on the way.
                    stage.done = stage.tasks;
                    stage.finished = true;
                }
            }
            Event::JobFinished { error, cancelled, .. } => {
                self.lanes.fill(None);
                self.end = Some(match error {
                    None => End::Done,
                    Some(_) if *cancelled => End::Cancelled,
                    Some(error) => End::Failed(error.clone()),
                });
            }
        }
        self.last = self.last.max(time_of(event));
    }

    /// Tasks that have finished and all that are known of.
    pub fn tasks(&self) -> (usize, usize) {
        self.stages.iter().fold((0, 0), |(done, all), stage| (done + stage.done, all + stage.tasks))
    }

    /// From the job's submission to its last event.
    pub fn elapsed(&self) -> Duration {
        self.last.saturating_sub(self.submitted)
    }

    /// The stage whose slowest task is furthest from the median one: stage, partition and how many
    /// times the median. Only of stages that have finished more than one task.
    pub fn skew(&self) -> Option<(usize, usize, f64)> {
        let skews = self.stages.iter().filter_map(|stage| {
            let (partition, ratio) = stage.skew()?;
            Some((stage.stage, partition, ratio))
        });
        skews.max_by(|a, b| a.2.total_cmp(&b.2))
    }

    fn stage(&mut self, number: usize) -> Option<&mut StageView> {
        self.stages.iter_mut().rfind(|stage| stage.stage == number)
    }

    fn set(&mut self, stage: usize, partition: usize, task: Task) {
        if let Some(stage) = self.stage(stage)
            && partition < stage.tasks.min(TASKS_KEPT)
        {
            if stage.states.len() <= partition {
                stage.states.resize(partition + 1, Task::Waiting);
            }
            stage.states[partition] = task;
        }
    }

    fn leave_lane(&mut self, stage: usize, partition: usize) {
        for lane in &mut self.lanes {
            if lane.is_some_and(|(s, p, _)| (s, p) == (stage, partition)) {
                *lane = None;
            }
        }
    }
}

impl StageView {
    /// The slowest partition and how many times the median its time is.
    fn skew(&self) -> Option<(usize, f64)> {
        let times: Vec<(usize, Duration)> = self
            .states
            .iter()
            .enumerate()
            .filter_map(|(partition, task)| match task {
                Task::Done(run) => Some((partition, *run)),
                _ => None,
            })
            .collect();
        let mut sorted: Vec<f64> = times.iter().map(|(_, run)| run.as_secs_f64()).collect();
        sorted.sort_by(f64::total_cmp);
        let median = (sorted.get(sorted.len().checked_sub(1)? / 2)? + sorted.get(sorted.len() / 2)?) / 2.0;
        let (partition, slowest) = *times.iter().max_by_key(|(_, run)| *run)?;
        (times.len() > 1 && median > 0.0).then(|| (partition, slowest.as_secs_f64() / median))
    }
}

fn time_of(event: &Event) -> Duration {
    let (Event::JobSubmitted { at, .. }
    | Event::StageSubmitted { at, .. }
    | Event::TaskStarted { at, .. }
    | Event::TaskFinished { at, .. }
    | Event::TaskFailed { at, .. }
    | Event::StageFinished { at, .. }
    | Event::JobFinished { at, .. }) = event;
    *at
}

#[cfg(test)]
pub(super) mod tests {
    use partita_bridge::TaskMetrics;

    use super::*;

    pub(in crate::repl::live) fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A job of one stage with `tasks` tasks on two slots.
    pub(in crate::repl::live) fn submitted(tasks: usize) -> JobView {
        let mut view = JobView::default();
        view.apply(&Event::JobSubmitted { job: 3, action: "collect".into(), slots: 2, at: ms(1000) });
        let name = "group_by: partial".into();
        view.apply(&Event::StageSubmitted { job: 3, stage: 0, name, tasks, at: ms(1000) });
        view
    }

    pub(in crate::repl::live) fn start(view: &mut JobView, partition: usize, slot: usize, at: u64) {
        view.apply(&Event::TaskStarted { job: 3, stage: 0, partition, slot, at: ms(at) });
    }

    pub(in crate::repl::live) fn finish(view: &mut JobView, partition: usize, run: u64, at: u64) {
        let metrics = TaskMetrics { run: ms(run), rows_out: 10, ..TaskMetrics::default() };
        view.apply(&Event::TaskFinished { job: 3, stage: 0, partition, metrics, at: ms(at) });
    }

    pub(in crate::repl::live) fn end(view: &mut JobView, error: Option<&str>, cancelled: bool, at: u64) {
        let error = error.map(str::to_owned);
        view.apply(&Event::JobFinished { job: 3, error, cancelled, at: ms(at) });
    }

    #[test]
    fn tasks_pass_through_slots_and_are_counted_when_they_finish() {
        let mut view = submitted(3);
        start(&mut view, 0, 0, 1001);
        start(&mut view, 1, 1, 1001);
        assert_eq!(view.lanes, [Some((0, 0, ms(1001))), Some((0, 1, ms(1001)))]);
        finish(&mut view, 0, 100, 1101);
        assert_eq!(view.lanes[0], None);
        assert_eq!(view.stages[0].states, [Task::Done(ms(100)), Task::Running]);
        assert_eq!(view.tasks(), (1, 3));
        assert_eq!(view.elapsed(), ms(101));
    }

    #[test]
    fn a_stage_that_has_finished_is_whole_even_if_task_events_were_lost() {
        let mut view = submitted(1000);
        finish(&mut view, 7, 5, 1010);
        view.apply(&Event::StageFinished { job: 3, stage: 0, at: ms(1200) });
        assert_eq!(view.tasks(), (1000, 1000));
    }

    #[test]
    fn skew_names_the_slowest_partition_against_the_median() {
        let mut view = submitted(4);
        for (partition, run) in [10, 10, 130, 10].into_iter().enumerate() {
            finish(&mut view, partition, run, 1200);
        }
        assert_eq!(view.skew(), Some((0, 2, 13.0)));
        assert_eq!(submitted(4).skew(), None);
    }

    #[test]
    fn a_cancelled_job_is_told_from_a_failed_one() {
        let mut view = submitted(1);
        end(&mut view, Some("job 3 was cancelled"), true, 1300);
        assert_eq!(view.end, Some(End::Cancelled));
        let mut view = submitted(1);
        end(&mut view, Some("no such column"), false, 1300);
        assert_eq!(view.end, Some(End::Failed("no such column".into())));
    }

    #[test]
    fn events_of_absurd_numbers_are_taken_without_harm() {
        let mut view = submitted(usize::MAX);
        start(&mut view, usize::MAX - 1, usize::MAX, 0);
        finish(&mut view, usize::MAX - 1, 1, 0);
        assert_eq!(view.tasks(), (1, usize::MAX));
        assert!(view.stages[0].states.is_empty());
    }
}
