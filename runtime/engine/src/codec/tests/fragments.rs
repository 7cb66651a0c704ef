//! Plans by parts: what comes back, and what is refused.

use polars::polars_utils::arena::{Arena, Node};
use polars::polars_utils::slice_enum::Slice;
use polars_plan::dsl::FileScanIR;
use polars_plan::plans::expr_ir::{ExprIR, OutputName};
use polars_plan::plans::{AExpr, IR, IRAggExpr, IRPlan};

use super::*;
use crate::execute::execute;
use crate::execute::stores::LocalStores;
use crate::memory::SpillDirectory;
use crate::source::ParquetSource;
use crate::task::TaskResult;

/// A step over two inputs.
type Plan = fn(LazyFrame, LazyFrame) -> LazyFrame;

fn left() -> DataFrame {
    df!(
        "id" => [5i64, 1, 4, 2, 3, 6],
        "k" => ["a", "b", "a", "c", "b", "a"],
        "v" => [Some(1.0), None, Some(3.0), Some(2.5), Some(0.5), Some(7.0)],
        "n" => [1i64, 2, 2, 3, 1, 1],
    )
    .unwrap()
}

fn right() -> DataFrame {
    df!("k" => ["a", "b", "d"], "w" => [10i64, 20, 40], "id" => [1i64, 3, 5]).unwrap()
}

fn columns<const N: usize>(names: [&str; N]) -> Selector {
    by_name(names, true, false)
}

fn ascending() -> SortMultipleOptions {
    SortMultipleOptions::default()
}

fn join(left: LazyFrame, right: LazyFrame, how: JoinType) -> LazyFrame {
    left.join(right, [col("k")], [col("k")], JoinArgs::new(how))
}

/// What comes out of a task.
fn rows_of(task: &Task) -> DataFrame {
    let spill = tempfile::tempdir().unwrap();
    let stores = LocalStores::new(1 << 20, SpillDirectory::new(spill.path().to_owned()));
    match execute(task, 0, &stores).unwrap().0 {
        TaskResult::Frame(frame) => frame,
        other => panic!("{other:?}"),
    }
}

/// The rows without their order.
fn sorted(frame: &DataFrame) -> DataFrame {
    let names = frame.schema().iter().filter(|(_, dtype)| !dtype.is_nested()).map(|(name, _)| name.clone());
    frame.sort(names.collect::<Vec<_>>(), ascending().with_maintain_order(true)).unwrap()
}

fn check(name: &str, plan: Plan) {
    let (left, right) = (left(), right());
    let expected = plan(left.clone().lazy(), right.clone().lazy()).collect().unwrap();
    let fragment = fragment([left.schema(), right.schema()], |[left, right]| plan(left, right));
    let schema = fragment.schema();
    let inputs = vec![Input::Frame(left), Input::Frame(right)];
    let sent = task(Input::Fragment { fragment: Arc::new(fragment), inputs }, Output::Collect);
    let arrived = arrive(&encode(&sent).unwrap_or_else(|error| panic!("{name}: {error}"))).unwrap();
    let Input::Fragment { fragment, .. } = &*arrived.input else { panic!("it was a plan") };
    assert_eq!(fragment.schema(), schema, "{name}");
    let rows = rows_of(&arrived);
    if name.starts_with("sort") {
        assert_eq!(rows, expected, "{name}");
    }
    assert!(sorted(&rows).equals_missing(&sorted(&expected)), "{name}: {rows} instead of {expected}");
}

