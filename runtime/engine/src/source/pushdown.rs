//! Describes which parts of a plan are pushed down into its scans.

use std::fmt;

use polars::prelude::{LazyFrame, PolarsResult, SchemaRef};
use polars_plan::dsl::FileScanIR;
use polars_plan::plans::{ArenaLpIter, IR};

/// What an optimised plan requests from one scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushdown {
    /// The name of the scan in plans.
    pub scan: String,
    /// The columns read, in order.
    pub columns: Vec<String>,
    /// The number of columns in the source.
    pub columns_in_source: usize,
    /// The predicate that rows must pass, in Polars' notation.
    pub predicate: Option<String>,
    /// The number of rows read, for a plan that starts with a limit.
    pub rows: Option<usize>,
}

/// Optimises `frame` as a collect would and returns what reaches each of its scans. Nothing is read.
pub fn pushed_down(frame: &LazyFrame) -> PolarsResult<Vec<Pushdown>> {
    let plan = frame.clone().to_alp_optimized()?;
    let names = |schema: &SchemaRef| schema.iter_names().map(|name| name.to_string()).collect::<Vec<_>>();
    let mut found = Vec::new();
    for (_, node) in plan.lp_arena.iter(plan.lp_top) {
        let IR::Scan { file_info, predicate, output_schema, scan_type, unified_scan_args, .. } = node else {
            continue;
        };
        found.push(Pushdown {
            scan: match scan_type.as_ref() {
                FileScanIR::Anonymous { options, .. } => options.fmt_str.to_owned(),
                other => <&str>::from(other).to_uppercase(),
            },
            columns: match &unified_scan_args.projection {
                Some(columns) => columns.iter().map(|name| name.to_string()).collect(),
                None => names(output_schema.as_ref().unwrap_or(&file_info.schema)),
            },
            columns_in_source: file_info.schema.len(),
            predicate: predicate.as_ref().map(|predicate| predicate.display(&plan.expr_arena).to_string()),
            rows: unified_scan_args.pre_slice.as_ref().map(|slice| slice.len()),
        });
    }
    // Plans are traversed from the result down; people read from the sources up.
    found.reverse();
    Ok(found)
}

impl fmt::Display for Pushdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: reads {} of {} columns", self.scan, self.columns.len(), self.columns_in_source)?;
        if self.columns.len() < self.columns_in_source {
            write!(f, " ({})", self.columns.join(", "))?;
        }
        if let Some(rows) = self.rows {
            write!(f, "; reads at most {rows} rows")?;
        }
        if let Some(predicate) = &self.predicate {
            write!(f, "; keeps rows with {predicate}")?;
        }
        Ok(())
    }
}
