use std::sync::Arc;

use partita_events::{JobId, PartitionId, StageId, WorkerId};
use polars::prelude::*;
use polars_plan::dsl::DslPlan;
use proptest::prelude::*;

use super::*;
use crate::execute::slots::STACK_BYTES;
use crate::shuffle::Partitioner;
use crate::task::{Input, Output, Step};

/// Sends every frame inside its task.
struct Inline;

impl Blobs for Inline {
    fn put(&self, _frame: &DataFrame) -> Result<Option<u64>, BlobError> {
        Ok(None)
    }
}

fn task(input: Input, output: Output) -> Task {
    Task {
        job: JobId(1),
        stage: StageId(2),
        partition: PartitionId(3),
        attempt: 4,
        input: Arc::new(input),
        output,
        broadcasts: Arc::default(),
        queued: std::time::Instant::now(),
        cancelled: Arc::default(),
        excluded: vec![WorkerId(7)],
    }
}

fn step(input: Input, step: Step) -> Input {
    Input::Step { input: Box::new(input), step: Arc::new(step) }
}

fn encode(task: &Task) -> Result<Vec<u8>, CodecError> {
    Encoder::new(&Inline, &|_| Vec::new()).encode(task)
}

fn no_blobs(_: u64) -> Result<DataFrame, BlobError> {
    Err(BlobError::NotReceived("there is none".to_owned()))
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
    let source =
        ShuffleSource { address: "10.0.0.7:7079".into(), worker: WorkerId(9), map_partitions: vec![0, 3] };
    let schema = Arc::new(Schema::from_iter([Field::new("a".into(), DataType::Int64)]));
    let input = Input::Shuffle { id: ShuffleId(5), partition: 1, maps: None, schema };
    let sources = |id| if id == 5 { vec![source.clone()] } else { Vec::new() };
    let bytes = Encoder::new(&Inline, &sources).encode(&task(input, Output::Collect)).unwrap();
    let arrived = decode(&bytes, &Access::default(), &Shared::default(), &no_blobs).unwrap();
    assert_eq!(arrived.sources, HashMap::from([(ShuffleId(5), vec![source])]));
    let task = arrived.task;
    assert_eq!((task.job.0, task.stage.0, task.partition.0, task.attempt), (1, 2, 3, 4));
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
        // Dropping such a deep expression would recurse in Polars.
        std::mem::forget(absurd);
    }));
    let joined = |depth: usize| {
        let join = Arc::new(crate::task::JoinStep {
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

/// The bytes of a plan without its frames.
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
    let template = crate::task::template::Template::new(frame.schema(), dataset).unwrap();
    let input = step(Input::Frame(frame.clone()), Step::Map(Box::new(template)));
    let input = step(input, Step::Sort { by: vec![col("id")], descending: vec![true], nulls_last: false });
    let plan = Input::Plan(Box::new(frame.lazy().select([col("id"), col("name").str().to_uppercase()])));
    let schema = Arc::new(Schema::from_iter([
        Field::new("id".into(), DataType::Int64),
        Field::new("name".into(), DataType::String),
    ]));
    let input = Input::Concat { inputs: vec![input, plan], schema };
    let partitioner = Arc::new(Partitioner::Hash { keys: vec![col("id")], n: 3 });
    task(input, Output::Shuffle { id: ShuffleId(8), partitioner })
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
            // With a matching checksum it may be a valid task again. It only has to return.
            let _ = decode(&sealed(&bytes[12..]), &Access::default(), &Shared::default(), &no_blobs);
        }
    }
}
