//! What a session knows of its pool: workers, its running tasks, and where shuffle blocks and cached
//! partitions are. No sockets here.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use crossbeam_channel::Sender;
use partita_engine::cache::CacheId;
use partita_engine::codec::ShuffleSource;
use partita_engine::shuffle::ShuffleId;
use partita_engine::task::{Input, TaskEvent};
use partita_events::{JobId, PartitionId, StageId, WorkerId};
use partita_wire::pool::{CachedPartition, TaskKey, WorkerInfo, WorkerLost};

/// An attempt: job, stage, partition, attempt.
pub(super) type Attempt = (JobId, StageId, PartitionId, usize);

pub(super) fn attempt(key: &TaskKey) -> Attempt {
    let (job, stage) = (JobId(key.job as usize), StageId(key.stage as usize));
    (job, stage, PartitionId(key.partition as usize), key.attempt as usize)
}

/// The attempt as it is sent.
pub(super) fn key(session: u64, (job, stage, partition, attempt): Attempt) -> TaskKey {
    TaskKey {
        session,
        job: job.0 as u64,
        stage: stage.0 as u32,
        partition: partition.0 as u32,
        attempt: attempt as u32,
    }
}

/// A task that was submitted and has not ended.
pub(super) struct Running {
    pub events: Sender<TaskEvent>,
    /// The shuffle that its rows go to.
    pub shuffle: Option<ShuffleId>,
}

/// Where one map task's blocks are.
struct Place {
    worker: WorkerId,
    address: String,
    lost: bool,
}

struct Shuffle {
    events: Sender<TaskEvent>,
    outputs: BTreeMap<usize, Place>,
}

#[derive(Default)]
pub(super) struct State {
    /// Counts connections; 0 before the first.
    pub connection: u64,
    /// Why there is no connection any more.
    pub lost: Option<String>,
    pub workers: BTreeMap<WorkerId, WorkerInfo>,
    pub running: HashMap<Attempt, Running>,
    /// The connection over which a job's first tasks were sent.
    pub jobs: BTreeMap<JobId, u64>,
    shuffles: HashMap<ShuffleId, Shuffle>,
    caches: HashMap<CacheId, BTreeMap<usize, (WorkerId, bool)>>,
}

/// The number of jobs remembered; running jobs are always among the last ones.
const JOBS_KEPT: usize = 1000;

impl State {
    /// A connection begins: what was known of the last one's pool is void.
    pub fn connected(&mut self, workers: Vec<WorkerInfo>) {
        self.connection += 1;
        self.lost = None;
        self.workers = workers.into_iter().map(|info| (WorkerId(info.worker), info)).collect();
        self.caches.clear();
        for shuffle in self.shuffles.values_mut() {
            shuffle.outputs.clear();
        }
    }

    /// The connection broke. Returns the tasks that were running.
    pub fn disconnected(&mut self, cause: &str) -> Vec<(Attempt, Running)> {
        self.lost = Some(cause.to_owned());
        self.workers.clear();
        self.caches.clear();
        self.running.drain().collect()
    }

    pub fn slots(&self) -> usize {
        self.workers.values().map(|info| info.slots as usize).sum()
    }

    /// The directories that all workers have for output, followed by those that all may read.
    pub fn file_directories(&self) -> Vec<PathBuf> {
        let common = |of: fn(&WorkerInfo) -> Vec<&String>| {
            let mut workers = self.workers.values().map(of);
            let first = workers.next().unwrap_or_default();
            workers.fold(first, |common, theirs| {
                common.into_iter().filter(|directory| theirs.contains(directory)).collect()
            })
        };
        let outputs = common(|info| info.output_dirs.iter().collect());
        let readable = common(|info| info.output_dirs.iter().chain(&info.data_dirs).collect());
        let mut directories: Vec<PathBuf> = Vec::new();
        for directory in outputs.into_iter().chain(readable).map(PathBuf::from) {
            if !directories.contains(&directory) {
                directories.push(directory);
            }
        }
        directories
    }

    /// Records and returns the connection of a job: the one over which its first tasks were sent.
    pub fn job_on(&mut self, job: JobId) -> u64 {
        let connection = *self.jobs.entry(job).or_insert(self.connection);
        while self.jobs.len() > JOBS_KEPT {
            self.jobs.pop_first();
        }
        connection
    }

    pub fn open_shuffle(&mut self, id: ShuffleId, events: Sender<TaskEvent>) {
        let outputs = BTreeMap::new();
        self.shuffles.entry(id).or_insert(Shuffle { events, outputs });
    }

    pub fn remove_shuffle(&mut self, id: ShuffleId) {
        self.shuffles.remove(&id);
    }

    pub fn remove_cache(&mut self, id: CacheId) {
        self.caches.remove(&id);
    }

