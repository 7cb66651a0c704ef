use std::time::Duration;

use console::{measure_text_width, strip_ansi_codes};
use partita_events::fold::{Job, Workers};
use partita_events::{Event, JobId, PartitionId, StageId, TaskMetrics, WorkerId};

use super::{LIMITS, LiveView, render};

const JOB: JobId = JobId(3);
const STAGE: StageId = StageId(0);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A job and the workers of its session.
struct Told {
    job: Job,
    workers: Workers,
}

impl Told {
    fn apply(&mut self, event: &Event) {
        self.workers.apply(event);
        self.job.apply(event);
    }

    fn start(&mut self, partition: usize, slot: usize, at: u64) {
        self.start_attempt(partition, 0, (0, slot), at);
    }

    fn start_attempt(&mut self, partition: usize, attempt: usize, (worker, slot): (u64, usize), at: u64) {
        let (partition, worker, at) = (PartitionId(partition), WorkerId(worker), ms(at));
        self.apply(&Event::TaskStarted { job: JOB, stage: STAGE, partition, attempt, worker, slot, at });
    }

    fn finish(&mut self, partition: usize, run: u64, at: u64) {
        self.finish_with(partition, TaskMetrics { run: ms(run), rows_out: 10, ..TaskMetrics::default() }, at);
    }

    fn finish_with(&mut self, partition: usize, metrics: TaskMetrics, at: u64) {
        let (partition, worker, at) = (PartitionId(partition), WorkerId(0), ms(at));
        let (job, stage, attempt) = (JOB, STAGE, 0);
        self.apply(&Event::TaskFinished { job, stage, partition, attempt, worker, metrics, at });
    }

    fn fail(&mut self, partition: usize, attempt: usize, retried: bool) {
        let (partition, worker, at) = (PartitionId(partition), WorkerId(1), ms(1200));
        let (job, stage, cause) = (JOB, STAGE, "worker 1 is lost".to_owned());
        self.apply(&Event::TaskFailed { job, stage, partition, attempt, worker, cause, retried, at });
    }

    fn stage_finished(&mut self) {
        self.apply(&Event::StageFinished { job: JOB, stage: STAGE, at: ms(1200) });
    }

    fn end(&mut self, error: Option<&str>, cancelled: bool, at: u64) {
        let error = error.map(str::to_owned);
        self.apply(&Event::JobFinished { job: JOB, error, cancelled, at: ms(at) });
    }

    fn lines(&self, now: u64, width: usize, height: usize) -> Vec<String> {
        let workers = self.job.workers(&self.workers);
        let lines = render::lines(&self.job, &workers, ms(now), width, height);
        lines.iter().map(|line| strip_ansi_codes(line).into_owned()).collect()
    }

    fn summary(&self, width: usize) -> String {
        strip_ansi_codes(&render::summary(&self.job, width)).into_owned()
    }
}

/// A job of one stage with `tasks` tasks on two slots.
fn submitted(tasks: usize) -> Told {
    submitted_to(&[], tasks)
}

/// The same on workers with these numbers and slots.
fn submitted_to(pool: &[(u64, usize)], tasks: usize) -> Told {
    let submitted = Event::JobSubmitted { job: JOB, action: "collect".into(), slots: 2, at: ms(1000) };
    let job = Job::submitted_by(&submitted, LIMITS).unwrap();
    let mut told = Told { job, workers: Workers::new(LIMITS) };
    for (worker, slots) in pool {
        join(&mut told, *worker, *slots);
    }
    let name = "group_by: partial".to_owned();
    told.apply(&Event::StageSubmitted { job: JOB, stage: STAGE, name, tasks, at: ms(1000) });
    told
}

fn join(told: &mut Told, worker: u64, slots: usize) {
    let (name, worker, at) = (format!("worker-{worker}"), WorkerId(worker), ms(500));
    told.workers.apply(&Event::WorkerJoined { worker, name, slots, at });
}

fn half_done() -> Told {
    let mut told = submitted(4);
    told.start(0, 0, 1000);
    told.finish(0, 400, 1400);
    told.start(1, 0, 1400);
    told.finish(1, 100, 1500);
    told.start(2, 1, 1500);
    told
}

