use std::collections::BTreeMap;
use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use polars::prelude::{DataFrame, ParquetWriter};
use serde::Serialize;

use crate::engine::Engine;

/// What became of each query.
#[derive(Default, Serialize)]
pub struct Report {
    queries: BTreeMap<usize, Outcome>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    Ran {
        /// Milliseconds of the measured runs, from the LazyFrame or text to the rows.
        milliseconds: Vec<f64>,
        #[serde(flatten, skip_serializing_if = "Option::is_none")]
        moved: Option<Bytes>,
    },
    Failed {
        error: String,
    },
}

#[derive(Serialize)]
struct Bytes {
    bytes_read: u64,
    bytes_shuffled: u64,
}

impl Report {
    /// Runs a query once for its answer, which also warms it up, and then `runs` times.
    pub fn add(&mut self, number: usize, engine: &mut Engine, runs: usize, answers: &Path) {
        let outcome = catch_unwind(AssertUnwindSafe(|| measure(number, engine, runs, answers)))
            .unwrap_or_else(|panic| Err(anyhow!("panicked: {}", text(&*panic))))
            .unwrap_or_else(|error| Outcome::Failed { error: format!("{error:#}") });
        self.queries.insert(number, outcome);
    }

    /// Writes the report so far. Whoever reads the file meanwhile finds a whole one.
    pub fn write(&self, path: &Path) -> Result<()> {
        let beside = path.with_extension("part");
        fs::write(&beside, serde_json::to_vec_pretty(self)?).with_context(|| beside.display().to_string())?;
        fs::rename(&beside, path).with_context(|| path.display().to_string())
    }
}

fn measure(number: usize, engine: &mut Engine, runs: usize, answers: &Path) -> Result<Outcome> {
    let answer = engine.run(number)?;
    save(answer, &answers.join(format!("q{number:02}.parquet")))?;
    let mut milliseconds = Vec::with_capacity(runs);
    for _ in 0..runs {
        let began = Instant::now();
        engine.run(number)?;
        milliseconds.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let moved = engine.moved().map(|moved| Bytes { bytes_read: moved.read, bytes_shuffled: moved.shuffled });
    Ok(Outcome::Ran { milliseconds, moved })
}

fn save(mut answer: DataFrame, path: &Path) -> Result<()> {
    let file = File::create(path).with_context(|| path.display().to_string())?;
    ParquetWriter::new(file).finish(&mut answer)?;
    Ok(())
}

fn text(panic: &(dyn std::any::Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}
