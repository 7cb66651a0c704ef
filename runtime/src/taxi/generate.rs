//! Generates trips: how many, in how many files, on how many threads.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use polars::prelude::*;

use super::city::{Calendar, day_number};
use super::trips::{BLOCK, Columns, Model};
use super::{TaxiError, trip_schema};

/// Specifies which trips to generate. The trips depend only on `rows`, `seed` and the months; the other
/// fields say how they are generated and stored.
///
/// ```
/// use partita::taxi::{TripSpec, generate};
/// let trips = generate(TripSpec { rows: 1_000, seed: 7, ..TripSpec::default() })?.data_frame()?;
/// assert_eq!(trips.height(), 1_000);
/// # Ok::<(), partita::taxi::TaxiError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TripSpec {
    /// The number of trips.
    pub rows: usize,
    /// The same seed gives the same trips.
    pub seed: u64,
    /// The number of files that [`TripGenerator::write_parquet`] writes, of equal size and in the order of
    /// pickup.
    pub files: usize,
    /// The year of the first month.
    pub year: i32,
    /// The first month, 1 to 12.
    pub month: u32,
    /// The number of months that the trips are spread over.
    pub months: u32,
    /// The most rows in a Parquet row group.
    pub row_group_rows: usize,
    /// The number of threads; 0 for one per core.
    pub threads: usize,
}

impl Default for TripSpec {
    /// A hundred thousand trips of March 2019, in one file.
    fn default() -> TripSpec {
        TripSpec {
            rows: 100_000,
            seed: 0,
            files: 1,
            year: 2019,
            month: 3,
            months: 1,
            row_group_rows: 250_000,
            threads: 0,
        }
    }
}

/// Trips to be generated, in the [normalised schema](super) with both zones and coordinates.
///
/// Hours, weekdays, zones, distances, fares, tips and payments follow the figures that TLC has published for
/// 2019. Every trip is clean, and the trips are sorted by pickup time.
///
/// # Errors
/// When the specification is invalid.
pub fn generate(spec: TripSpec) -> Result<TripGenerator, TaxiError> {
    let wrong = |field, value: &dyn ToString, remedy| {
        Err(TaxiError::Spec { field, value: value.to_string(), remedy })
    };
    if !(2009..2040).contains(&spec.year) {
        return wrong("year", &spec.year, "use a year from 2009 to 2039");
    }
    if !(1..=12).contains(&spec.month) {
        return wrong("month", &spec.month, "use a month from 1 to 12");
    }
    if !(1..=120).contains(&spec.months) {
        return wrong("months", &spec.months, "give 1 to 120 months");
    }
    if !(1..=100_000).contains(&spec.files) {
        return wrong("files", &spec.files, "give 1 to 100000 files");
    }
    if spec.row_group_rows == 0 {
        return wrong("row_group_rows", &spec.row_group_rows, "use at least 1, preferably about 100000");
    }
    let first = day_number(spec.year, spec.month);
    let after = spec.month - 1 + spec.months;
    let (end_year, end_month) = (spec.year + (after / 12) as i32, after % 12 + 1);
    if (end_year, end_month) > (2040, 1) {
        return wrong("months", &spec.months, "the last month must be in 2039 or earlier");
    }
    let end = day_number(end_year, end_month);
    let model = Model::new(Calendar::new(first, (end - first) as usize), spec.seed, spec.rows);
    Ok(TripGenerator { spec, model })
}

/// Generates the trips of a [`TripSpec`].
pub struct TripGenerator {
    spec: TripSpec,
    model: Model,
}

impl TripGenerator {
    /// All trips in one frame; about 120 bytes of memory each.
    pub fn data_frame(&self) -> Result<DataFrame, TaxiError> {
        let mut all: Option<DataFrame> = None;
        self.in_order(&self.groups(0..self.spec.rows), |_, group| {
            match &mut all {
                Some(all) => all
                    .vstack_mut(&group)
                    .map(|_| ())
                    .map_err(TaxiError::polars("put the generated trips in a frame"))?,
                None => all = Some(group),
            }
            Ok(())
        })?;
        let mut all = all.unwrap_or_else(|| DataFrame::empty_with_schema(&trip_schema()));
        all.rechunk_mut_par();
        Ok(all)
    }