    /// The output of these map tasks cannot be read where it was. It will be made again before anybody
    /// reads it.
    pub fn unreadable(&mut self, id: ShuffleId, map_partitions: &[u32]) {
        let Some(shuffle) = self.shuffles.get_mut(&id) else { return };
        for partition in map_partitions {
            if let Some(place) = shuffle.outputs.get_mut(&(*partition as usize)) {
                place.lost = true;
            }
        }
    }

    /// A worker has a map task's blocks. As in the scheduler, those of the first attempt count: the
    /// blocks of another attempt may have other rows, and all readers must read the same.
    pub fn output_at(&mut self, id: ShuffleId, map_partition: usize, worker: WorkerId) {
        // A worker may be lost before the tasks that it finished are reported.
        let address = self.workers.get(&worker).map(|info| info.blocks_address.clone());
        if let Some(shuffle) = self.shuffles.get_mut(&id)
            && shuffle.outputs.get(&map_partition).is_none_or(|place| place.lost)
        {
            let lost = address.is_none();
            let place = Place { worker, address: address.unwrap_or_default(), lost };
            shuffle.outputs.insert(map_partition, place);
        }
    }

    /// Where a shuffle's blocks are, by worker.
    pub fn sources(&self, id: ShuffleId) -> Vec<ShuffleSource> {
        let mut sources: BTreeMap<WorkerId, ShuffleSource> = BTreeMap::new();
        for (map_partition, place) in self.shuffles.get(&id).into_iter().flat_map(|shuffle| &shuffle.outputs)
        {
            let source = sources.entry(place.worker).or_insert_with(|| ShuffleSource {
                address: place.address.clone(),
                worker: place.worker,
                map_partitions: Vec::new(),
            });
            source.map_partitions.push(*map_partition);
        }
        sources.into_values().collect()
    }

