use std::sync::Arc;
use std::time::Duration;

use partita_events::{Event, JobId, PartitionId, StageId, WorkerId};
use partita_master::{History, HistoryLimits, LogOptions, Recorder};
use serde_json::Value;

use crate::made_up::{ended, joined, submitted, whole_job};
use crate::served::Served;

#[test]
fn what_was_logged_is_shown_again_even_if_the_last_line_was_cut_off() {
    let directory = tempfile::tempdir().unwrap();
    let log = LogOptions::new(directory.path().join("events"));
    let history = History::with_log(HistoryLimits::default(), log.clone()).unwrap();
    history.opened(4, "logged");
    history.event(4, &joined(1, 0));
    whole_job(0).iter().for_each(|event| history.event(4, event));
    history.event(4, &submitted(1, 20));
    // A session that does nothing leaves no file.
    history.opened(5, "idle");
    history.closed(5);
    drop(history);

    let files: Vec<_> =
        std::fs::read_dir(&log.directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let text = std::fs::read_to_string(&files[0]).unwrap();
    std::fs::write(&files[0], &text[..text.len() - 9]).unwrap();
    let (again, replayed) = History::replay(&log.directory, HistoryLimits::default()).unwrap();
    assert_eq!((replayed.sessions, replayed.events, replayed.unreadable), (1, 6, 0));
    let served = Served::new(&Arc::new(again), None, None);
    let pool = served.json("/api/v1/pool");
    assert_eq!((&pool["replay"], &pool["sessions"][0]["name"]), (&true.into(), &"logged".into()));
    assert_eq!(pool["sessions"][0]["jobs"][0]["done"], 1);

    // A broken line in the middle is reported, and the rest is shown.
    let broken: Vec<_> =
        text.lines().map(|line| if line.contains("StageSubmitted") { "{\"Stage" } else { line }).collect();
    std::fs::write(&files[0], broken.join("\n")).unwrap();
    let (_, replayed) = History::replay(&log.directory, HistoryLimits::default()).unwrap();
    assert_eq!((replayed.events, replayed.unreadable), (6, 1));
}

#[test]
fn a_directory_without_logs_is_an_error_that_says_what_belongs_there() {
    let directory = tempfile::tempdir().unwrap();
    let error = History::replay(directory.path(), HistoryLimits::default()).unwrap_err().to_string();
    assert!(error.contains(directory.path().to_str().unwrap()) && error.contains("--history-dir"), "{error}");
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = History::with_log(HistoryLimits::default(), LogOptions::new(file.join("log")))
        .unwrap_err()
        .to_string();
    assert!(error.contains("event log"), "{error}");
}

#[test]
fn memory_and_files_are_bounded_and_a_job_out_of_memory_is_read_from_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let log = LogOptions { file_bytes: 40_000, ..LogOptions::new(directory.path()) };
    let limits = HistoryLimits { sessions: 2, jobs: 60, attempts: 10 };
    let history = Arc::new(History::with_log(limits.clone(), log).unwrap());
    history.opened(1, "long");
    for job in 0..50 {
        whole_job(job).iter().for_each(|event| history.event(1, event));
    }
    let served = Served::new(&history, None, None);
    let id = served.json("/api/v1/applications")[0]["id"].as_str().unwrap().to_owned();
    history.closed(1);
    // The log is written in the background; its last line shows that it is complete.
    let file = directory.path().join(format!("{id}.jsonl"));
    while !std::fs::read_to_string(&file).unwrap_or_default().contains("Closed") {
        std::thread::yield_now();
    }
    for (job, place) in [(30, "is read from the file"), (49, "is in memory")] {
        let (job, end) = served.follow(&id, job);
        assert_eq!(end, "ended");
        assert_eq!((job.attempts.len(), job.number(0, 7)), (1, 1), "{place}");
        let stage = &job.stages[0];
        let figures = (&stage["done"], &stage["totals"]["shuffle_out"], &job.last["left_out"]);
        assert_eq!(figures, (&1.into(), &1000.into(), &0.into()), "{place}");
        assert_eq!((&job.last["state"], &job.last["workers"][0]["slots"]), (&"done".into(), &2.into()));
    }
    let tasks = served.json(&format!("/api/v1/applications/{id}/stages/30/0/taskList"));
    assert_eq!((tasks.as_array().unwrap().len(), &tasks[0]["status"]), (1, &"SUCCESS".into()));

    for session in 2..=5 {
        history.opened(session, "short");
        whole_job(0).iter().for_each(|event| history.event(session, event));
        history.closed(session);
    }
    assert_eq!(served.json("/api/v1/applications").as_array().unwrap().len(), 2);

    let forgetful = Arc::new(History::new(limits));
    forgetful.opened(1, "long");
    for job in 0..50 {
        whole_job(job).iter().for_each(|event| forgetful.event(1, event));
    }
    let served = Served::new(&forgetful, None, None);
    let id = served.json("/api/v1/applications")[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        served.json(&format!("/api/v1/applications/{id}/jobs/0"))["status"],
        "SUCCEEDED",
        "its figures are kept"
    );
    assert_eq!(served.json(&format!("/api/v1/applications/{id}/jobs/0"))["numCompletedTasks"], 1);
    let (job, end) = served.follow(&id, 0);
    assert_eq!((job.last, end), (Value::Null, "forgotten".into()));
}

