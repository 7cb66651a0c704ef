//! Encodes plans that a task runs as Polars does, from their files to their last step. The frames in a
//! plan are sent beside it, each once, large ones as blobs. In the plan, a marker replaces each: a frame
//! without rows whose only column is named by its number.
//!
//! Plans are written as trees. Polars' own form for files is a table of nodes that refer to each other by
//! number; a malicious peer could send references in a circle, and reading them would never end.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use polars::prelude::*;
use polars_plan::dsl::{DslPlan, ScanSources, SinkTarget, SinkType};
use serde::{Deserialize, Serialize};

use super::access::Access;
use super::frames::{self, WireFrame};
use super::visit::{Seen, can_travel, visit};
use super::{Blobs, CodecError, packed};
use crate::plans::map_leaves;

/// A plan as it is sent.
#[derive(Serialize, Deserialize)]
pub(super) struct WirePlan {
    plan: Bytes,
    frames: Vec<WireFrame>,
}

impl WirePlan {
    /// Encodes a plan.
    pub(super) fn of(plan: &LazyFrame, blobs: &dyn Blobs) -> Result<Self, CodecError> {
        let plan = &plan.logical_plan;
        can_travel("a plan", [Seen::Plan(plan)])?;
        let mut numbers: HashMap<*const DataFrame, usize> = HashMap::new();
        let mut found: Vec<Arc<DataFrame>> = Vec::new();
        let marked = map_leaves(plan, &mut |leaf| match leaf {
            DslPlan::DataFrameScan { df, schema } => {
                let number = *numbers.entry(Arc::as_ptr(df)).or_insert_with(|| {
                    found.push(df.clone());
                    found.len() - 1
                });
                Some(DslPlan::DataFrameScan { df: Arc::new(marker(number)), schema: schema.clone() })
            }
            DslPlan::Scan { sources: ScanSources::Paths(paths), unified_scan_args, scan_type, cached_ir } => {
                let absolute = |path: &PlRefPath| match path.has_scheme() {
                    true => path.clone(),
                    false => path.to_absolute_path().map_or_else(|_| path.clone(), Cow::into_owned),
                };
                Some(DslPlan::Scan {
                    sources: ScanSources::Paths(paths.iter().map(absolute).collect()),
                    unified_scan_args: unified_scan_args.clone(),
                    scan_type: scan_type.clone(),
                    cached_ir: cached_ir.clone(),
                })
            }
            _ => None,
        });
        let frames = found.iter().map(|frame| frames::wire(frame, blobs)).collect::<Result<_, _>>()?;
        let plan = packed::to_bytes(&marked).map_err(|error| CodecError::cannot_travel("a plan", error))?;
        super::fits("a plan", &plan)?;
        Ok(Self { plan: plan.into(), frames })
    }

    /// The plan, with what it reads checked.
    pub(super) fn open(self, access: &Access, blobs: &super::GetBlob<'_>) -> Result<LazyFrame, CodecError> {
        let marked: DslPlan =
            packed::from_bytes(&self.plan).map_err(|cause| CodecError::malformed("a plan", cause))?;
        allowed([Seen::Plan(&marked)], access)?;
        let open = |frame| frames::open(frame, blobs).map(Arc::new);
        let frames = self.frames.into_iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let mut unknown = None;
        let plan = map_leaves(&marked, &mut |leaf| {
            let DslPlan::DataFrameScan { df, .. } = leaf else { return None };
            let number = number_of(df);
            let Some(df) = number.and_then(|number| frames.get(number)).cloned() else {
                unknown = Some(format!("its frame {number:?} is missing"));
                return None;
            };
            Some(DslPlan::DataFrameScan { schema: df.schema().clone(), df })
        });
        match unknown {
            Some(cause) => Err(CodecError::malformed("a plan", cause)),
            None => Ok(LazyFrame::from(plan)),
        }
    }
}

fn marker(number: usize) -> DataFrame {
    let schema = Schema::from_iter([Field::new(number.to_string().into(), DataType::Boolean)]);
    DataFrame::empty_with_schema(&schema)
}

fn number_of(marker: &DataFrame) -> Option<usize> {
    match marker.columns() {
        [column] if marker.height() == 0 => column.name().parse().ok(),
        _ => None,
    }
}

/// Rejects plans and expressions that use forbidden files, anywhere inside them.
pub(super) fn allowed<'a>(
    start: impl IntoIterator<Item = Seen<'a>>,
    access: &Access,
) -> Result<(), CodecError> {
    let refuse = |what: &str| Err(CodecError::unsupported(what));
    visit(start, |seen, _| match seen {
        Seen::Plan(DslPlan::Scan { sources, unified_scan_args, .. }) => {
            if unified_scan_args.deletion_files.is_some() {
                return refuse("a scan with deletion files");
            }
            match sources {
                ScanSources::Paths(paths) => {
                    for path in paths.iter() {
                        access.read_scan(path, unified_scan_args.glob)?;
                    }
                    Ok(())
                }
                ScanSources::Buffers(_) => Ok(()),
                ScanSources::Files(_) => refuse("a scan of open files"),
            }
        }
        Seen::Plan(DslPlan::Sink { payload, .. }) => match payload {
            SinkType::Memory => Ok(()),
            SinkType::File(options) => match &options.target {
                SinkTarget::Path(path) => write(path, access),
                SinkTarget::Dyn(_) => refuse("a sink into memory"),
            },
            SinkType::Partitioned(options) => write(&options.base_path, access),
            SinkType::Callback(_) | SinkType::Iceberg(_) => refuse("this kind of sink"),
        },
        Seen::Plan(_) | Seen::Expr(_) => Ok(()),
    })
}

fn write(path: &PlRefPath, access: &Access) -> Result<(), CodecError> {
    if path.has_scheme() {
        return Err(super::access::AccessError::Remote { path: path.to_string() }.into());
    }
    access.write(path.as_std_path())?;
    Ok(())
}
