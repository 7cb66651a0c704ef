use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Sender, unbounded};
use partita_engine::cache::{CacheId, CachedDatasets};
use partita_engine::shuffle::ShuffleId;
use partita_engine::task::{Input, Output, Task, TaskError, TaskEvent};
use partita_engine::{Engine, EngineError, Settings, Worker};
use partita_events::{JobId, PartitionId, StageId, WorkerId};

use crate::engines::embedded::EmbeddedEngine;

/// What goes wrong at a moment.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The attempt fails.
    Fail(String),
    /// It needs more memory than its worker has.
    TooLarge(String),
    /// Its end is never reported.
    Hold,
    /// Its worker is lost with everything it runs and keeps; another one joins. `told`: whether the loss
    /// of output is reported, or left for readers to find out. `late`: whether its running tasks end
    /// anyway.
    LoseWorker { told: bool, late: bool },
    /// The output of these map tasks is lost.
    LoseOutputs { shuffle: ShuffleId, maps: Vec<usize>, told: bool },
    /// Nothing is cached any more.
    LoseCache,
}

/// The moment at which an attempt would end.
pub struct Moment<'a> {
    pub stage: usize,
    pub partition: usize,
    pub attempt: usize,
    /// The map tasks whose output is available, for every open shuffle.
    pub outputs: &'a BTreeMap<ShuffleId, BTreeMap<usize, WorkerId>>,
}

type Script = Box<dyn FnMut(&Moment) -> Vec<Fault> + Send>;

/// Simulates several workers in front of the embedded engine, which does the work, and lets things go
/// wrong as a script says.
#[derive(Clone)]
pub struct FaultyEngine {
    inner: Arc<EmbeddedEngine>,
    state: Arc<Mutex<State>>,
}

struct State {
    script: Script,
    workers: Vec<WorkerId>,
    next_worker: u64,
    placed: usize,
    /// Attempts that the inner engine has.
    running: HashMap<Key, Running>,
    outputs: BTreeMap<ShuffleId, BTreeMap<usize, WorkerId>>,
    missing: BTreeMap<ShuffleId, BTreeSet<usize>>,
    listeners: HashMap<ShuffleId, Sender<TaskEvent>>,
    caches: BTreeSet<CacheId>,
    cancelled: Vec<(StageId, PartitionId, usize)>,
    given_up: BTreeSet<JobId>,
    excluded: Vec<(StageId, PartitionId, Vec<WorkerId>)>,
}

/// Job, stage, partition, attempt.
type Key = (JobId, StageId, PartitionId, usize);

struct Running {
    worker: WorkerId,
    reads: BTreeSet<ShuffleId>,
    fills: Option<ShuffleId>,
    events: Sender<TaskEvent>,
    fate: Fate,
}

#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Live,
    /// Its worker was lost, but its end is still reported.
    Late,
    /// Its worker was lost. The thread behind it runs on, and so must find its input.
    Gone,
}

impl FaultyEngine {
    pub fn start(workers: usize, script: impl FnMut(&Moment) -> Vec<Fault> + Send + 'static) -> Self {
        let state = State {
            script: Box::new(script),
            workers: (1..=workers as u64).map(WorkerId).collect(),
            next_worker: workers as u64 + 1,
            placed: 0,
            running: HashMap::new(),
            outputs: BTreeMap::new(),
            missing: BTreeMap::new(),
            listeners: HashMap::new(),
            caches: BTreeSet::new(),
            cancelled: Vec::new(),
            given_up: BTreeSet::new(),
            excluded: Vec::new(),
        };
        let inner = Arc::new(EmbeddedEngine::start(2, 1 << 20, std::env::temp_dir()).unwrap());
        Self { inner, state: Arc::new(Mutex::new(state)) }
    }

    /// Attempts cancelled one by one: stage, partition, attempt.
    pub fn cancelled(&self) -> Vec<(usize, usize, usize)> {
        let cancelled = &self.state().cancelled;
        cancelled.iter().map(|(stage, partition, attempt)| (stage.0, partition.0, *attempt)).collect()
    }

    /// Whether a whole job was cancelled.
    pub fn given_up(&self, job: usize) -> bool {
        self.state().given_up.contains(&JobId(job))
    }

