//! CSV files: inferring their schema and splitting them into pieces.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use polars::io::csv::read::_csv_read_internal::{CountLines, NullValuesCompiled, prepare_csv_schema};
use polars::io::csv::read::read_until_start_and_infer_schema_from_compressed_reader;
use polars::io::utils::compression::CompressedReader;
use polars::prelude::*;
use polars_buffer::Buffer;

use super::error::{SourceError, first_line};
use super::files;
use super::piece::{Piece, Stretch};
use super::split;

/// The end of a line; a carriage return before it is part of the line end.
pub(super) const LINE_END: u8 = b'\n';

/// The format of CSV files and how their types are inferred.
#[derive(Debug, Clone)]
pub struct CsvOptions {
    /// The byte between fields.
    pub separator: u8,
    /// The byte around fields that contain separators, quotes or line ends; `None` for files without
    /// quoting.
    pub quote: Option<u8>,
    /// Whether the first line of each file names the columns.
    pub has_header: bool,
    /// How many records of each file the types are inferred from; `None` for all of them.
    pub infer_rows: Option<usize>,
    /// Whether text that looks like dates and times is converted to them.
    pub parse_dates: bool,
    /// What represents null, besides an empty field.
    pub null_values: Vec<String>,
    /// Types of columns that should not be inferred.
    pub types: Vec<(String, DataType)>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            separator: b',',
            quote: Some(b'"'),
            has_header: true,
            infer_rows: Some(1000),
            parse_dates: false,
            null_values: Vec::new(),
            types: Vec::new(),
        }
    }
}

/// One or more CSV files with the same columns.
///
/// Types are inferred once, over the first records of every file. If files differ, the type that holds
/// both is used. Files compressed with gzip, zlib or zstd can be read, but are never split.
#[derive(Clone)]
pub struct CsvSource {
    schema: SchemaRef,
    files: Vec<Arc<CsvFile>>,
}

/// One file: its path, the position of its records and how to parse them.
pub(super) struct CsvFile {
    pub path: PathBuf,
    pub len: u64,
    /// From the first record to the end; the whole file if it is compressed.
    pub body: Range<u64>,
    pub compressed: bool,
    pub format: Arc<CsvFormat>,
}

/// The parser's settings common to all files of a source.
pub(super) struct CsvFormat {
    pub options: CsvReadOptions,
    /// The schema in types that the parser can read.
    pub schema: SchemaRef,
    /// Fields that the parser reads only as text, to be cast afterwards.
    pub casts: Vec<Field>,
    pub null_values: Option<NullValuesCompiled>,
}

impl CsvSource {
    /// Opens a file, every CSV file in and below a directory, or the files that match a glob.
    pub fn open(pattern: &str, options: &CsvOptions) -> Result<Self, SourceError> {
        let paths = files::expand(pattern, &[".csv", ".csv.gz", ".csv.zst", ".tsv"])?;
        let read_options = options.for_polars();
        let mut heads = Vec::with_capacity(paths.len());
        let mut shared: Option<(PathBuf, Schema)> = None;
        for path in paths {
            let (head, inferred) = Head::read(path, &read_options)?;
            match &mut shared {
                None => shared = Some((head.path.clone(), inferred)),
                Some((first, schema)) => widen(first, schema, &head.path, &inferred)?,
            }
            heads.push(head);
        }
        let (first, mut schema) = shared.unwrap_or_default();
        for (column, dtype) in &options.types {
            match schema.get_mut(column) {
                Some(inferred) => *inferred = dtype.clone(),
                None => return Err(no_such_column(first, column, &schema)),
            }
        }
        let schema = Arc::new(schema);
        let format = CsvFormat::new(read_options, &schema)
            .map_err(|error| SourceError::BadCsv { path: first, reason: first_line(&error) })?;
        let format = Arc::new(format);
        let files = heads.into_iter().map(|head| Arc::new(head.with_format(&format))).collect();
        Ok(Self { schema, files })
    }

