//! Files written by another library (Apache Arrow C++), with other statistics, pages and timestamps than
//! Polars writes, and with nulls, NaN and a dictionary.

use std::path::Path;

use polars::prelude::*;

use super::collect;
use crate::source::ParquetSource;

fn path(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/source/tests/files")
        .join(name)
        .to_str()
        .unwrap()
        .to_owned()
}

#[test]
fn files_of_another_writer_filter_as_polars_does() {
    let predicates = [
        lit(true),
        col("number").gt_eq(lit(40)),
        col("number").lt(lit(0)),
        col("ratio").gt(lit(14.0)),
        col("ratio").lt(lit(2.0)),
        col("ratio").is_nan(),
        col("ratio").is_null(),
        col("name").eq(lit("c3")),
        col("name").lt(lit("b")),
        col("when").dt().day().eq(lit(2)),
        col("legacy").gt(lit("2024-02-20").str().to_datetime(
            Some(TimeUnit::Nanoseconds),
            None,
            StrptimeOptions { format: Some("%Y-%m-%d".into()), ..Default::default() },
            lit("raise"),
        )),
        col("items").is_not_null().and(col("number").eq(lit(33))),
    ];
    for name in ["arrow.parquet", "int96.parquet"] {
        let whole = ParquetReader::new(std::fs::File::open(path(name)).unwrap()).finish().unwrap();
        let source = ParquetSource::open(&path(name)).unwrap();
        assert_eq!((source.rows(), source.schema()), (60, whole.schema()));
        for predicate in &predicates {
            let plan = |lazy: LazyFrame| lazy.filter(predicate.clone());
            let expected = plan(whole.clone().lazy()).collect().unwrap();
            let (found, _) = collect(&source.pieces(Some(2)), plan).unwrap();
            assert!(found.equals_missing(&expected), "{name}, {predicate}: {found}\nnot\n{expected}");
        }
    }
}

#[test]
fn statistics_of_another_writer_rule_row_groups_out() {
    for name in ["arrow.parquet", "int96.parquet"] {
        let pieces = ParquetSource::open(&path(name)).unwrap().pieces(Some(1));
        let (found, stats) = collect(&pieces, |lazy| lazy.filter(col("number").gt_eq(lit(40)))).unwrap();
        assert_eq!((found.height(), stats.row_groups_skipped, stats.row_groups_read), (20, 2, 1));
    }
}

#[test]
fn decimals_of_another_writer_keep_their_precision_and_scale() {
    let source = ParquetSource::open(&path("decimal.parquet")).unwrap();
    assert_eq!(source.schema().get("price"), Some(&DataType::Decimal(10, 2)));
    let (found, _) = collect(&source.pieces(Some(1)), |lazy| lazy).unwrap();
    assert_eq!(found.height() as u64, source.rows());
    assert_eq!(found.column("price").unwrap().dtype(), &DataType::Decimal(10, 2));
}
