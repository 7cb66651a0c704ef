//! The format of each object in Spark's JSON, with Spark's names and units.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use partita_events::fold::{Attempt, AttemptState, Job, JobState, Stage, Worker};
use partita_events::{TaskMetrics, WorkerId};
use serde_json::{Map, Value, json};

use crate::Cluster;
use crate::history::{Clock, Session, epoch};

/// The end time of what has not ended, as Spark writes it.
const NEVER: &str = "1969-12-31T23:59:59.999GMT";

pub(super) fn application_json(session: &Session) -> Value {
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

pub(super) fn job_status(job: &Job) -> &'static str {
    match job.state {
        JobState::Running => "RUNNING",
        JobState::Done => "SUCCEEDED",
        JobState::Failed | JobState::Cancelled => "FAILED",
        JobState::Interrupted => "UNKNOWN",
    }
}

pub(super) fn job_json(session: &Session, job: &Job) -> Value {
    let stages = |status: &str| job.stages().iter().filter(|s| stage_status(job, s) == status).count();
    let (done, tasks) = job.tasks();
    let mut all = json!({
        "jobId": job.job,
        "name": job.action,
        "submissionTime": date(session.wall(job.submitted)),
        "stageIds": job.stages().iter().map(|stage| stage.serial).collect::<Vec<_>>(),
        "status": job_status(job),
        "numTasks": tasks,
        "numActiveTasks": job.sum(|stage| stage.running),
        "numCompletedTasks": done,
        "numCompletedIndices": done,
        "numFailedTasks": job.sum(|stage| stage.failed),
        "numKilledTasks": job.sum(|stage| stage.beaten),
        "numSkippedTasks": 0,
        "numActiveStages": stages("ACTIVE"),
        "numCompletedStages": stages("COMPLETE"),
        "numFailedStages": stages("FAILED"),
        "numSkippedStages": 0,
    });
    if job.has_ended() {
        all["completionTime"] = date(session.wall(job.last)).into();
    }
    if let Some(error) = &job.error {
        all["description"] = error.clone().into();
    }
    all
}

fn stage_status(job: &Job, stage: &Stage) -> &'static str {
    match (stage.finished, job.state) {
        (true, _) => "COMPLETE",
        (false, JobState::Running) => "ACTIVE",
        (false, _) => "FAILED",
    }
}

