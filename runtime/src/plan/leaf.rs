//! The leaves of a plan: where its rows come from. A leaf is an anonymous scan of Polars' that is never
//! read. The planner finds it again in the optimised plan, with what is requested of it.

use std::any::Any;
use std::sync::Arc;

use partita_engine::cache::{CacheLease, StorageLevel};
use partita_engine::source::Piece;
use partita_engine::task::fragment;
use polars::prelude::*;
use polars_plan::dsl::FileScanIR;
use polars_plan::plans::IR;

use super::{Partitioning, Plan, Settings};

/// What a leaf provides.
pub(crate) enum Source {
    /// Rows in memory, one frame per partition.
    Frames(Vec<DataFrame>),
    /// The integers from `start` up to but excluding `end`, in `partitions` equal parts.
    Range { start: i64, end: i64, partitions: usize },
    /// Polars plans that read something, one per partition.
    Plans(Vec<LazyFrame>),
    /// Pieces of files, one per partition.
    Pieces(Vec<Arc<Piece>>),
    /// The rows of another plan, kept once they are computed.
    Cached(Cached),
    /// No rows: it is the right side of a semi join that stands for a repartition by keys. The optimiser
    /// sees in it that the keys are needed and that the order of rows is lost.
    Keys(Partitioning),
}

/// A plan whose partitions are kept. It is planned by itself, so it has the same partitions whoever reads
/// it.
pub(crate) struct Cached {
    pub plan: Arc<Plan>,
    pub lease: Arc<CacheLease>,
    pub level: StorageLevel,
    /// The settings when it was cached.
    pub settings: Settings,
    /// The number of its partitions.
    pub partitions: usize,
}

/// A leaf as a scan.
pub(crate) struct Leaf {
    pub source: Source,
    pub schema: SchemaRef,
}

impl Leaf {
    /// The leaf as a plan.
    pub fn scan(source: Source, schema: &SchemaRef) -> LazyFrame {
        let leaf = Self { source, schema: schema.clone() };
        let name = leaf.name();
        fragment::scan(Arc::new(leaf), name, schema)
    }

    /// The leaf that this node is, if it is one.
    pub fn of(ir: &IR) -> Option<&Self> {
        let IR::Scan { scan_type, .. } = ir else { return None };
        let FileScanIR::Anonymous { function, .. } = &**scan_type else { return None };
        function.as_any().downcast_ref()
    }

    fn name(&self) -> &'static str {
        match &self.source {
            Source::Frames(_) => "FRAME",
            Source::Range { .. } => "RANGE",
            Source::Plans(_) => "SCAN",
            Source::Pieces(pieces) => pieces.first().map_or("SCAN", |piece| piece.name()),
            Source::Cached(_) => "CACHED",
            Source::Keys(_) => "REPARTITION",
        }
    }
}

impl AnonymousScan for Leaf {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn scan(&self, _: AnonymousScanArgs) -> PolarsResult<DataFrame> {
        polars_bail!(ComputeError: "a dataset's plan runs on its session; collect the dataset instead")
    }

    fn allows_predicate_pushdown(&self) -> bool {
        matches!(self.source, Source::Pieces(_) | Source::Plans(_))
    }

    fn allows_projection_pushdown(&self) -> bool {
        !matches!(self.source, Source::Keys(_))
    }
}
