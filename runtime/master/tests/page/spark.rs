use std::sync::Arc;

use partita_master::{Cluster, History, HistoryLimits, Recorder, View, WorkerView};
use partita_wire::pool::{CachedDataset, WorkerStatus};
use serde_json::Value;

use crate::made_up::worker;
use crate::served::{APP, Served, recorded};

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
