//! The description of what reaches a scan.

use std::sync::Arc;

use polars::prelude::*;

use super::parquet_of;
use crate::source::{ParquetSource, ReadStats, pushed_down};

fn scan() -> (tempfile::TempDir, LazyFrame, Arc<ReadStats>) {
    let frame = df!("a" => [1i64, 2], "b" => [1.0, 2.0], "c" => ["x", "y"]).unwrap();
    let (directory, path) = parquet_of(&frame, 1);
    let stats = Arc::new(ReadStats::default());
    let lazy = ParquetSource::open(&path).unwrap().pieces(Some(1))[0].scan(stats.clone()).unwrap();
    (directory, lazy, stats)
}

#[test]
fn columns_and_predicate_are_named_without_reading() {
    let (_directory, lazy, stats) = scan();
    let found = pushed_down(&lazy.filter(col("b").gt(lit(1.5))).select([col("a")])).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].columns, ["a", "b"]);
    let text = found[0].to_string();
    assert_eq!(text, "PARQUET PIECE: reads 2 of 3 columns (a, b); keeps rows with col(\"b\") > 1.5");
    assert_eq!(stats.snapshot().bytes_read, 0);
}

#[test]
fn a_limit_is_named_and_a_plain_scan_says_so() {
    let (_directory, lazy, _) = scan();
    assert_eq!(pushed_down(&lazy).unwrap()[0].to_string(), "PARQUET PIECE: reads 3 of 3 columns");
    let limited = pushed_down(&lazy.limit(1)).unwrap();
    assert_eq!(limited[0].to_string(), "PARQUET PIECE: reads 3 of 3 columns; reads at most 1 rows");
}