    /// Attempts excluded from some workers: stage, partition, workers.
    pub fn excluded(&self) -> Vec<(usize, usize, Vec<u64>)> {
        let numbers = |workers: &[WorkerId]| workers.iter().map(|worker| worker.0).collect();
        let excluded = &self.state().excluded;
        excluded.iter().map(|(stage, partition, workers)| (stage.0, partition.0, numbers(workers))).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn receive(&self, job: JobId, event: TaskEvent) {
        match event {
            TaskEvent::Started { stage, partition, attempt, slot, .. } => {
                let state = self.state();
                let Some(running) = state.running.get(&(job, stage, partition, attempt)) else { return };
                let worker = running.worker;
                let _ = running.events.send(TaskEvent::Started { stage, partition, attempt, worker, slot });
            }
            TaskEvent::Ended { stage, partition, attempt, at, end, .. } => {
                let key = (job, stage, partition, attempt);
                let mut state = self.state();
                let Some(running) = state.running.get(&key) else { return };
                let (worker, events, fate) = (running.worker, running.events.clone(), running.fate);
                let ended = |end| TaskEvent::Ended { stage, partition, attempt, worker, at, end };
                if fate != Fate::Live {
                    state.running.remove(&key);
                    if fate == Fate::Late {
                        let _ = events.send(ended(end));
                    }
                    return;
                }
                let State { script, outputs, .. } = &mut *state;
                let faults = script(&Moment { stage: stage.0, partition: partition.0, attempt, outputs });
                let mut end = Some(end);
                for fault in faults {
                    match fault {
                        Fault::Fail(cause) => end = Some(Box::new(Err(TaskError::Failed(cause)))),
                        Fault::TooLarge(cause) => end = Some(Box::new(Err(TaskError::TooLarge(cause)))),
                        Fault::Hold => end = None,
                        Fault::LoseWorker { told, late } => {
                            self.lose_worker(&mut state, worker, told, late);
                            if !late {
                                state.running.remove(&key);
                                return;
                            }
                        }
                        Fault::LoseOutputs { shuffle, maps, told } => {
                            self.lose_outputs(&mut state, shuffle, &maps, told)
                        }
                        Fault::LoseCache => {
                            state.caches.iter().for_each(|cache| self.inner.remove_cache(*cache))
                        }
                    }
                }
                let Some(running) = state.running.remove(&key) else { return };
                if let (Some(Ok(_)), Some(shuffle), false) =
                    (end.as_deref(), running.fills, running.fate == Fate::Late)
                    && let Some(outputs) = state.outputs.get_mut(&shuffle)
                {
                    outputs.insert(partition.0, worker);
                    state.missing.entry(shuffle).or_default().remove(&partition.0);
                }
                if let Some(end) = end {
                    let _ = events.send(ended(end));
                }
            }
            TaskEvent::OutputsLost { .. } => {}
        }
    }

    fn lose_worker(&self, state: &mut State, worker: WorkerId, told: bool, late: bool) {
        let new = WorkerId(state.next_worker);
        state.next_worker += 1;
        state.workers.retain(|other| *other != worker);
        state.workers.push(new);
        let cause = format!("worker {worker} is gone");
        let its: Vec<Key> = state
            .running
            .iter()
            .filter(|(_, r)| r.worker == worker && r.fate == Fate::Live)
            .map(|(key, _)| *key)
            .collect();
        for key in its {
            let (_, stage, partition, attempt) = key;
            let Some(running) = state.running.get_mut(&key) else { continue };
            running.fate = if late { Fate::Late } else { Fate::Gone };
            let end = Box::new(Err(TaskError::WorkerLost(cause.clone())));
            let at = Instant::now();
            let _ = running.events.send(TaskEvent::Ended { stage, partition, attempt, worker, at, end });
        }
        let lost: Vec<(ShuffleId, Vec<usize>)> = state
            .outputs
            .iter()
            .map(|(shuffle, outputs)| {
                (*shuffle, outputs.iter().filter(|(_, at)| **at == worker).map(|(map, _)| *map).collect())
            })
            .collect();
        for (shuffle, maps) in lost {
            self.lose_outputs(state, shuffle, &maps, told);
        }
    }

    fn lose_outputs(&self, state: &mut State, shuffle: ShuffleId, maps: &[usize], told: bool) {
        let Some(outputs) = state.outputs.get_mut(&shuffle) else { return };
        let maps: Vec<usize> = maps.iter().copied().filter(|map| outputs.remove(map).is_some()).collect();
        if maps.is_empty() {
            return;
        }
        state.missing.entry(shuffle).or_default().extend(&maps);
        // A reader that has started may have read it before.
        if !state.running.values().any(|running| running.reads.contains(&shuffle)) {
            maps.iter().for_each(|map| self.inner.lose(shuffle, *map));
        }
        if told && let Some(events) = state.listeners.get(&shuffle) {
            let cause = "its worker is gone".to_owned();
            let _ = events.send(TaskEvent::OutputsLost { shuffle, map_partitions: maps, cause });
        }
    }

    /// Accepts the task if all its input is available; otherwise reports the failure as a worker would.
    fn place(&self, task: &Task, events: &Sender<TaskEvent>) -> bool {
        let mut state = self.state();
        let mut reads = BTreeSet::new();
        of_input(&task.input, &mut reads, &mut state.caches);
        let allowed: Vec<WorkerId> =
            state.workers.iter().copied().filter(|worker| !task.excluded.contains(worker)).collect();
        state.placed += 1;
        let worker = allowed[state.placed % allowed.len()];
        let (job, stage, partition, attempt) = (task.job, task.stage, task.partition, task.attempt);
        if !task.excluded.is_empty() {
            state.excluded.push((stage, partition, task.excluded.clone()));
        }
        for shuffle in &reads {
            let missing = state.missing.get(shuffle).into_iter().flatten().copied().collect::<Vec<_>>();
            if !missing.is_empty() {
                let (at, cause) = (Instant::now(), "its worker does not answer".to_owned());
                let end = TaskError::FetchFailed { shuffle: *shuffle, map_partitions: missing, cause };
                let end = Box::new(Err(end));
                let _ = events.send(TaskEvent::Started { stage, partition, attempt, worker, slot: 0 });
                let _ = events.send(TaskEvent::Ended { stage, partition, attempt, worker, at, end });
                return false;
            }
        }
        let fills = match &task.output {
            Output::Shuffle { id, .. } => Some(*id),
            _ => None,
        };
        let running = Running { worker, reads, fills, events: events.clone(), fate: Fate::Live };
        state.running.insert((job, stage, partition, attempt), running);
        true
    }
}

fn of_input(input: &Input, reads: &mut BTreeSet<ShuffleId>, caches: &mut BTreeSet<CacheId>) {
    match input {
        Input::Shuffle { id, .. } => {
            reads.insert(*id);
        }
        Input::Cache { lease, .. } => {
            caches.insert(lease.id());
        }
        _ => {}
    }
    input.below().iter().for_each(|input| of_input(input, reads, caches));
}

impl CachedDatasets for FaultyEngine {
    fn remove_cache(&self, cache: CacheId) {
        self.inner.remove_cache(cache);
    }