    /// The schema of every piece.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The bytes of all records on disk.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes()).sum()
    }

    /// The files, in reading order.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }

    /// Splits the source. Without a number, into one piece per file. With one, into at most that many
    /// pieces: if there are more files, neighbours share a piece; if there are fewer, large files are
    /// split between records. For that they are scanned once, so that a line end inside quotes is not
    /// mistaken for the end of a record.
    pub fn pieces(&self, wanted: Option<usize>) -> PolarsResult<Vec<Piece>> {
        let bytes: Vec<u64> = self.files.iter().map(|file| file.bytes()).collect();
        let wanted = wanted.unwrap_or(self.files.len()).max(1);
        if wanted <= self.files.len() {
            let ranges = split::balanced(&bytes, wanted);
            return Ok(ranges
                .into_iter()
                .map(|range| Piece::new(self.schema.clone(), self.files[range].iter().map(whole).collect()))
                .collect());
        }
        let shares = split::shares(&bytes, wanted);
        let mut pieces = Vec::with_capacity(wanted);
        for (file, share) in self.files.iter().zip(shares) {
            for bytes in file.cut(share)? {
                let stretch = Stretch::Records { file: Arc::clone(file), bytes };
                pieces.push(Piece::new(self.schema.clone(), vec![stretch]));
            }
        }
        Ok(pieces)
    }
}

fn whole(file: &Arc<CsvFile>) -> Stretch {
    Stretch::Records { file: Arc::clone(file), bytes: file.body.clone() }
}

impl std::fmt::Debug for CsvSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CsvSource")
            .field("files", &self.files().collect::<Vec<_>>())
            .field("schema", &self.schema)
            .finish()
    }
}

impl CsvOptions {
    fn for_polars(&self) -> CsvReadOptions {
        let nulls = self.null_values.iter().map(|text| PlSmallStr::from_str(text)).collect::<Vec<_>>();
        let parse = CsvParseOptions {
            separator: self.separator,
            quote_char: self.quote,
            eol_char: LINE_END,
            try_parse_dates: self.parse_dates,
            null_values: (!nulls.is_empty()).then_some(NullValues::AllColumns(nulls)),
            ..CsvParseOptions::default()
        };
        CsvReadOptions {
            has_header: self.has_header,
            infer_schema_length: self.infer_rows,
            parse_options: Arc::new(parse),
            ..CsvReadOptions::default()
        }
    }
}

impl CsvFormat {
    pub(super) fn new(options: CsvReadOptions, schema: &SchemaRef) -> PolarsResult<Self> {
        let (mut schema, mut casts) = (schema.clone(), Vec::new());
        prepare_csv_schema(&mut schema, &mut casts)?;
        let null_values = match &options.parse_options.null_values {
            Some(null_values) => Some(null_values.clone().compile(&schema)?),
            None => None,
        };
        Ok(Self { options, schema, casts, null_values })
    }

    /// Finds the line ends that end records.
    pub(super) fn records(&self) -> CountLines {
        CountLines::new(self.options.parse_options.quote_char, LINE_END, None)
    }
}

/// What is known of a file before the schema of all files is known.
struct Head {
    path: PathBuf,
    len: u64,
    body: Range<u64>,
    compressed: bool,
}

impl Head {
    fn read(path: PathBuf, options: &CsvReadOptions) -> Result<(Self, Schema), SourceError> {
        let (_, len) = files::open(&path)?;
        let found = || -> PolarsResult<_> {
            let bytes = files::map(&path, len)?;
            let mut reader = CompressedReader::try_new(bytes.clone())?;
            let (schema, rest) = after_header(&mut reader, options)?;
            if reader.is_compressed() {
                return Ok((schema, 0..len, true));
            }
            let (body, _) = reader.read_next_slice(&rest, usize::MAX)?;
            Ok((schema, len - body.len() as u64..len, false))
        }();
        match found {
            Ok((schema, body, compressed)) => Ok((Self { path, len, body, compressed }, schema)),
            Err(PolarsError::NoData(_)) => Err(SourceError::EmptyCsv { path }),
            Err(error) => Err(SourceError::BadCsv { path, reason: first_line(&error) }),
        }
    }

