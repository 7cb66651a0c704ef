//! Metrics for Prometheus in the OpenMetrics text format: the history's counts of jobs and attempts, and the
//! current state of the pool. Nothing is measured or counted here.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::history::History;
use crate::{Cluster, View};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WorkerLabels {
    worker: u64,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MemoryLabels {
    worker: u64,
    name: String,
    kind: &'static str,
}

/// The metrics as text.
pub(crate) fn text(history: &History, view: Option<&View>) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::with_prefix("partita");
    history.meter.register(&mut registry);
    if let Some(view) = view {
        pool(&mut registry, &view.cluster());
    }
    let dropped = counter(history.dropped());
    registry.register("event_log_dropped", "Lines dropped by the event log", dropped);
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(text)
}

fn pool(registry: &mut Registry, cluster: &Cluster) {
    let sum = |figure: fn(&crate::WorkerView) -> usize| cluster.workers.iter().map(figure).sum::<usize>();
    let mut simple = |name: &str, help: &str, value: u64| registry.register(name, help, gauge(value));
    simple("workers", "Connected workers", cluster.workers.len() as u64);
    simple("slots", "Slots of all workers", sum(|worker| worker.slots) as u64);
    simple("slots_busy", "Slots that run a task", sum(|worker| worker.busy) as u64);
    simple("sessions", "Open sessions", cluster.sessions.len() as u64);
    let queued = cluster.sessions.iter().map(|session| session.queued).sum::<usize>();
    simple("tasks_queued", "Tasks that wait for a slot", queued as u64);
    simple("blob_bytes", "Bytes of broadcasts and frames kept for tasks", cluster.blob_bytes);
    simple("blob_limit_bytes", "The limit on these bytes", cluster.blob_limit);
    registry.register_with_unit(
        "up",
        "How long the master has been running",
        Unit::Seconds,
        seconds(cluster.up),
    );
    let totals = &cluster.totals;
    for (name, help, value) in [
        ("workers_joined", "Workers that registered", totals.workers_joined),
        ("workers_lost", "Workers that were lost", totals.workers_lost),
        ("sessions_opened", "Sessions that were opened", totals.sessions_opened),
        ("tasks_submitted", "Tasks that were queued", totals.tasks_submitted),
        ("tasks_launched", "Tasks that were sent to a worker", totals.tasks_launched),
        ("tasks_local", "Tasks that went to a worker they preferred", totals.tasks_local),
        ("tasks_succeeded", "Tasks that succeeded", totals.tasks_succeeded),
        ("tasks_failed", "Tasks that failed, were cancelled or were lost", totals.tasks_failed),
    ] {
        registry.register(name, help, counter(value));
    }
    let slots = Family::<WorkerLabels, Gauge>::default();
    let busy = Family::<WorkerLabels, Gauge>::default();
    let memory = Family::<MemoryLabels, Gauge>::default();
    for worker in &cluster.workers {
        let labels = WorkerLabels { worker: worker.worker, name: worker.name.clone() };
        slots.get_or_create(&labels).set(worker.slots as i64);
        busy.get_or_create(&labels).set(worker.busy as i64);
        let status = worker.status.clone().unwrap_or_default();
        for (kind, value) in [
            ("limit", worker.memory_limit),
            ("tasks", status.memory_tasks),
            ("shuffle", status.memory_shuffle),
            ("cache", status.memory_cache),
            ("disk_shuffle", status.disk_shuffle),
            ("disk_cache", status.disk_cache),
            ("resident", status.resident),
        ] {
            let labels = MemoryLabels { worker: worker.worker, name: worker.name.clone(), kind };
            memory.get_or_create(&labels).set(i64::try_from(value).unwrap_or(i64::MAX));
        }
    }
    registry.register("worker_slots", "A worker's slots", slots);
    registry.register("worker_slots_busy", "Slots of a worker that run a task", busy);
    registry.register_with_unit("worker_memory", "A worker's memory and disk", Unit::Bytes, memory);
}

fn gauge(value: u64) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    gauge
}

fn seconds(value: Duration) -> Gauge<f64, std::sync::atomic::AtomicU64> {
    let gauge = Gauge::default();
    gauge.set(value.as_secs_f64());
    gauge
}

fn counter(value: u64) -> Counter {
    let counter = Counter::default();
    counter.inc_by(value);
    counter
}
