//! Reads records of one CSV file with Polars' parser, a few hundred kilobytes at a time, so that the
//! values of a chunk are still in the processor's cache when they are filtered.

use std::ops::Range;

use polars::io::csv::read::_csv_read_internal::{SplitLines, cast_columns, read_chunk, validate_utf8};
use polars::prelude::*;

use super::csv::{CsvFile, CsvFormat, LINE_END};
use super::error::first_line;
use super::piece::Request;
use super::read_stats::ReadStats;

/// How many bytes are parsed at once.
const CHUNK_BYTES: usize = 1 << 19;

/// Reads the records in `stretch` of `file` and passes them to `out` chunk by chunk. Reads at most
/// `budget` rows.
pub(super) fn read(
    file: &CsvFile,
    stretch: Range<u64>,
    request: &Request,
    budget: &mut usize,
    stats: &ReadStats,
    out: &mut dyn FnMut(DataFrame) -> PolarsResult<()>,
) -> PolarsResult<()> {
    let body = file.load(stretch.clone())?;
    if file.compressed {
        stats.add_bytes(file.len);
    }
    let parser = Parser::new(&file.format, request)?;
    let counter = file.format.records();
    let mut chunk_size = CHUNK_BYTES;
    let mut start = 0;
    while start < body.len() && *budget > 0 {
        let rest = &body[start..];
        let (found, last_end) = counter.find_next(rest, &mut chunk_size);
        // The last record need not end with a line end.
        let (chunk, records) = if found == 0 { (rest, 1) } else { (&rest[..=last_end], found) };
        let frame =
            parser.parse(chunk, records).map_err(|error| match blame(&parser, &body, start, chunk) {
                Some((line, error)) => {
                    not_parsed(file, lines_before(file, stretch.start).map(|n| n + line), &error)
                }
                None => not_parsed(file, None, &error),
            })?;
        let rows = records.min(*budget);
        *budget -= rows;
        if !file.compressed {
            stats.add_bytes(chunk.len() as u64);
        }
        stats.add_rows(rows);
        let frame = if rows < records { frame.slice(0, rows) } else { frame };
        let frame = match &request.filter {
            Some(filter) => {
                let live = frame.select(filter.live().iter_names().cloned())?;
                frame.filter_seq(&filter.passes(&live)?)?
            }
            None => frame,
        };
        out(frame)?;
        start += chunk.len();
    }
    Ok(())
}

/// Parses chunks of whole records.
struct Parser<'a> {
    format: &'a CsvFormat,
    /// The wanted columns, in the wanted order.
    schema: &'a SchemaRef,
    /// Their positions in a record, in order.
    fields: Vec<usize>,
    check_utf8: bool,
}

impl<'a> Parser<'a> {
    fn new(format: &'a CsvFormat, request: &'a Request) -> PolarsResult<Self> {
        let mut fields = request
            .schema
            .iter_names()
            .map(|name| format.schema.try_index_of(name))
            .collect::<PolarsResult<Vec<_>>>()?;
        fields.sort_unstable();
        let check_utf8 =
            fields.iter().any(|&at| format.schema.get_at_index(at).is_some_and(|(_, t)| t.is_string()));
        Ok(Self { format, schema: &request.schema, fields, check_utf8 })
    }

    fn parse(&self, chunk: &[u8], records: usize) -> PolarsResult<DataFrame> {
        if self.fields.is_empty() {
            return DataFrame::new(records, Vec::new());
        }
        if self.check_utf8 && !validate_utf8(chunk) {
            polars_bail!(ComputeError: "the text is not UTF-8");
        }
        let mut frame = read_chunk(
            chunk,
            &self.format.options.parse_options,
            &self.format.schema,
            false,
            &self.fields,
            0,
            records,
            self.format.null_values.as_ref(),
            usize::MAX,
            chunk.len(),
            Some(0),
        )?;
        cast_columns(&mut frame, &self.format.casts, false, false)?;
        polars_ensure!(
            frame.height() == records,
            ComputeError: "{records} lines became {} rows, probably because a quote is not closed", frame.height()
        );
        frame.select(self.schema.iter_names().cloned())
    }
}

/// Finds the record that makes a chunk fail to parse, if it is a single one: returns how many lines of
/// `body` come before it, and its error.
fn blame(parser: &Parser, body: &[u8], start: usize, chunk: &[u8]) -> Option<(usize, PolarsError)> {
    let quote = parser.format.options.parse_options.quote_char;
    SplitLines::new(chunk, quote, LINE_END, None).find_map(|record| {
        let error = parser.parse(record, 1).err()?;
        let before = start + (record.as_ptr() as usize - chunk.as_ptr() as usize);
        Some((count_lines(&body[..before]), error))
    })
}

fn count_lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte == LINE_END).count()
}

/// The number of lines of the file before the byte at which a part starts.
fn lines_before(file: &CsvFile, start: u64) -> Option<usize> {
    if file.compressed {
        return Some(usize::from(file.format.options.has_header));
    }
    let bytes = super::files::map(&file.path, file.len).ok()?;
    Some(count_lines(&bytes[..start as usize]))
}

fn not_parsed(file: &CsvFile, lines_before: Option<usize>, error: &PolarsError) -> PolarsError {
    let line = lines_before.map(|lines| format!(" line {}", lines + 1)).unwrap_or_default();
    polars_err!(
        ComputeError:
        "`{}`{line}: {}; correct the file, or open it with other options (types, null_values, infer_rows)",
        file.path.display(), first_line(error)
    )
}
