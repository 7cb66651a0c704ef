//! A piece: what one task reads from a source, and how it becomes the start of that task's plan.

use std::any::Any;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use polars::polars_utils::arena::Arena;
use polars::polars_utils::slice_enum::Slice;
use polars::prelude::*;
use polars_plan::dsl::FileScanIR;
use polars_plan::plans::{AExpr, IR};
use serde::{Deserialize, Serialize};

use super::csv::CsvFile;
use super::parquet::ParquetFile;
use super::predicate::RowFilter;
use super::read_stats::ReadStats;
use super::{records, row_groups};

/// What one task reads: parts of one or more files, in order.
#[derive(Clone)]
pub struct Piece {
    schema: SchemaRef,
    pub(super) stretches: Arc<[Stretch]>,
}

/// A contiguous part of one file.
#[derive(Clone)]
pub(super) enum Stretch {
    RowGroups { file: Arc<ParquetFile>, groups: Range<usize> },
    Records { file: Arc<CsvFile>, bytes: Range<u64> },
}

/// A part of one file, for people to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The file.
    pub path: PathBuf,
    /// Its row groups, for Parquet.
    pub row_groups: Option<Range<usize>>,
    /// The bytes of its records, for CSV.
    pub byte_range: Option<Range<u64>>,
    /// The number of rows, if known without reading.
    pub rows: Option<u64>,
    /// Compressed bytes of all columns.
    pub bytes: u64,
}

impl Piece {
    pub(super) fn new(schema: SchemaRef, stretches: Vec<Stretch>) -> Self {
        Self { schema, stretches: stretches.into() }
    }

    /// The schema of the source, which a scan of any piece has as well.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The file parts that it consists of, in order. Empty for a source without rows.
    pub fn parts(&self) -> Vec<Part> {
        self.stretches.iter().map(Stretch::part).collect()
    }

    /// The number of rows, if known without reading: always for Parquet, never for CSV.
    pub fn rows(&self) -> Option<u64> {
        self.stretches.iter().map(|stretch| stretch.part().rows).sum()
    }

    /// Compressed bytes of all columns.
    pub fn bytes(&self) -> u64 {
        self.stretches.iter().map(|stretch| stretch.part().bytes).sum()
    }

    /// The uncompressed bytes of these columns, if known without reading: only for Parquet.
    pub fn unpacked_bytes_of(&self, columns: &Schema) -> Option<u64> {
        let of = |stretch: &Stretch| match stretch {
            Stretch::RowGroups { file, groups } => {
                Some(groups.clone().map(|group| file.unpacked_bytes_of(group, columns)).sum::<u64>())
            }
            Stretch::Records { .. } => None,
        };
        self.stretches.iter().map(of).sum()
    }

    /// A lazy frame over exactly the rows of this piece. When collected, it reads on the calling thread
    /// and only what the plan above it needs, and counts what it reads in `stats`. Collect it with the
    /// in-memory engine.
    pub fn scan(&self, stats: Arc<ReadStats>) -> PolarsResult<LazyFrame> {
        let args = ScanArgsAnonymous {
            schema: Some(self.schema.clone()),
            name: self.name(),
            ..ScanArgsAnonymous::default()
        };
        LazyFrame::anonymous_scan(self.reader(stats), args)
    }

    /// The name of a scan of it in plans.
    pub fn name(&self) -> &'static str {
        match self.stretches.first() {
            Some(Stretch::Records { .. }) => "CSV PIECE",
            _ => "PARQUET PIECE",
        }
    }

    /// What reads the rows of this piece where an optimised plan scans it.
    pub(crate) fn reader(&self, stats: Arc<ReadStats>) -> Arc<dyn AnonymousScan> {
        Arc::new(PieceScan { piece: self.clone(), stats })
    }

    /// Reads what a plan requests and passes it to `out` in frames as they are read: one per row group,
    /// or per few hundred kilobytes of text.
    fn read(
        &self,
        request: &Request,
        stats: &ReadStats,
        out: &mut dyn FnMut(DataFrame) -> PolarsResult<()>,
    ) -> PolarsResult<()> {
        stats.add_columns(request.schema.iter_names());
        // The time that `out` takes does not count as reading.
        let (started, mut elsewhere) = (Instant::now(), Duration::ZERO);
        let read = self.read_stretches(request, stats, &mut |frame| {
            let given = Instant::now();
            let taken = out(frame);
            elsewhere += given.elapsed();
            taken
        });
        stats.add_time(started.elapsed().saturating_sub(elsewhere));
        read
    }

    fn read_stretches(
        &self,
        request: &Request,
        stats: &ReadStats,
        out: &mut dyn FnMut(DataFrame) -> PolarsResult<()>,
    ) -> PolarsResult<()> {
        let mut budget = request.rows;
        for stretch in self.stretches.iter() {
            if budget == 0 {
                break;
            }
            match stretch {
                Stretch::RowGroups { file, groups } => {
                    row_groups::read(file, groups.clone(), request, &mut budget, stats, out)
                }
                Stretch::Records { file, bytes } => {
                    records::read(file, bytes.clone(), request, &mut budget, stats, out)
                }
            }?;
        }
        Ok(())
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.parts()).finish()
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.parts().into_iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{}", part.path.display())?;
            if let Some(groups) = part.row_groups {
                write!(f, " row groups {}..{}", groups.start, groups.end)?;
            }
            if let Some(bytes) = part.byte_range {
                write!(f, " bytes {}..{}", bytes.start, bytes.end)?;
            }
        }
        Ok(())
    }
}

