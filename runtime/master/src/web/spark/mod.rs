//! JSON with the names and units of Spark's REST API (`/api/v1/applications/…`), for tools made for it. A
//! session is an application, a worker an executor. Stages are numbered by session here, as in Spark. Fields
//! that Partita does not have, such as the JVM's times, are omitted. [`shapes`] has the format of each
//! object.

mod shapes;

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use partita_events::JobId;
use partita_events::fold::{Attempt, Job};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use self::shapes::{
    application_json, datasets_json, environment_json, executor_json, job_json, job_status, stage_json,
    task_json, with_task_map,
};
use super::{Shared, plain};
use crate::Cluster;
use crate::history::Session;

type Parameters = Query<HashMap<String, String>>;

pub(super) fn routes() -> Router<Shared> {
    const APP: &str = "/api/v1/applications/{app}";
    let at = |rest: &str| format!("{APP}{rest}");
    Router::new()
        .route("/api/v1/version", get(version))
        .route("/api/v1/applications", get(applications))
        .route(APP, get(application))
        .route(&at("/jobs"), get(jobs))
        .route(&at("/jobs/{job}"), get(job))
        .route(&at("/stages"), get(stages))
        .route(&at("/stages/{stage}"), get(stage_attempts))
        // A stage has one attempt here: resubmitted tasks belong to the same attempt.
        .route(&at("/stages/{stage}/0"), get(stage))
        .route(&at("/stages/{stage}/0/taskList"), get(task_list))
        .route(&at("/stages/{stage}/0/taskSummary"), get(task_summary))
        .route(&at("/executors"), get(executors))
        .route(&at("/allexecutors"), get(all_executors))
        .route(&at("/environment"), get(environment))
        .route(&at("/storage/rdd"), get(datasets))
        .route(&at("/storage/rdd/{dataset}"), get(dataset))
}

/// Not Spark's version, so that no tool mistakes this for a Spark it knows.
async fn version() -> Response {
    Json(json!({ "partita": env!("CARGO_PKG_VERSION") })).into_response()
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
        let fits = |job: &Job| wanted.is_none_or(|status| status.eq_ignore_ascii_case(job_status(job)));
        let jobs = session.fold.jobs().rev().filter(|job| fits(job));
        Some(jobs.map(|job| job_json(session, job)).collect())
    })
}

async fn job(State(shared): State<Shared>, Path((app, job)): Path<(String, JobId)>) -> Response {
    of_session(&shared, &app, |session| session.fold.job(job).map(|job| job_json(session, job)))
}

async fn stages(State(shared): State<Shared>, Path(app): Path<String>, Query(query): Parameters) -> Response {
    of_session(&shared, &app, |session| {
        let wanted = query.get("status");
        let jobs = session.fold.jobs().rev();
        let all =
            jobs.flat_map(|job| job.stages().iter().rev().map(move |stage| stage_json(session, job, stage)));
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

async fn stage(State(shared): State<Shared>, Path((app, stage)): Path<(String, usize)>) -> Response {
    with_tasks(shared, app, stage, with_task_map).await
}

async fn task_list(
    State(shared): State<Shared>,
    Path((app, stage)): Path<(String, usize)>,
    Query(query): Parameters,
) -> Response {
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
    Path((app, stage)): Path<(String, usize)>,
    Query(query): Parameters,
) -> Response {
    let quantiles = query.get("quantiles").map_or("0.05,0.25,0.5,0.75,0.95", String::as_str);
    let quantiles: Vec<f64> = quantiles.split(',').filter_map(|q| q.trim().parse().ok()).collect();
    if quantiles.is_empty() || quantiles.iter().any(|q| !(0.0..=1.0).contains(q)) {
        let text = "`quantiles` must be numbers from 0 to 1, separated by commas.\n";
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

async fn environment(State(shared): State<Shared>, Path(app): Path<String>) -> Response {
    let cluster = cluster(&shared);
    of_session(&shared, &app, |session| Some(environment_json(session, &cluster)))
}

async fn datasets(State(shared): State<Shared>, Path(app): Path<String>) -> Response {
    let cluster = cluster(&shared);
    of_session(&shared, &app, |session| Some(datasets_json(session, &cluster).into_values().collect()))
}

async fn dataset(State(shared): State<Shared>, Path((app, dataset)): Path<(String, u64)>) -> Response {
    let cluster = cluster(&shared);
    match shared.page.history.session(&app, |session| datasets_json(session, &cluster).remove(&dataset)) {
        Some(Some(found)) => Json(found).into_response(),
        Some(None) => unknown("dataset, or nothing of it is cached"),
        None => unknown("application"),
    }
}

fn cluster(shared: &Shared) -> Cluster {
    shared.page.view.as_ref().map(|view| view.cluster()).unwrap_or_default()
}

fn executor_list(shared: &Shared, app: &str, lost: bool) -> Response {
    let cluster = cluster(shared);
    of_session(shared, app, |session| {
        let all = session.fold.workers().iter().filter(|(_, worker)| lost || worker.lost.is_none());
        Some(all.map(|(number, worker)| executor_json(session, number, worker, &cluster)).collect())
    })
}

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
        let mut stages = session.fold.jobs().flat_map(|job| job.stages().iter().map(move |of| (job, of)));
        let (job, stage) = stages.find(|(_, stage)| stage.serial == id)?;
        let names = session.fold.workers().iter().map(|(id, worker)| (id, worker.name.clone()));
        let names: HashMap<_, _> = names.collect();
        Some((job.job, stage.stage, stage_json(session, job, stage), session.clock(), names))
    });
    let Some(found) = found else { return unknown("application") };
    let Some((job, number, stage, clock, names)) = found else { return unknown("stage") };
    let history = Arc::clone(&shared.page.history);
    let made = spawn_blocking(move || {
        let of_stage = |job: &Job| {
            let attempts = job.attempts().iter().enumerate();
            let of_stage = attempts.filter(|(_, attempt)| attempt.stage == number);
            of_stage.map(|(id, attempt)| (id, attempt.clone())).collect::<Vec<(usize, Attempt)>>()
        };
        let attempts = history.job(&app, job, of_stage)?.unwrap_or_default();
        let tasks = attempts.iter().map(|(id, attempt)| {
            let name = names.get(&attempt.worker).map_or("", String::as_str);
            task_json(clock, name, *id, attempt)
        });
        Ok::<_, crate::history::ReplayError>(make(stage, tasks.collect()))
    });
    match made.await {
        Ok(Ok(answer)) => Json(answer).into_response(),
        Ok(Err(error)) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "The tasks could not be collected.\n"),
    }
}

fn unknown(what: &str) -> Response {
    plain(StatusCode::NOT_FOUND, format!("unknown {what}\n"))
}