#[test]
fn every_kind_of_step_comes_back_and_gives_the_rows_that_polars_gives() {
    let plans: [(&str, Plan); 25] = [
        ("filter", |lf, _| lf.filter(col("v").gt(lit(1.0)).and(col("k").neq(lit("c"))))),
        ("filter of all", |lf, _| lf.filter(lit(false))),
        ("select", |lf, _| lf.select([col("v") * lit(2.0), col("k").str().to_uppercase()])),
        ("select of fewer columns", |lf, _| lf.select([col("n"), col("k")])),
        ("aggregates", |lf, _| lf.select([col("v").mean(), col("n").n_unique(), len()])),
        ("with_columns", |lf, _| {
            lf.with_columns([when(col("n").gt(lit(1))).then(col("v")).otherwise(lit(0.0)).alias("x")])
        }),
        ("is_in", |lf, _| {
            lf.filter(col("k").is_in(lit(Series::new("".into(), ["a", "c"])).implode(true), false))
        }),
        ("window", |lf, _| {
            lf.with_columns([(col("v") / col("v").sum().over([col("k")]).unwrap()).alias("share")])
        }),
        ("cumulative", |lf, _| {
            lf.with_columns([col("n").cum_sum(false).alias("sum"), col("n").shift(lit(1)).alias("last")])
        }),
        ("row index", |lf, _| lf.with_row_index("i", Some(3))),
        ("group_by", |lf, _| {
            lf.group_by([col("k")]).agg([col("v").sum(), col("v").median().alias("m"), len()])
        }),
        ("group_by of a list", |lf, _| {
            lf.group_by_stable([col("k")]).agg([col("id")]).select([col("k"), col("id").list().len()])
        }),
        ("distinct", |lf, _| lf.select([col("k"), col("n")]).unique(None, UniqueKeepStrategy::Any)),
        ("sort", |lf, _| lf.sort(["n", "id"], ascending())),
        ("sort, limit", |lf, _| lf.sort(["id"], ascending().with_order_descending(true)).limit(3)),
        ("slice", |lf, _| lf.sort(["id"], ascending()).slice(-3, 2)),
        ("limit", |lf, _| lf.limit(4).filter(col("n").eq(lit(2)))),
        ("limit of nothing", |lf, other| {
            concat([lf.clone().limit(0), lf], UnionArgs::default()).unwrap().semi_join(
                other,
                col("k"),
                col("k"),
            )
        }),
        ("union", |lf, _| {
            concat([lf.clone(), lf.clone().filter(col("n").eq(lit(1))), lf], UnionArgs::default()).unwrap()
        }),
        ("hconcat", |lf, other| {
            concat_lf_horizontal([lf, other.select([col("w")])], HConcatOptions::default()).unwrap()
        }),
        ("explode", |lf, _| {
            let both = concat_list([col("id"), col("n")]).unwrap().alias("both");
            let options = ExplodeOptions { empty_as_null: true, keep_nulls: true };
            lf.select([col("k"), both]).explode(columns(["both"]), options)
        }),
        ("unpivot", |lf, _| {
            let (on, index) = (Some(columns(["id", "n"])), columns(["k"]));
            lf.unpivot(UnpivotArgsDSL { on, index, variable_name: None, value_name: None })
        }),
        ("unnest", |lf, _| {
            lf.select([as_struct(vec![col("id"), col("v")]).alias("s"), col("k")])
                .unnest(columns(["s"]), None)
        }),
        ("group_by_dynamic", |lf, _| {
            let every = Duration::parse("2i");
            let options = DynamicGroupOptions {
                every,
                period: every,
                offset: Duration::parse("0i"),
                ..Default::default()
            };
            lf.sort(["id"], ascending()).group_by_dynamic(col("id"), [], options).agg([col("v").sum()])
        }),
        ("rolling", |lf, _| {
            let (period, offset) = (Duration::parse("3i"), Duration::parse("-3i"));
            let options = RollingGroupOptions {
                period,
                offset,
                closed_window: ClosedWindow::Right,
                index_column: "".into(),
            };
            lf.sort(["id"], ascending()).rolling(col("id"), [], options).agg([col("n").sum()])
        }),
    ];
    for (name, plan) in plans {
        check(name, plan);
    }
}

#[test]
fn every_kind_of_join_comes_back_and_gives_the_rows_that_polars_gives() {
    let plans: [(&str, Plan); 11] = [
        ("inner", |lf, other| join(lf, other, JoinType::Inner)),
        ("left", |lf, other| join(lf, other, JoinType::Left)),
        ("right", |lf, other| join(lf, other, JoinType::Right)),
        ("full", |lf, other| join(lf, other, JoinType::Full)),
        ("semi", |lf, other| join(lf, other, JoinType::Semi)),
        ("anti", |lf, other| join(lf, other, JoinType::Anti)),
        ("cross", |lf, other| lf.cross_join(other, None)),
        ("with itself", |lf, _| {
            join(lf.clone(), lf.group_by([col("k")]).agg([col("v").max().alias("most")]), JoinType::Inner)
        }),
        ("by an inequality", |lf, other| {
            lf.join_builder()
                .with(other)
                .join_where(vec![(col("n") * lit(10)).lt(col("w")), col("v").gt(lit(0.6))])
        }),
        ("asof", |lf, other| {
            let options = AsOfOptions { allow_eq: true, ..AsOfOptions::default() };
            let args = JoinArgs::new(JoinType::AsOf(Box::new(options)));
            let (left, right) = (lf.sort(["id"], ascending()), other.sort(["id"], ascending()));
            left.join(right, [col("id")], [col("id")], args)
        }),
        ("merge of sorted rows", |lf, other| {
            let ids = |lf: LazyFrame| lf.select([col("id")]).sort(["id"], ascending());
            ids(lf).merge_sorted(ids(other), ["id"], true).unwrap()
        }),
    ];
    for (name, plan) in plans {
        check(name, plan);
    }
}