    fn with_format(self, format: &Arc<CsvFormat>) -> CsvFile {
        let Self { path, len, body, compressed } = self;
        CsvFile { path, len, body, compressed, format: Arc::clone(format) }
    }
}

/// Infers a schema. What is returned and what the reader still has are then the records.
fn after_header(
    reader: &mut CompressedReader,
    options: &CsvReadOptions,
) -> PolarsResult<(Schema, Buffer<u8>)> {
    read_until_start_and_infer_schema_from_compressed_reader(options, None, None, reader)
}

impl CsvFile {
    fn bytes(&self) -> u64 {
        self.body.end - self.body.start
    }

    /// The bytes of a range of records.
    pub(super) fn load(&self, stretch: Range<u64>) -> PolarsResult<Buffer<u8>> {
        let bytes = files::map(&self.path, self.len)?;
        if !self.compressed {
            return Ok(bytes.sliced(stretch.start as usize..stretch.end as usize));
        }
        let mut reader = CompressedReader::try_new(bytes)?;
        // Only used to skip the header: the types are known.
        let options = CsvReadOptions { infer_schema_length: Some(0), ..self.format.options.clone() };
        let (_, rest) = after_header(&mut reader, &options)?;
        Ok(reader.read_next_slice(&rest, usize::MAX)?.0)
    }

    /// Splits the body between records into at most `wanted` ranges of about equal size.
    fn cut(&self, wanted: usize) -> PolarsResult<Vec<Range<u64>>> {
        if wanted <= 1 || self.compressed || self.bytes() == 0 {
            return Ok(vec![self.body.clone()]);
        }
        let body = self.load(self.body.clone())?;
        let quote = self.format.options.parse_options.quote_char;
        let quotes = |bytes: &[u8]| bytes.iter().filter(|&&byte| Some(byte) == quote).count();
        let mut cuts = Vec::with_capacity(wanted);
        let mut start = 0;
        for piece in 1..=wanted {
            let target = (body.len() as u128 * piece as u128 / wanted as u128) as usize;
            if target <= start {
                continue;
            }
            // A range starts at a record, so an odd number of quotes before the target means that the
            // target is inside quotes.
            let mut quoted = quotes(&body[start..target - 1]) % 2 == 1;
            let end = body[target - 1..].iter().position(|&byte| {
                quoted ^= Some(byte) == quote;
                byte == LINE_END && !quoted
            });
            let end = end.map_or(body.len(), |at| target + at);
            cuts.push(self.body.start + start as u64..self.body.start + end as u64);
            start = end;
        }
        Ok(cuts)
    }
}

/// A type that the text of both can be parsed as; text holds everything.
fn holding_both(one: &DataType, other: &DataType) -> DataType {
    match (one, other) {
        (one, other) if one == other => one.clone(),
        (DataType::Int64, DataType::Float64) | (DataType::Float64, DataType::Int64) => DataType::Float64,
        _ => DataType::String,
    }
}

/// Widens `schema` so that it holds the values of another file as well.
fn widen(first: &Path, schema: &mut Schema, path: &Path, other: &Schema) -> Result<(), SourceError> {
    let differs = |column: &str, what: &str| SourceError::SchemaDiffers {
        path: path.into(),
        first: first.into(),
        column: column.into(),
        what: what.into(),
    };
    let mut others = other.iter();
    for (name, dtype) in schema.iter_mut() {
        match others.next() {
            None => return Err(differs(name, "is missing but exists")),
            Some((found, _)) if found != name => {
                return Err(differs(found, &format!("stands where column `{name}` stands")));
            }
            Some((_, found)) => *dtype = holding_both(dtype, found),
        }
    }
    match others.next() {
        Some((name, _)) => Err(differs(name, "has no counterpart")),
        None => Ok(()),
    }
}

fn no_such_column(path: PathBuf, column: &str, schema: &Schema) -> SourceError {
    let known: Vec<_> = schema.iter_names().map(|name| format!("`{name}`")).collect();
    SourceError::NoSuchColumn { path, column: column.into(), known: known.join(", ") }
}
