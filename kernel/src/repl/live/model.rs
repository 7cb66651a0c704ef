use std::time::Duration;

use partita_interpreter::Event;

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
    /// The slots, and what each runs.
    pub lanes: Vec<Lane>,
    /// Where the time of its finished tasks went.
    pub spent: Spent,
    /// How it ended, if it has.
    pub end: Option<End>,
}

/// Where tasks' time went, summed over tasks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Before a slot was free.
    pub waited: Duration,
    /// On the slots; the next two are parts of it.
    pub run: Duration,
    pub fetch: Duration,
    pub write: Duration,
}

/// A slot. Which one it is is known when it has run a task.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lane {
    /// The worker and its slot.
    pub slot: Option<(u64, usize)>,
    /// What it runs.
    pub runs: Option<Attempt>,
}

/// An attempt at a task that runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attempt {
    pub stage: usize,
    pub partition: usize,
    pub attempt: usize,
    /// When it began, on the session's clock.
    pub since: Duration,
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
                    lanes: vec![Lane::default(); (*slots).min(SLOTS_KEPT)],
                    ..Self::default()
                };
            }
            Event::StageSubmitted { stage, name, tasks, .. } => self.stages.push(StageView {
                stage: *stage,
                name: name.clone(),
                tasks: *tasks,
                ..StageView::default()
            }),
            Event::StageResubmitted { stage, tasks, .. } => {
                if let Some(stage) = self.stage(*stage) {
                    stage.done = stage.done.saturating_sub(*tasks);
                    stage.finished = false;
                }
            }
            Event::TaskStarted { stage, partition, attempt, worker, slot, at, .. } => {
                self.set(*stage, *partition, Task::Running);
                let (stage, partition, attempt, since) = (*stage, *partition, *attempt, *at);
                if let Some(lane) = self.lane(*worker, *slot) {
                    lane.runs = Some(Attempt { stage, partition, attempt, since });
                }
            }
            Event::TaskFinished { stage, partition, attempt, metrics, .. } => {
                self.set(*stage, *partition, Task::Done(metrics.run));
                self.leave_lane(*stage, *partition, *attempt);
                let sum = |a: Duration, b: Duration| a.saturating_add(b);
                self.spent = Spent {
                    waited: sum(self.spent.waited, metrics.queue),
                    run: sum(self.spent.run, metrics.run),
                    fetch: sum(self.spent.fetch, metrics.fetch),
                    write: sum(self.spent.write, metrics.write),
                };
                if let Some(stage) = self.stage(*stage) {
                    stage.done = (stage.done + 1).min(stage.tasks);
                    stage.rows_out = stage.rows_out.saturating_add(metrics.rows_out);
                }
            }
            Event::TaskFailed { stage, partition, attempt, retried, .. } => {
                self.leave_lane(*stage, *partition, *attempt);
                if !retried {
                    self.set(*stage, *partition, Task::Failed);
                } else if !self.is_done(*stage, *partition) && !self.runs(*stage, *partition) {
                    self.set(*stage, *partition, Task::Waiting);
                }
            }
            Event::StageFinished { stage, .. } => {
                if let Some(stage) = self.stage(*stage) {
                    // The ends of single tasks may have been lost on the way.
                    stage.done = stage.tasks;
                    stage.finished = true;
                }
            }
            Event::JobFinished { error, cancelled, .. } => {
                self.lanes.iter_mut().for_each(|lane| lane.runs = None);
                self.end = Some(match error {
                    None => End::Done,
                    Some(_) if *cancelled => End::Cancelled,
                    Some(error) => End::Failed(error.clone()),
                });
            }
            Event::WorkerJoined { .. } | Event::WorkerLost { .. } => {}
        }
        self.last = self.last.max(event.at());
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
    /// times the median. Only where the slowest task took a part of the job's time that matters.
    pub fn skew(&self) -> Option<(usize, usize, f64)> {
        let matters = self.elapsed() / 20;
        let skews = self.stages.iter().filter_map(|stage| {
            let (partition, slowest, ratio) = stage.skew()?;
            (slowest >= matters).then_some((stage.stage, partition, ratio))
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

    /// The lane of a worker's slot: a slot that is new takes the lane of its own number, or any that no
    /// slot has, or a new one.
    fn lane(&mut self, worker: u64, slot: usize) -> Option<&mut Lane> {
        let known = self.lanes.iter().position(|lane| lane.slot == Some((worker, slot)));
        let own = || self.lanes.get(slot).is_some_and(|lane| lane.slot.is_none()).then_some(slot);
        let free = || self.lanes.iter().position(|lane| lane.slot.is_none());
        let index = known.or_else(own).or_else(free).unwrap_or(self.lanes.len());
        if index == self.lanes.len() && index < SLOTS_KEPT {
            self.lanes.push(Lane::default());
        }
        let lane = self.lanes.get_mut(index)?;
        lane.slot = Some((worker, slot));
        Some(lane)
    }

    fn leave_lane(&mut self, stage: usize, partition: usize, attempt: usize) {
        let is = |runs: Attempt| (runs.stage, runs.partition, runs.attempt) == (stage, partition, attempt);
        for lane in &mut self.lanes {
            if lane.runs.is_some_and(is) {
                lane.runs = None;
            }
        }
    }

    fn runs(&self, stage: usize, partition: usize) -> bool {
        let is = |runs: &Attempt| (runs.stage, runs.partition) == (stage, partition);
        self.lanes.iter().any(|lane| lane.runs.as_ref().is_some_and(is))
    }

    fn is_done(&mut self, stage: usize, partition: usize) -> bool {
        self.stage(stage).is_some_and(|stage| matches!(stage.states.get(partition), Some(Task::Done(_))))
    }
}

impl StageView {
    /// The slowest partition, its time, and how many times the median that is; `None` before two tasks
    /// have finished.
    fn skew(&self) -> Option<(usize, Duration, f64)> {
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
        (times.len() > 1 && median > 0.0).then(|| (partition, slowest, slowest.as_secs_f64() / median))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use partita_events::TaskMetrics;

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
        start_attempt(view, partition, 0, (0, slot), at);
    }

    pub(in crate::repl::live) fn start_attempt(
        view: &mut JobView,
        partition: usize,
        attempt: usize,
        (worker, slot): (u64, usize),
        at: u64,
    ) {
        let (job, stage, at) = (3, 0, ms(at));
        view.apply(&Event::TaskStarted { job, stage, partition, attempt, worker, slot, at });
    }

    pub(in crate::repl::live) fn finish(view: &mut JobView, partition: usize, run: u64, at: u64) {
        let metrics = TaskMetrics { run: ms(run), rows_out: 10, ..TaskMetrics::default() };
        let (job, stage, attempt, worker, at) = (3, 0, 0, 0, ms(at));
        view.apply(&Event::TaskFinished { job, stage, partition, attempt, worker, metrics, at });
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
        let runs = |partition| Some(Attempt { stage: 0, partition, attempt: 0, since: ms(1001) });
        assert_eq!([view.lanes[0].runs, view.lanes[1].runs], [runs(0), runs(1)]);
        finish(&mut view, 0, 100, 1101);
        assert_eq!(view.lanes[0].runs, None);
        assert_eq!(view.stages[0].states, [Task::Done(ms(100)), Task::Running]);
        assert_eq!(view.tasks(), (1, 3));
        assert_eq!(view.elapsed(), ms(101));
    }

    fn failed(view: &mut JobView, partition: usize, attempt: usize, retried: bool) {
        let (job, stage, worker, cause, at) = (3, 0, 1, "worker 1 is lost".into(), ms(1200));
        view.apply(&Event::TaskFailed { job, stage, partition, attempt, worker, cause, retried, at });
    }

    #[test]
    fn an_attempt_that_is_retried_waits_again_and_only_the_last_one_fails_the_task() {
        let mut view = submitted(2);
        start_attempt(&mut view, 0, 0, (1, 0), 1001);
        start_attempt(&mut view, 1, 0, (2, 0), 1001);
        assert_eq!(view.lanes.iter().map(|lane| lane.slot).collect::<Vec<_>>(), [Some((1, 0)), Some((2, 0))]);
        failed(&mut view, 0, 0, true);
        assert_eq!((view.stages[0].states[0], view.lanes[0].runs), (Task::Waiting, None));
        start_attempt(&mut view, 0, 1, (3, 0), 1300);
        assert_eq!(view.lanes.len(), 3, "a worker that came later has a lane too");
        failed(&mut view, 0, 1, false);
        assert_eq!(view.stages[0].states[0], Task::Failed);
        assert_eq!(view.stages[0].states[1], Task::Running);
    }

    #[test]
    fn an_attempt_that_came_second_takes_nothing_from_the_first() {
        let mut view = submitted(1);
        start_attempt(&mut view, 0, 0, (1, 0), 1001);
        start_attempt(&mut view, 0, 1, (2, 0), 1100);
        finish(&mut view, 0, 100, 1101);
        failed(&mut view, 0, 1, true);
        assert_eq!(view.stages[0].states, [Task::Done(ms(100))]);
        assert!(view.lanes.iter().all(|lane| lane.runs.is_none()));
    }

    #[test]
    fn tasks_that_are_run_again_for_lost_output_are_no_longer_done() {
        let mut view = submitted(4);
        (0..4).for_each(|partition| finish(&mut view, partition, 5, 1010));
        view.apply(&Event::StageFinished { job: 3, stage: 0, at: ms(1200) });
        let cause = "worker 1 is lost".to_owned();
        view.apply(&Event::StageResubmitted { job: 3, stage: 0, tasks: 2, cause, at: ms(1300) });
        assert_eq!((view.tasks(), view.stages[0].finished), ((2, 4), false));
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
