//! Trips as datasets.

use std::path::Path;
use std::sync::Arc;

use polars::prelude::*;

use super::{DIRTY, QualityReport, TaxiError, Trips, read, trip_schema};
use crate::dataset::Dataset;
use crate::error::{PartitaError, Result};
use crate::session::Session;

/// Trips as datasets: the clean ones, all of them, and the count of the dirty ones.
#[derive(Clone, Debug)]
pub struct PartitionedTrips {
    trips: Trips,
    all: Dataset,
}

impl Session {
    /// Reads trip files (a file, a folder or a pattern; CSV and Parquet, TLC's schemas or generated ones)
    /// into the schema of [`taxi`](crate::taxi). In Parquet each row group is a partition (small neighbours
    /// share one), in CSV each file. Polars' own reader reads CSV and may use more than the task's core: to
    /// measure partitions, write it as Parquet first.
    ///
    /// # Errors
    /// When there is no such file, or its columns match none of TLC's schemas.
    pub fn read_trips(&self, pattern: impl AsRef<Path>) -> Result<PartitionedTrips> {
        let trips = read(pattern)?;
        let mut all: Option<Dataset> = None;
        for file in trips.files() {
            let schema = file.schema();
            let part = if file.path().extension().is_some_and(|extension| extension == "parquet") {
                self.read_parquet(file.path())?.map_partitions(|lf| schema.mark(lf))
            } else {
                self.scans([schema.mark(file.scan()?)])?
            };
            all = Some(match all {
                Some(before) => before.union(&part),
                None => part,
            });
        }
        let empty = || self.frame(DataFrame::empty_with_schema(&trip_schema()), 1);
        Ok(PartitionedTrips { trips, all: all.unwrap_or_else(empty) })
    }
}

impl From<TaxiError> for PartitaError {
    fn from(error: TaxiError) -> Self {
        Self::Other(Arc::new(error))
    }
}

impl PartitionedTrips {
    /// The clean trips.
    pub fn clean(&self) -> Dataset {
        let columns: Vec<Expr> = trip_schema().iter_names().map(|name| col(name.clone())).collect();
        self.all.filter(col(DIRTY).is_null()).select(columns)
    }

    /// Every row, with the column `dirty`: the first rule it breaks, or null if it is clean.
    pub fn all(&self) -> Dataset {
        self.all.clone()
    }

    /// Reads all rows once and counts the dirty ones by rule.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn report(&self) -> Result<QualityReport> {
        Ok(self.trips.report()?)
    }
}