#[test]
fn a_running_job_shows_its_stage_its_partitions_and_its_slots() {
    let lines = half_done().lines(2250, 80, 24);
    assert_eq!(lines[0], "job 3 collect  1.25 s · 2/4 tasks · 2 slots");
    assert!(lines[1].starts_with("  0 group_by: partial") && lines[1].contains("  2/4"), "{lines:?}");
    assert!(lines[1].ends_with("  20 rows"), "{lines:?}");
    assert_eq!(lines[1].matches('━').count(), lines[1].matches('─').count());
    assert_eq!(lines[2], "    █▂▶·");
    assert_eq!(lines[3], "    slot 0 · free");
    assert_eq!(lines[4], "    slot 1 ▶ stage 0 partition 2  750 ms");
}

#[test]
fn slots_of_a_pool_are_named_with_their_worker_and_later_attempts_with_their_number() {
    let mut told = submitted_to(&[(7, 2)], 4);
    told.start_attempt(2, 1, (7, 1), 1000);
    let lines = told.lines(1500, 80, 24);
    assert_eq!(lines[3], "    worker 7 slot 0 · free");
    assert_eq!(lines[4], "    worker 7 slot 1 ▶ stage 0 partition 2 attempt 1  500 ms");
}

#[test]
fn slots_beyond_the_first_are_counted() {
    let mut told = submitted_to(&[(1, 6), (2, 6)], 4);
    told.start_attempt(0, 0, (1, 0), 1000);
    told.start_attempt(1, 0, (2, 5), 1000);
    let lines = told.lines(1500, 80, 24);
    assert_eq!(lines[0], "job 3 collect  500 ms · 0/4 tasks · 12 slots");
    assert_eq!(lines.last().unwrap(), "    and 4 more slots, 1 of them busy");
}

#[test]
fn an_attempt_that_is_retried_waits_again_and_only_the_last_one_fails_the_task() {
    let mut told = submitted_to(&[(1, 1), (2, 1)], 2);
    told.start_attempt(0, 0, (1, 0), 1001);
    told.start_attempt(1, 0, (2, 0), 1001);
    assert_eq!(told.lines(1100, 80, 24)[2], "    ▶▶");
    told.fail(0, 0, true);
    let lines = told.lines(1200, 80, 24);
    assert_eq!([&lines[2], &lines[3]], ["    ·▶", "    worker 1 slot 0 · free"]);
    join(&mut told, 3, 1);
    told.start_attempt(0, 1, (3, 0), 1300);
    let lines = told.lines(1400, 80, 24);
    assert_eq!(
        lines[5], "    worker 3 slot 0 ▶ stage 0 partition 0 attempt 1  100 ms",
        "a worker that came later has a line too"
    );
    told.fail(0, 1, false);
    assert_eq!(told.lines(1400, 80, 24)[2], "    ✗▶");
}

#[test]
fn an_attempt_that_came_second_takes_nothing_from_the_first() {
    let mut told = submitted_to(&[(1, 1), (2, 1)], 2);
    told.start_attempt(0, 0, (1, 0), 1001);
    told.start_attempt(0, 1, (2, 0), 1100);
    told.finish(0, 100, 1101);
    assert_eq!(told.lines(1150, 80, 24)[2], "    █·");
    told.fail(0, 1, true);
    let lines = told.lines(1300, 80, 24);
    assert_eq!(lines[2], "    █·");
    assert!(lines[3..].iter().all(|line| line.ends_with("free")), "{lines:?}");
}

#[test]
fn tasks_that_are_run_again_for_lost_output_are_no_longer_done() {
    let mut told = submitted(4);
    (0..4).for_each(|partition| told.finish(partition, 5, 1010));
    told.stage_finished();
    let cause = "worker 1 is lost".to_owned();
    told.apply(&Event::StageResubmitted { job: JOB, stage: STAGE, tasks: 2, cause, at: ms(1300) });
    assert!(told.lines(1400, 80, 24)[0].contains("2/4 tasks"));
}

#[test]
fn a_stage_that_has_finished_is_whole_even_if_task_events_were_lost() {
    let mut told = submitted(1000);
    told.finish(7, 5, 1010);
    told.stage_finished();
    assert!(told.lines(1400, 80, 24)[0].contains("1,000/1,000 tasks"));
}

