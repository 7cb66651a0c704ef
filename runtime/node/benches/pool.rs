//! Partita's half of `bench/pool.py`, which starts the pool and compares. It runs the queries of Spark's half
//! on a pool (`PARTITA_MASTER`) or on two slots of this process. It prints one JSON object: the milliseconds
//! of each measurement, as the median of warm runs, and the answers.
//!
//! `PARTITA_BENCH_TRIPS` is the directory of the trips. With `PARTITA_BENCH_ROWS` the benchmark only
//! generates them. With `PARTITA_BENCH_ONLY` only measurements run whose name contains its value; `gigabyte`
//! needs no trips.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use partita::experiment::Measurement;
use partita::prelude::*;

type Failure = Box<dyn std::error::Error>;

/// Times in milliseconds and answers, by name.
#[derive(Default, serde::Serialize)]
struct Figures {
    times: BTreeMap<String, f64>,
    answers: BTreeMap<String, serde_json::Value>,
}

/// The numbers of warm-up runs and measured runs.
#[derive(Clone, Copy)]
struct Runs(usize, usize);

impl Figures {
    fn measure<T>(
        &mut self,
        name: &str,
        runs: Runs,
        run: impl FnMut() -> partita::Result<T>,
    ) -> Result<Option<T>, Failure> {
        if std::env::var("PARTITA_BENCH_ONLY").is_ok_and(|only| !name.contains(&only)) {
            return Ok(None);
        }
        let (measured, answer) = Measurement::of(runs.0, runs.1, run)?;
        self.times.insert(name.into(), measured.median_ms());
        Ok(Some(answer))
    }
}

fn main() -> Result<(), Failure> {
    let Some(trips) = std::env::var_os("PARTITA_BENCH_TRIPS").map(PathBuf::from) else {
        // Started by Cargo among all benchmarks or tests; only `bench/pool.py` sets the directory.
        return Ok(());
    };
    if let Ok(rows) = std::env::var("PARTITA_BENCH_ROWS") {
        let spec = taxi::TripSpec { rows: rows.parse()?, seed: 7, files: 8, ..Default::default() };
        taxi::generate(spec)?.write_parquet(&trips)?;
        return Ok(());
    }
    let runs = std::env::var("BENCH_POOL_RUNS").unwrap_or_else(|_| "2,7".into());
    let (warmup, repeats) = runs.split_once(',').ok_or("BENCH_POOL_RUNS is WARMUP,REPEATS")?;
    let runs = Runs(warmup.parse()?, repeats.parse()?);
    let quick = if runs.0 >= 2 { Runs(5, 25) } else { runs };

    let mut figures = Figures::default();
    let began = Instant::now();
    let session = match std::env::var("PARTITA_MASTER") {
        Ok(master) => Session::connect(&master)?,
        Err(_) => Session::embedded(2)?,
    };
    if session.slots() != 2 {
        return Err(format!("the pool has {} slots, not two", session.slots()).into());
    }
    figures.times.insert("connect".into(), began.elapsed().as_secs_f64() * 1e3);
    session.range(0, 2, 2).count()?;
    figures.times.insert("connect and first answer".into(), began.elapsed().as_secs_f64() * 1e3);
    session.set_shuffle_partitions(2)?;

    if std::env::var("PARTITA_BENCH_ONLY").is_ok_and(|only| only == "gigabyte") {
        shuffle(&session, &mut figures, runs)?;
        println!("{}", serde_json::to_string(&figures)?);
        return Ok(());
    }
    let tasks = session.range(0, 1000, 1000).filter(col("id").lt(lit(0)));
    figures.measure("1,000 empty tasks", quick, || tasks.count())?;
    sweep(&session, &mut figures, quick)?;
    taxi(&session, &mut figures, runs, &trips)?;
    shuffle(&session, &mut figures, runs)?;
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

fn sweep(session: &Session, figures: &mut Figures, runs: Runs) -> Result<(), Failure> {
    let records = df!(
        "key" => (0..10_000i64).map(|i| i % 100).collect::<Vec<_>>(),
        "value" => (0..10_000i64).map(|i| i * i % 997).collect::<Vec<_>>(),
    )?;
    for n in [1, 2, 4, 8, 16] {
        let name = format!("10,000 records, {n} partition{}", if n > 1 { "s" } else { "" });
        let rows = session.frame(records.clone(), n).cache();
        rows.count()?;
        let sums = rows.filter(col("value").gt(lit(10))).group_by([col("key")]).agg([col("value").sum()]);
        let Some(answer) = figures.measure(&name, runs, || sums.collect())? else { continue };
        let sum: i64 = answer.column("value")?.i64()?.iter().flatten().sum();
        figures.answers.insert(name, sum.into());
    }
    Ok(())
}

fn taxi(
    session: &Session,
    figures: &mut Figures,
    runs: Runs,
    trips: &std::path::Path,
) -> Result<(), Failure> {
    let cell = |name: &str| (col(name) * lit(100.0)).floor().cast(DataType::Int32).alias(name);
    let queries = |rows: &Dataset| {
        let trips = || len().alias("trips");
        [
            (
                "peak hours",
                rows.group_by([col("pickup_at").dt().hour().alias("hour")])
                    .agg([trips(), col("distance_miles").mean()]),
            ),
            (
                "revenue by grid cell",
                rows.group_by([cell("pickup_lon"), cell("pickup_lat")])
                    .agg([col("total").sum().alias("revenue"), trips()]),
            ),
            (
                "tips by payment type",
                rows.filter(col("fare").gt(lit(0.0))).group_by([col("payment")]).agg([
                    (col("tip").sum() / col("fare").sum()).alias("tip_share"),
                    col("tip").mean().alias("tip"),
                    trips(),
                ]),
            ),
        ]
    };
    let files = session.read_parquet(trips.join("*.parquet"))?;
    let columns =
        ["pickup_at", "distance_miles", "pickup_lon", "pickup_lat", "total", "fare", "tip", "payment"]
            .map(col);
    let cached = files.select(columns).cache();
    cached.count()?;
    for (place, rows) in [("Parquet", &files), ("cached", &cached)] {
        for (query, dataset) in queries(rows) {
            let name = format!("{query}, {place}");
            let Some(answer) = figures.measure(&name, runs, || dataset.collect())? else { continue };
            let trips = answer.column("trips")?.cast(&DataType::Int64)?;
            let trips: i64 = trips.i64()?.iter().flatten().sum();
            figures.answers.insert(name, serde_json::json!([answer.height(), trips]));
        }
    }
    Ok(())
}

/// Shuffles a gigabyte of integers to other partitions; half of it changes workers.
fn shuffle(session: &Session, figures: &mut Figures, runs: Runs) -> Result<(), Failure> {
    let rows = 1i64 << 26;
    let spread = |n: usize| {
        let rows =
            session.range(0, rows, 8).select([col("id"), (col("id") * lit(2654435761i64)).alias("hash")]);
        match n {
            0 => rows,
            n => rows.repartition(n),
        }
    };
    let (made, moved) = (spread(0), spread(2));
    // Both measurements include the time to make the rows.
    let runs = Runs(1, runs.1.min(3));
    let filter = col("hash").eq(lit(-1));
    let (without, with) = (made.filter(filter.clone()), moved.filter(filter));
    figures.measure("the rows of a gigabyte, made", runs, || without.count())?;
    figures.measure("a gigabyte shuffled", runs, || with.count())?;
    Ok(())
}
