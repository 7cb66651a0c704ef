//! Reads row groups of one Parquet file: those that statistics do not rule out, the requested columns,
//! and the rows that pass.

use std::ops::Range;

use polars::io::parquet::read::_internal::{PrefilterMaskSetting, calc_prefilter_cost, to_deserializer};
use polars::io::parquet::read::{create_sorting_map, try_set_sorted_flag};
use polars::prelude::*;
use polars_buffer::Buffer;
use polars_parquet::read::statistics::deserialize_all;
use polars_parquet::read::{Filter, PhysicalType, RowGroupMetadata};
use polars_plan::plans::predicates::null_count_dtype;

use super::parquet::ParquetFile;
use super::piece::Request;
use super::predicate::{RowFilter, statistics_names};
use super::read_stats::ReadStats;
use super::{files, pages};

/// Reads `groups` of `file` and passes them to `out`, one frame per row group. Reads at most `budget`
/// rows.
pub(super) fn read(
    file: &ParquetFile,
    groups: Range<usize>,
    request: &Request,
    budget: &mut usize,
    stats: &ReadStats,
    out: &mut dyn FnMut(DataFrame) -> PolarsResult<()>,
) -> PolarsResult<()> {
    let ruled_out = request.filter.as_ref().and_then(|filter| ruled_out(file, groups.clone(), filter));
    let mut bytes: Option<Buffer<u8>> = None;
    for (at, group) in file.metadata.row_groups[groups].iter().enumerate() {
        let rows = group.num_rows().min(*budget);
        if rows == 0 {
            continue;
        }
        *budget -= rows;
        if ruled_out.as_ref().is_some_and(|ruled_out| ruled_out.get(at) == Some(true)) {
            stats.add_row_group_skipped();
            continue;
        }
        // Mapped only when something is read.
        let bytes = match &bytes {
            Some(bytes) => bytes.clone(),
            None => bytes.insert(files::map(&file.path, file.len)?).clone(),
        };
        stats.add_row_group_read();
        stats.add_rows(rows);
        let reader = GroupReader { file, group, bytes, rows, stats };
        let frame = match &request.filter {
            None => reader.read_all(&request.schema),
            Some(filter) => reader.read_filtered(&request.schema, filter),
        };
        out(frame.map_err(|error| {
            error.wrap_msg(|message| format!("reading `{}`: {message}", file.path.display()))
        })?)?;
    }
    Ok(())
}

/// Reads the first `rows` rows of one row group.
struct GroupReader<'a> {
    file: &'a ParquetFile,
    group: &'a RowGroupMetadata,
    bytes: Buffer<u8>,
    rows: usize,
    stats: &'a ReadStats,
}

impl GroupReader<'_> {
    fn read_all(&self, schema: &Schema) -> PolarsResult<DataFrame> {
        let columns =
            schema.iter_names().map(|name| self.column(name, self.range())).collect::<Result<_, _>>()?;
        DataFrame::new(self.rows, columns)
    }

    /// First reads the columns of the predicate, and the others only if a row passes. If the rows that
    /// pass are adjacent, reads only those rows of the other columns.
    fn read_filtered(&self, schema: &Schema, filter: &RowFilter) -> PolarsResult<DataFrame> {
        let live = self.read_all(filter.live())?;
        let mask = filter.passes(&live)?;
        let passing = mask.sum().unwrap_or(0) as usize;
        if passing == 0 {
            return Ok(DataFrame::empty_with_schema(schema));
        }
        if passing == self.rows {
            let columns = schema.iter_names().map(|name| match live.column(name) {
                Ok(column) => Ok(column.clone()),
                Err(_) => self.column(name, self.range()),
            });
            return DataFrame::new(self.rows, columns.collect::<Result<_, _>>()?);
        }
        let bits = mask.downcast_as_array().values();
        // A mask covers the whole row group, so it cannot be combined with a range.
        let whole = self.rows == self.group.num_rows();
        let cost = calc_prefilter_cost(bits);
        let columns = schema.iter_names().map(|name| {
            if let Ok(column) = live.column(name) {
                return column.filter(&mask);
            }
            let dtype = self.field(name)?.dtype();
            if whole && PrefilterMaskSetting::Auto.should_prefilter(cost, dtype) {
                self.column(name, Some(Filter::new_masked(bits.clone())))
            } else {
                self.column(name, self.range())?.filter(&mask)
            }
        });
        DataFrame::new(passing, columns.collect::<Result<_, _>>()?)
    }

    fn range(&self) -> Option<Filter> {
        (self.rows < self.group.num_rows()).then(|| Filter::new_ranged(0, self.rows))
    }

    fn field(&self, name: &str) -> PolarsResult<&ArrowField> {
        self.file.arrow_schema.get(name).ok_or_else(
            || polars_err!(ColumnNotFound: "column `{name}` is not in `{}`", self.file.path.display()),
        )
    }

    fn column(&self, name: &str, filter: Option<Filter>) -> PolarsResult<Column> {
        let field = self.field(name)?;
        let leaves = self.group.columns_idxs_under_root_iter(name).ok_or_else(
            || polars_err!(ColumnNotFound: "column `{name}` is in the schema of the file, but not in a row group"),
        )?;
        let mut chunks = Vec::with_capacity(leaves.len());
        for &leaf in leaves {
            let chunk = &self.group.parquet_columns()[leaf];
            let range = chunk.byte_range();
            if range.start > range.end || range.end > self.file.len {
                polars_bail!(ComputeError: "column `{name}` lies outside the file: the footer is damaged");
            }
            self.stats.add_bytes(range.end - range.start);
            let bytes = self.bytes.clone().sliced(range.start as usize..range.end as usize);
            pages::check(chunk, &bytes)?;
            chunks.push((chunk, bytes));
        }
        let (arrays, _) = to_deserializer(chunks, field.clone(), filter)?;
        let mut series = Series::try_from((field, arrays))?;
        if let &[leaf] = leaves {
            try_set_sorted_flag(&mut series, leaf, &create_sorting_map(self.group));
        }
        Ok(series.into_column())
    }
}

