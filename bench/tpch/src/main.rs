//! Runs TPC-H's queries on one engine, writes their answers as Parquet and their times as JSON. `bench/tpch.py`
//! starts it once per engine and compares the answers.

mod engine;
mod report;
mod session;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Args, Parser, Subcommand};
use partita_tpch::COUNT;

use engine::{Engine, EngineName, Form};
use report::Report;

#[derive(Parser)]
#[command(about, version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run queries on one engine: once for the answer, then as often as it says for the time.
    Run(Run),
}

#[derive(Args)]
struct Run {
    /// Directory of the tables' Parquet files.
    #[arg(long)]
    data: PathBuf,
    /// What runs the queries. Polars uses as many threads as POLARS_MAX_THREADS says; `pool` connects to PARTITA_MASTER.
    #[arg(long, value_enum)]
    engine: EngineName,
    /// How the queries are written.
    #[arg(long, value_enum, default_value = "lazy")]
    form: Form,
    /// Their numbers, such as 1,3 [default: all]
    #[arg(long, value_delimiter = ',')]
    queries: Vec<usize>,
    /// Measured runs of each query.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Directory for the answers: q01.parquet and so on.
    #[arg(long)]
    answers: PathBuf,
    /// File for the times. It is written after each query.
    #[arg(long)]
    json: PathBuf,
}

fn main() -> Result<()> {
    let Command::Run(run) = Cli::parse().command;
    let queries = numbers(&run.queries)?;
    std::fs::create_dir_all(&run.answers).with_context(|| run.answers.display().to_string())?;
    let data = absolute(&run.data)?;
    let mut engine = Engine::start(run.engine, run.form, &data)?;
    let mut report = Report::default();
    for number in queries {
        report.add(number, &mut engine, run.runs, &run.answers);
        report.write(&run.json)?;
    }
    Ok(())
}

/// The queries to run, in order.
fn numbers(asked: &[usize]) -> Result<BTreeSet<usize>> {
    if asked.is_empty() {
        return Ok((1..=COUNT).collect());
    }
    for number in asked {
        ensure!((1..=COUNT).contains(number), "there is no query {number}; they are 1 to {COUNT}");
    }
    Ok(asked.iter().copied().collect())
}

/// Workers of a pool have other working directories.
fn absolute(directory: &Path) -> Result<PathBuf> {
    directory.canonicalize().with_context(|| directory.display().to_string())
}
