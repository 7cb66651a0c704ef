use std::sync::Arc;

use partita_master::{History, HistoryLimits, Recorder};

use crate::made_up::{ended, finished, kind, stage, started, submitted};
use crate::served::{Served, recorded};

#[test]
fn a_finished_job_is_told_from_its_beginning_to_its_end() {
    let served = Served::new(&recorded(), None, None);
    let mut events = Vec::new();
    for (name, data) in served.stream("/api/v1/events/session-1763909000000-1/0") {
        match name.as_str() {
            "events" => events.extend(data.as_array().unwrap().clone()),
            "end" => {
                assert_eq!(data, "ended");
                break;
            }
            _ => {}
        }
    }
    let of = |name: &str| events.iter().filter(|event| kind(event) == name).count();
    assert_eq!((of("WorkerJoined"), of("WorkerLost"), of("JobSubmitted"), of("TaskFinished")), (3, 1, 1, 36));
    let job = events.iter().find(|event| kind(event) == "JobSubmitted").unwrap();
    assert!(job["JobSubmitted"]["at"].is_f64(), "times are seconds: {job}");
    assert_eq!(kind(events.last().unwrap()), "JobFinished");
}

#[test]
fn events_of_a_running_job_come_as_they_are_recorded() {
    let history = Arc::new(History::new(HistoryLimits::default()));
    let served = Served::new(&history, None, None);
    history.opened(7, "live");
    history.event(7, &submitted(0, 1));
    let id = served.json("/api/v1/applications")[0]["id"].as_str().unwrap().to_owned();
    let mut stream = served.stream(&format!("/api/v1/events/{id}/0"));
    let mut next = || {
        let events = stream.by_ref().find(|(name, _)| name == "events" || name == "end").unwrap();
        if events.0 == "end" {
            vec!["end".to_owned()]
        } else {
            events.1.as_array().unwrap().iter().map(|e| kind(e).to_owned()).collect()
        }
    };
    assert_eq!(next(), ["JobSubmitted"]);
    history.event(7, &stage(0, 1, 2));
    assert_eq!(next(), ["StageSubmitted"]);
    // Events of other jobs are not sent to this stream.
    history.event(7, &submitted(1, 2));
    history.event(7, &started(0, 0, 3));
    assert_eq!(next(), ["TaskStarted"]);
    assert_eq!(served.json(&format!("/api/v1/applications/{id}/jobs/0"))["numActiveTasks"], 1);
    history.event(7, &finished(0, 0, 13));
    history.event(7, &ended(0, 14));
    let mut rest = Vec::new();
    while rest.last().is_none_or(|last| last != "end") {
        rest.extend(next());
    }
    assert_eq!(rest, ["TaskFinished", "JobFinished", "end"]);
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
    let end = served.stream(&format!("/api/v1/events/{id}/0")).find(|(name, _)| name == "end").unwrap();
    assert_eq!(end.1, "ended", "nobody waits for more");
}