    fn cached_partitions(&self, cache: CacheId) -> (usize, usize) {
        self.inner.cached_partitions(cache)
    }
}

impl Engine for FaultyEngine {
    fn slots(&self) -> usize {
        self.inner.slots()
    }

    fn max_attempts(&self) -> usize {
        4
    }

    fn submit(&self, tasks: Vec<Task>, events: Sender<TaskEvent>) -> Result<(), EngineError> {
        let Some(job) = tasks.first().map(|task| task.job) else { return Ok(()) };
        let (sender, receiver) = unbounded();
        for task in tasks {
            if self.place(&task, &events) {
                self.inner.submit(vec![task], sender.clone())?;
            }
        }
        let engine = self.clone();
        // Ends when the inner engine has run or dropped the tasks.
        thread::spawn(move || receiver.into_iter().for_each(|event| engine.receive(job, event)));
        Ok(())
    }

    fn cancel(&self, job: JobId, only: Option<(StageId, PartitionId, usize)>) {
        let mut state = self.state();
        if only.is_none() {
            state.given_up.insert(job);
        }
        state.cancelled.extend(only);
    }

    fn open_shuffle(&self, shuffle: ShuffleId, events: Sender<TaskEvent>) {
        let mut state = self.state();
        state.outputs.insert(shuffle, BTreeMap::new());
        state.listeners.insert(shuffle, events.clone());
        self.inner.open_shuffle(shuffle, events);
    }

    fn remove_shuffle(&self, shuffle: ShuffleId) {
        let mut state = self.state();
        state.outputs.remove(&shuffle);
        state.missing.remove(&shuffle);
        state.listeners.remove(&shuffle);
        self.inner.remove_shuffle(shuffle);
    }

    fn workers(&self) -> Vec<Worker> {
        let this = self.inner.workers().remove(0);
        let worker = |id: &WorkerId| Worker { id: *id, name: format!("worker {id}"), ..this.clone() };
        self.state().workers.iter().map(worker).collect()
    }

    fn describe(&self) -> String {
        "workers that fail".to_owned()
    }

    fn set(&self, settings: Settings) -> Result<(), EngineError> {
        self.inner.set(settings)
    }
}
