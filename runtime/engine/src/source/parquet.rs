//! Parquet files: their footers, the schema they share, and the pieces they can be split into.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use polars::prelude::{
    ArrowDataType, ArrowSchema, FileMetadata, PolarsResult, Schema, SchemaExt, SchemaRef, TimeZone,
};
use polars_parquet::read::{infer_schema, read_metadata};

use super::error::{SourceError, first_line};
use super::files;
use super::piece::{Part, Piece, Stretch};
use super::split;

/// Row groups with less than this, uncompressed, are too small for a task of their own.
const MIN_PIECE_BYTES: u64 = 512 * 1024;

/// One or more Parquet files with one schema.
///
/// Columns are matched by name; their order is that of the first file. Directory names such as
/// `year=2024` are not turned into columns.
#[derive(Clone)]
pub struct ParquetSource {
    schema: SchemaRef,
    files: Vec<Arc<ParquetFile>>,
}

/// One file: its path and the content of its footer.
pub(super) struct ParquetFile {
    pub path: PathBuf,
    /// Its length when the footer was read. All offsets are valid for this file only.
    pub len: u64,
    pub metadata: Arc<FileMetadata>,
    pub arrow_schema: ArrowSchema,
}

impl ParquetSource {
    /// Opens a file, every `.parquet` file in and below a directory, or the files that match a glob.
    /// Reads the footers, not the data.
    pub fn open(pattern: &str) -> Result<Self, SourceError> {
        let paths = files::expand(pattern, &[".parquet", ".pq"])?;
        let mut opened = Vec::with_capacity(paths.len());
        let mut shared: Option<(PathBuf, SchemaRef)> = None;
        for path in paths {
            let (file, schema) = ParquetFile::open(path)?;
            match &shared {
                None => shared = Some((file.path.clone(), Arc::new(schema))),
                Some((first, expected)) => same_schema(first, expected, &file.path, &schema)?,
            }
            opened.push(Arc::new(file));
        }
        let schema = shared.map(|(_, schema)| schema).unwrap_or_default();
        Ok(Self { schema, files: opened })
    }

    /// The piece that consists of these parts, as described by [`Piece::parts`] of another process.
    /// Reopens the files; they must still have the row groups.
    pub fn piece_of(parts: &[Part]) -> Result<Piece, SourceError> {
        let mut stretches = Vec::with_capacity(parts.len());
        let mut shared: Option<(PathBuf, SchemaRef)> = None;
        for part in parts {
            let (file, schema) = ParquetFile::open(part.path.clone())?;
            let groups = part.row_groups.clone().unwrap_or(0..file.groups());
            let rows = (groups.start <= groups.end && groups.end <= file.groups())
                .then(|| groups.clone().map(|group| file.rows(group)).sum::<u64>());
            if rows.is_none() || (part.rows.is_some() && part.rows != rows) {
                return Err(SourceError::Changed { path: file.path });
            }
            match &shared {
                None => shared = Some((file.path.clone(), Arc::new(schema))),
                Some((first, expected)) => same_schema(first, expected, &file.path, &schema)?,
            }
            stretches.push(Stretch::RowGroups { file: Arc::new(file), groups });
        }
        Ok(Piece::new(shared.map(|(_, schema)| schema).unwrap_or_default(), stretches))
    }

    /// The schema that all files share.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The number of rows in all files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.metadata.num_rows as u64).sum()
    }

    /// The compressed bytes of all columns of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().flat_map(|file| (0..file.groups()).map(|group| file.bytes(group))).sum()
    }

    /// The files, in reading order.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }

    /// Splits the source between row groups, in order.
    ///
    /// Without a number, one piece per row group, but neighbours are merged until a piece is worth a
    /// task. With one, at most that many pieces with about the same number of rows, and never more pieces
    /// than row groups. A source without rows is one empty piece.
    pub fn pieces(&self, wanted: Option<usize>) -> Vec<Piece> {
        let groups: Vec<(&Arc<ParquetFile>, usize)> =
            self.files.iter().flat_map(|file| (0..file.groups()).map(move |group| (file, group))).collect();
        let ranges = match wanted {
            Some(wanted) => {
                let rows: Vec<u64> = groups.iter().map(|(file, group)| file.rows(*group)).collect();
                split::balanced(&rows, wanted)
            }
            None => {
                let bytes: Vec<u64> =
                    groups.iter().map(|(file, group)| file.unpacked_bytes(*group)).collect();
                split::at_least(&bytes, MIN_PIECE_BYTES)
            }
        };
        if ranges.is_empty() {
            return vec![Piece::new(self.schema.clone(), Vec::new())];
        }
        ranges.into_iter().map(|range| self.piece(&groups[range])).collect()
    }

    /// Consecutive row groups; those of one file are merged into one part.
    fn piece(&self, groups: &[(&Arc<ParquetFile>, usize)]) -> Piece {
        let stretches = groups
            .chunk_by(|(left, _), (right, _)| Arc::ptr_eq(left, right))
            .map(|run| Stretch::RowGroups {
                file: Arc::clone(run[0].0),
                groups: run[0].1..run[run.len() - 1].1 + 1,
            })
            .collect();
        Piece::new(self.schema.clone(), stretches)
    }
}

