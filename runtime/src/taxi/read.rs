//! Finds, scans and counts trip files.

use std::path::{Path, PathBuf};

use polars::prelude::*;

use super::quality::{QualityReport, dirty_rules};
use super::schema::{BEYOND_HEADER, DIRTY, RAW_RULES, TlcSchema, schema_of};
use super::{TaxiError, trip_schema};

/// Opens trip files: one file, a folder of them, or a pattern such as `trips/yellow_*.csv`.
///
/// CSV (also gzip) and Parquet files may be mixed, and so may the schemas. Only headers are read here; rows
/// are read when the frames are collected.
pub fn read(path_or_glob: impl AsRef<Path>) -> Result<Trips, TaxiError> {
    let files = find(&path_or_glob.as_ref().to_string_lossy())?
        .into_iter()
        .map(TripFile::open)
        .collect::<Result<_, _>>()?;
    Ok(Trips { files })
}

/// Real or generated trips, in the normalised schema.
#[derive(Clone, Debug)]
pub struct Trips {
    files: Vec<TripFile>,
}

impl Trips {
    /// The clean rows.
    pub fn lazy(&self) -> Result<LazyFrame, TaxiError> {
        Ok(self
            .all()?
            .filter(col(DIRTY).is_null())
            .select(trip_schema().iter_names().map(|n| col(n.clone())).collect::<Vec<_>>()))
    }

    /// Every row, with the column [`DIRTY`], which names the first rule it breaks.
    pub fn all(&self) -> Result<LazyFrame, TaxiError> {
        let frames =
            self.files.iter().map(|f| Ok(f.schema.mark(f.scan()?))).collect::<Result<Vec<_>, TaxiError>>()?;
        concat(frames, UnionArgs::default()).map_err(TaxiError::polars("combine the trip files"))
    }

    /// Reads all rows once and counts the clean and the dirty ones.
    pub fn report(&self) -> Result<QualityReport, TaxiError> {
        let counts = self
            .all()?
            .group_by([col(DIRTY)])
            .agg([len().cast(DataType::UInt64).alias("rows")])
            .collect_with_engine(Engine::Streaming)
            .map_err(TaxiError::polars("count the trips"))?
            .unwrap_single();
        let mut report = QualityReport { rows_read: 0, rows_clean: 0, dirty: Vec::new() };
        let rules = dirty_rules().into_iter().map(|(name, _)| name);
        report.dirty.extend(RAW_RULES.into_iter().chain(rules).map(|name| (name.to_owned(), 0)));
        let column = |name| counts.column(name).map_err(TaxiError::polars("count the trips"));
        let names = column(DIRTY)?.str().map_err(TaxiError::polars("count the trips"))?;
        let rows = column("rows")?.u64().map_err(TaxiError::polars("count the trips"))?;
        for (name, rows) in names.iter().zip(rows.iter()) {
            let rows = rows.unwrap_or(0);
            report.rows_read += rows;
            match name {
                None => report.rows_clean += rows,
                Some(name) => {
                    report.dirty.iter_mut().filter(|(rule, _)| rule == name).for_each(|(_, n)| *n += rows)
                }
            }
        }
        Ok(report)
    }

    /// The files, in the order of their rows.
    pub fn files(&self) -> &[TripFile] {
        &self.files
    }
}

/// One trip file and its detected schema.
#[derive(Clone, Debug)]
pub struct TripFile {
    path: PathBuf,
    schema: TlcSchema,
    /// The header of a CSV file; `None` for Parquet.
    header: Option<SchemaRef>,
}

impl TripFile {
    fn open(path: PathBuf) -> Result<TripFile, TaxiError> {
        let within = |source: TaxiError| TaxiError::File { path: path.clone(), source: Box::new(source) };
        let name = path.to_string_lossy().to_lowercase();
        let csv = name.ends_with(".csv") || name.ends_with(".csv.gz");
        if !csv && !name.ends_with(".parquet") {
            return Err(TaxiError::Format { path });
        }
        std::fs::File::open(&path).map_err(TaxiError::io("read", &path))?;
        let header = if csv { csv_header(&path) } else { parquet_schema(&path) }.map_err(within)?;
        let schema = schema_of(&header).map_err(within)?;
        Ok(TripFile { schema, header: csv.then(|| Arc::new(header)), path })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's schema.
    pub fn schema(&self) -> &TlcSchema {
        &self.schema
    }

    /// The rows as they are in the file, for [`TlcSchema::normalise`] or [`TlcSchema::mark`].
    ///
    /// CSV columns are text, so that a value that is not a number affects neither the rest of the file nor
    /// the count.
    pub fn scan(&self) -> Result<LazyFrame, TaxiError> {
        let scan = || match &self.header {
            Some(header) => csv_reader(&self.path)?.with_schema(Some(header.clone())).finish(),
            None => parquet_scan(&self.path),
        };
        scan().map_err(|source| TaxiError::File {
            path: self.path.clone(),
            source: Box::new(TaxiError::Polars { doing: "scan the trips", source }),
        })
    }
}

/// The columns of a CSV file, all text, and one more for values beyond them: TLC has published months with
/// more commas in the rows than in the header.
fn csv_header(path: &Path) -> Result<Schema, TaxiError> {
    let header = csv_reader(path).and_then(LazyCsvReader::finish).and_then(|mut csv| csv.collect_schema());
    let mut header = header.map_err(TaxiError::polars("read the CSV header"))?.as_ref().clone();
    header.with_column(BEYOND_HEADER.into(), DataType::String);
    Ok(header)
}

fn csv_reader(path: &Path) -> PolarsResult<LazyCsvReader> {
    Ok(LazyCsvReader::new(PlRefPath::try_from_path(path)?)
        .with_glob(false)
        .with_has_header(true)
        .with_infer_schema_length(Some(0))
        .with_truncate_ragged_lines(true)
        .with_encoding(CsvEncoding::LossyUtf8))
}

fn parquet_schema(path: &Path) -> Result<Schema, TaxiError> {
    let schema = parquet_scan(path).and_then(|mut scan| scan.collect_schema());
    Ok(schema.map_err(TaxiError::polars("read the Parquet schema"))?.as_ref().clone())
}

fn parquet_scan(path: &Path) -> PolarsResult<LazyFrame> {
    let args = ScanArgsParquet { glob: false, ..Default::default() };
    LazyFrame::scan_parquet(PlRefPath::try_from_path(path)?, args)
}

/// The files that match, sorted by name.
fn find(path_or_glob: &str) -> Result<Vec<PathBuf>, TaxiError> {
    let path = Path::new(path_or_glob);
    let mut files = Vec::new();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).map_err(TaxiError::io("read", path))? {
            let file = entry.map_err(TaxiError::io("read", path))?.path();
            let name = file.to_string_lossy().to_lowercase();
            if file.is_file() && [".csv", ".csv.gz", ".parquet"].iter().any(|end| name.ends_with(end)) {
                files.push(file);
            }
        }
    } else if path.exists() {
        files.push(path.to_owned());
    } else {
        let pattern = || path_or_glob.to_owned();
        let found =
            glob::glob(path_or_glob).map_err(|source| TaxiError::Pattern { pattern: pattern(), source })?;
        for file in found {
            files.push(file.map_err(|e| TaxiError::io("read", e.path().to_owned())(e.into()))?);
        }
    }
    files.sort();
    if files.is_empty() { Err(TaxiError::NoFiles { pattern: path_or_glob.to_owned() }) } else { Ok(files) }
}
