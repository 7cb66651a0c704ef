//! The page and what else the master answers over HTTP, asked over real sockets.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use partita_bridge::{Event, TaskMetrics};
use partita_master::{
    Cluster, History, HistoryLimits, LogOptions, Page, PageError, Recorder, SessionView, View, WorkerView,
};
use partita_wire::Token;
use partita_wire::pool::{CachedDataset, WorkerStatus};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A page that is served until this is dropped.
struct Served {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    fn new(history: &Arc<History>, view: Option<View>, token: Option<&str>) -> Self {
        let token = token.map(|text| Token::new(text, "the test").unwrap());
        let page = Page { history: history.clone(), view, token };
        let (stop, stopped) = oneshot::channel();
        let (told, address) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            tokio::runtime::Runtime::new().unwrap().block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                told.send(listener.local_addr().unwrap()).unwrap();
                page.serve(listener, async { drop(stopped.await) }).await.unwrap();
            });
        });
        Self { address: address.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The status and text of an answer, with these headers in the request.
    fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let mut request = agent().get(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = request.call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.get_with(path, &[])
    }

    fn json(&self, path: &str) -> Value {
        let (status, text) = self.get(path);
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    }

    /// Messages of a stream of events, as pairs of kind and data.
    fn stream(&self, path: &str) -> impl Iterator<Item = (String, Value)> + use<> {
        let answer = agent().get(self.url(path)).call().unwrap();
        assert_eq!(answer.status(), 200);
        let mut kind = String::new();
        BufReader::new(answer.into_body().into_reader()).lines().map_while(Result::ok).filter_map(
            move |line| {
                if let Some(name) = line.strip_prefix("event: ") {
                    kind = name.to_owned();
                }
                Some((kind.clone(), serde_json::from_str(line.strip_prefix("data: ")?).unwrap()))
            },
        )
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).proxy(None).build().into()
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// The log of a made-up run: three workers, one of them lost; failures, a copy, skew, a failed job.
fn recorded() -> Arc<History> {
    let (history, replayed) = History::replay(&data(), HistoryLimits::default()).unwrap();
    assert_eq!((replayed.sessions, replayed.unreadable), (1, 0));
    Arc::new(history)
}

const APP: &str = "/api/v1/applications/session-1763909000000-1";

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn submitted(job: usize, at: u64) -> Event {
    Event::JobSubmitted { job, action: "collect".into(), slots: 2, at: ms(at) }
}

fn stage(job: usize, tasks: usize, at: u64) -> Event {
    Event::StageSubmitted { job, stage: 0, name: "scan".into(), tasks, at: ms(at) }
}

fn started(job: usize, partition: usize, at: u64) -> Event {
    Event::TaskStarted { job, stage: 0, partition, attempt: 0, worker: 1, slot: 0, at: ms(at) }
}

fn finished(job: usize, partition: usize, at: u64) -> Event {
    let metrics = TaskMetrics { run: ms(10), shuffle_out: 1000, rows_out: 7, ..TaskMetrics::default() };
    Event::TaskFinished { job, stage: 0, partition, attempt: 0, worker: 1, metrics, at: ms(at) }
}

fn ended(job: usize, at: u64) -> Event {
    Event::JobFinished { job, error: None, cancelled: false, at: ms(at) }
}

fn whole_job(job: usize) -> Vec<Event> {
    vec![submitted(job, 1), stage(job, 1, 2), started(job, 0, 3), finished(job, 0, 13), ended(job, 14)]
}

fn kind(event: &Value) -> &str {
    event.as_object().unwrap().keys().next().unwrap()
}

#[test]
fn sparks_rest_api_tells_of_a_replayed_session_in_sparks_words_and_units() {
    let served = Served::new(&recorded(), None, None);
    let apps = served.json("/api/v1/applications");
    assert_eq!(apps[0]["id"], "session-1763909000000-1");
    assert_eq!(apps[0]["name"], "taxi lesson");
    assert_eq!(apps[0]["attempts"][0]["completed"], true);
    assert_eq!(apps[0]["attempts"][0]["startTime"], "2025-11-23T14:43:20.500GMT");
    assert_eq!(apps[0]["attempts"][0]["duration"], 50_000);

    let jobs = served.json(&format!("{APP}/jobs"));
    let told: Vec<_> =
        jobs.as_array().unwrap().iter().map(|job| (job["jobId"].clone(), job["status"].clone())).collect();
    assert_eq!(
        told,
        [(2.into(), "FAILED".into()), (1.into(), "SUCCEEDED".into()), (0.into(), "SUCCEEDED".into())]
    );
    assert_eq!(served.json(&format!("{APP}/jobs?status=failed")).as_array().unwrap().len(), 1);
    let job = served.json(&format!("{APP}/jobs/0"));
    assert_eq!((&job["numTasks"], &job["numCompletedTasks"]), (&36.into(), &36.into()));
    assert_eq!(
        (&job["numFailedTasks"], &job["numKilledTasks"]),
        (&3.into(), &1.into()),
        "the beaten copy is no failure"
    );
    // Stages are numbered by session.
    assert_eq!(job["stageIds"], serde_json::json!([0, 1, 2]));
    assert_eq!(served.json(&format!("{APP}/jobs/2"))["stageIds"], serde_json::json!([4]));

    let stage = &served.json(&format!("{APP}/stages/1"))[0];
    assert_eq!((&stage["status"], &stage["numTasks"]), (&"COMPLETE".into(), &6.into()));
    assert!(stage["executorRunTime"].as_u64().unwrap() > 1000, "milliseconds: {stage}");
    assert!(stage["executorCpuTime"].as_u64().unwrap() > 1_000_000_000, "nanoseconds");
    assert_eq!(stage["tasks"].as_object().unwrap().len(), 6);

    let slowest = served.json(&format!("{APP}/stages/1/0/taskList?sortBy=-runtime&length=1"));
    assert_eq!((slowest.as_array().unwrap().len(), &slowest[0]["index"]), (1, &4.into()));
    let tasks = served.json(&format!("{APP}/stages/0/0/taskList?length=1000"));
    let with =
        |status: &str| tasks.as_array().unwrap().iter().filter(|task| task["status"] == status).count();
    assert_eq!((with("SUCCESS"), with("FAILED"), with("KILLED")), (24, 3, 1));
    assert_eq!(tasks.as_array().unwrap().iter().filter(|task| task["speculative"] == true).count(), 1);

    let summary = served.json(&format!("{APP}/stages/1/0/taskSummary?quantiles=0,0.5,1.0"));
    let times: Vec<f64> = serde_json::from_value(summary["executorRunTime"].clone()).unwrap();
    assert!(times[0] <= times[1] && times[2] > 3.0 * times[1], "{times:?}");

    assert_eq!(served.json(&format!("{APP}/executors")).as_array().unwrap().len(), 2);
    let all = served.json(&format!("{APP}/allexecutors"));
    assert_eq!(all.as_array().unwrap().len(), 3);
    assert_eq!((&all[1]["id"], &all[1]["removeReason"]), (&"2".into(), &"silent for 10 s".into()));

    for nothing in
        ["/api/v1/applications/none", &format!("{APP}/jobs/99"), &format!("{APP}/stages/99"), "/nothing"]
    {
        assert_eq!(served.get(nothing).0, 404, "{nothing}");
    }
    assert_eq!(served.get(&format!("{APP}/stages/1/0/taskSummary?quantiles=2")).0, 400);
}

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
    // Events of other jobs are not this one's.
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

#[test]
fn with_a_token_only_those_who_know_it_may_look() {
    let served = Served::new(&recorded(), None, Some("correct horse"));
    for path in ["/api/v1/pool", "/api/v1/applications", "/metrics", "/", "/api/v1/events"] {
        let (status, text) = served.get(path);
        assert_eq!(status, 401, "{path}");
        assert!(text.contains("/login") && !text.contains("taxi lesson"), "{path}: {text}");
    }
    assert_eq!(served.get("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(served.get_with("/metrics", &[("Authorization", "Bearer correct horse")]).0, 200);
    assert_eq!(served.get_with("/metrics", &[("Authorization", "Bearer correct hors")]).0, 401);
    // A browser is led to the login.
    assert_eq!(served.get_with("/", &[("Accept", "text/html")]).0, 303);
    let (status, form) = served.get("/login");
    assert!(status == 200 && form.contains("type=\"password\""), "{form}");

    let wrong = agent().post(served.url("/login")).send_form([("token", "wrong")]).unwrap();
    assert_eq!((wrong.status().as_u16(), wrong.headers().get("set-cookie")), (401, None));
    let right = agent().post(served.url("/login")).send_form([("token", "correct horse")]).unwrap();
    assert_eq!(right.status(), 303);
    let cookie = right.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    assert!(!cookie.contains("correct horse"), "the token is not put into the browser: {cookie}");
    let pair = cookie.split(';').next().unwrap();
    assert_eq!(served.get_with("/", &[("Cookie", pair)]).0, 200);
    assert_eq!(served.get_with("/", &[("Cookie", "partita-page=0000")]).0, 401);
    let elsewhere = agent().post(served.url("/login")).header("Origin", "https://evil.example");
    assert_eq!(elsewhere.send_form([("token", "correct horse")]).unwrap().status(), 403);
}

#[test]
fn without_a_token_other_sites_and_other_names_are_refused() {
    let served = Served::new(&recorded(), None, None);
    let port = served.address.port();
    assert_eq!(served.get_with("/", &[("Host", &format!("localhost:{port}"))]).0, 200);
    // A name that was made to resolve to this machine.
    assert_eq!(served.get_with("/api/v1/pool", &[("Host", "evil.example")]).0, 403);
    assert_eq!(served.get_with("/api/v1/pool", &[("Origin", "https://evil.example")]).0, 403);
    let posted = agent().post(served.url("/api/v1/pool")).send_empty().unwrap();
    assert_eq!(posted.status(), 405, "the page can only be read");
    let answer = agent().get(served.url("/")).call().unwrap();
    let policy = answer.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
}

#[test]
fn a_page_that_anybody_could_read_is_not_served() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let page = Page { history: recorded(), view: None, token: None };
    let refused = runtime.block_on(async {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        page.serve(listener, std::future::pending()).await.unwrap_err()
    });
    assert!(matches!(refused, PageError::NoToken { .. }));
    assert!(refused.to_string().contains("PARTITA_TOKEN_FILE"), "{refused}");
}

#[test]
fn every_file_the_page_asks_for_is_there() {
    let served = Served::new(&recorded(), None, None);
    let mut wanted = vec!["/".to_owned(), "/login".to_owned()];
    let mut seen = Vec::new();
    while let Some(path) = wanted.pop() {
        if path != "/login" {
            let (status, text) = served.get(&path);
            assert_eq!(status, 200, "{path}");
            for quoted in text.split('"').filter(|part| !part.contains(char::is_whitespace)) {
                let found = match quoted.strip_prefix("./") {
                    Some(module) if path.ends_with(".js") => format!("/assets/{module}"),
                    _ if quoted.starts_with("/assets/") => quoted.to_owned(),
                    _ => continue,
                };
                if !seen.contains(&found) {
                    seen.push(found.clone());
                    wanted.push(found);
                }
            }
        }
    }
    for module in [
        "page.js",
        "timeline.js",
        "model.js",
        "figures.js",
        "picture.js",
        "pens.js",
        "saved.js",
        "elements.js",
        "timeline.css",
    ] {
        assert!(seen.contains(&format!("/assets/{module}")), "{module} is among {seen:?}");
    }
}

/// A worker that has said nothing yet.
fn worker(number: u64) -> WorkerView {
    WorkerView {
        worker: number,
        name: "a \"quoted\" name".into(),
        slots: 4,
        busy: 1,
        memory_limit: 2_000_000,
        cache_limit: 1_000_000,
        blocks_address: format!("10.0.0.{number}:7078"),
        status: None,
        silent: Duration::ZERO,
        joined: std::time::SystemTime::now(),
    }
}

#[test]
fn cached_datasets_are_told_as_spark_tells_rdds_summed_over_the_workers_that_keep_them() {
    let kept = |session, cache, partitions, bytes| CachedDataset {
        session,
        cache,
        level: "MEMORY_AND_DISK".into(),
        in_memory: partitions,
        on_disk: 1,
        memory_bytes: bytes,
        disk_bytes: 10,
    };
    let with = |number, datasets| {
        let status = Some(WorkerStatus { datasets, ..WorkerStatus::default() });
        WorkerView { status, ..worker(number) }
    };
    let workers = vec![
        with(1, vec![kept(7, 0, 2, 100), kept(8, 0, 5, 5)]),
        with(2, vec![kept(7, 0, 3, 50)]),
        worker(3),
    ];
    let view = View::new(move || Cluster { workers: workers.clone(), ..Cluster::default() });
    let history = Arc::new(History::new(HistoryLimits::default()));
    let served = Served::new(&history, Some(view), None);
    history.opened(7, "caching");
    let app = served.json("/api/v1/applications")[0]["id"].as_str().unwrap().to_owned();
    let storage = format!("/api/v1/applications/{app}/storage/rdd");
    let all = served.json(&storage);
    let [dataset] = &all.as_array().unwrap()[..] else { panic!("{all}") };
    let figures =
        ["id", "numCachedPartitions", "memoryUsed", "diskUsed"].map(|name| dataset[name].as_u64().unwrap());
    assert_eq!(figures, [0, 7, 150, 20], "{dataset}");
    assert_eq!(dataset["storageLevel"], "MEMORY_AND_DISK");
    assert_eq!(dataset["dataDistribution"].as_array().unwrap().len(), 2);
    assert_eq!(served.json(&format!("{storage}/0")), *dataset);
    assert_eq!(served.get(&format!("{storage}/1")).0, 404);
    let environment = served.json(&format!("/api/v1/applications/{app}/environment"));
    let settings = environment["sparkProperties"].as_array().unwrap();
    let name = settings.iter().find(|pair| pair[0] == "spark.app.name").unwrap();
    assert_eq!(name[1], "caching", "{environment}");
    assert!(settings.iter().any(|pair| pair[0] == "spark.executor.cores" && pair[1] == "4"), "{environment}");
    history.closed(7);
    assert_eq!(served.json(&storage), Value::Array(Vec::new()), "a session that ended keeps nothing");
}

#[test]
fn metrics_count_what_events_say_and_what_the_pool_is() {
    let worker = worker(3);
    let session = SessionView {
        session: 1,
        name: "one".into(),
        opened: std::time::SystemTime::now(),
        queued: 5,
        running: 1,
        workers: vec![3],
        dynamic: false,
        blob_bytes: 0,
    };
    let cluster = Cluster { workers: vec![worker], sessions: vec![session], ..Cluster::default() };
    let history = Arc::new(History::new(HistoryLimits::default()));
    history.opened(1, "one");
    whole_job(0).iter().for_each(|event| history.event(1, event));
    let served = Served::new(&history, Some(View::new(move || cluster.clone())), None);
    let (_, text) = served.get("/metrics");
    for line in [
        "partita_workers 1",
        "partita_slots 4",
        "partita_slots_busy 1",
        "partita_tasks_queued 5",
        "partita_jobs_total{outcome=\"succeeded\"} 1",
        "partita_shuffle_bytes_total 1000",
        "partita_task_run_seconds_count 1",
        "partita_worker_memory_bytes{worker=\"3\",name=\"a \\\"quoted\\\" name\",kind=\"limit\"} 2000000",
        "# EOF",
    ] {
        assert!(text.lines().any(|l| l == line), "no `{line}` in\n{text}");
    }
    let pool = served.json("/api/v1/pool");
    assert_eq!(
        (&pool["pool"]["workers"][0]["slots"], &pool["sessions"][0]["queued"]),
        (&4.into(), &5.into())
    );
}

#[test]
fn what_was_logged_is_shown_again_even_if_the_last_line_was_cut_off() {
    let directory = tempfile::tempdir().unwrap();
    let log = LogOptions::new(directory.path().join("events"));
    let history = History::with_log(HistoryLimits::default(), log.clone()).unwrap();
    history.opened(4, "logged");
    let joined = Event::WorkerJoined { worker: 1, name: "w".into(), slots: 2, at: ms(0) };
    history.event(4, &joined);
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

    // A line in the middle that is no event is told of, and the rest is shown.
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
    let limits = HistoryLimits { sessions: 2, jobs: 60, events: 50 };
    let history = Arc::new(History::with_log(limits.clone(), log).unwrap());
    history.opened(1, "long");
    for job in 0..50 {
        whole_job(job).iter().for_each(|event| history.event(1, event));
    }
    let served = Served::new(&history, None, None);
    let id = served.json("/api/v1/applications")[0]["id"].as_str().unwrap().to_owned();
    history.closed(1);
    // The log is written behind: its last line says that all is there.
    let file = directory.path().join(format!("{id}.jsonl"));
    while !std::fs::read_to_string(&file).unwrap_or_default().contains("Closed") {
        std::thread::yield_now();
    }
    let events_of = |served: &Served, job: usize| {
        let stream = served.stream(&format!("/api/v1/events/{id}/{job}"));
        let told = stream.take_while(|(name, _)| name != "end").filter(|(name, _)| name == "events");
        told.flat_map(|(_, events)| events.as_array().unwrap().clone()).count()
    };
    assert_eq!(events_of(&served, 40), 5, "job 40 is read from the file");
    assert_eq!(events_of(&served, 49), 5, "job 49 is in memory");

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
    let end = served.stream(&format!("/api/v1/events/{id}/0")).find(|(name, _)| name == "end").unwrap();
    assert_eq!(end.1, "forgotten");
}

#[test]
fn a_full_file_becomes_the_older_half_and_both_are_shown() {
    let directory = tempfile::tempdir().unwrap();
    let log = LogOptions { file_bytes: 8000, sessions: 2, ..LogOptions::new(directory.path()) };
    let history = History::with_log(HistoryLimits::default(), log).unwrap();
    history.opened(1, "long");
    history.event(1, &Event::WorkerJoined { worker: 1, name: "w".into(), slots: 2, at: ms(0) });
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
    assert_eq!(numbers.first(), Some(&39), "the latest are there");
    assert!(numbers.len() > 5 && numbers.windows(2).all(|pair| pair[0] == pair[1] + 1), "{numbers:?}");
    assert!(jobs.as_array().unwrap().iter().all(|job| job["done"] == 1), "each in one piece: {jobs}");
}

#[test]
fn events_of_absurd_size_and_number_are_taken_without_harm() {
    let history = Arc::new(History::new(HistoryLimits::default()));
    history.opened(1, &"n".repeat(1 << 20));
    let long = "ä".repeat(1 << 20);
    for event in [
        Event::JobSubmitted { job: usize::MAX, action: long.clone(), slots: usize::MAX, at: Duration::MAX },
        Event::StageSubmitted {
            job: usize::MAX,
            stage: usize::MAX,
            name: long,
            tasks: usize::MAX,
            at: Duration::MAX,
        },
        Event::TaskStarted {
            job: usize::MAX,
            stage: usize::MAX,
            partition: usize::MAX,
            attempt: usize::MAX,
            worker: u64::MAX,
            slot: usize::MAX,
            at: Duration::ZERO,
        },
        Event::JobSubmitted { job: 5, action: String::new(), slots: 0, at: Duration::from_secs(1 << 50) },
        Event::StageFinished { job: usize::MAX, stage: usize::MAX, at: Duration::MAX },
        // Of a job that was never submitted.
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
}
