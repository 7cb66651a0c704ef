//! A Polars plan with one hole in it. `map_partitions` runs the user's closure once, on the driver, over
//! an empty frame that represents a partition. Each task then fills the hole with its own input. So a
//! plan is sent to workers, never code.

use std::sync::Arc;

use polars::polars_utils::arena::Node;
use polars::prelude::*;
use polars_plan::dsl::DslPlan;
use polars_plan::plans::{AExpr, IRFunctionExpr, IRPlan};

/// A plan over a placeholder frame.
#[derive(Clone)]
pub struct Template {
    plan: DslPlan,
    hole: Arc<DataFrame>,
}

impl Template {
    /// Builds the plan by calling `build` with the placeholder. `None` if the result does not read the
    /// placeholder: the closure then collected it or ignored it.
    pub fn new(schema: &SchemaRef, build: impl FnOnce(LazyFrame) -> LazyFrame) -> Option<Self> {
        let hole = Arc::new(DataFrame::empty_with_schema(schema));
        let scan = DslPlan::DataFrameScan { df: hole.clone(), schema: schema.clone() };
        let plan = build(LazyFrame::from(scan)).logical_plan;
        let template = Self { plan, hole };
        let mut filled = 0;
        template.replace(&template.plan, &template.plan, &mut filled);
        (filled > 0).then_some(template)
    }

    /// The plan with `input` in the hole.
    pub fn fill(&self, input: LazyFrame) -> LazyFrame {
        let mut filled = 0;
        LazyFrame::from(self.replace(&self.plan, &input.logical_plan, &mut filled))
    }

    /// Whether the plan draws random numbers without a seed, so that it returns other rows each time.
    pub fn is_random(&self) -> bool {
        let Ok(IRPlan { expr_arena, .. }) = self.lazy().to_alp() else { return true };
        (0..expr_arena.len()).any(|node| match expr_arena.get(Node(node)) {
            AExpr::Function { function: IRFunctionExpr::Random { seed, .. }, .. } => seed.is_none(),
            _ => false,
        })
    }

    /// The plan over the empty placeholder, for its schema.
    pub fn lazy(&self) -> LazyFrame {
        LazyFrame::from(self.plan.clone())
    }

    /// The plan and the frame that represents the partition in it.
    pub(crate) fn parts(&self) -> (&DslPlan, &Arc<DataFrame>) {
        (&self.plan, &self.hole)
    }

    /// A template from a plan in which `hole` represents the partition.
    pub(crate) fn from_parts(plan: DslPlan, hole: Arc<DataFrame>) -> Self {
        Self { plan, hole }
    }

    fn replace(&self, plan: &DslPlan, with: &DslPlan, filled: &mut usize) -> DslPlan {
        map_leaves(plan, &mut |leaf| match leaf {
            DslPlan::DataFrameScan { df, .. } if Arc::ptr_eq(df, &self.hole) => {
                *filled += 1;
                Some(with.clone())
            }
            _ => None,
        })
    }
}

/// The plan with other leaves: `leaf` returns the replacement of a frame or scan, or `None` to keep it.
pub(crate) fn map_leaves(plan: &DslPlan, leaf: &mut dyn FnMut(&DslPlan) -> Option<DslPlan>) -> DslPlan {
    let mut one = |input: &Arc<DslPlan>| Arc::new(map_leaves(input, leaf));
    let mut copy = plan.clone();
    match &mut copy {
        DslPlan::Filter { input, .. }
        | DslPlan::Cache { input, .. }
        | DslPlan::Select { input, .. }
        | DslPlan::GroupBy { input, .. }
        | DslPlan::HStack { input, .. }
        | DslPlan::MatchToSchema { input, .. }
        | DslPlan::Pivot { input, .. }
        | DslPlan::Distinct { input, .. }
        | DslPlan::Sort { input, .. }
        | DslPlan::Slice { input, .. }
        | DslPlan::MapFunction { input, .. }
        | DslPlan::Sink { input, .. } => *input = one(input),
        DslPlan::Join { input_left, input_right, .. }
        | DslPlan::MergeSorted { input_left, input_right, .. } => {
            *input_left = one(input_left);
            *input_right = one(input_right);
        }
        DslPlan::Gather { input, idxs, .. } => {
            *input = one(input);
            *idxs = one(idxs);
        }
        DslPlan::ExtContext { input, contexts } => {
            *input = one(input);
            map_all(contexts, leaf);
        }
        DslPlan::PipeWithSchema { input, .. } => {
            let mut inputs = input.to_vec();
            map_all(&mut inputs, leaf);
            *input = inputs.into();
        }
        DslPlan::Union { inputs, .. }
        | DslPlan::HConcat { inputs, .. }
        | DslPlan::SinkMultiple { inputs } => {
            map_all(inputs, leaf);
        }
        // The converted form is a cache of `dsl`, and stale once a leaf has changed.
        DslPlan::IR { dsl, .. } => return map_leaves(dsl, leaf),
        DslPlan::DataFrameScan { .. } | DslPlan::Scan { .. } => return leaf(plan).unwrap_or(copy),
    }
    copy
}

fn map_all(plans: &mut [DslPlan], leaf: &mut dyn FnMut(&DslPlan) -> Option<DslPlan>) {
    for plan in plans {
        *plan = map_leaves(plan, leaf);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> SchemaRef {
        Arc::new(Schema::from_iter([Field::new("a".into(), DataType::Int64)]))
    }

    #[test]
    fn every_use_of_the_partition_is_filled_also_in_joins_and_unions() {
        let template = Template::new(&schema(), |lf| {
            let doubled = lf.clone().select([(col("a") * lit(2)).alias("a")]);
            concat([lf.clone(), doubled], UnionArgs::default()).unwrap().semi_join(lf, col("a"), col("a"))
        })
        .unwrap();
        let input = df!("a" => [1i64, 2, 3]).unwrap().lazy();
        let out = template.fill(input).sort(["a"], SortMultipleOptions::default()).collect().unwrap();
        assert_eq!(out, df!("a" => [1i64, 2, 2, 3]).unwrap());
    }

    #[test]
    fn a_closure_that_collects_its_partition_is_recognised() {
        assert!(Template::new(&schema(), |lf| lf.collect().unwrap().lazy()).is_none());
    }
}