    /// A shuffle that this input reads and of which blocks are lost, with the map partitions.
    pub fn missing(&self, input: &Input) -> Option<(ShuffleId, Vec<usize>)> {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            if let Input::Shuffle { id, .. } = input {
                let outputs = self.shuffles.get(id).into_iter().flat_map(|shuffle| &shuffle.outputs);
                let lost: Vec<usize> =
                    outputs.filter(|(_, place)| place.lost).map(|(partition, _)| *partition).collect();
                if !lost.is_empty() {
                    return Some((*id, lost));
                }
            }
            inputs.extend(input.below().iter().rev());
        }
        None
    }

    /// The workers that have cached partitions of this input, those of the outermost cache first.
    pub fn preferred(&self, input: &Input) -> Vec<WorkerId> {
        let mut preferred = Vec::new();
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            if let Input::Cache { lease, partition, .. } = input
                && let Some((worker, _)) = self.caches.get(&lease.id()).and_then(|kept| kept.get(partition))
            {
                if !preferred.contains(worker) {
                    preferred.push(*worker);
                }
                continue;
            }
            inputs.extend(input.below().iter().rev());
        }
        preferred
    }

    pub fn cached(&mut self, worker: WorkerId, partitions: &[CachedPartition]) {
        // A worker may be lost before the tasks that it finished are reported.
        if !self.workers.contains_key(&worker) {
            return;
        }
        for kept in partitions {
            let place = (worker, kept.on_disk);
            self.caches.entry(CacheId(kept.cache)).or_default().insert(kept.partition as usize, place);
        }
    }

    pub fn evicted(&mut self, partitions: &[CachedPartition]) {
        for gone in partitions {
            if let Some(kept) = self.caches.get_mut(&CacheId(gone.cache)) {
                kept.remove(&(gone.partition as usize));
            }
        }
    }

    /// The number of a dataset's cached partitions: in memory, and on disk.
    pub fn cached_partitions(&self, id: CacheId) -> (usize, usize) {
        let kept = self.caches.get(&id).into_iter().flat_map(BTreeMap::values);
        kept.fold(
            (0, 0),
            |(memory, disk), (_, on_disk)| {
                if *on_disk { (memory, disk + 1) } else { (memory + 1, disk) }
            },
        )
    }

    /// A worker is lost with everything it kept. Those who read a shuffle from it are notified.
    pub fn worker_lost(&mut self, lost: &WorkerLost) -> String {
        let name = self.workers.remove(&WorkerId(lost.worker)).map(|info| info.name);
        let cause = match name {
            Some(name) => format!("worker {} ({name}) was lost: {}", lost.worker, lost.reason),
            None => format!("worker {} was lost: {}", lost.worker, lost.reason),
        };
        for kept in self.caches.values_mut() {
            kept.retain(|_, (worker, _)| *worker != lost.worker);
        }
        for (id, shuffle) in &mut self.shuffles {
            let places =
                shuffle.outputs.iter_mut().filter(|(_, place)| place.worker == lost.worker && !place.lost);
            let map_partitions: Vec<usize> = places
                .map(|(partition, place)| {
                    place.lost = true;
                    *partition
                })
                .collect();
            if !map_partitions.is_empty() {
                let (shuffle_id, cause) = (*id, cause.clone());
                // A job that ended meanwhile is not listening any more.
                let _ = shuffle.events.send(TaskEvent::OutputsLost {
                    shuffle: shuffle_id,
                    map_partitions,
                    cause,
                });
            }
        }
        cause
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crossbeam_channel::unbounded;
    use polars::prelude::*;

    use super::*;

    fn info(worker: u64) -> WorkerInfo {
        WorkerInfo { worker, slots: 2, blocks_address: format!("w{worker}:1"), ..WorkerInfo::default() }
    }

    fn state() -> State {
        let mut state = State::default();
        state.connected(vec![info(1), info(2)]);
        state
    }

    #[test]
    fn files_lie_where_every_worker_may_use_them_best_where_it_may_write() {
        let with = |worker, data: &[&str], outputs: &[&str]| {
            let own = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
            WorkerInfo { data_dirs: own(data), output_dirs: own(outputs), ..info(worker) }
        };
        let mut state = State::default();
        assert_eq!(state.file_directories(), Vec::<PathBuf>::new());
        state.connected(vec![
            with(1, &["/data", "/one"], &["/out", "/shared"]),
            with(2, &["/shared", "/data"], &["/out"]),
        ]);
        assert_eq!(state.file_directories(), ["/out", "/shared", "/data"].map(PathBuf::from));
        state.connected(vec![with(1, &["/a"], &[]), with(2, &["/b"], &[])]);
        assert_eq!(state.file_directories(), Vec::<PathBuf>::new());
    }

    #[test]
    fn blocks_of_a_lost_worker_are_told_and_never_read_as_if_they_were_all() {
        let mut state = state();
        let (events, heard) = unbounded();
        state.open_shuffle(ShuffleId(7), events);
        for (partition, worker) in [(0, 1), (1, 2), (2, 1)] {
            state.output_at(ShuffleId(7), partition, WorkerId(worker));
        }
        let schema = Arc::new(Schema::default());
        let read = Input::Shuffle { id: ShuffleId(7), partition: 0, maps: None, schema };
        assert_eq!(state.missing(&read), None);
        let at: Vec<(u64, Vec<usize>)> = state
            .sources(ShuffleId(7))
            .into_iter()
            .map(|source| (source.worker.0, source.map_partitions))
            .collect();
        assert_eq!(at, [(1, vec![0, 2]), (2, vec![1])]);
        let cause = state.worker_lost(&WorkerLost { worker: 1, reason: "it left".into() });
        assert!(cause.contains("it left"));
        assert!(matches!(
            heard.try_recv(),
            Ok(TaskEvent::OutputsLost { shuffle: ShuffleId(7), map_partitions, .. }) if map_partitions == [0, 2]
        ));
        assert_eq!(state.missing(&read), Some((ShuffleId(7), vec![0, 2])));
        // What a lost worker's task is reported to have left is lost with it.
        state.output_at(ShuffleId(7), 0, WorkerId(1));
        state.output_at(ShuffleId(7), 2, WorkerId(2));
        assert_eq!(state.missing(&read), Some((ShuffleId(7), vec![0])));
        state.output_at(ShuffleId(7), 0, WorkerId(2));
        assert_eq!(state.missing(&read), None);
        state.unreadable(ShuffleId(7), &[1]);
        assert_eq!(state.missing(&read), Some((ShuffleId(7), vec![1])));
    }

    #[test]
    fn of_two_attempts_at_a_map_task_all_read_the_first() {
        let mut state = state();
        state.open_shuffle(ShuffleId(7), unbounded().0);
        state.output_at(ShuffleId(7), 0, WorkerId(2));
        state.output_at(ShuffleId(7), 0, WorkerId(1));
        assert_eq!(state.sources(ShuffleId(7)).iter().map(|source| source.worker.0).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn tasks_go_where_their_partitions_are_cached_until_these_are_gone() {
        let mut state = state();
        let lease = Arc::new(partita_engine::cache::CacheLease::detached(CacheId(3)));
        let input = Input::Cache {
            lease,
            partition: 5,
            level: partita_engine::cache::StorageLevel::MemoryOnly,
            input: Box::new(Input::Lost),
        };
        assert_eq!(state.preferred(&input), Vec::<WorkerId>::new());
        let kept = CachedPartition { cache: 3, partition: 5, on_disk: true };
        state.cached(WorkerId(2), &[kept]);
        assert_eq!(
            (state.preferred(&input), state.cached_partitions(CacheId(3))),
            (vec![WorkerId(2)], (0, 1))
        );
        state.evicted(&[kept]);
        assert_eq!(state.cached_partitions(CacheId(3)), (0, 0));
        state.cached(WorkerId(2), &[kept]);
        state.worker_lost(&WorkerLost { worker: 2, reason: "it left".into() });
        assert_eq!((state.preferred(&input), state.cached_partitions(CacheId(3))), (vec![], (0, 0)));
        state.cached(WorkerId(2), &[kept]);
        assert_eq!(state.cached_partitions(CacheId(3)), (0, 0), "a lost worker keeps nothing");
    }
}