#[test]
fn a_full_file_becomes_the_older_half_and_both_are_shown() {
    let directory = tempfile::tempdir().unwrap();
    let log = LogOptions { file_bytes: 8000, sessions: 2, ..LogOptions::new(directory.path()) };
    let history = History::with_log(HistoryLimits::default(), log).unwrap();
    history.opened(1, "long");
    history.event(1, &joined(1, 0));
    for job in 0..40 {
        whole_job(job).iter().for_each(|event| history.event(1, event));
    }
    history.closed(1);
    drop(history);
    let bytes: u64 = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(bytes < 2 * 8000 + 2000, "{bytes} bytes");
    let (again, replayed) = History::replay(directory.path(), HistoryLimits::default()).unwrap();
    assert_eq!((replayed.sessions, replayed.unreadable), (1, 0));
    let served = Served::new(&Arc::new(again), None, None);
    let jobs = served.json("/api/v1/pool")["sessions"][0]["jobs"].clone();
    let numbers: Vec<u64> = jobs.as_array().unwrap().iter().map(|job| job["job"].as_u64().unwrap()).collect();
    assert_eq!(numbers.first(), Some(&39), "the latest jobs are listed");
    assert!(numbers.len() > 5 && numbers.windows(2).all(|pair| pair[0] == pair[1] + 1), "{numbers:?}");
    assert!(jobs.as_array().unwrap().iter().all(|job| job["done"] == 1), "each in one piece: {jobs}");
}

#[test]
fn events_of_absurd_size_and_number_are_taken_without_harm() {
    let history = Arc::new(History::new(HistoryLimits::default()));
    history.opened(1, &"n".repeat(1 << 20));
    let long = "ä".repeat(1 << 20);
    let (job, stage) = (JobId(usize::MAX), StageId(usize::MAX));
    for event in [
        Event::JobSubmitted { job, action: long.clone(), slots: usize::MAX, at: Duration::MAX },
        Event::StageSubmitted { job, stage, name: long, tasks: usize::MAX, at: Duration::MAX },
        Event::TaskStarted {
            job,
            stage,
            partition: PartitionId(usize::MAX),
            attempt: usize::MAX,
            worker: WorkerId(u64::MAX),
            slot: usize::MAX,
            at: Duration::ZERO,
        },
        Event::JobSubmitted {
            job: JobId(5),
            action: String::new(),
            slots: 0,
            at: Duration::from_secs(1 << 50),
        },
        Event::StageFinished { job, stage, at: Duration::MAX },
        // The end of a job that was never submitted.
        ended(3, 1),
    ] {
        history.event(1, &event);
    }
    // Nobody opened this session.
    history.event(2, &submitted(0, 0));
    let served = Served::new(&history, None, None);
    let text = served.get("/api/v1/pool").1;
    assert!(text.len() < 100_000, "{} bytes", text.len());
    let id = served.json("/api/v1/applications")[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(served.get(&format!("/api/v1/applications/{id}/jobs")).0, 200);
    assert_eq!(served.get(&format!("/api/v1/applications/{id}/stages/0")).0, 200);
    let changes = format!("/api/v1/events/{id}/{}", usize::MAX);
    let (name, changes) = served.stream(&changes).find(|(name, _)| name != "pool").unwrap();
    assert_eq!((name.as_str(), &changes[0]["workers"][1]["slots"]), ("changes", &1024.into()));
}
