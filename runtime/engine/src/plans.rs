//! Plans as people write them: exchanging their leaves.

use std::sync::Arc;

use polars_plan::dsl::DslPlan;

/// The plan with other leaves: `leaf` returns the replacement of a frame or scan, or `None` to keep it.
pub fn map_leaves(plan: &DslPlan, leaf: &mut dyn FnMut(&DslPlan) -> Option<DslPlan>) -> DslPlan {
    // Plans may be thousands of steps deep.
    stacker::maybe_grow(64 << 10, 1 << 20, || map_inputs(plan, leaf))
}

fn map_inputs(plan: &DslPlan, leaf: &mut dyn FnMut(&DslPlan) -> Option<DslPlan>) -> DslPlan {
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
