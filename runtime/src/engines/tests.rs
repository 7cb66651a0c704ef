//! Tasks that are sent as bytes and run in this process: their results, and what is rejected.

use std::path::Path;
use std::sync::{Arc, Mutex};

use crossbeam_channel::Sender;
use partita_engine::cache::{CacheId, CachedDatasets};
use partita_engine::codec::{
    Access, BlobError, Blobs, CodecError, Encoder, Shared, decode, read_frame, write_frame,
};
use partita_engine::shuffle::ShuffleId;
use partita_engine::task::{Task, TaskEvent};
use partita_engine::{Engine, EngineError, Settings, Worker};
use partita_events::{JobId, PartitionId, StageId};
use polars::prelude::*;
use proptest::prelude::*;

use super::embedded::EmbeddedEngine;
use crate::host::recorder::Recorder;
use crate::session::Session;

#[path = "../../tests/programs/mod.rs"]
mod programs;
use programs::{programs, sorted};

/// Frames sent ahead, by number; those of `inline` bytes and more.
#[derive(Default)]
struct Ahead {
    inline: usize,
    frames: Mutex<Vec<Vec<u8>>>,
}

impl Blobs for Ahead {
    fn put(&self, frame: &DataFrame) -> Result<Option<u64>, BlobError> {
        if frame.estimated_size() <= self.inline {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        write_frame(frame, &mut bytes).map_err(|error| BlobError::NotSent(error.to_string()))?;
        let mut frames = self.frames.lock().unwrap();
        frames.push(bytes);
        Ok(Some(frames.len() as u64 - 1))
    }
}

impl Ahead {
    fn get(&self, number: u64) -> Result<DataFrame, BlobError> {
        let frames = self.frames.lock().unwrap();
        let failed = BlobError::NotReceived;
        let bytes = frames.get(number as usize).ok_or_else(|| failed("there is no such frame".to_owned()))?;
        read_frame(bytes).map_err(|error| failed(error.to_string()))
    }
}

/// The embedded engine, which gets every task as bytes.
struct Travelled {
    engine: EmbeddedEngine,
    ahead: Ahead,
    access: Access,
    shared: Shared,
}

impl CachedDatasets for Travelled {
    fn remove_cache(&self, cache: CacheId) {
        self.engine.remove_cache(cache);
    }

