use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use partita_events::fold::Stage;

use super::Shared;
use crate::history::{Session, epoch};
use crate::{Cluster, SessionView};

/// The most sessions, and the most jobs of each, that the page lists while it watches a pool.
const SESSIONS: usize = 50;
const JOBS: usize = 40;

pub(super) async fn pool(State(shared): State<Shared>) -> Json<Value> {
    Json(snapshot(&shared))
}

/// What the page shows beside a job: workers, sessions, their jobs.
pub(super) fn snapshot(shared: &Shared) -> Value {
    let history = &shared.page.history;
    let cluster = shared.page.view.as_ref().map(|view| view.cluster());
    let open: HashMap<u64, &SessionView> =
        cluster.iter().flat_map(|cluster| &cluster.sessions).map(|view| (view.session, view)).collect();
    // Recorded files do not change: all of them are sent, once.
    let (sessions, jobs) = if history.is_replay() { (usize::MAX, usize::MAX) } else { (SESSIONS, JOBS) };
    json!({
        "partita": env!("CARGO_PKG_VERSION"),
        "replay": history.is_replay(),
        "pool": cluster.as_ref().map(pool_json),
        "sessions": history.sessions(sessions, |session| session_json(session, &open, jobs)),
        "log_dropped": history.dropped(),
    })
}

fn pool_json(cluster: &Cluster) -> Value {
    let workers: Vec<Value> = cluster
        .workers
        .iter()
        .map(|worker| {
            json!({
                "worker": worker.worker,
                "name": worker.name,
                "slots": worker.slots,
                "busy": worker.busy,
                "memory_limit": worker.memory_limit,
                "cache_limit": worker.cache_limit,
                "address": worker.blocks_address,
                "joined": epoch(worker.joined),
                // In whole seconds, so that the page is notified of changes and not of passing time.
                "silent": worker.silent.as_secs(),
                "status": worker.status.as_ref().map(|status| json!({
                    "tasks": status.memory_tasks,
                    "shuffle": status.memory_shuffle,
                    "cache": status.memory_cache,
                    "disk_shuffle": status.disk_shuffle,
                    "disk_cache": status.disk_cache,
                    "resident": status.resident,
                    "cached_in_memory": status.cached_in_memory,
                    "cached_on_disk": status.cached_on_disk,
                })),
            })
        })
        .collect();
    let lost: Vec<Value> = cluster
        .lost
        .iter()
        .rev()
        .take(20)
        .map(|lost| {
            json!({
                "worker": lost.worker,
                "name": lost.name,
                "reason": lost.reason,
                "tasks": lost.tasks,
                "at": epoch(lost.at),
            })
        })
        .collect();
    let totals = &cluster.totals;
    json!({
        "workers": workers,
        "lost": lost,
        "blob_bytes": cluster.blob_bytes,
        "blob_limit": cluster.blob_limit,
        "tasks_launched": totals.tasks_launched,
        "tasks_local": totals.tasks_local,
        "tasks_succeeded": totals.tasks_succeeded,
        "tasks_failed": totals.tasks_failed,
    })
}

fn session_json(session: &Session, open: &HashMap<u64, &SessionView>, most: usize) -> Value {
    let jobs: Vec<Value> = session
        .fold
        .jobs()
        .rev()
        .take(most)
        .map(|job| {
            let (totals, (done, tasks)) = (job.totals(), job.tasks());
            json!({
                "job": job.job,
                "action": job.action,
                "state": job.state.name(),
                "at": epoch(session.wall(job.submitted)),
                // The page itself counts the time of a running job.
                "seconds": job.has_ended().then(|| job.wall().as_secs_f64()),
                "stages": job.stages().len(),
                "tasks": tasks,
                "done": done,
                "failed": job.sum(|stage: &Stage| stage.failed),
                "shuffled": totals.shuffle_out,
                "spilled": totals.spilled,
                "error": job.error,
            })
        })
        .collect();
    let now = open.get(&session.number).filter(|_| session.closed.is_none());
    json!({
        "id": &*session.id,
        "session": session.number,
        "name": session.name,
        "opened": epoch(session.opened),
        "closed": session.closed.map(epoch),
        "queued": now.map(|view| view.queued),
        "running": now.map(|view| view.running),
        "workers": now.map(|view| view.workers.len()),
        "dynamic": now.is_some_and(|view| view.dynamic),
        "blob_bytes": now.map(|view| view.blob_bytes),
        "older_jobs": session.fold.jobs().len().saturating_sub(most),
        "jobs": jobs,
    })
}