impl Stretch {
    fn part(&self) -> Part {
        match self {
            Stretch::RowGroups { file, groups } => Part {
                path: file.path.clone(),
                row_groups: Some(groups.clone()),
                byte_range: None,
                rows: Some(groups.clone().map(|group| file.rows(group)).sum()),
                bytes: groups.clone().map(|group| file.bytes(group)).sum(),
            },
            Stretch::Records { file, bytes } => Part {
                path: file.path.clone(),
                row_groups: None,
                byte_range: Some(bytes.clone()),
                rows: None,
                bytes: bytes.end - bytes.start,
            },
        }
    }
}

/// What the plan above a scan requests.
pub(super) struct Request {
    /// The wanted columns, in the wanted order.
    pub schema: SchemaRef,
    /// The filter that rows must pass.
    pub filter: Option<RowFilter>,
    /// How many rows to read, counted before the filter.
    pub rows: usize,
}

/// The anonymous scan behind [`Piece::scan`].
struct PieceScan {
    piece: Piece,
    stats: Arc<ReadStats>,
}

impl PieceScan {
    fn request(
        &self,
        columns: Option<&[PlSmallStr]>,
        predicate: Option<Expr>,
        rows: Option<usize>,
    ) -> PolarsResult<Request> {
        let schema = match columns {
            Some(columns) => Arc::new(self.piece.schema.try_project(columns.iter())?),
            None => self.piece.schema.clone(),
        };
        let filter = predicate.map(|predicate| RowFilter::new(predicate, &schema)).transpose()?;
        Ok(Request { schema, filter, rows: rows.unwrap_or(usize::MAX) })
    }
}

/// What a scan of an optimised plan reads, one frame at a time instead of all at once.
pub(crate) struct Frames<'a> {
    scan: &'a PieceScan,
    request: Request,
}

impl<'a> Frames<'a> {
    /// The frames of this node, if it scans a piece.
    pub fn of(node: &'a IR, exprs: &Arena<AExpr>) -> PolarsResult<Option<Self>> {
        let IR::Scan { scan_type, predicate, unified_scan_args, .. } = node else { return Ok(None) };
        let FileScanIR::Anonymous { function, .. } = &**scan_type else { return Ok(None) };
        let Some(scan) = function.as_any().downcast_ref::<PieceScan>() else { return Ok(None) };
        let rows = match &unified_scan_args.pre_slice {
            None => None,
            Some(Slice::Positive { offset: 0, len }) => Some(*len),
            // Polars gives a scan like this no other kind of predicate.
            Some(_) => return Ok(None),
        };
        let predicate = predicate.as_ref().map(|predicate| predicate.to_expr(exprs));
        let request = scan.request(unified_scan_args.projection.as_deref(), predicate, rows)?;
        Ok(Some(Self { scan, request }))
    }

    /// Reads, and passes each frame to `out`.
    pub fn read(&self, out: &mut dyn FnMut(DataFrame) -> PolarsResult<()>) -> PolarsResult<()> {
        self.scan.piece.read(&self.request, &self.scan.stats, out)
    }
}

impl AnonymousScan for PieceScan {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn allows_projection_pushdown(&self) -> bool {
        true
    }

    fn allows_predicate_pushdown(&self) -> bool {
        true
    }

    fn scan(&self, args: AnonymousScanArgs) -> PolarsResult<DataFrame> {
        let request = self.request(args.with_columns.as_deref(), args.predicate, args.n_rows)?;
        // Chunks stay as they were read: making them contiguous would copy every value.
        let mut whole: Option<DataFrame> = None;
        self.piece.read(&request, &self.stats, &mut |frame| {
            match &mut whole {
                Some(whole) => drop(whole.vstack_mut(&frame)?),
                None => whole = Some(frame),
            }
            Ok(())
        })?;
        Ok(whole.unwrap_or_else(|| DataFrame::empty_with_schema(&request.schema)))
    }
}
