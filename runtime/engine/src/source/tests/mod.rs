//! Compares what pieces read with what Polars reads from the same files, or with the frame that was
//! written.

mod csv;
mod foreign;
mod parquet;
mod predicates;
mod pushdown;
mod split;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use polars::prelude::*;
use tempfile::TempDir;

use super::{Piece, ReadSnapshot, ReadStats};

/// Writes a Parquet file with statistics and row groups of `row_group` rows.
fn write_parquet(path: &Path, frame: &DataFrame, row_group: usize) {
    ParquetWriter::new(File::create(path).unwrap())
        .with_statistics(StatisticsOptions::full())
        .with_row_group_size(Some(row_group))
        .finish(&mut frame.clone())
        .unwrap();
}

/// A directory with one Parquet file.
fn parquet_of(frame: &DataFrame, row_group: usize) -> (TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data.parquet");
    write_parquet(&path, frame, row_group);
    (directory, path.to_str().unwrap().to_owned())
}

/// A directory with one file of this text.
fn file_of(name: &str, text: &str) -> (TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    (directory, path.to_str().unwrap().to_owned())
}

/// Runs `plan` over every piece as an engine's slots do, on a thread that may use no other, and stacks
/// the results.
fn collect(
    pieces: &[Piece],
    plan: impl Fn(LazyFrame) -> LazyFrame + Sync,
) -> PolarsResult<(DataFrame, ReadSnapshot)> {
    let stats = Arc::new(ReadStats::default());
    let frames: PolarsResult<Vec<DataFrame>> = std::thread::scope(|scope| {
        scope
            .spawn(|| {
                polars_async::executor::ALLOW_RAYON_THREADS.set(false);
                pieces.iter().map(|piece| plan(piece.scan(stats.clone())?).collect()).collect()
            })
            .join()
            .unwrap()
    });
    let mut frames = frames?.into_iter();
    let mut whole = frames.next().unwrap();
    for frame in frames {
        whole.vstack_mut(&frame)?;
    }
    Ok((whole, stats.snapshot()))
}
