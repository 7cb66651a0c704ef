//! Compares the embedded engine with plain Polars in one run: three taxi queries over generated trips in
//! Parquet, the 10,000-record partition sweep, and the cost of a task.
//!
//! `PARTITA_BENCH_ROWS` sets the number of trips (10 million by default). They are generated once, in the
//! system's temporary directory, and reused.

use std::path::{Path, PathBuf};

use partita::experiment::Measurement;
use partita::prelude::*;

type Failure = Box<dyn std::error::Error>;

const WARMUP: usize = 2;
const REPEATS: usize = 7;

fn main() -> Result<(), Failure> {
    // Cargo runs benchmarks with arguments of its test harness when testing; there is nothing to test.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let rows = std::env::var("PARTITA_BENCH_ROWS").map_or(Ok(10_000_000), |rows| rows.parse())?;
    let trips = generated(rows)?;
    let session = Session::new()?;
    println!("{rows} trips in Parquet, {} slots; medians of {REPEATS} warm runs", session.slots());
    println!(
        "{:<28}{:>12}{:>16}{:>16}{:>10}",
        "query", "Partita ms", "in-memory ms", "streaming ms", "ratio"
    );
    for query in queries() {
        against_polars(&session, &trips, &query)?;
    }
    sweep_of_10_000(&session)?;
    empty_tasks(&session)
}

/// The trips' directory; generates them if they do not exist.
fn generated(rows: usize) -> Result<PathBuf, Failure> {
    let directory = std::env::temp_dir().join(format!("partita-bench-{rows}"));
    if !directory.join("complete").exists() {
        println!("generating {rows} trips into {}", directory.display());
        let spec = taxi::TripSpec { rows, seed: 7, files: 8, ..Default::default() };
        taxi::generate(spec)?.write_parquet(directory.join("trips"))?;
        std::fs::write(directory.join("complete"), "")?;
    }
    Ok(directory.join("trips"))
}

struct Query {
    name: &'static str,
    filter: Option<Expr>,
    keys: Vec<Expr>,
    aggs: Vec<Expr>,
}

fn queries() -> Vec<Query> {
    let cell = |name: &str| (col(name) * lit(100.0)).floor().cast(DataType::Int32).alias(name);
    vec![
        Query {
            name: "peak hours",
            filter: None,
            keys: vec![col("pickup_at").dt().hour().alias("hour")],
            aggs: vec![len().alias("trips"), col("distance_miles").mean()],
        },
        Query {
            name: "revenue by grid cell",
            filter: None,
            keys: vec![cell("pickup_lon"), cell("pickup_lat")],
            aggs: vec![col("total").sum().alias("revenue"), len().alias("trips")],
        },
        Query {
            name: "tips by payment type",
            filter: Some(col("fare").gt(lit(0.0))),
            keys: vec![col("payment")],
            aggs: vec![
                (col("tip").sum() / col("fare").sum()).alias("tip_share"),
                col("tip").mean().alias("tip"),
                len().alias("trips"),
            ],
        },
    ]
}

fn against_polars(session: &Session, trips: &Path, query: &Query) -> Result<(), Failure> {
    let files = trips.join("*.parquet");
    let lazy = || -> PolarsResult<LazyFrame> {
        let lf = LazyFrame::scan_parquet(PlRefPath::try_from_path(&files)?, ScanArgsParquet::default())?;
        let lf = query.filter.iter().fold(lf, |lf, filter| lf.filter(filter.clone()));
        Ok(lf.group_by(&query.keys).agg(&query.aggs))
    };
    let ours = || -> partita::Result<DataFrame> {
        let rows = session.read_parquet(&files)?;
        let rows = query.filter.iter().fold(rows, |rows, filter| rows.filter(filter.clone()));
        rows.group_by(&query.keys).agg(&query.aggs).collect()
    };
    let (partita, result) = Measurement::of(WARMUP, REPEATS, ours)?;
    let (memory, expected) =
        Measurement::of(WARMUP, REPEATS, || lazy()?.collect_with_engine(Engine::InMemory))?;
    let (streaming, _) = Measurement::of(WARMUP, REPEATS, || lazy()?.collect_with_engine(Engine::Streaming))?;
    assert_eq!(result.height(), expected.unwrap_single().height(), "{}: groups differ", query.name);
    let best = memory.median_ms().min(streaming.median_ms());
    println!(
        "{:<28}{:>12.1}{:>16.1}{:>16.1}{:>9.2}x",
        query.name,
        partita.median_ms(),
        memory.median_ms(),
        streaming.median_ms(),
        partita.median_ms() / best
    );
    Ok(())
}

fn sweep_of_10_000(session: &Session) -> Result<(), Failure> {
    let records = df!(
        "key" => (0..10_000i64).map(|i| i % 100).collect::<Vec<_>>(),
        "value" => (0..10_000i64).map(|i| i * i % 997).collect::<Vec<_>>(),
    )?;
    println!("\n10,000 records: filter, group_by 100 keys, sum (Polars: the same on one frame)");
    let query =
        |lf: LazyFrame| lf.filter(col("value").gt(lit(10))).group_by([col("key")]).agg([col("value").sum()]);
    let (polars, _) = Measurement::of(5, 25, || query(records.clone().lazy()).collect())?;
    println!("{:<28}{:>12.2} ms", "plain Polars", polars.median_ms());
    for n in [1, 2, 4, 8, 16] {
        let dataset = session.frame(records.clone(), n);
        let (partita, _) = Measurement::of(5, 25, || {
            dataset
                .filter(col("value").gt(lit(10)))
                .group_by([col("key")])
                .agg([col("value").sum()])
                .collect()
        })?;
        let ratio = partita.median_ms() / polars.median_ms();
        println!("{:<28}{:>12.2} ms{ratio:>10.2}x", format!("{n} partitions"), partita.median_ms());
    }
    Ok(())
}

fn empty_tasks(session: &Session) -> Result<(), Failure> {
    let tasks = session.range(0, 1000, 1000).filter(col("id").lt(lit(0)));
    let (partita, rows) = Measurement::of(5, 25, || tasks.count())?;
    println!("\n1,000 tasks of one row each, none kept ({rows}): {:.1} ms", partita.median_ms());
    Ok(())
}