#[test]
fn what_came_to_a_worker_that_is_lost_is_not_free() {
    let mut told = submitted_to(&[(1, 1)], 2);
    told.apply(&Event::WorkerLost { worker: WorkerId(1), cause: "silent".into(), at: ms(1100) });
    assert_eq!(told.lines(1200, 80, 24)[3], "    worker 1 slot 0 · lost");
}

#[test]
fn no_line_is_wider_than_the_terminal_and_no_picture_higher() {
    let mut told = submitted(10_000);
    for partition in 0..5000 {
        told.finish(partition, partition as u64, 2000);
    }
    for (width, height) in [(40, 24), (20, 5), (1, 1), (200, 3), (0, 0)] {
        let lines = told.lines(2000, width, height);
        assert!(lines.len() <= height.max(1), "{lines:?}");
        for line in lines {
            assert!(measure_text_width(&line) <= width.max(1), "{width}: {line:?}");
        }
    }
    assert!(told.lines(2000, 40, 24)[1].contains("5,000/10,000"));
}

#[test]
fn the_summary_says_how_it_ended_and_where_it_was_uneven() {
    let mut told = half_done();
    told.finish(2, 100, 2000);
    let (fetch, write, queue) = (ms(70), ms(35), ms(1200));
    let metrics = TaskMetrics { run: ms(100), fetch, write, queue, ..TaskMetrics::default() };
    told.finish_with(3, metrics, 2100);
    told.end(None, false, 2200);
    assert_eq!(
        told.summary(80),
        "✓ job 3 collect: 1 stage, 4 tasks, 1.2 s, skew 4.0 × in stage 0 partition 0"
    );
    assert_eq!(told.summary(50), "✓ job 3 collect: 1 stage, 4 tasks, 1.2 s");
    assert_eq!(
        told.summary(140),
        "✓ job 3 collect: 1 stage, 4 tasks, 1.2 s, skew 4.0 × in stage 0 partition 0; 85 % compute, \
         10 % fetch, 5 % write; waited 1.2 s"
    );
    let mut told = half_done();
    told.end(Some("job 3 was cancelled"), true, 1600);
    assert!(told.summary(80).contains("cancelled, 1 stage, 2 of 4 tasks"));
    let mut told = half_done();
    told.end(Some("no such column"), false, 1600);
    assert!(told.summary(80).starts_with("✗ job 3 collect: failed, "));
}

#[test]
fn events_of_absurd_numbers_are_taken_without_harm() {
    let mut told = submitted(usize::MAX);
    told.start(usize::MAX - 1, usize::MAX, 0);
    told.finish(usize::MAX - 1, 1, 0);
    let lines = told.lines(1000, 80, 24);
    assert!(lines[0].contains("1/18,446,744,073,709,551,615 tasks"), "{lines:?}");
    let most = usize::MAX;
    let submitted = Event::JobSubmitted { job: JOB, action: "collect".into(), slots: most, at: ms(0) };
    let told = Told { job: Job::submitted_by(&submitted, LIMITS).unwrap(), workers: Workers::new(LIMITS) };
    assert_eq!(told.lines(1000, 80, 24).len(), 1 + 8 + 1);
}

#[test]
fn beyond_what_is_kept_slots_are_only_counted() {
    let tasks = LIMITS.attempts + 2;
    let mut told = submitted(tasks);
    for partition in 0..tasks {
        told.start(partition, 0, 1000);
        if partition < tasks - 1 {
            told.finish(partition, 0, 1000);
        }
    }
    let lines = told.lines(2000, 80, 24);
    assert!(lines[0].contains("131,073/131,074 tasks"), "{lines:?}");
    assert_eq!(lines.last().unwrap(), "    2 slots, 1 of them busy");
}

