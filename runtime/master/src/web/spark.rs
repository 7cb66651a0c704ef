//! JSON with the names and units of Spark's REST API (`/api/v1/applications/…`), for tools made for
//! it. A session is an application, a worker an executor. Stages are numbered by session here, as
//! Spark does. What Partita does not know, such as the JVM's times, is left out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use partita_bridge::{Event, TaskMetrics};
use serde_json::{Map, Value, json};
use tokio::task::spawn_blocking;

use super::{Shared, plain};
use crate::history::{Attempt, JobFold, JobState, Outcome, Session, StageFold, WorkerFold, attempts, epoch};

/// The end of what has not ended, as Spark writes it.
const NEVER: &str = "1969-12-31T23:59:59.999GMT";

type Parameters = Query<HashMap<String, String>>;

pub(super) fn routes() -> Router<Shared> {
    const APP: &str = "/api/v1/applications/{app}";
    let at = |rest: &str| format!("{APP}{rest}");
    Router::new()
        .route("/api/v1/applications", get(applications))
        .route(APP, get(application))
        .route(&at("/jobs"), get(jobs))
        .route(&at("/jobs/{job}"), get(job))
        .route(&at("/stages"), get(stages))
        .route(&at("/stages/{stage}"), get(stage_attempts))
        .route(&at("/stages/{stage}/{attempt}"), get(stage))
        .route(&at("/stages/{stage}/{attempt}/taskList"), get(task_list))
        .route(&at("/stages/{stage}/{attempt}/taskSummary"), get(task_summary))
        .route(&at("/executors"), get(executors))
        .route(&at("/allexecutors"), get(all_executors))
}

async fn applications(State(shared): State<Shared>, Query(query): Parameters) -> Response {
    let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX);
    let wanted = query.get("status").map(String::as_str);
    let mut all = shared.page.history.sessions(usize::MAX, |session| {
        let running = session.closed.is_none();
        let fits = match wanted {
            Some(status) => status.eq_ignore_ascii_case(if running { "running" } else { "completed" }),
            None => true,
        };
        fits.then(|| application_json(session))
    });
    all.retain(Option::is_some);
    all.truncate(limit);
    Json(all).into_response()
}

async fn application(State(shared): State<Shared>, Path(app): Path<String>) -> Response {
    of_session(&shared, &app, |session| Some(application_json(session)))
}

async fn jobs(State(shared): State<Shared>, Path(app): Path<String>, Query(query): Parameters) -> Response {
    of_session(&shared, &app, |session| {
        let wanted = query.get("status");
        let fits = |job: &JobFold| wanted.is_none_or(|status| status.eq_ignore_ascii_case(job_status(job)));
        let jobs = session.jobs.iter().rev().map(|job| &job.fold).filter(|job| fits(job));
        Some(jobs.map(|job| job_json(session, job)).collect())
    })
}

async fn job(State(shared): State<Shared>, Path((app, job)): Path<(String, usize)>) -> Response {
    of_session(&shared, &app, |session| session.job(job).map(|job| job_json(session, &job.fold)))
}

async fn stages(State(shared): State<Shared>, Path(app): Path<String>, Query(query): Parameters) -> Response {
    of_session(&shared, &app, |session| {
        let wanted = query.get("status");
        let all = session.jobs.iter().rev().flat_map(|job| {
            job.fold.stages.iter().rev().map(move |stage| stage_json(session, &job.fold, stage))
        });
        Some(
            all.filter(|stage| {
                wanted.is_none_or(|s| stage["status"].as_str() == Some(s.to_uppercase().as_str()))
            })
            .collect(),
        )
    })
}

async fn stage_attempts(State(shared): State<Shared>, Path((app, stage)): Path<(String, usize)>) -> Response {
    with_tasks(shared, app, stage, |stage, tasks| Value::from(vec![with_task_map(stage, tasks)])).await
}

async fn stage(
    State(shared): State<Shared>,
    Path((app, stage, attempt)): Path<(String, usize, usize)>,
) -> Response {
    if attempt != 0 {
        return unknown("stage attempt");
    }
    with_tasks(shared, app, stage, with_task_map).await
}

async fn task_list(
    State(shared): State<Shared>,
    Path((app, stage, attempt)): Path<(String, usize, usize)>,
    Query(query): Parameters,
) -> Response {
    if attempt != 0 {
        return unknown("stage attempt");
    }
    let number = |name: &str, otherwise| query.get(name).and_then(|n| n.parse().ok()).unwrap_or(otherwise);
    let (offset, length) = (number("offset", 0), number("length", 20));
    let slowest = query.get("sortBy").is_some_and(|by| by.eq_ignore_ascii_case("-runtime"));
    let fastest = query.get("sortBy").is_some_and(|by| by.eq_ignore_ascii_case("runtime"));
    with_tasks(shared, app, stage, move |_, mut tasks| {
        let run = |task: &Value| task["taskMetrics"]["executorRunTime"].as_u64().unwrap_or(0);
        if slowest {
            tasks.sort_by_key(|task| std::cmp::Reverse(run(task)));
        } else if fastest {
            tasks.sort_by_key(run);
        }
        tasks.into_iter().skip(offset).take(length).collect()
    })
    .await
}

