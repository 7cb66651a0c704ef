use std::path::Path;
use std::sync::Arc;

use partita_engine::source::{CsvOptions, CsvSource, ParquetSource};
use polars::prelude::*;

use super::Dataset;
use crate::error::{PartitaError, Result};
use crate::plan::leaf::{Leaf, Source};
use crate::plan::{Plan, check_partitions};
use crate::session::Session;

/// Creates datasets.
impl Session {
    /// The integers from `start` up to but excluding `end` in a column `id`, in `partitions` parts of equal
    /// size.
    pub fn range(&self, start: i64, end: i64, partitions: usize) -> Dataset {
        if let Err(error) = check_partitions("range", partitions) {
            return self.failed(error);
        }
        let schema = Arc::new(Schema::from_iter([Field::new("id".into(), DataType::Int64)]));
        self.begin(Source::Range { start, end: end.max(start), partitions }, schema)
    }

    /// A frame split into `partitions` parts with equal numbers of rows (to within one), in order.
    pub fn frame(&self, frame: DataFrame, partitions: usize) -> Dataset {
        if let Err(error) = check_partitions("frame", partitions) {
            return self.failed(error);
        }
        let schema = frame.schema().clone();
        let rows = frame.height();
        let at = |i: usize| (rows as u128 * i as u128 / partitions as u128) as usize;
        let parts = (0..partitions).map(|i| frame.slice(at(i) as i64, at(i + 1) - at(i))).collect();
        self.begin(Source::Frames(parts), schema)
    }

    /// Frames of one schema, each of which becomes a partition: for partitions made by hand.
    pub fn frames(&self, frames: impl IntoIterator<Item = DataFrame>) -> Dataset {
        let frames: Vec<DataFrame> = frames.into_iter().collect();
        if let Err(error) = check_partitions("frames", frames.len()) {
            return self.failed(error);
        }
        let schema = frames[0].schema().clone();
        if let Some(other) = frames.iter().position(|frame| frame.schema() != &schema) {
            return self.failed(PartitaError::argument(
                "frames",
                format!("frame {other} has the columns {:?}, frame 0 has {schema:?}", frames[other].schema()),
                "use frames of one schema, with columns in the same order",
            ));
        }
        self.begin(Source::Frames(frames), schema)
    }

    /// Any Polars plans that read data, of one schema, each of which becomes a partition. Polars' own readers
    /// may use more than the task's core; to measure partitions, prefer [`read_parquet`](Self::read_parquet).
    ///
    /// # Errors
    /// When a plan is invalid, or the schemas differ.
    pub fn scans(&self, plans: impl IntoIterator<Item = LazyFrame>) -> Result<Dataset> {
        let mut plans: Vec<LazyFrame> = plans.into_iter().collect();
        let schemas = plans.iter_mut().map(LazyFrame::collect_schema).collect::<PolarsResult<Vec<_>>>()?;
        check_partitions("scans", plans.len())?;
        let schema = schemas[0].clone();
        if let Some(other) = schemas.iter().position(|other| *other != schema) {
            return Err(PartitaError::argument(
                "scans",
                format!("plan {other} has the columns {:?}, plan 0 has {schema:?}", schemas[other]),
                "select the same columns, with the same types and order, in each",
            ));
        }
        Ok(self.begin(Source::Plans(plans), schema))
    }

    /// Reads Parquet files: a file, a directory or a glob such as `trips/2019-*.parquet`. Each row group is a
    /// partition; small neighbours share one. Filters and column selections are pushed down to the files, so
    /// only what is needed is read.
    ///
    /// # Errors
    /// When there is no such file, it is not Parquet, or the files' columns differ.
    pub fn read_parquet(&self, pattern: impl AsRef<Path>) -> Result<Dataset> {
        self.parquet(pattern.as_ref(), None)
    }

    /// Like [`read_parquet`](Self::read_parquet), with row groups merged into at most `partitions` partitions
    /// of about equal numbers of rows.
    ///
    /// # Errors
    /// As `read_parquet`, and when `partitions` is zero.
    pub fn read_parquet_in(&self, pattern: impl AsRef<Path>, partitions: usize) -> Result<Dataset> {
        check_partitions("read_parquet_in", partitions)?;
        self.parquet(pattern.as_ref(), Some(partitions))
    }

    fn parquet(&self, pattern: &Path, partitions: Option<usize>) -> Result<Dataset> {
        let source = ParquetSource::open(&pattern.to_string_lossy())?;
        let pieces = source.pieces(partitions).into_iter().map(Arc::new).collect();
        Ok(self.begin(Source::Pieces(pieces), source.schema().clone()))
    }

    /// Reads CSV files with a header: a file, a directory or a glob. Each file is a partition.
    ///
    /// # Errors
    /// When there is no such file, or the files' columns differ.
    pub fn read_csv(&self, pattern: impl AsRef<Path>) -> Result<Dataset> {
        self.read_csv_with(pattern, CsvOptions::default())
    }

    /// Like [`read_csv`](Self::read_csv), with options.
    ///
    /// # Errors
    /// As `read_csv`.
    pub fn read_csv_with(&self, pattern: impl AsRef<Path>, options: CsvOptions) -> Result<Dataset> {
        let source = CsvSource::open(&pattern.as_ref().to_string_lossy(), &options)?;
        let pieces = source.pieces(None)?.into_iter().map(Arc::new).collect();
        Ok(self.begin(Source::Pieces(pieces), source.schema().clone()))
    }

    pub(super) fn begin(&self, source: Source, schema: SchemaRef) -> Dataset {
        let lazy = Leaf::scan(source, &schema);
        Dataset::new(self.clone(), Ok(Plan { lazy, schema, cache: None, dealt: false }))
    }

    fn failed(&self, error: PartitaError) -> Dataset {
        Dataset::new(self.clone(), Err(error))
    }
}