#[test]
fn what_a_plan_requests_of_a_file_travels_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.parquet");
    ParquetWriter::new(std::fs::File::create(&path).unwrap()).finish(&mut left()).unwrap();
    let source = ParquetSource::open(path.to_str().unwrap()).unwrap();
    let piece = Arc::new(source.pieces(None).remove(0));
    let query = |lf: LazyFrame| lf.filter(col("n").lt(lit(3))).select([col("v"), col("k")]);
    let mut plan = query(piece.scan(Arc::default()).unwrap()).to_alp_optimized().unwrap();
    let hole = Arc::new(Hole::new());
    for node in (0..plan.lp_arena.len()).map(Node) {
        if let IR::Scan { scan_type, unified_scan_args, .. } = plan.lp_arena.get_mut(node)
            && let FileScanIR::Anonymous { function, .. } = &mut **scan_type
        {
            *function = hole.clone();
            unified_scan_args.pre_slice = Some(Slice::Positive { offset: 0, len: 5 });
        }
    }
    let fragment = Fragment::new(plan.lp_top, &plan.lp_arena, &plan.expr_arena, &[hole.number()]);
    let input = Input::Fragment { fragment: Arc::new(fragment), inputs: vec![Input::Piece(piece)] };
    let access = Access::new(&[directory.path().to_owned()], &[]).unwrap();
    let bytes = encode(&task(input, Output::Collect)).unwrap();
    let arrived = decode(&bytes, &access, &Shared::default(), &no_blobs).unwrap().task;
    let Input::Fragment { fragment, .. } = &*arrived.input else { panic!("it was a plan") };
    let scan = fragment.plan().lp_arena.get(fragment.holes()[0].0);
    let IR::Scan { predicate: Some(_), output_schema: Some(columns), .. } = scan else { panic!("{scan:?}") };
    assert_eq!(columns.len(), 3, "two that are selected, and one that is compared");
    assert_eq!(rows_of(&arrived), query(left().head(Some(5)).lazy()).collect().unwrap());
}

#[test]
fn closures_are_named_before_they_are_sent() {
    let closure = |build: fn(LazyFrame) -> LazyFrame| {
        encode(&task(over_range(build), Output::Collect)).unwrap_err().to_string()
    };
    let mapped = closure(|lf| {
        let mapped = col("id").map(Ok, |_, field| Ok(field.clone()));
        lf.select([(mapped + lit(1)).alias("mapped")])
    });
    assert!(mapped.contains("col(\"id\")") && mapped.contains("calls a closure"), "{mapped}");
    let folded = closure(|lf| {
        let callback = PlanCallback::new(|(one, other): (Series, Series)| &one + &other);
        lf.select([reduce_exprs(callback, [col("id"), col("id")], false, None).alias("sum")])
    });
    assert!(folded.contains("calls a closure"), "{folded}");
    let whole = closure(|lf| lf.map(Ok, OptFlags::default(), None, Some("thorough")));
    assert!(whole.contains("map(…) of a whole frame (thorough) calls a closure"), "{whole}");
    let schema = Arc::new(Schema::from_iter([Field::new("id".into(), DataType::Int64)]));
    let applied = over_range(|lf| lf.group_by([col("id")]).apply(PlanCallback::new(Ok), schema));
    let applied = encode(&task(applied, Output::Collect)).unwrap_err().to_string();
    assert!(applied.contains("group_by(…).apply(…) calls a closure"), "{applied}");
}

/// A plan that selects a sum of `depth` columns, under this many more steps.
fn deep(depth: usize, steps: usize) -> Input {
    let schema = Arc::new(Schema::from_iter([Field::new("id".into(), DataType::Int64)]));
    let hole = Arc::new(Hole::new());
    let (mut nodes, mut exprs) = (Arena::new(), Arena::new());
    let mut sum = exprs.add(AExpr::Column("id".into()));
    for _ in 0..depth {
        let right = exprs.add(AExpr::Column("id".into()));
        sum = exprs.add(AExpr::BinaryExpr { left: sum, op: Operator::Plus, right });
    }
    let mut top = nodes.add(hole.node(&schema));
    for _ in 0..=steps {
        let expr = vec![ExprIR::new(sum, OutputName::Alias("id".into()))];
        top = nodes.add(IR::Select { input: top, expr, schema: schema.clone(), options: Default::default() });
        sum = exprs.add(AExpr::Column("id".into()));
    }
    let fragment = Fragment::new(top, &nodes, &exprs, &[hole.number()]);
    Input::Fragment { fragment: Arc::new(fragment), inputs: vec![Input::Range { start: 1, end: 3 }] }
}

