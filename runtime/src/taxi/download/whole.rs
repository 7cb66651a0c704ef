use std::fs::File;
use std::panic::catch_unwind;
use std::path::Path;

use polars::prelude::*;
use polars_parquet::read::read_metadata;

use crate::taxi::schema_of;

/// The bytes at the beginning and end of every Parquet file.
pub(super) const MAGIC: &[u8] = b"PAR1";

/// Checks that the file's footer is present; reads no rows.
pub(super) fn footer(path: &Path) -> Result<(), String> {
    let mut file = File::open(path).map_err(text)?;
    read_metadata(&mut file).map_err(text)?;
    Ok(())
}

/// Checks that the file contains trips and that all of them can be read. Every value is decoded once, on all
/// cores: about a second for eight million trips.
pub(super) fn check(path: &Path) -> Result<(), String> {
    // Polars' reader panics on some damaged pages.
    catch_unwind(|| read_all(path)).unwrap_or_else(|_| Err("its rows cannot be decoded".to_owned()))
}

fn read_all(path: &Path) -> Result<(), String> {
    footer(path)?;
    let args = ScanArgsParquet { glob: false, ..Default::default() };
    let scanned = PlRefPath::try_from_path(path).and_then(|path| LazyFrame::scan_parquet(path, args));
    let mut rows = scanned.map_err(text)?;
    schema_of(&*rows.collect_schema().map_err(text)?).map_err(text)?;
    rows.select([all().as_expr().null_count()]).collect_with_engine(Engine::Streaming).map_err(text)?;
    Ok(())
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