    fn cached_partitions(&self, cache: CacheId) -> (usize, usize) {
        self.engine.cached_partitions(cache)
    }
}

impl Engine for Travelled {
    fn slots(&self) -> usize {
        self.engine.slots()
    }
    fn max_attempts(&self) -> usize {
        self.engine.max_attempts()
    }
    fn submit(&self, tasks: Vec<Task>, events: Sender<TaskEvent>) -> Result<(), EngineError> {
        let arrived = tasks.iter().map(|task| {
            let bytes = Encoder::new(&self.ahead, &|_| Vec::new()).encode(task)?;
            Ok(decode(&bytes, &self.access, &self.shared, &|number| self.ahead.get(number))?.task)
        });
        let arrived = arrived.collect::<Result<_, CodecError>>()?;
        self.engine.submit(arrived, events)
    }
    fn cancel(&self, job: JobId, only: Option<(StageId, PartitionId, usize)>) {
        self.engine.cancel(job, only);
    }
    fn open_shuffle(&self, shuffle: ShuffleId, events: Sender<TaskEvent>) {
        self.engine.open_shuffle(shuffle, events);
    }
    fn remove_shuffle(&self, shuffle: ShuffleId) {
        self.engine.remove_shuffle(shuffle);
    }
    fn workers(&self) -> Vec<Worker> {
        self.engine.workers()
    }
    fn describe(&self) -> String {
        self.engine.describe()
    }
    fn set(&self, settings: Settings) -> Result<(), EngineError> {
        self.engine.set(settings)
    }
}

fn travelled(inline: usize, directories: &[&Path]) -> Session {
    let directories: Vec<_> = directories.iter().map(|path| path.to_path_buf()).collect();
    let engine = Travelled {
        engine: EmbeddedEngine::start(2, 1 << 30, std::env::temp_dir()).unwrap(),
        ahead: Ahead { inline, ..Ahead::default() },
        access: Access::new(&directories, &directories).unwrap(),
        shared: Shared::default(),
    };
    Session::on(Arc::new(engine), Arc::new(Recorder::default()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn tasks_that_travelled_give_the_same_rows(program in programs(), inline in prop_oneof![Just(0usize), Just(1 << 20)]) {
        let here = program.on(&Session::embedded(2).unwrap()).collect().unwrap();
        let there = travelled(inline, &[]);
        let dataset = program.on(&there);
        // The second time, the caches are filled.
        for _ in 0..2 {
            prop_assert_eq!(sorted(&dataset.collect().unwrap()), sorted(&here));
        }
        prop_assert_eq!(dataset.count().unwrap(), here.height() as u64);
    }
}

#[test]
fn files_are_read_and_written_where_that_is_allowed_and_nowhere_else() {
    let root = tempfile::tempdir().unwrap();
    let (data, private) = (root.path().join("data"), root.path().join("private"));
    let here = Session::embedded(2).unwrap();
    let rows = here.range(0, 1000, 4).with_columns([(col("id") % lit(7)).alias("k")]);
    for directory in [&data, &private] {
        rows.write_parquet(directory.join("p")).unwrap();
        let mut frame = rows.collect().unwrap();
        let mut file = std::fs::File::create(directory.join("t.csv")).unwrap();
        CsvWriter::new(&mut file).finish(&mut frame).unwrap();
    }
    let there = travelled(0, &[&data]);
    let scan = |directory: &Path| {
        let path = directory.join("p/*.parquet");
        LazyFrame::scan_parquet(PlRefPath::new(path.to_str().unwrap()), ScanArgsParquet::default()).unwrap()
    };
    assert_eq!(there.read_parquet(data.join("p")).unwrap().filter(col("k").eq(lit(3))).count().unwrap(), 143);
    assert_eq!(there.read_csv(data.join("t.csv")).unwrap().filter(col("k").eq(lit(3))).count().unwrap(), 143);
    assert_eq!(there.scans([scan(&data)]).unwrap().count().unwrap(), 1000);
    let written = there.range(0, 10, 2).write_parquet(data.join("out")).unwrap();
    assert_eq!(written.len(), 2);
    let (inside, elsewhere) = (there.range(0, 10, 1), scan(&private));
    let refusals = [
        there.read_parquet(private.join("p")).unwrap().count(),
        there.read_csv(private.join("t.csv")).unwrap().count(),
        there.scans([scan(&private)]).unwrap().count(),
        inside.map_partitions(|lf| lf.semi_join(elsewhere.select([col("id")]), col("id"), col("id"))).count(),
        inside.write_parquet(private.join("out")).map(|_| 0),
    ];
    for refusal in refusals {
        let error = refusal.unwrap_err().to_string();
        let allowed = data.canonicalize().unwrap();
        assert!(error.contains("private") && error.contains(allowed.to_str().unwrap()), "{error}");
    }
}

#[test]
fn a_closure_is_refused_by_name_with_a_remedy() {
    let doubled = col("id").map(|column| Ok(&column * 2), |_, field| Ok(field.clone()));
    let there = travelled(0, &[]);
    let data = there.range(0, 10, 2);
    let attempts = [
        data.select([doubled.clone().alias("twice")]).collect(),
        data.map_partitions(|lf| lf.with_columns([doubled.clone()])).collect(),
        data.group_by([col("id")]).agg([doubled.clone().sum().alias("s")]).collect(),
        data.repartition_by(crate::plan::Partitioning::Hash(vec![doubled.clone()], 2)).collect(),
    ];
    for attempt in attempts {
        let error = attempt.unwrap_err().to_string();
        assert!(error.contains("col(\"id\")") && error.contains("closure"), "{error}");
        assert!(error.contains("Session::new"), "{error}");
    }
}
