use std::sync::Arc;

use partita_master::{History, HistoryLimits, Recorder};
use serde_json::Value;

use crate::made_up::{ended, finished, ms, stage, started, submitted};
use crate::served::{Followed, Served, recorded};

/// The places of an attempt's state and metrics in its row.
const STATE: usize = 7;
const RUN: usize = 9;

#[test]
fn a_finished_job_is_sent_from_its_beginning_to_its_end() {
    let served = Served::new(&recorded(), None, None);
    let (job, end) = served.follow("session-1763909000000-1", 0);
    assert_eq!(end, "ended");
    assert_eq!((&job.last["state"], &job.last["action"]), (&"done".into(), &"collect".into()));
    let lost = |worker: &&Value| !worker["lost"].is_null();
    let workers = job.last["workers"].as_array().unwrap();
    assert_eq!((workers.len(), workers.iter().filter(lost).count()), (3, 1));
    let in_state = |state: u64| (0..job.attempts.len()).filter(|i| job.number(*i, STATE) == state).count();
    assert_eq!((in_state(1), in_state(2), in_state(3)), (36, 3, 1), "done, failed, beaten");
    assert!(job.last["submitted"].is_u64(), "times are microseconds: {}", job.last);
    assert_eq!(job.stages.iter().map(|stage| stage["finished"] == true).collect::<Vec<_>>(), [true; 3]);
}

#[test]
fn changes_of_a_running_job_come_as_they_are_recorded() {
    let history = Arc::new(History::new(HistoryLimits::default()));
    let served = Served::new(&history, None, None);
    history.opened(7, "live");
    history.event(7, &submitted(0, 1));
    let id = served.json("/api/v1/applications")[0]["id"].as_str().unwrap().to_owned();
    let mut stream = served.stream(&format!("/api/v1/events/{id}/0"));
    let mut job = Followed::default();
    // Returns whether there was a change before the end.
    let mut next = |job: &mut Followed| {
        let (name, data) = stream.by_ref().find(|(name, _)| name == "changes" || name == "end").unwrap();
        if name == "changes" {
            job.take(&id, &data);
        }
        name == "changes"
    };
    assert!(next(&mut job));
    assert_eq!((&job.last["state"], job.stages.len()), (&"running".into(), 0));
    history.event(7, &stage(0, 1, 2));
    assert!(next(&mut job));
    assert_eq!((&job.stages[0]["tasks"], &job.stages[0]["done"]), (&1.into(), &0.into()));
    // Events of other jobs are not sent to this stream.
    history.event(7, &submitted(1, 2));
    history.event(7, &started(0, 0, 3));
    assert!(next(&mut job));
    assert_eq!((&job.last["job"], job.attempts.len(), job.number(0, STATE)), (&0.into(), 1, 0));
    assert!(job.last["now"].as_u64() >= job.last["last"].as_u64());
    assert_eq!(served.json(&format!("/api/v1/applications/{id}/jobs/0"))["numActiveTasks"], 1);
    history.event(7, &finished(0, 0, 13));
    history.event(7, &ended(0, 14));
    while next(&mut job) {}
    assert_eq!((job.number(0, STATE), job.number(0, RUN)), (1, ms(10).as_micros() as u64));
    assert_eq!((&job.last["state"], &job.stages[0]["done"]), (&"done".into(), &1.into()));
}

#[test]
fn a_large_job_is_sent_in_pieces() {
    let history = Arc::new(History::new(HistoryLimits::default()));
    let served = Served::new(&history, None, None);
    history.opened(1, "large");
    history.event(1, &submitted(0, 0));
    history.event(1, &stage(0, 5000, 0));
    for partition in 0..5000 {
        history.event(1, &started(0, partition, 1));
        history.event(1, &finished(0, partition, 11));
    }
    history.event(1, &ended(0, 12));
    let id = served.json("/api/v1/applications")[0]["id"].as_str().unwrap().to_owned();
    let (job, end) = served.follow(&id, 0);
    assert_eq!((job.attempts.len(), job.most, end), (5000, 2000, "ended".into()));
    assert!((0..5000).all(|attempt| job.number(attempt, STATE) == 1));
}

#[test]
fn a_job_whose_session_ended_first_is_interrupted() {
    let history = Arc::new(History::new(HistoryLimits::default()));
    let served = Served::new(&history, None, None);
    history.opened(1, "gone");
    history.event(1, &submitted(0, 1));
    history.closed(1);
    let pool = served.json("/api/v1/pool");
    assert_eq!(pool["sessions"][0]["jobs"][0]["state"], "interrupted");
    let id = pool["sessions"][0]["id"].as_str().unwrap();
    assert_eq!(served.json(&format!("/api/v1/applications/{id}/jobs/0"))["status"], "UNKNOWN");
    let (job, end) = served.follow(id, 0);
    assert_eq!((&job.last["state"], end), (&"interrupted".into(), "ended".into()), "nobody waits for more");
}
