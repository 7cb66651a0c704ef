//! Sends pieces to another process, which reopens the files.

use std::collections::HashMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::csv::{CsvFile, CsvFormat};
use super::error::{SourceError, first_line};
use super::parquet::{ParquetFile, same_schema};
use super::piece::{Piece, Stretch};

/// A [`Piece`] as it is sent: where its rows are and, for CSV, how to parse them.
#[derive(Serialize, Deserialize)]
pub(crate) struct WirePiece {
    schema: Schema,
    csv: Option<CsvReadOptions>,
    stretches: Vec<WireStretch>,
}

#[derive(Serialize, Deserialize)]
enum WireStretch {
    RowGroups { path: PathBuf, len: u64, groups: Range<usize> },
    Records { path: PathBuf, len: u64, body: Range<u64>, compressed: bool, bytes: Range<u64> },
}

impl WirePiece {
    /// The piece's description, with absolute paths.
    pub fn new(piece: &Piece) -> Self {
        let mut csv = None;
        let path = |path: &PathBuf| absolute(path).unwrap_or_else(|_| path.clone());
        let stretches = piece.stretches.iter().map(|stretch| match stretch {
            Stretch::RowGroups { file, groups } => {
                WireStretch::RowGroups { path: path(&file.path), len: file.len, groups: groups.clone() }
            }
            Stretch::Records { file, bytes } => {
                csv = Some(file.format.options.clone());
                WireStretch::Records {
                    path: path(&file.path),
                    len: file.len,
                    body: file.body.clone(),
                    compressed: file.compressed,
                    bytes: bytes.clone(),
                }
            }
        });
        let stretches = stretches.collect();
        Self { schema: (**piece.schema()).clone(), csv, stretches }
    }

    /// The piece, with its files opened here. `allowed` returns the path under which a file may be
    /// opened.
    ///
    /// # Errors
    /// When a file is not allowed, does not exist, or is not the one that the piece was made from.
    pub fn open<E: From<SourceError>>(
        self,
        opened: &Opened,
        allowed: impl Fn(&Path) -> Result<PathBuf, E>,
    ) -> Result<Piece, E> {
        let schema = Arc::new(self.schema);
        let format = match self.csv {
            Some(options) => {
                let format = CsvFormat::new(options, &schema);
                let path = PathBuf::new();
                let bad = |error| SourceError::BadCsv { path, reason: first_line(&error) };
                Some(Arc::new(format.map_err(bad)?))
            }
            None => None,
        };
        let mut stretches = Vec::with_capacity(self.stretches.len());
        for stretch in self.stretches {
            let changed = |path: &Path| SourceError::Changed { path: path.to_owned() };
            stretches.push(match stretch {
                WireStretch::RowGroups { path, len, groups } => {
                    let (file, found) = opened.parquet(&allowed(&path)?)?;
                    if file.len != len || groups.start > groups.end || groups.end > file.groups() {
                        return Err(changed(&path).into());
                    }
                    same_schema(&path, &schema, &path, &found)?;
                    Stretch::RowGroups { file, groups }
                }
                WireStretch::Records { path, len, body, compressed, bytes } => {
                    let within = body.start <= body.end
                        && body.end <= len
                        && bytes.start <= bytes.end
                        && bytes.start >= body.start
                        && bytes.end <= body.end;
                    let Some(format) = format.clone().filter(|_| within) else {
                        return Err(changed(&path).into());
                    };
                    let file = CsvFile { path: allowed(&path)?, len, body, compressed, format };
                    Stretch::Records { file: Arc::new(file), bytes }
                }
            });
        }
        Ok(Piece::new(schema, stretches))
    }
}

/// Parquet files whose footers were read recently, so that the tasks of a stage read each once.
#[derive(Default)]
pub(crate) struct Opened(Mutex<HashMap<PathBuf, Known>>);

#[derive(Clone)]
struct Known {
    modified: SystemTime,
    file: Arc<ParquetFile>,
    schema: Arc<Schema>,
}

impl Opened {
    /// The maximum number of footers kept.
    const MOST: usize = 256;

    fn parquet(&self, path: &Path) -> Result<(Arc<ParquetFile>, Arc<Schema>), SourceError> {
        let unreadable = |source| SourceError::Unreadable { path: path.into(), source };
        let now = fs::metadata(path).map_err(unreadable)?;
        let modified = now.modified().map_err(unreadable)?;
        let fresh = |known: &Known| known.modified == modified && known.file.len == now.len();
        if let Some(known) = self.lock().get(path).filter(|known| fresh(known)) {
            return Ok((known.file.clone(), known.schema.clone()));
        }
        let (file, schema) = ParquetFile::open(path.to_owned())?;
        let known = Known { modified, file: Arc::new(file), schema: Arc::new(schema) };
        let mut all = self.lock();
        if all.len() >= Self::MOST {
            all.clear();
        }
        all.insert(path.to_owned(), known.clone());
        Ok((known.file, known.schema))
    }

    fn lock(&self) -> parking_lot::MutexGuard<'_, HashMap<PathBuf, Known>> {
        self.0.lock()
    }
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} open files", self.lock().len())
    }
}