/// The streams of events and the figures that every view is held to.
#[test]
fn the_terminal_tells_the_figures_of_the_table() {
    let table = include_str!("../../../../runtime/events/tests/jobs.json");
    let cases: Vec<serde_json::Value> = serde_json::from_str(table).unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let (name, expected) = (&case["name"], &case["expected"]);
        let events: Vec<Event> = serde_json::from_value(case["events"].clone()).unwrap();
        let number = |of: &serde_json::Value, key: &str| of[key].as_u64().unwrap();
        let ended = matches!(events.last(), Some(Event::JobFinished { .. }));
        let last = events.iter().rposition(|event| matches!(event, Event::JobSubmitted { .. })).unwrap();
        let mut workers = Workers::new(LIMITS);
        events.iter().for_each(|event| workers.apply(event));
        let mut told = Told { job: Job::submitted_by(&events[last], LIMITS).unwrap(), workers };
        let of_job = events[last].job();
        for event in events[last + 1..].iter().filter(|event| event.job() == of_job) {
            told.job.apply(event);
        }

        let (done, all) = (number(expected, "done"), number(expected, "tasks"));
        let title = &told.lines(0, 200, 100)[0];
        let counts = format!("· {done}/{all} task{}", if all == 1 { "" } else { "s" });
        assert!(title.contains(&counts), "{name}: {title}");
        let slots = number(expected, "slots");
        let ending = format!("· {slots} slot{}", if slots == 1 { "" } else { "s" });
        assert!(title.ends_with(&ending), "{name}: {title}");
        // The time is the one of the sentence that other views show.
        let sentence = expected["line"].as_str().unwrap();
        let wall = sentence.split(": ").next().unwrap().split(' ').skip(2).collect::<Vec<_>>().join(" ");
        assert!(title.contains(&format!("  {wall} · ")), "{name}: {title}");

        let stages = expected["stages"].as_array().unwrap();
        for stage in stages {
            let bar = format!("{:>3} ", number(stage, "stage"));
            let lines = told.lines(0, 200, 100);
            let line = lines.iter().find(|line| line.starts_with(&bar)).unwrap();
            let tasks = format!("  {}/{}", number(stage, "done"), number(stage, "tasks"));
            let rows = number(stage, "rows_out");
            let rows = if rows > 0 { format!("  {rows} rows") } else { String::new() };
            assert!(line.ends_with(&format!("{tasks}{rows}")), "{name}: {line}");
        }

        let summary = told.summary(500);
        assert!(summary.contains(&format!(", {wall}")), "{name}: {summary}");
        let mark = match expected["state"].as_str().unwrap() {
            "done" => "✓",
            "failed" => "✗",
            "cancelled" => "■",
            _ => "…",
        };
        assert!(summary.starts_with(mark), "{name}: {summary}");
        let skewed: Vec<&serde_json::Value> = stages.iter().filter(|stage| stage["skewed"] == true).collect();
        assert_eq!(summary.contains("skew"), !skewed.is_empty(), "{name}: {summary}");
        if let [stage] = skewed[..] {
            let (of, worst) = (number(stage, "stage"), number(stage, "worst"));
            let ratio = partita_events::figures::ratio(stage["ratio"].as_f64().unwrap());
            let skew = format!("skew {ratio} in stage {of} partition {worst}");
            assert!(summary.contains(&skew), "{name}: {summary}");
        }

        // The same through the view that is on the screen.
        let mut live = LiveView::default();
        let shown = live.apply(0, &events);
        assert_eq!(shown.last().is_some(), ended && expected["wall_ms"].as_f64().unwrap() >= 100.0, "{name}");
    }
}

fn submission() -> Event {
    Event::JobSubmitted { job: JobId(0), action: "collect".into(), slots: 2, at: Duration::ZERO }
}

fn ended(at: u64) -> Event {
    Event::JobFinished { job: JobId(0), error: None, cancelled: false, at: ms(at) }
}

#[test]
fn jobs_of_one_number_in_two_sessions_are_two_jobs() {
    let mut live = LiveView::default();
    live.apply(4, &[submission()]);
    live.apply(5, &[submission()]);
    let summaries = live.apply(4, &[ended(250)]);
    assert_eq!(summaries.len(), 1);
    assert!(summaries[0].contains("250 ms"), "{summaries:?}");
    assert!(live.is_running(), "the other session's job has not ended");
    live.apply(5, &[ended(300)]);
    assert!(!live.is_running());
}

#[test]
fn a_job_too_short_to_be_seen_leaves_no_line() {
    let mut live = LiveView::default();
    assert_eq!(live.apply(0, &[submission(), ended(20)]), Vec::<String>::new());
    assert!(!live.is_shown());
}

#[test]
fn events_of_a_job_whose_beginning_nobody_saw_are_ignored() {
    let mut live = LiveView::default();
    assert_eq!(live.apply(0, &[ended(500)]), Vec::<String>::new());
}