    /// Writes the trips to `trips-00001-of-00008.parquet` and so on in the folder `dir`, which is created if
    /// needed, and returns the paths. Row groups have statistics and are compressed with Snappy; memory holds
    /// a few of them at a time.
    ///
    /// Files of an earlier run with the same number of files are replaced. Others are an error, because they
    /// would be read together with the new ones.
    pub fn write_parquet(&self, dir: impl AsRef<Path>) -> Result<Vec<PathBuf>, TaxiError> {
        let dir = dir.as_ref();
        std::fs::create_dir_all(dir).map_err(TaxiError::io("write", dir))?;
        let files = self.spec.files;
        let paths: Vec<PathBuf> =
            (1..=files).map(|i| dir.join(format!("trips-{i:05}-of-{files:05}.parquet"))).collect();
        refuse_others(dir, &paths)?;

        let mut groups = Vec::new();
        let mut file_of = Vec::new();
        for file in 0..files {
            let rows = file * self.spec.rows / files..(file + 1) * self.spec.rows / files;
            let of_file = self.groups(rows);
            file_of.extend(std::iter::repeat_n(file, of_file.len()));
            groups.extend(of_file);
        }
        let mut open = 0;
        let mut writer = Some(ParquetFile::create(&paths[0])?);
        let mut advance_to = |file: usize, writer: &mut Option<ParquetFile>| -> Result<(), TaxiError> {
            while open < file {
                if let Some(done) = writer.take() {
                    done.finish()?;
                }
                open += 1;
                if let Some(path) = paths.get(open) {
                    *writer = Some(ParquetFile::create(path)?);
                }
            }
            Ok(())
        };
        self.in_order(&groups, |group, trips| {
            advance_to(file_of[group], &mut writer)?;
            writer.as_mut().map_or(Ok(()), |writer| writer.write(&trips))
        })?;
        advance_to(files, &mut writer)?;
        Ok(paths)
    }

    /// Splits rows into row groups.
    fn groups(&self, rows: Range<usize>) -> Vec<Range<usize>> {
        let size = self.spec.row_group_rows;
        rows.clone().step_by(size).map(|from| from..(from + size).min(rows.end)).collect()
    }

    fn trips(&self, rows: Range<usize>) -> Result<DataFrame, TaxiError> {
        let mut columns = Columns::with_capacity(rows.len());
        for block in rows.start / BLOCK..rows.end.div_ceil(BLOCK) {
            self.model.block(block, rows.clone(), &mut columns);
        }
        columns.into_frame()
    }

    /// Generates the groups on several threads and passes them on in order. Each thread generates every n-th
    /// group and is at most one ahead, so order costs no more memory than that.
    fn in_order(
        &self,
        groups: &[Range<usize>],
        mut take: impl FnMut(usize, DataFrame) -> Result<(), TaxiError>,
    ) -> Result<(), TaxiError> {
        let cores = || std::thread::available_parallelism().map_or(1, |n| n.get());
        let threads = if self.spec.threads == 0 { cores() } else { self.spec.threads };
        let threads = threads.min(groups.len()).max(1);
        std::thread::scope(|scope| {
            let made: Vec<_> = (0..threads)
                .map(|thread| {
                    let (give, made) = sync_channel(1);
                    scope.spawn(move || {
                        for rows in groups.iter().skip(thread).step_by(threads) {
                            // The receiver is gone because the caller failed.
                            if give.send(self.trips(rows.clone())).is_err() {
                                break;
                            }
                        }
                    });
                    made
                })
                .collect();
            for group in 0..groups.len() {
                // A thread that panicked has dropped its sender; the scope propagates the panic.
                let Ok(trips) = made[group % threads].recv() else { break };
                take(group, trips?)?;
            }
            Ok(())
        })
    }
}

fn refuse_others(dir: &Path, ours: &[PathBuf]) -> Result<(), TaxiError> {
    let mut others = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(TaxiError::io("read", dir))? {
        let path = entry.map_err(TaxiError::io("read", dir))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("trips-") && name.ends_with(".parquet") && ours.binary_search(&path).is_err() {
            others.push(name);
        }
    }
    match others.into_iter().min() {
        Some(found) => Err(TaxiError::Occupied { dir: dir.to_owned(), found }),
        None => Ok(()),
    }
}

/// A Parquet file that is written one row group after the other.
struct ParquetFile {
    path: PathBuf,
    writer: polars::io::parquet::write::BatchedWriter<File>,
}

impl ParquetFile {
    fn create(path: &Path) -> Result<ParquetFile, TaxiError> {
        let file = File::create(path).map_err(TaxiError::io("write", path))?;
        let writer = ParquetWriter::new(file)
            // Spark's default: larger files than with zstd, but read in half the time.
            .with_compression(ParquetCompression::Snappy)
            .with_statistics(StatisticsOptions::default())
            .batched(&trip_schema())
            .map_err(|e| at(path, e))?;
        Ok(ParquetFile { path: path.to_owned(), writer })
    }

    fn write(&mut self, group: &DataFrame) -> Result<(), TaxiError> {
        self.writer.write_batch(group).map_err(|e| at(&self.path, e))
    }

    fn finish(self) -> Result<(), TaxiError> {
        self.writer.finish().map(|_| ()).map_err(|e| at(&self.path, e))
    }
}

fn at(path: &Path, source: PolarsError) -> TaxiError {
    let source = Box::new(TaxiError::Polars { doing: "write the Parquet file", source });
    TaxiError::File { path: path.to_owned(), source }
}
