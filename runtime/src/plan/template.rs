//! `map_partitions`: a plan over each partition by itself. The user's closure is called once, on the
//! driver, with a hole that represents the partition. Each task fills it with its own rows, so a plan is
//! sent to workers, never code.

use std::sync::Arc;

use partita_engine::plans::map_leaves;
use partita_engine::task::fragment::Hole;
use polars::prelude::*;
use polars_plan::dsl::DslPlan;
use polars_plan::plans::{ArenaLpIter, IR};

use super::optimise;

/// A plan over a partition.
pub(crate) struct Template {
    plan: LazyFrame,
    partition: Arc<Hole>,
    /// What else it reads: frames and files, each in every task.
    others: Vec<(Arc<Hole>, LazyFrame)>,
    schema: SchemaRef,
    /// The columns of the partition that it reads; `None` if all.
    columns: Option<Vec<PlSmallStr>>,
}

impl Template {
    /// Calls `build` with the placeholder for a partition with columns of `schema`. `None` if the result
    /// does not read the placeholder: the closure then collected it or ignored it.
    ///
    /// # Errors
    /// When the plan is not valid.
    pub fn new(schema: &SchemaRef, build: impl FnOnce(LazyFrame) -> LazyFrame) -> PolarsResult<Option<Self>> {
        let partition = Arc::new(Hole::placeholder());
        let mut built = build(partition.scan(schema));
        let result = built.collect_schema()?;
        let mut others = Vec::new();
        let (mut failed, mut built_on_it) = (None, false);
        let plan = map_leaves(&built.logical_plan, &mut |leaf| {
            if is_scan_of(leaf, &partition) {
                built_on_it = true;
                return None;
            }
            let mut scan = LazyFrame::from(leaf.clone());
            match scan.collect_schema() {
                Ok(schema) => {
                    let hole = Arc::new(Hole::new());
                    let hole_scan = hole.scan(&schema).logical_plan;
                    others.push((hole, scan));
                    Some(hole_scan)
                }
                Err(error) => {
                    failed.get_or_insert(error);
                    None
                }
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let mut template =
            Self { plan: LazyFrame::from(plan), partition, others, schema: result, columns: None };
        if !built_on_it {
            return Ok(None);
        }
        let columns = template.reads(schema)?;
        template.columns = (columns.len() < schema.len()).then_some(columns);
        Ok(Some(template))
    }

    /// The columns of the result.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The columns of the partition that it reads; `None` if all.
    pub fn columns(&self) -> Option<&[PlSmallStr]> {
        self.columns.as_deref()
    }

    /// The plan over the partition's hole.
    pub fn plan(&self) -> &LazyFrame {
        &self.plan
    }

    /// The hole that represents the partition.
    pub fn partition(&self) -> &Arc<Hole> {
        &self.partition
    }

    /// The other holes in the plan, with what belongs into them.
    pub fn others(&self) -> &[(Arc<Hole>, LazyFrame)] {
        &self.others
    }

    /// The columns that the optimised plan reads, in the order of `schema`.
    fn reads(&self, schema: &SchemaRef) -> PolarsResult<Vec<PlSmallStr>> {
        let plan = optimise::optimised(self.plan.clone())?;
        let mut read = PlHashSet::new();
        for (_, node) in plan.lp_arena.iter(plan.lp_top) {
            if Hole::of(node).is_some_and(|hole| hole.number() == self.partition.number())
                && let IR::Scan { output_schema, .. } = node
            {
                let columns = output_schema.as_ref().unwrap_or(schema);
                read.extend(columns.iter_names_cloned());
            }
        }
        Ok(schema.iter_names_cloned().filter(|name| read.contains(name)).collect())
    }
}

fn is_scan_of(leaf: &DslPlan, hole: &Hole) -> bool {
    super::leaves::anonymous(leaf)
        .and_then(|function| function.as_any().downcast_ref::<Hole>())
        .is_some_and(|found| found.number() == hole.number())
}