async fn task_summary(
    State(shared): State<Shared>,
    Path((app, stage, attempt)): Path<(String, usize, usize)>,
    Query(query): Parameters,
) -> Response {
    if attempt != 0 {
        return unknown("stage attempt");
    }
    let quantiles = query.get("quantiles").map_or("0.05,0.25,0.5,0.75,0.95", String::as_str);
    let quantiles: Vec<f64> = quantiles.split(',').filter_map(|q| q.trim().parse().ok()).collect();
    if quantiles.is_empty() || quantiles.iter().any(|q| !(0.0..=1.0).contains(q)) {
        let text = "`quantiles` are numbers from 0 to 1 with commas between them.\n";
        return plain(StatusCode::BAD_REQUEST, text);
    }
    with_tasks(shared, app, stage, move |_, tasks| {
        let done: Vec<&Value> = tasks.iter().filter(|task| task["status"] == "SUCCESS").collect();
        let of = |path: &str| {
            let mut figures: Vec<f64> =
                done.iter().filter_map(|task| task["taskMetrics"].pointer(path)?.as_f64()).collect();
            figures.sort_by(f64::total_cmp);
            let at = |q: &f64| {
                let place = (q * figures.len() as f64) as usize;
                figures.get(place.min(figures.len().saturating_sub(1))).copied().unwrap_or(0.0)
            };
            quantiles.iter().map(at).collect::<Vec<f64>>()
        };
        json!({
            "quantiles": quantiles,
            "executorRunTime": of("/executorRunTime"),
            "executorCpuTime": of("/executorCpuTime"),
            "diskBytesSpilled": of("/diskBytesSpilled"),
            "inputMetrics": { "bytesRead": of("/inputMetrics/bytesRead"), "recordsRead": of("/inputMetrics/recordsRead") },
            "outputMetrics": { "recordsWritten": of("/outputMetrics/recordsWritten") },
            "shuffleReadMetrics": {
                "readBytes": of("/shuffleReadMetrics/readBytes"),
                "fetchWaitTime": of("/shuffleReadMetrics/fetchWaitTime"),
            },
            "shuffleWriteMetrics": {
                "writeBytes": of("/shuffleWriteMetrics/bytesWritten"),
                "writeTime": of("/shuffleWriteMetrics/writeTime"),
            },
        })
    })
    .await
}

async fn executors(State(shared): State<Shared>, Path(app): Path<String>) -> Response {
    executor_list(&shared, &app, false)
}

async fn all_executors(State(shared): State<Shared>, Path(app): Path<String>) -> Response {
    executor_list(&shared, &app, true)
}

fn executor_list(shared: &Shared, app: &str, lost: bool) -> Response {
    let cluster = shared.page.view.as_ref().map(|view| view.cluster()).unwrap_or_default();
    of_session(shared, app, |session| {
        let all = session.workers.iter().filter(|(_, worker)| lost || worker.lost.is_none());
        Some(all.map(|(number, worker)| executor_json(session, *number, worker, &cluster)).collect())
    })
}

// ---- one thing each ----

fn application_json(session: &Session) -> Value {
    let end = session.closed;
    let last = end.unwrap_or_else(SystemTime::now);
    json!({
        "id": &*session.id,
        "name": session.name,
        "attempts": [{
            "startTime": date(session.opened),
            "endTime": end.map_or_else(|| NEVER.to_owned(), date),
            "lastUpdated": date(last),
            "duration": end.map_or(0, |end| millis(end.duration_since(session.opened).unwrap_or_default())),
            "completed": end.is_some(),
            "startTimeEpoch": epoch_millis(session.opened),
            "endTimeEpoch": end.map_or(-1, |end| epoch_millis(end) as i64),
            "lastUpdatedEpoch": epoch_millis(last),
            "appPartitaVersion": env!("CARGO_PKG_VERSION"),
        }],
    })
}

fn job_status(job: &JobFold) -> &'static str {
    match job.state {
        JobState::Running => "RUNNING",
        JobState::Done => "SUCCEEDED",
        JobState::Failed | JobState::Cancelled => "FAILED",
        JobState::Interrupted => "UNKNOWN",
    }
}

