mod fragments;

use std::sync::Arc;

use partita_events::{JobId, PartitionId, StageId, WorkerId};
use polars::prelude::*;
use polars_plan::dsl::DslPlan;
use proptest::prelude::*;

use super::*;
use crate::execute::slots::STACK_BYTES;
use crate::shuffle::Partitioner;
use crate::task::fragment::{Fragment, Hole};
use crate::task::{Input, Output};

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

/// A plan over inputs with these columns, as the planner makes it.
fn fragment<const N: usize>(
    schemas: [&SchemaRef; N],
    build: impl FnOnce([LazyFrame; N]) -> LazyFrame,
) -> Fragment {
    let holes = schemas.map(|_| Arc::new(Hole::new()));
    let scans = std::array::from_fn(|at| holes[at].scan(schemas[at]));
    let plan = build(scans).with_comm_subplan_elim(false).to_alp_optimized().unwrap();
    let numbers: Vec<u64> = holes.iter().map(|hole| hole.number()).collect();
    Fragment::new(plan.lp_top, &plan.lp_arena, &plan.expr_arena, &numbers)
}

/// A plan over the numbers from 0 to 8.
fn over_range(build: impl FnOnce(LazyFrame) -> LazyFrame) -> Input {
    let schema = Arc::new(Schema::from_iter([Field::new("id".into(), DataType::Int64)]));
    let fragment = Arc::new(fragment([&schema], |[rows]| build(rows)));
    Input::Fragment { fragment, inputs: vec![Input::Range { start: 0, end: 9 }] }
}

fn encode(task: &Task) -> Result<Vec<u8>, CodecError> {
    Encoder::new(&Inline, &|_| Vec::new()).encode(task)
}

fn no_blobs(_: u64) -> Result<DataFrame, BlobError> {
    Err(BlobError::NotReceived("there is none".to_owned()))
}

/// Runs on a thread with a slot's stack.
fn on_a_slot(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work).unwrap();
    thread.join().unwrap();
}

/// Bytes from a peer, decoded without files and frames.
fn arrive(bytes: &[u8]) -> Result<Task, CodecError> {
    decode(bytes, &Access::default(), &Shared::default(), &no_blobs).map(|decoded| decoded.task)
}

#[test]
fn tasks_of_a_session_share_their_plan_unless_it_holds_more_than_steps() {
    let shared = Shared::default();
    let arrived = |expr: &Expr| {
        // The plans have nothing in common but what they do.
        let input = over_range(|rows| rows.filter(expr.clone()));
        let bytes = encode(&task(input, Output::Collect)).unwrap();
        let decoded = decode(&bytes, &Access::default(), &shared, &no_blobs).unwrap();
        let Input::Fragment { fragment, .. } = &*decoded.task.input else { panic!("it was a plan") };
        fragment.clone()
    };
    let shares = |expr: Expr| Arc::ptr_eq(&arrived(&expr), &arrived(&expr));
    assert!(shares(col("id").gt(lit(3)).and(col("id").cast(DataType::Int32).lt(lit(7)))));
    let categories = DataType::from_categories(Categories::global());
    assert!(!shares(col("id").cast(DataType::String).cast(categories).eq(lit("7"))));
    assert!(!shares(col("id").is_in(lit(Series::new("few".into(), [1i64, 2])), false)));
    assert!(!shares(col("id").is_in(lit(Series::new("few".into(), [1i64, 2])).implode(true), false)));
}

#[test]
fn equal_plans_have_equal_bytes() {
    let bytes = || {
        let input =
            over_range(|rows| rows.sort(["id"], SortMultipleOptions::default()).select([col("id") * lit(2)]));
        encode(&task(input, Output::Collect)).unwrap()
    };
    assert_eq!(bytes(), bytes());
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
    let rows = || df!("id" => [1i64]).unwrap().lazy();
    let places = [
        col("id").is_in(hidden.clone().implode(true), false),
        col("id").sum().over([hidden.clone()]).unwrap(),
        when(lit(true)).then(col("id")).otherwise(hidden.clone()),
    ];
    for expr in places {
        let input = || Input::Range { start: 0, end: 3 };
        let partitioner = Arc::new(Partitioner::Hash { keys: vec![expr.clone()], n: 2 });
        for task in [
            task(input(), Output::Sample { by: vec![expr.clone()], rows: 1 }),
            task(input(), Output::Shuffle { id: ShuffleId(1), partitioner }),
            task(Input::Plan(Box::new(rows().filter(expr))), Output::Count),
        ] {
            let refusal = arrive(&encode(&task).unwrap()).err().unwrap().to_string();
            assert!(refusal.contains("secret.csv"), "{refusal}");
        }
    }
}

#[test]
fn deep_expressions_travel_and_deeper_ones_are_errors_on_both_sides() {
    let deep = |depth: usize| (0..depth).fold(lit(0i64), |sum, _| sum + col("id"));
    on_a_slot(move || {
        let sample = |by| task(Input::Range { start: 0, end: 3 }, Output::Sample { by: vec![by], rows: 1 });
        arrive(&encode(&sample(deep(1400))).unwrap()).unwrap();
        let absurd = sample(deep(20_000));
        let error = encode(&absurd).unwrap_err().to_string();
        assert!(error.contains("a sort") && error.contains("deep"), "{error}");
        // Dropping such a deep expression would recurse in Polars.
        std::mem::forget(absurd);
    });
}

#[test]
fn deeply_nested_inputs_are_errors_on_both_sides() {
    let schema = Arc::new(Schema::from_iter([Field::new("id".into(), DataType::Int64)]));
    let nested = |depth: usize| {
        let start = Input::Range { start: 0, end: 1 };
        (0..depth).fold(start, |input, _| Input::Concat { inputs: vec![input], schema: schema.clone() })
    };
    arrive(&encode(&task(nested(120), Output::Count)).unwrap()).unwrap();
    assert!(encode(&task(nested(1000), Output::Count)).is_err());
}

#[test]
fn a_plan_that_refers_to_frames_it_lacks_is_an_error() {
    let plan = DslPlan::DataFrameScan {
        df: Arc::new(df!("5" => [1i64]).unwrap().clear()),
        schema: Arc::new(Schema::from_iter([Field::new("5".into(), DataType::Int64)])),
    };
    let wire = plans_with(&plan);
    assert!(
        packed::from_bytes::<plans::WirePlan>(&wire).unwrap().open(&Access::default(), &no_blobs).is_err()
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
    let steps = fragment([frame.schema(), frame.schema()], |[rows, other]| {
        let windows = [col("id").sum().over([col("name")]).unwrap().alias("sum")];
        let options = SortMultipleOptions::default().with_order_descending(true);
        let joined =
            rows.filter(col("id").gt(lit(0))).with_columns(windows).inner_join(other, col("id"), col("id"));
        joined
            .group_by([col("id"), col("name")])
            .agg([col("sum").max()])
            .sort(["id"], options)
            .limit(9)
            .select([col("id"), col("name")])
    });
    let inputs = vec![Input::Frame(frame.clone()), Input::Frame(frame.clone())];
    let input = Input::Fragment { fragment: Arc::new(steps), inputs };
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
        prop_assert!(arrive(&bytes).is_err());
        // Sealed as if it were a task.
        prop_assert!(arrive(&sealed(&bytes)).is_err());
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
        prop_assert!(arrive(&bytes).is_err());
        if bytes.len() > 12 {
            // With a matching checksum it may be a valid task again. It only has to return.
            let _ = arrive(&sealed(&bytes[12..]));
        }
    }
}
