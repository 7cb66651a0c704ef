//! Any bytes in a CSV or Parquet file are rows or an error. A panic of Polars is an error too: a slot
//! catches it and fails the task. What may not happen is an abort, a hang, or other rows in more pieces.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use partita_engine::source::{CsvOptions, CsvSource, ParquetSource, Piece, ReadStats};
use polars::prelude::*;

/// Reads every piece as a slot does: on a thread that may use no other.
fn read(pieces: &[Piece]) -> PolarsResult<usize> {
    let stats = Arc::new(ReadStats::default());
    let mut rows = 0;
    for piece in pieces {
        rows += piece.scan(stats.clone())?.collect()?.height();
    }
    Ok(rows)
}

fn on_one_core(target: impl Fn(&Path) + Sync, file: &str, corpus: &str) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(file);
    std::thread::scope(|scope| {
        scope
            .spawn(|| {
                polars_async::executor::ALLOW_RAYON_THREADS.set(false);
                partita_fuzz::run(corpus, |bytes| {
                    std::fs::write(&path, bytes).unwrap();
                    target(&path);
                });
            })
            .join()
            .unwrap();
    });
}

#[test]
fn csv() {
    let rows = |path: &Path, pieces: usize| {
        let read = || {
            let source = CsvSource::open(path.to_str()?, &CsvOptions::default()).ok()?;
            read(&source.pieces(Some(pieces)).ok()?).ok()
        };
        catch_unwind(AssertUnwindSafe(read)).ok().flatten()
    };
    let target = |path: &Path| {
        if let (Some(whole), Some(cut)) = (rows(path, 1), rows(path, 3)) {
            assert_eq!(whole, cut, "rows in one piece and in three");
        }
    };
    on_one_core(target, "data.csv", "tests/corpus/csv");
}

#[test]
fn parquet() {
    let target = |path: &Path| {
        let _ = catch_unwind(AssertUnwindSafe(|| {
            let source = ParquetSource::open(path.to_str()?).ok()?;
            read(&source.pieces(Some(3))).ok()
        }));
    };
    on_one_core(target, "data.parquet", "tests/corpus/parquet");
}