impl std::fmt::Debug for ParquetSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetSource")
            .field("files", &self.files().collect::<Vec<_>>())
            .field("schema", &self.schema)
            .finish()
    }
}

impl ParquetFile {
    pub(super) fn open(path: PathBuf) -> Result<(Self, Schema), SourceError> {
        let (mut file, len) = files::open(&path)?;
        let read = || -> PolarsResult<_> {
            let metadata = read_metadata(&mut file)?;
            let arrow_schema = infer_schema(&metadata)?;
            Ok((Arc::new(metadata), arrow_schema))
        }();
        let (metadata, arrow_schema) = match read {
            Ok(read) => read,
            Err(error) => return Err(SourceError::NotParquet { path, reason: first_line(&error) }),
        };
        if let Some((name, field)) = arrow_schema.iter().find(|(_, field)| !is_supported(field.dtype())) {
            let (column, dtype) = (name.to_string(), format!("{:?}", field.dtype()));
            return Err(SourceError::UnsupportedType { path, column, dtype });
        }
        let schema = Schema::from_arrow_schema(&arrow_schema);
        Ok((Self { path, len, metadata, arrow_schema }, schema))
    }

    pub(super) fn groups(&self) -> usize {
        self.metadata.row_groups.len()
    }

    pub(super) fn rows(&self, group: usize) -> u64 {
        self.metadata.row_groups[group].num_rows() as u64
    }

    pub(super) fn unpacked_bytes(&self, group: usize) -> u64 {
        self.metadata.row_groups[group].total_byte_size() as u64
    }

    /// The uncompressed bytes of these columns.
    pub(super) fn unpacked_bytes_of(&self, group: usize, columns: &Schema) -> u64 {
        let group = &self.metadata.row_groups[group];
        let leaves =
            columns.iter_names().filter_map(|name| group.columns_idxs_under_root_iter(name)).flatten();
        leaves.map(|&leaf| group.parquet_columns()[leaf].uncompressed_size().max(0) as u64).sum()
    }

    pub(super) fn bytes(&self, group: usize) -> u64 {
        self.metadata.row_groups[group].compressed_size() as u64
    }
}

/// Whether this build of Polars has this type. Asking Polars about another type panics.
fn is_supported(dtype: &ArrowDataType) -> bool {
    use ArrowDataType as D;
    match dtype {
        D::Null | D::Boolean | D::Float16 | D::Float32 | D::Float64 => true,
        D::Date32 | D::Date64 | D::Time32(_) | D::Time64(_) | D::Duration(_) => true,
        D::Decimal(..) => true,
        D::Int8 | D::Int16 | D::Int32 | D::Int64 | D::UInt8 | D::UInt16 | D::UInt32 | D::UInt64 => true,
        D::Utf8 | D::LargeUtf8 | D::Utf8View | D::Binary | D::LargeBinary | D::BinaryView => true,
        D::FixedSizeBinary(_) => true,
        D::Timestamp(_, zone) => TimeZone::opt_try_new(zone.clone()).is_ok(),
        D::List(item) | D::LargeList(item) | D::FixedSizeList(item, _) | D::Map(item, _) => {
            is_supported(item.dtype())
        }
        D::Struct(fields) => fields.iter().all(|field| is_supported(field.dtype())),
        D::Dictionary(_, values, _) => is_supported(values),
        _ => false,
    }
}

pub(super) fn same_schema(
    first: &Path,
    expected: &Schema,
    path: &Path,
    schema: &Schema,
) -> Result<(), SourceError> {
    let differs = |column: &str, what: String| SourceError::SchemaDiffers {
        path: path.into(),
        first: first.into(),
        column: column.into(),
        what,
    };
    for (name, dtype) in expected.iter() {
        match schema.get(name) {
            None => return Err(differs(name, format!("is missing but is {dtype}"))),
            Some(other) if other != dtype => return Err(differs(name, format!("is {other} but is {dtype}"))),
            Some(_) => {}
        }
    }
    match schema.iter_names().find(|name| !expected.contains(name)) {
        Some(name) => Err(differs(name, "has no counterpart".into())),
        None => Ok(()),
    }
}