fn job_json(session: &Session, job: &JobFold) -> Value {
    let counted = |status: &str| job.stages.iter().filter(|s| stage_status(job, s) == status).count();
    let mut all = json!({
        "jobId": job.job,
        "name": job.action,
        "submissionTime": date(session.wall(job.submitted)),
        "stageIds": job.stages.iter().map(|stage| stage.id).collect::<Vec<_>>(),
        "status": job_status(job),
        "numTasks": job.sum(|stage| stage.tasks),
        "numActiveTasks": if job.is_running() { job.sum(StageFold::active) } else { 0 },
        "numCompletedTasks": job.sum(StageFold::done),
        "numCompletedIndices": job.sum(StageFold::done),
        "numFailedTasks": job.sum(|stage| stage.failed),
        "numKilledTasks": job.sum(|stage| stage.killed),
        "numSkippedTasks": 0,
        "numActiveStages": counted("ACTIVE"),
        "numCompletedStages": counted("COMPLETE"),
        "numFailedStages": counted("FAILED"),
        "numSkippedStages": 0,
    });
    if !job.is_running() {
        all["completionTime"] = date(session.wall(job.last)).into();
    }
    if let Some(error) = &job.error {
        all["description"] = error.clone().into();
    }
    all
}

fn stage_status(job: &JobFold, stage: &StageFold) -> &'static str {
    match (stage.finished, job.state) {
        (Some(_), _) => "COMPLETE",
        (None, JobState::Running) => "ACTIVE",
        (None, _) => "FAILED",
    }
}

fn stage_json(session: &Session, job: &JobFold, stage: &StageFold) -> Value {
    let m = &stage.totals;
    let status = stage_status(job, stage);
    let mut all = json!({
        "status": status,
        "stageId": stage.id,
        "attemptId": 0,
        "jobId": job.job,
        "name": stage.name,
        "details": format!("stage {} of job {}: {}", stage.stage, job.job, stage.name),
        "numTasks": stage.tasks,
        "numActiveTasks": if status == "ACTIVE" { stage.active() } else { 0 },
        "numCompleteTasks": stage.done(),
        "numCompletedIndices": stage.done(),
        "numFailedTasks": stage.failed,
        "numKilledTasks": stage.killed,
        "submissionTime": date(session.wall(stage.submitted)),
        "executorRunTime": millis(m.run),
        "executorCpuTime": m.cpu.as_nanos() as u64,
        "diskBytesSpilled": m.spilled,
        "inputBytes": m.bytes_read,
        "inputRecords": m.rows_in,
        "outputRecords": m.rows_out,
        "shuffleReadBytes": m.shuffle_in,
        "shuffleFetchWaitTime": millis(m.fetch),
        "shuffleWriteBytes": m.shuffle_out,
        "shuffleWriteTime": m.write.as_nanos() as u64,
    });
    if let Some(at) = stage.first_started {
        all["firstTaskLaunchedTime"] = date(session.wall(at)).into();
    }
    if let Some(at) = stage.finished.or((!job.is_running()).then_some(job.last)) {
        all["completionTime"] = date(session.wall(at)).into();
    }
    if status == "FAILED"
        && let Some(cause) = stage.cause.as_ref().or(job.error.as_ref())
    {
        all["failureReason"] = cause.clone().into();
    }
    all
}

fn task_json(session: &Session, id: usize, task: &Attempt) -> Value {
    let worker = session.workers.get(&task.worker).map(|worker| worker.name.as_str());
    let mut all = json!({
        "taskId": id,
        "index": task.partition,
        "attempt": task.attempt,
        "partitionId": task.partition,
        "launchTime": date(session.wall(task.started)),
        "executorId": task.worker.to_string(),
        "host": worker.unwrap_or_default(),
        "speculative": task.speculative,
        "status": match task.outcome {
            Outcome::Running => "RUNNING",
            Outcome::Done(_) => "SUCCESS",
            Outcome::Failed(_) => "FAILED",
            Outcome::Killed(_) => "KILLED",
        },
    });
    if let Some(ended) = task.ended {
        all["duration"] = millis(ended.saturating_sub(task.started)).into();
    }
    match &task.outcome {
        Outcome::Done(metrics) => all["taskMetrics"] = metrics_json(metrics),
        Outcome::Failed(cause) | Outcome::Killed(cause) => all["errorMessage"] = cause.clone().into(),
        Outcome::Running => {}
    }
    all
}