#[test]
fn deep_plans_run_and_deeper_ones_are_errors() {
    on_a_slot(|| {
        for (depth, steps, least) in [(1400, 0, 1401i64), (1, 9000, 2)] {
            let bytes = encode(&task(deep(depth, steps), Output::Collect)).unwrap();
            let rows = rows_of(&arrive(&bytes).unwrap());
            assert_eq!(rows, df!("id" => [least, 2 * least]).unwrap());
        }
        let error = encode(&task(deep(20_000, 0), Output::Count)).unwrap_err().to_string();
        assert!(error.contains("select") && error.contains("1500 deep"), "{error}");
        let error = encode(&task(deep(1, 20_000), Output::Count)).unwrap_err().to_string();
        assert!(error.contains("10000 deep"), "{error}");
    });
}

/// What a plan of these nodes is to the decoder.
fn forged(nodes: Vec<IR>, exprs: Vec<AExpr>) -> String {
    #[derive(Serialize)]
    struct Forged {
        nodes: Vec<IR>,
        exprs: Vec<AExpr>,
        holes: Vec<()>,
    }
    let bytes = packed::to_bytes(&Forged { nodes, exprs, holes: Vec::new() }).unwrap();
    match crate::codec::fragments::decode(&bytes) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn no_rows() -> IR {
    let (df, schema) = (right().clear(), right().schema().clone());
    IR::DataFrameScan { df: Arc::new(df), schema, output_schema: None }
}

#[test]
fn references_in_circles_and_to_nothing_are_errors() {
    let filter = |input: usize, expr: usize| IR::Filter {
        input: Node(input),
        predicate: ExprIR::new(Node(expr), OutputName::Alias("x".into())),
    };
    let column = || AExpr::Column("w".into());
    let sum = |input: usize| AExpr::Agg(IRAggExpr::Sum(Node(input)));
    assert_eq!(forged(vec![no_rows(), filter(0, 1)], vec![column(), sum(0)]), "accepted");
    for (nodes, exprs) in [
        (vec![], vec![]),
        (vec![no_rows(), filter(1, 0)], vec![column()]),
        (vec![filter(1, 0), no_rows()], vec![column()]),
        (vec![no_rows(), filter(7, 0)], vec![column()]),
        (vec![no_rows(), filter(0, 7)], vec![column()]),
        (vec![no_rows(), filter(0, 0)], vec![sum(0)]),
        (vec![no_rows(), filter(0, 0)], vec![sum(1), column()]),
        (vec![no_rows(), filter(0, 0)], vec![sum(usize::MAX)]),
        (vec![no_rows(), filter(0, 0), filter(0, 1)], vec![column(), column()]),
        (vec![no_rows(), filter(0, 0), filter(1, 0)], vec![column()]),
        (vec![IR::Invalid], vec![]),
        (vec![IR::Union { inputs: Vec::new(), options: Default::default() }], vec![]),
    ] {
        let error = forged(nodes, exprs);
        assert!(error.contains("damaged"), "{error}");
    }
}

#[test]
fn files_frames_and_code_of_a_peer_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("secret.csv");
    std::fs::write(&secret, "a\n1\n").unwrap();
    let nodes_of = |lf: LazyFrame| {
        let IRPlan { lp_arena, expr_arena, .. } = lf.with_comm_subplan_elim(false).to_alp().unwrap();
        let nodes = (0..lp_arena.len()).map(|at| lp_arena.get(Node(at)).clone()).collect();
        (nodes, (0..expr_arena.len()).map(|at| expr_arena.get(Node(at)).clone()).collect())
    };
    let scan = || LazyCsvReader::new(PlRefPath::new(secret.to_str().unwrap())).finish().unwrap();
    let none = || right().clear().lazy();
    for (plan, refusal) in [
        (scan(), "a scan inside of a plan"),
        (right().lazy(), "a frame inside of a plan"),
        (none().cache(), "a cache inside of a plan"),
        (none().with_context([none().select([col("w").alias("x")])]), "with_context"),
    ] {
        let (nodes, exprs) = nodes_of(plan);
        let error = forged(nodes, exprs);
        assert!(error.contains(refusal), "{error}");
    }
}

#[test]
fn a_plan_that_reads_more_inputs_than_its_task_has_is_an_error() {
    let Input::Fragment { fragment, .. } = over_range(|lf| lf.with_row_index("i", None)) else {
        unreachable!()
    };
    let input = Input::Fragment { fragment, inputs: Vec::new() };
    let error = arrive(&encode(&task(input, Output::Collect)).unwrap()).err().unwrap().to_string();
    assert!(error.contains("an input that it lacks"), "{error}");
}