/// Which of `groups` have no row that passes, judged by their statistics.
fn ruled_out(file: &ParquetFile, groups: Range<usize>, filter: &RowFilter) -> Option<BooleanChunked> {
    if !filter.can_skip() || groups.is_empty() {
        return None;
    }
    let groups = &file.metadata.row_groups[groups];
    let rows: Vec<IdxSize> = groups.iter().map(|group| group.num_rows() as IdxSize).collect();
    let mut columns = vec![Column::new("len".into(), rows)];
    for (name, dtype) in filter.live().iter() {
        let known = column_statistics(file, groups, name, dtype);
        let [min, max, nulls] = known.unwrap_or_else(|| {
            [dtype, dtype, &null_count_dtype(dtype)]
                .map(|dtype| Column::full_null(PlSmallStr::EMPTY, groups.len(), dtype))
        });
        let [min_name, max_name, nulls_name] = statistics_names(name);
        columns.extend([min.with_name(min_name), max.with_name(max_name), nulls.with_name(nulls_name)]);
    }
    filter.ruled_out(&DataFrame::new(groups.len(), columns).ok()?)
}

/// Minimum, maximum and null count of a column in each row group. Empty for types whose statistics are
/// not understood or not reliable; these then rule nothing out.
fn column_statistics(
    file: &ParquetFile,
    groups: &[RowGroupMetadata],
    name: &str,
    dtype: &DataType,
) -> Option<[Column; 3]> {
    let field = file.arrow_schema.get(name)?;
    let &[leaf] = groups.first()?.columns_idxs_under_root_iter(name)? else { return None };
    let consistent = groups.iter().all(|group| group.columns_idxs_under_root_iter(name) == Some(&[leaf][..]));
    let physical = groups[0].parquet_columns().get(leaf)?.physical_type();
    if !consistent || !understood(field.dtype(), physical) {
        return None;
    }
    let found = deserialize_all(field, groups, leaf, &file.metadata.footer_buf).ok()??;
    // Statistics of times and dates come as the numbers they are stored as.
    let typed = |values| {
        let series = Series::from_arrow(PlSmallStr::EMPTY, values).ok()?;
        let is_stored = series.dtype() != dtype && series.dtype() == &dtype.to_physical();
        if is_stored && same_unit(field.dtype()) { series.strict_cast(dtype).ok() } else { Some(series) }
    };
    let (min, max) = (typed(found.min_value)?, typed(found.max_value)?);
    let nulls = Series::from_arrow(PlSmallStr::EMPTY, found.null_count.boxed()).ok()?;
    (min.dtype() == dtype && max.dtype() == dtype).then(|| [min, max, nulls].map(Series::into_column))
}

/// Whether a time or date is stored in the unit that Polars uses.
fn same_unit(dtype: &ArrowDataType) -> bool {
    use ArrowDataType as D;
    use ArrowTimeUnit::Second;
    matches!(dtype, D::Date32)
        || matches!(dtype, D::Timestamp(unit, _) | D::Duration(unit) if *unit != Second)
}

/// Whether type and storage are paired as every writer does. On other pairs the decoder of statistics may
/// panic.
fn understood(dtype: &ArrowDataType, physical: PhysicalType) -> bool {
    use ArrowDataType as D;
    use PhysicalType as P;
    matches!(
        (dtype, physical),
        (D::Boolean, P::Boolean)
            | (D::Int8 | D::Int16 | D::Int32 | D::UInt8 | D::UInt16 | D::UInt32 | D::Date32, P::Int32)
            | (D::Int64 | D::UInt64 | D::Timestamp(..) | D::Duration(_) | D::Time64(_), P::Int64)
            | (D::Float32, P::Float)
            | (D::Float64, P::Double)
            | (D::Utf8View | D::BinaryView, P::ByteArray)
    )
}
