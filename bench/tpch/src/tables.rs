use std::collections::HashMap;
use std::path::Path;

use polars::prelude::*;

/// The names of TPC-H's tables.
pub const NAMES: [&str; 8] =
    ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"];

/// TPC-H's tables, each as a LazyFrame.
pub struct Tables {
    frames: HashMap<&'static str, LazyFrame>,
}

impl Tables {
    /// Scans of the Parquet files `customer.parquet`, `lineitem.parquet` and so on in `directory`.
    ///
    /// # Errors
    /// When the path is not UTF-8. A file that is missing is found by the query that reads it.
    pub fn scan(directory: &Path) -> PolarsResult<Self> {
        Self::new(|name| {
            let path = directory.join(name).with_extension("parquet");
            LazyFrame::scan_parquet(PlRefPath::try_from_path(&path)?, ScanArgsParquet::default())
        })
    }

    /// Tables from any source: `open` is called once with each name.
    ///
    /// # Errors
    /// The first error of `open`.
    pub fn new(mut open: impl FnMut(&'static str) -> PolarsResult<LazyFrame>) -> PolarsResult<Self> {
        let frames = NAMES.into_iter().map(|name| Ok((name, open(name)?))).collect::<PolarsResult<_>>()?;
        Ok(Self { frames })
    }

    /// Returns the table of this name.
    ///
    /// # Errors
    /// When TPC-H has no such table.
    pub fn get(&self, name: &str) -> PolarsResult<LazyFrame> {
        let frame = self.frames.get(name).cloned();
        frame.ok_or_else(|| polars_err!(InvalidOperation: "TPC-H has no table `{name}`, only {NAMES:?}"))
    }
}
