//! Steps of a plan that only Partita has and that need no keys. In a Polars plan they are opaque functions
//! with a number in their text, which outlives the optimiser. Steps with keys are semi joins with a leaf
//! instead (see [`Source::Keys`](super::leaf::Source)): an opaque function cannot say that it reads
//! columns.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use polars::prelude::*;
use polars_plan::dsl::DslPlan;
use polars_plan::plans::{DslFunction, FunctionIR, UdfSchema};

use super::JoinStrategy;
use super::template::Template;

/// A step.
pub(crate) enum Step {
    /// Deals even runs of rows to this many partitions.
    RoundRobin(usize),
    /// Merges neighbouring partitions until at most this many are left.
    Coalesce(usize),
    /// `map_partitions`: a plan over each partition.
    EachPartition(Box<Template>),
    /// What a person said about the step above.
    Advice(Advice),
    /// Only columns pass: a limit above is not pushed below.
    Fence,
    /// Aggregates of all rows are below. Polars would drop those that nobody reads, and with the last one
    /// that the result is one row.
    OneRow,
}

/// What a person said about how a step is done.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Advice {
    /// Whether partitions aggregate their own rows before a shuffle.
    pub combine: Option<bool>,
    /// Over how many partitions a group's rows are spread before they are aggregated in two halves.
    pub salts: Option<usize>,
    /// How a join brings keys together.
    pub strategy: Option<JoinStrategy>,
}

/// A step in plans. Kept as long as a plan contains it.
struct Marker {
    number: u64,
    step: Step,
}

/// The steps in plans that exist, by the number in their text. Process-wide because Polars' plans have no
/// room for anything of ours.
static STEPS: Mutex<Option<HashMap<u64, Weak<Marker>>>> = Mutex::new(None);

const TEXT: &str = "PARTITA ";

impl Drop for Marker {
    fn drop(&mut self) {
        if let Some(steps) = &mut *STEPS.lock() {
            steps.remove(&self.number);
        }
    }
}

/// Puts a step above `input`.
pub(crate) fn mark(input: LazyFrame, step: Step) -> LazyFrame {
    let function = DslFunction::FunctionIR(function(step));
    let flags = input.get_current_optimizations();
    LazyFrame::from_logical_plan(
        DslPlan::MapFunction { input: Arc::new(input.logical_plan), function },
        flags,
    )
}

/// The function that stands for a step.
pub(super) fn function(step: Step) -> FunctionIR {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let (predicates, columns) = match &step {
        Step::RoundRobin(_) | Step::Coalesce(_) | Step::Advice(_) => (true, true),
        Step::Fence => (false, true),
        Step::OneRow => (true, false),
        Step::EachPartition(_) => (false, false),
    };
    let schema = match &step {
        Step::EachPartition(template) => {
            let schema = template.schema().clone();
            Some(Arc::new(move |_: &Schema| Ok(schema.clone())) as Arc<dyn UdfSchema>)
        }
        _ => None,
    };
    let marker = Arc::new(Marker { number, step });
    STEPS.lock().get_or_insert_default().insert(number, Arc::downgrade(&marker));
    FunctionIR::Opaque {
        function: Arc::new(move |_: DataFrame| {
            let number = marker.number;
            polars_bail!(ComputeError: "step {number} of a dataset's plan runs on its session; collect the dataset")
        }),
        schema,
        predicate_pd: predicates,
        projection_pd: columns,
        streamable: false,
        fmt_str: format!("{TEXT}{number}").into(),
    }
}

/// The step that this function of a plan stands for, if it is one of ours.
pub(crate) fn step_of(function: &FunctionIR) -> Option<Marked> {
    let FunctionIR::Opaque { fmt_str, .. } = function else { return None };
    let number = fmt_str.strip_prefix(TEXT)?.parse().ok()?;
    Some(Marked(STEPS.lock().as_ref()?.get(&number)?.upgrade()?))
}

/// A step found in a plan.
pub(crate) struct Marked(Arc<Marker>);

impl std::ops::Deref for Marked {
    type Target = Step;

    fn deref(&self) -> &Step {
        &self.0.step
    }
}