pub(super) fn stage_json(session: &Session, job: &Job, stage: &Stage) -> Value {
    let m = &stage.totals;
    let status = stage_status(job, stage);
    let mut all = json!({
        "status": status,
        "stageId": stage.serial,
        "attemptId": 0,
        "jobId": job.job,
        "name": stage.name,
        "details": format!("stage {} of job {}: {}", stage.stage, job.job, stage.name),
        "numTasks": stage.tasks,
        "numActiveTasks": stage.running,
        "numCompleteTasks": stage.done(),
        "numCompletedIndices": stage.done(),
        "numFailedTasks": stage.failed,
        "numKilledTasks": stage.beaten,
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
    let finished = stage.ended.filter(|_| stage.finished);
    if let Some(at) = finished.or(job.has_ended().then_some(job.last)) {
        all["completionTime"] = date(session.wall(at)).into();
    }
    if status == "FAILED"
        && let Some(cause) = stage.cause.as_ref().or(job.error.as_ref())
    {
        all["failureReason"] = cause.clone().into();
    }
    all
}

/// An attempt at a task; `host` is its worker's name.
pub(super) fn task_json(clock: Clock, host: &str, id: usize, task: &Attempt) -> Value {
    let mut all = json!({
        "taskId": id,
        "index": task.partition,
        "attempt": task.attempt,
        "partitionId": task.partition,
        "launchTime": date(clock.wall(task.started)),
        "executorId": task.worker.to_string(),
        "host": host,
        "speculative": task.speculative,
        "status": match task.state {
            AttemptState::Running => "RUNNING",
            AttemptState::Done => "SUCCESS",
            AttemptState::Failed => "FAILED",
            AttemptState::Beaten | AttemptState::Cut => "KILLED",
            AttemptState::Unheard => "UNKNOWN",
        },
    });
    if let Some(ended) = task.ended {
        all["duration"] = millis(ended.saturating_sub(task.started)).into();
    }
    if let Some(metrics) = &task.metrics {
        all["taskMetrics"] = metrics_json(metrics);
    }
    let unsaid = match task.state {
        AttemptState::Beaten => Some("another attempt finished first"),
        AttemptState::Cut => Some("its job ended"),
        _ => None,
    };
    if let Some(cause) = task.cause.as_deref().or(unsaid) {
        all["errorMessage"] = cause.into();
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

pub(super) fn executor_json(
    session: &Session,
    number: WorkerId,
    worker: &Worker,
    cluster: &Cluster,
) -> Value {
    let now = cluster.workers.iter().find(|w| number == w.worker && session.closed.is_none());
    let status = now.and_then(|worker| worker.status.clone()).unwrap_or_default();
    let active = if session.closed.is_some() { 0 } else { worker.running() };
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
        "totalTasks": active + worker.failed + worker.beaten + worker.done,
        "totalDuration": millis(worker.totals.run),
        "totalInputBytes": worker.totals.bytes_read,
        "totalShuffleRead": worker.totals.shuffle_in,
        "totalShuffleWrite": worker.totals.shuffle_out,
        "maxMemory": now.map_or(0, |worker| worker.cache_limit),
        "addTime": date(session.wall(worker.joined.unwrap_or_default())),
        "executorLogs": {},
    });
    if let Some((at, cause)) = &worker.lost {
        all["removeTime"] = date(session.wall(*at)).into();
        all["removeReason"] = cause.clone().into();
    }
    all
}

/// The environment of a session, under the names of Spark's settings where they mean the same here.
pub(super) fn environment_json(session: &Session, cluster: &Cluster) -> Value {
    let mut settings = vec![
        ["spark.app.id".to_owned(), session.id.to_string()],
        ["spark.app.name".to_owned(), session.name.clone()],
    ];
    if let Some(now) = cluster.sessions.iter().find(|now| now.session == session.number) {
        settings.push(["spark.dynamicAllocation.enabled".to_owned(), now.dynamic.to_string()]);
    }
    if let Some(worker) = cluster.workers.iter().max_by_key(|worker| worker.slots) {
        settings.push(["spark.executor.cores".to_owned(), worker.slots.to_string()]);
    }
    if let Some(memory) = cluster.workers.iter().map(|worker| worker.memory_limit).max() {
        settings.push(["spark.executor.memory".to_owned(), format!("{memory}b")]);
    }
    json!({
        "runtime": { "partitaVersion": env!("CARGO_PKG_VERSION") },
        "sparkProperties": settings,
        "hadoopProperties": [],
        "systemProperties": [],
        "metricsProperties": [],
        "classpathEntries": [],
        "resourceProfiles": [],
    })
}

/// What workers currently keep of a session's cached datasets, by the dataset's number in the session:
/// Spark's RDDs.
pub(super) fn datasets_json(session: &Session, cluster: &Cluster) -> BTreeMap<u64, Value> {
    let mut datasets: BTreeMap<u64, Value> = BTreeMap::new();
    if session.closed.is_some() {
        return datasets;
    }
    for worker in &cluster.workers {
        let kept = worker.status.iter().flat_map(|status| &status.datasets);
        for part in kept.filter(|part| part.session == session.number) {
            let dataset = datasets.entry(part.cache).or_insert_with(|| {
                json!({
                    "id": part.cache,
                    "name": format!("dataset {}", part.cache),
                    "storageLevel": part.level,
                    "numCachedPartitions": 0,
                    "memoryUsed": 0,
                    "diskUsed": 0,
                    "dataDistribution": [],
                })
            });
            let more = [
                ("numCachedPartitions", u64::from(part.in_memory) + u64::from(part.on_disk)),
                ("memoryUsed", part.memory_bytes),
                ("diskUsed", part.disk_bytes),
            ];
            for (name, amount) in more {
                dataset[name] = dataset[name].as_u64().unwrap_or(0).saturating_add(amount).into();
            }
            if let Some(places) = dataset["dataDistribution"].as_array_mut() {
                places.push(json!({
                    "address": worker.blocks_address,
                    "memoryUsed": part.memory_bytes,
                    "diskUsed": part.disk_bytes,
                }));
            }
        }
    }
    datasets
}

pub(super) fn with_task_map(mut stage: Value, tasks: Vec<Value>) -> Value {
    let tasks: Map<String, Value> =
        tasks.into_iter().map(|task| (task["taskId"].to_string(), task)).collect();
    stage["tasks"] = tasks.into();
    stage
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn epoch_millis(at: SystemTime) -> u64 {
    (epoch(at) * 1e3) as u64
}

/// A date such as `2026-11-23T14:30:00.125GMT`.
fn date(at: SystemTime) -> String {
    const LAST: Duration = Duration::from_secs(253_402_300_799);
    match at.duration_since(UNIX_EPOCH) {
        // Years of five digits cannot be written, and a session may send any time.
        Ok(since) => {
            let date = humantime::format_rfc3339_millis(UNIX_EPOCH + since.min(LAST));
            date.to_string().replace('Z', "GMT")
        }
        Err(_) => NEVER.to_owned(),
    }
}
