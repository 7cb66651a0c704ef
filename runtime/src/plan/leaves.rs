//! The leaves of a plan as written: exchanging them, and what kind they are.

use std::path::Path;
use std::sync::Arc;

use partita_engine::plans::map_leaves;
use partita_engine::source::ParquetSource;
use partita_engine::task::fragment::Hole;
use polars::prelude::*;
use polars_plan::dsl::{DslPlan, FileScanDsl, ScanSources};

use super::leaf::{Leaf, Source};
use crate::error::Result;

/// What an anonymous scan reads with, if this leaf is one.
pub(super) fn anonymous(leaf: &DslPlan) -> Option<&Arc<dyn AnonymousScan>> {
    let DslPlan::Scan { scan_type, .. } = leaf else { return None };
    match &**scan_type {
        FileScanDsl::Anonymous { function, .. } => Some(function),
        _ => None,
    }
}

/// The plan with leaves of our own in the place of files and frames, split into about `partitions`
/// partitions.
///
/// # Errors
/// When a file cannot be opened, or a scan has no valid schema.
pub(crate) fn adopt(plan: &DslPlan, partitions: usize) -> Result<DslPlan> {
    let mut failed = None;
    let adopted = map_leaves(plan, &mut |leaf| match own(leaf, partitions) {
        Ok(own) => own,
        Err(error) => {
            failed.get_or_insert(error);
            None
        }
    });
    failed.map_or(Ok(adopted), Err)
}

fn own(leaf: &DslPlan, partitions: usize) -> Result<Option<DslPlan>> {
    if let Some(function) = anonymous(leaf)
        && (function.as_any().is::<Leaf>() || function.as_any().is::<Hole>())
    {
        return Ok(None);
    }
    if let DslPlan::DataFrameScan { df, schema } = leaf {
        let source = Source::Frames(split(df, partitions));
        return Ok(Some(Leaf::scan(source, schema).logical_plan));
    }
    if let Some(path) = parquet(leaf) {
        let source = ParquetSource::open(path)?;
        let schema = source.schema().clone();
        let pieces = source.pieces(None).into_iter().map(Arc::new).collect();
        return Ok(Some(Leaf::scan(Source::Pieces(pieces), &schema).logical_plan));
    }
    let mut scan = LazyFrame::from(leaf.clone());
    let schema = scan.collect_schema()?;
    Ok(Some(Leaf::scan(Source::Plans(vec![scan]), &schema).logical_plan))
}

/// Fewer rows are not worth a task of their own.
const ROWS: usize = 1 << 12;

fn split(frame: &DataFrame, partitions: usize) -> Vec<DataFrame> {
    let rows = frame.height();
    let n = (rows / ROWS).clamp(1, partitions.max(1));
    let at = |i: usize| (rows as u128 * i as u128 / n as u128) as usize;
    (0..n).map(|i| frame.slice(at(i) as i64, at(i + 1) - at(i))).collect()
}

/// The path of a Parquet scan that asks for nothing but the rows of local files: our own reader splits
/// those.
fn parquet(leaf: &DslPlan) -> Option<&str> {
    let DslPlan::Scan { sources: ScanSources::Paths(paths), scan_type, unified_scan_args, .. } = leaf else {
        return None;
    };
    let FileScanDsl::Parquet { .. } = &**scan_type else { return None };
    let args = &**unified_scan_args;
    let plain = args.schema.is_none()
        && args.row_index.is_none()
        && args.pre_slice.is_none()
        && args.include_file_paths.is_none()
        && args.column_mapping.is_none()
        && args.default_values.is_none()
        && args.deletion_files.is_none()
        && args.hive_options.schema.is_none();
    let [path] = &paths[..] else { return None };
    let text = path.as_str();
    // Names of folders may hold columns.
    let folders =
        args.hive_options.enabled != Some(false) && (text.contains('=') || !Path::new(text).is_file());
    (plain && !path.has_scheme() && !folders).then_some(text)
}