fn metrics_json(m: &TaskMetrics) -> Value {
    json!({
        "executorRunTime": millis(m.run),
        "executorCpuTime": m.cpu.as_nanos() as u64,
        "schedulerDelay": millis(m.queue),
        "diskBytesSpilled": m.spilled,
        "inputMetrics": { "bytesRead": m.bytes_read, "recordsRead": m.rows_in },
        "outputMetrics": { "recordsWritten": m.rows_out },
        "shuffleReadMetrics": { "readBytes": m.shuffle_in, "fetchWaitTime": millis(m.fetch) },
        "shuffleWriteMetrics": { "bytesWritten": m.shuffle_out, "writeTime": m.write.as_nanos() as u64 },
    })
}

fn executor_json(session: &Session, number: u64, worker: &WorkerFold, cluster: &crate::Cluster) -> Value {
    let now = cluster.workers.iter().find(|w| w.worker == number && session.closed.is_none());
    let status = now.and_then(|worker| worker.status).unwrap_or_default();
    let active = if session.closed.is_some() { 0 } else { worker.active() };
    let mut all = json!({
        "id": number.to_string(),
        "hostPort": now.map_or(worker.name.as_str(), |worker| worker.blocks_address.as_str()),
        "isActive": worker.lost.is_none() && session.closed.is_none(),
        "rddBlocks": status.cached_in_memory + status.cached_on_disk,
        "memoryUsed": status.memory_cache,
        "diskUsed": status.disk_cache + status.disk_shuffle,
        "totalCores": worker.slots,
        "maxTasks": worker.slots,
        "activeTasks": active,
        "failedTasks": worker.failed,
        "completedTasks": worker.done,
        "totalTasks": active + worker.failed + worker.done,
        "totalDuration": millis(worker.totals.run),
        "totalInputBytes": worker.totals.bytes_read,
        "totalShuffleRead": worker.totals.shuffle_in,
        "totalShuffleWrite": worker.totals.shuffle_out,
        "maxMemory": now.map_or(0, |worker| worker.cache_limit),
        "addTime": date(session.wall(worker.joined)),
        "executorLogs": {},
    });
    if let Some((at, cause)) = &worker.lost {
        all["removeTime"] = date(session.wall(*at)).into();
        all["removeReason"] = cause.clone().into();
    }
    all
}

// ---- finding things ----

fn of_session(shared: &Shared, app: &str, pick: impl FnOnce(&Session) -> Option<Value>) -> Response {
    match shared.page.history.session(app, pick) {
        Some(Some(found)) => Json(found).into_response(),
        Some(None) => unknown("job"),
        None => unknown("application"),
    }
}

/// Answers with a stage and its tasks. Finding tasks may read files.
async fn with_tasks(
    shared: Shared,
    app: String,
    id: usize,
    make: impl FnOnce(Value, Vec<Value>) -> Value + Send + 'static,
) -> Response {
    let found = shared.page.history.session(&app, |session| {
        let (job, stage) = session
            .jobs
            .iter()
            .find_map(|job| Some((&job.fold, job.fold.stages.iter().find(|stage| stage.id == id)?)))?;
        // Without its jobs: their events may be many.
        Some((job.job, stage.stage, stage_json(session, job, stage), session.without_jobs()))
    });
    let Some(found) = found else { return unknown("application") };
    let Some((job, number, stage, session)) = found else { return unknown("stage") };
    let history = Arc::clone(&shared.page.history);
    let made = spawn_blocking(move || {
        let events: Vec<Event> = history.events(&app, job)?;
        let tasks = attempts(&events).into_iter().enumerate().filter(|(_, task)| task.stage == number);
        Ok::<_, crate::history::ReplayError>(make(
            stage,
            tasks.map(|(id, t)| task_json(&session, id, &t)).collect(),
        ))
    });
    match made.await {
        Ok(Ok(answer)) => Json(answer).into_response(),
        Ok(Err(error)) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "The tasks could not be put together.\n"),
    }
}

fn with_task_map(mut stage: Value, tasks: Vec<Value>) -> Value {
    let tasks: Map<String, Value> =
        tasks.into_iter().map(|task| (task["taskId"].to_string(), task)).collect();
    stage["tasks"] = tasks.into();
    stage
}

fn unknown(what: &str) -> Response {
    plain(StatusCode::NOT_FOUND, format!("unknown {what}\n"))
}

// ---- Spark's units ----

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn epoch_millis(at: SystemTime) -> u64 {
    (epoch(at) * 1e3) as u64
}

/// Such as `2026-11-23T14:30:00.125GMT`.
fn date(at: SystemTime) -> String {
    const LAST: Duration = Duration::from_secs(253_402_300_799);
    match at.duration_since(UNIX_EPOCH) {
        // Years of five digits cannot be written, and sessions may say anything.
        Ok(since) => {
            let date = humantime::format_rfc3339_millis(UNIX_EPOCH + since.min(LAST));
            date.to_string().replace('Z', "GMT")
        }
        Err(_) => NEVER.to_owned(),
    }
}
