use std::path::Path;
use std::sync::{Arc, Mutex};

use crossbeam_channel::Sender;
use polars::prelude::*;
use polars_plan::dsl::DslPlan;
use proptest::prelude::*;

use super::*;
use crate::cache::CacheId;
use crate::engine::embedded::EmbeddedEngine;
use crate::engine::task::{Input, Output, Step, TaskEvent};
use crate::engine::{Engine, Worker};
use crate::session::Session;
use crate::shuffle::Partitioner;

#[path = "../../../tests/programs/mod.rs"]
mod programs;
use programs::{programs, sorted};

/// Frames that went ahead, by their number; from `inline` bytes on.
#[derive(Default)]
struct Ahead {
    inline: usize,
    frames: Mutex<Vec<Vec<u8>>>,
}

impl Blobs for Ahead {
    fn put(&self, frame: &DataFrame) -> Result<Option<u64>, String> {
        if frame.estimated_size() <= self.inline {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        write_frame(frame, &mut bytes).map_err(|error| error.to_string())?;
        let mut frames = self.frames.lock().unwrap();
        frames.push(bytes);
        Ok(Some(frames.len() as u64 - 1))
    }
}

impl Ahead {
    fn get(&self, number: u64) -> Result<DataFrame, String> {
        let frames = self.frames.lock().unwrap();
        let bytes = frames.get(number as usize).ok_or("there is no such frame")?;
        read_frame(bytes).map_err(|error| error.to_string())
    }
}

/// The embedded engine, to which every task comes as bytes.
struct Travelled {
    engine: EmbeddedEngine,
    ahead: Ahead,
    access: Access,
    shared: Shared,
}

impl Engine for Travelled {
    fn slots(&self) -> usize {
        self.engine.slots()
    }
    fn max_attempts(&self) -> usize {
        self.engine.max_attempts()
    }
    fn submit(&self, tasks: Vec<Task>, events: Sender<TaskEvent>) -> Result<(), String> {
        let arrived = tasks.iter().map(|task| {
            let bytes = Encoder::new(&self.ahead, &|_| Vec::new()).encode(task)?;
            Ok(decode(&bytes, &self.access, &self.shared, &|number| self.ahead.get(number))?.task)
        });
        let arrived = arrived.collect::<Result<_, CodecError>>().map_err(|error| error.to_string())?;
        self.engine.submit(arrived, events)
    }
    fn cancel(&self, job: usize, only: Option<(usize, usize, usize)>) {
        self.engine.cancel(job, only);
    }
    fn open_shuffle(&self, shuffle: ShuffleId, events: Sender<TaskEvent>) {
        self.engine.open_shuffle(shuffle, events);
    }
    fn remove_shuffle(&self, shuffle: ShuffleId) {
        self.engine.remove_shuffle(shuffle);
    }
    fn remove_cache(&self, cache: CacheId) {
        self.engine.remove_cache(cache);
    }
    fn cached_partitions(&self, cache: CacheId) -> (usize, usize) {
        self.engine.cached_partitions(cache)
    }
    fn workers(&self) -> Vec<Worker> {
        self.engine.workers()
    }
    fn describe(&self) -> String {
        self.engine.describe()
    }
    fn set(&self, settings: crate::engine::Settings) -> Result<(), String> {
        self.engine.set(settings)
    }
}

fn travelled(inline: usize, directories: &[&Path]) -> Session {
    let directories: Vec<_> = directories.iter().map(|path| path.to_path_buf()).collect();
    Session::on(Arc::new(Travelled {
        engine: EmbeddedEngine::start(2, 1 << 30).unwrap(),
        ahead: Ahead { inline, ..Ahead::default() },
        access: Access::new(&directories, &directories).unwrap(),
        shared: Shared::default(),
    }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn tasks_that_travelled_give_the_same_rows(program in programs(), inline in prop_oneof![Just(0usize), Just(1 << 20)]) {
        let here = program.on(&Session::embedded(2).unwrap()).collect().unwrap();
        let there = travelled(inline, &[]);
        let dataset = program.on(&there);
        // Twice: the second time caches are filled.
        for _ in 0..2 {
            prop_assert_eq!(sorted(&dataset.collect().unwrap()), sorted(&here));
        }
        prop_assert_eq!(dataset.count().unwrap(), here.height() as u64);
    }
}

fn task(input: Input, output: Output) -> Task {
    Task {
        job: 1,
        stage: 2,
        partition: 3,
        attempt: 4,
        input: Arc::new(input),
        output,
        broadcasts: Arc::default(),
        queued: std::time::Instant::now(),
        cancelled: Arc::default(),
        excluded: vec![7],
    }
}

fn step(input: Input, step: Step) -> Input {
    Input::Step { input: Box::new(input), step: Arc::new(step) }
}

fn encode(task: &Task) -> Result<Vec<u8>, CodecError> {
    let ahead = Ahead { inline: 1 << 20, ..Ahead::default() };
    Encoder::new(&ahead, &|_| Vec::new()).encode(task)
}

fn no_blobs(_: u64) -> Result<DataFrame, String> {
    Err("there is none".to_owned())
}

#[test]
fn tasks_of_a_session_share_their_steps_but_for_those_that_hold_more_than_an_expression() {
    let shared = Shared::default();
    let arrived = |expr: &Expr| {
        let input = step(Input::Range { start: 0, end: 9 }, Step::Filter(expr.clone()));
        let bytes = encode(&task(input, Output::Collect)).unwrap();
        let decoded = decode(&bytes, &Access::default(), &shared, &no_blobs).unwrap();
        let Input::Step { step, .. } = &*decoded.task.input else { panic!("it was a step") };
        step.clone()
    };
    let shares = |expr: Expr| Arc::ptr_eq(&arrived(&expr), &arrived(&expr));
    assert!(shares(col("id").gt(lit(3)).and(col("id").cast(DataType::Int32).lt(lit(7)))));
    let categories = DataType::from_categories(Categories::global());
    assert!(!shares(col("id").cast(DataType::String).cast(categories).eq(lit("7"))));
    assert!(!shares(col("id").is_in(lit(Series::new("few".into(), [1i64, 2])), false)));
}

#[test]
fn where_shuffle_blocks_lie_travels_with_the_task_that_reads_them() {
    let source = ShuffleSource { address: "10.0.0.7:7079".into(), worker: 9, map_partitions: vec![0, 3] };
    let schema = Arc::new(Schema::from_iter([Field::new("a".into(), DataType::Int64)]));
    let input = Input::Shuffle { id: 5, partition: 1, maps: None, schema };
    let ahead = Ahead::default();
    let sources = |id| if id == 5 { vec![source.clone()] } else { Vec::new() };
    let bytes = Encoder::new(&ahead, &sources).encode(&task(input, Output::Collect)).unwrap();
    let arrived = decode(&bytes, &Access::default(), &Shared::default(), &no_blobs).unwrap();
    assert_eq!(arrived.sources, HashMap::from([(5, vec![source])]));
    let task = arrived.task;
    assert_eq!((task.job, task.stage, task.partition, task.attempt), (1, 2, 3, 4));
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
fn a_scan_inside_of_an_expression_is_checked_too() {
    let root = tempfile::tempdir().unwrap();
    let secret = root.path().join("secret.csv");
    std::fs::write(&secret, "a\n1\n").unwrap();
    let plan = LazyCsvReader::new(PlRefPath::new(secret.to_str().unwrap())).finish().unwrap().logical_plan;
    let hidden = Expr::SubPlan(polars_plan::dsl::SpecialEq::new(Arc::new(plan)), Vec::new());
    let places = [
        col("id").is_in(hidden.clone().implode(true), false),
        col("id").sum().over([hidden.clone()]).unwrap(),
        when(lit(true)).then(col("id")).otherwise(hidden.clone()),
    ];
    for expr in places {
        let bytes = encode(&task(step(Input::Range { start: 0, end: 3 }, Step::Filter(expr)), Output::Count));
        let refusal = decode(&bytes.unwrap(), &Access::default(), &Shared::default(), &no_blobs)
            .err()
            .unwrap()
            .to_string();
        assert!(refusal.contains("secret.csv"), "{refusal}");
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

#[test]
fn deep_expressions_travel_and_deeper_ones_are_errors_on_both_sides() {
    let deep = |depth: usize| (0..depth).fold(lit(0i64), |sum, _| sum + col("id"));
    let on_a_slot = |work: Box<dyn FnOnce() + Send>| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work).unwrap();
        thread.join().unwrap();
    };
    on_a_slot(Box::new(move || {
        let fine =
            task(step(Input::Range { start: 0, end: 3 }, Step::Select(vec![deep(1400)])), Output::Count);
        let bytes = encode(&fine).unwrap();
        decode(&bytes, &Access::default(), &Shared::default(), &no_blobs).unwrap();
        let absurd =
            task(step(Input::Range { start: 0, end: 3 }, Step::Select(vec![deep(20_000)])), Output::Count);
        let error = encode(&absurd).unwrap_err().to_string();
        assert!(error.contains("select") && error.contains("deep"), "{error}");
        // Dropping so deep an expression is Polars' own recursion.
        std::mem::forget(absurd);
    }));
    let joined = |depth: usize| {
        let join = Arc::new(crate::engine::task::JoinStep {
            left_on: vec![col("id")],
            right_on: vec![col("id")],
            how: JoinType::Semi,
        });
        (0..depth).fold(Input::Range { start: 0, end: 1 }, |left, _| Input::Join {
            left: Box::new(left),
            right: Box::new(Input::Range { start: 0, end: 1 }),
            join: join.clone(),
        })
    };
    assert!(
        decode(
            &encode(&task(joined(120), Output::Count)).unwrap(),
            &Access::default(),
            &Shared::default(),
            &no_blobs
        )
        .is_ok()
    );
    assert!(encode(&task(joined(1000), Output::Count)).is_err());
}

#[test]
fn a_plan_that_refers_to_frames_it_lacks_is_an_error() {
    let plan = DslPlan::DataFrameScan {
        df: Arc::new(df!("5" => [1i64]).unwrap().clear()),
        schema: Arc::new(Schema::from_iter([Field::new("5".into(), DataType::Int64)])),
    };
    let wire = plans_with(&plan);
    assert!(
        packed::from_bytes::<plans::WirePlan>(&wire)
            .unwrap()
            .into_plan(&Access::default(), &no_blobs)
            .is_err()
    );
}

/// A plan's bytes without the frames it speaks of.
fn plans_with(plan: &DslPlan) -> Vec<u8> {
    #[derive(Serialize)]
    struct Plan {
        plan: bytes::Bytes,
        frames: Vec<u8>,
    }
    packed::to_bytes(&Plan { plan: packed::to_bytes(plan).unwrap().into(), frames: Vec::new() }).unwrap()
}

/// A task with something of every kind in it.
fn rich() -> Task {
    let frame = df!("id" => [1i64, 2], "name" => ["a", "b"]).unwrap();
    let dataset = |lf: LazyFrame| lf.filter(col("id").gt(lit(0))).select([col("id"), col("name")]);
    let template = crate::plan::placeholder::Template::new(frame.schema(), dataset).unwrap();
    let input = step(Input::Frame(frame.clone()), Step::Map(Box::new(template)));
    let input = step(input, Step::Sort { by: vec![col("id")], descending: vec![true], nulls_last: false });
    let plan = Input::Plan(Box::new(frame.lazy().select([col("id"), col("name").str().to_uppercase()])));
    let schema = Arc::new(Schema::from_iter([
        Field::new("id".into(), DataType::Int64),
        Field::new("name".into(), DataType::String),
    ]));
    let input = Input::Concat { inputs: vec![input, plan], schema };
    let partitioner = Arc::new(Partitioner::Hash { keys: vec![col("id")], n: 3 });
    task(input, Output::Shuffle { id: 8, partitioner })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn garbage_is_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(decode(&bytes, &Access::default(), &Shared::default(), &no_blobs).is_err());
        // Sealed as if it were a task.
        prop_assert!(decode(&sealed(&bytes), &Access::default(), &Shared::default(), &no_blobs).is_err());
    }

    #[test]
    fn a_damaged_task_is_an_error_and_a_forged_one_never_more(
        at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in prop::option::of(any::<prop::sample::Index>())
    ) {
        static TASK: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| encode(&rich()).unwrap());
        let mut bytes = TASK.clone();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        prop_assert!(decode(&bytes, &Access::default(), &Shared::default(), &no_blobs).is_err());
        if bytes.len() > 12 {
            // With a checksum that fits it may be a task again; all that counts is to come back.
            let _ = decode(&sealed(&bytes[12..]), &Access::default(), &Shared::default(), &no_blobs);
        }
    }
}
