//! Turns a logical plan into stages: the plan is split where rows move between partitions. A stage is a
//! list of inputs, one per task, and what to do with their rows.

use std::sync::Arc;

use partita_engine::cache::CacheId;
use partita_engine::shuffle::{Partitioner, Salt, ShuffleId};
use partita_engine::task::aggregate::decompose;
use partita_engine::task::{Input, JoinStep, Step};
use polars::prelude::*;

use super::{JoinStrategy, Node, NodeRef, Op, Partitioning};

/// How many rows of each partition are sampled to find the bounds of a range partitioning.
const SAMPLE_ROWS: usize = 1024;

/// Tasks that can run in parallel once the stages in `after` are done.
pub(crate) struct Stage {
    /// What it does, for people.
    pub name: String,
    /// One input per task.
    pub inputs: Vec<Arc<Input>>,
    /// What to do with the rows.
    pub sink: Sink,
    /// The indexes of the stages whose output this one reads.
    pub after: Vec<usize>,
}

/// What to do with a stage's rows. Like a task's output, but the partitioner may still need the sample of
/// an earlier stage.
#[derive(Clone)]
pub(crate) enum Sink {
    Shuffle {
        id: ShuffleId,
        partitioner: Arc<Partitioner>,
    },
    /// The bounds come from the sample of stage `sample`.
    RangeShuffle {
        id: ShuffleId,
        sample: usize,
        by: Vec<Expr>,
        descending: Vec<bool>,
        nulls_last: bool,
        n: usize,
    },
    /// The hot keys come from the sample of stage `sample`.
    SaltedShuffle {
        id: ShuffleId,
        sample: usize,
        keys: Vec<Expr>,
        n: usize,
        salts: usize,
        /// Whether rows of hot keys are copied to all of a key's partitions, or dealt among them.
        copied: bool,
    },
    Sample {
        by: Vec<Expr>,
        rows: usize,
    },
    /// The rows become broadcast number `index` of the job.
    Broadcast {
        index: usize,
        schema: SchemaRef,
    },
    /// The job's result.
    Result,
}

impl Sink {
    /// The shuffle that the rows go to.
    pub fn shuffle(&self) -> Option<ShuffleId> {
        match self {
            Self::Shuffle { id, .. } | Self::RangeShuffle { id, .. } | Self::SaltedShuffle { id, .. } => {
                Some(*id)
            }
            Self::Sample { .. } | Self::Broadcast { .. } | Self::Result => None,
        }
    }

    /// Changes the shuffle that the rows go to, if there is one.
    pub fn set_shuffle(&mut self, shuffle: ShuffleId) {
        if let Self::Shuffle { id, .. } | Self::RangeShuffle { id, .. } | Self::SaltedShuffle { id, .. } =
            self
        {
            *id = shuffle;
        }
    }
}

/// The stages of a job, each after those it reads. The last one produces the result.
pub(crate) struct PhysicalPlan {
    pub stages: Vec<Stage>,
    /// The number of broadcasts that the stages create.
    pub broadcasts: usize,
}

/// Partitions on their way to a stage: their inputs, the steps so far, and the stages before.
#[derive(Clone)]
struct Flow {
    inputs: Vec<Input>,
    names: Vec<String>,
    after: Vec<usize>,
    schema: SchemaRef,
}

impl Flow {
    fn then(mut self, step: &Arc<Step>, name: &str, schema: &SchemaRef) -> Self {
        let wrap = |input| Input::Step { input: Box::new(input), step: step.clone() };
        self.inputs = self.inputs.into_iter().map(wrap).collect();
        self.names.push(name.to_owned());
        self.schema = schema.clone();
        self
    }
}

/// Splits a plan into stages. `next_shuffle` returns a new shuffle id; `kept` returns how many partitions
/// of a cached dataset are cached.
pub(crate) fn stages_of(
    node: &NodeRef,
    next_shuffle: &dyn Fn() -> ShuffleId,
    kept: &dyn Fn(CacheId) -> usize,
) -> PhysicalPlan {
    let mut planner = Planner { stages: Vec::new(), broadcasts: 0, next_shuffle, kept };
    let flow = planner.flow(node);
    planner.stage(flow, None, Sink::Result);
    PhysicalPlan { stages: planner.stages, broadcasts: planner.broadcasts }
}

struct Planner<'a> {
    stages: Vec<Stage>,
    broadcasts: usize,
    next_shuffle: &'a dyn Fn() -> ShuffleId,
    kept: &'a dyn Fn(CacheId) -> usize,
}

impl Planner<'_> {
    fn stage(&mut self, flow: Flow, why: Option<&str>, sink: Sink) -> usize {
        let mut names = flow.names;
        names.extend(why.map(str::to_owned));
        let inputs = flow.inputs.into_iter().map(Arc::new).collect();
        self.stages.push(Stage { name: names.join(" → "), inputs, sink, after: flow.after });
        self.stages.len() - 1
    }

    /// Ends the flow with a shuffle into `n` partitions, and starts the next flow after it.
    fn shuffle(&mut self, flow: Flow, why: &str, partitioner: Partitioner) -> Flow {
        let n = partitioner.partitions();
        let schema = flow.schema.clone();
        let id = (self.next_shuffle)();
        let stage = self.stage(flow, Some(why), Sink::Shuffle { id, partitioner: Arc::new(partitioner) });
        Self::reduce(id, n, stage, schema)
    }

    fn shuffle_by_range(
        &mut self,
        flow: Flow,
        why: &str,
        by: &[Expr],
        descending: &[bool],
        nulls_last: bool,
        n: usize,
    ) -> Flow {
        let schema = flow.schema.clone();
        let again = flow.clone();
        let sample = self.stage(flow, Some("sample"), Sink::Sample { by: by.to_vec(), rows: SAMPLE_ROWS });
        let id = (self.next_shuffle)();
        let (by, descending) = (by.to_vec(), descending.to_vec());
        let sink = Sink::RangeShuffle { id, sample, by, descending, nulls_last, n };
        let stage = self.stage(again, Some(why), sink);
        self.stages[stage].after.push(sample);
        Self::reduce(id, n, stage, schema)
    }

    /// Shuffles both sides of a join by their keys. The left's hot keys, found by a sample, are spread
    /// over several partitions each, and the right rows of those keys are copied to all of them.
    fn shuffle_salted(
        &mut self,
        left: Flow,
        right: Flow,
        join: &JoinStep,
        n: usize,
        salts: usize,
    ) -> (Flow, Flow) {
        // Only the keys are read.
        let names: Vec<String> = (0..join.left_on.len()).map(|i| format!("key_{i}")).collect();
        let keys = join.left_on.iter().zip(&names).map(|(key, name)| key.clone().alias(name.as_str()));
        let step = Arc::new(Step::Select(keys.collect()));
        let keys = left.clone().then(&step, "keys", &left.schema);
        let by = names.iter().map(|name| col(name.as_str())).collect();
        let sample = self.stage(keys, Some("sample"), Sink::Sample { by, rows: SAMPLE_ROWS });
        let mut side = |flow: Flow, keys: &[Expr], copied: bool, why: &str| {
            let (id, keys, schema) = ((self.next_shuffle)(), keys.to_vec(), flow.schema.clone());
            let stage =
                self.stage(flow, Some(why), Sink::SaltedShuffle { id, sample, keys, n, salts, copied });
            self.stages[stage].after.push(sample);
            Self::reduce(id, n, stage, schema)
        };
        let left = side(left, &join.left_on, false, "shuffle by hash, salted");
        let right = side(right, &join.right_on, true, "shuffle by hash, copied");
        (left, right)
    }

    fn reduce(id: ShuffleId, n: usize, stage: usize, schema: SchemaRef) -> Flow {
        let read = |partition| Input::Shuffle { id, partition, maps: None, schema: schema.clone() };
        let inputs = (0..n).map(read).collect();
        Flow { inputs, names: vec!["shuffle read".into()], after: vec![stage], schema }
    }

    fn flow(&mut self, node: &NodeRef) -> Flow {
        let schema = node.schema.clone();
        let source = |inputs: Vec<Input>, name: &str| Flow {
            inputs,
            names: vec![name.to_owned()],
            after: Vec::new(),
            schema: schema.clone(),
        };
        match &node.op {
            Op::Frames(frames) => source(frames.iter().cloned().map(Input::Frame).collect(), "frame"),
            Op::Range { start, end, partitions } => {
                source(ranges(*start, *end, *partitions).collect(), "range")
            }
            Op::Plans(plans) => {
                source(plans.iter().map(|plan| Input::Plan(Box::new(plan.clone()))).collect(), "scan")
            }
            Op::Pieces(pieces) => source(pieces.iter().cloned().map(Input::Piece).collect(), "scan"),
            Op::Narrow { input, step } => {
                let name = match **step {
                    Step::Filter(_) => "filter",
                    Step::Select(_) => "select",
                    Step::WithColumns(_) => "with_columns",
                    _ => "map_partitions",
                };
                self.flow(input).then(step, name, &schema)
            }
            Op::Cache { input, lease, level } => {
                // A dataset that is cached completely needs nothing of its lineage.
                let mut flow = if (self.kept)(lease.id()) == node.partitions() {
                    source(vec![Input::Lost; node.partitions()], "cached")
                } else {
                    self.flow(input)
                };
                let wrap = |(partition, input)| Input::Cache {
                    lease: lease.clone(),
                    partition,
                    level: *level,
                    input: Box::new(input),
                };
                flow.inputs = flow.inputs.into_iter().enumerate().map(wrap).collect();
                flow.names.push("cache".into());
                flow
            }
            Op::Union(inputs) => {
                let mut flow = source(Vec::new(), "union");
                for input in inputs {
                    let part = self.flow(input);
                    flow.inputs.extend(part.inputs);
                    flow.after.extend(part.after);
                }
                flow
            }
            Op::Coalesce { input, partitions } => coalesce(self.flow(input), *partitions),
            Op::Repartition { input, by } => {
                let flow = self.flow(input);
                match by {
                    Partitioning::RoundRobin(n) => {
                        self.shuffle(flow, by.name(), Partitioner::RoundRobin { n: *n })
                    }
                    Partitioning::Hash(keys, n) => {
                        self.shuffle(flow, by.name(), Partitioner::Hash { keys: keys.clone(), n: *n })
                    }
                    Partitioning::Expr(expr, n) => {
                        self.shuffle(flow, by.name(), Partitioner::ByExpr { expr: expr.clone(), n: *n })
                    }
                    Partitioning::Salted(keys, n, salts) => {
                        let salt = Salt::all(*salts);
                        self.shuffle(flow, by.name(), Partitioner::Salted { keys: keys.clone(), n: *n, salt })
                    }
                    Partitioning::Range(keys, n) => {
                        self.shuffle_by_range(flow, by.name(), keys, &vec![false; keys.len()], false, *n)
                    }
                }
            }
            Op::GroupBy { input, keys, aggs, partitions, combine, salts } => {
                let how = Halves { combine: *combine, salts: *salts };
                self.group_by(input, keys, aggs, *partitions, how, &schema)
            }
            Op::Distinct { input, columns, partitions } => {
                let step = Arc::new(Step::Distinct(columns.clone()));
                let flow = self.flow(input).then(&step, "distinct", &schema);
                if flow.inputs.len() <= 1 {
                    return flow;
                }
                let keys = match columns {
                    Some(columns) => columns.iter().map(|name| col(name.as_str())).collect(),
                    None => schema.iter_names().map(|name| col(name.clone())).collect(),
                };
                let hash = Partitioner::Hash { keys, n: *partitions };
                self.shuffle(flow, "shuffle by hash", hash).then(&step, "distinct", &schema)
            }
            Op::Limit { input, rows } => {
                let step = Arc::new(Step::Limit(*rows));
                let flow = self.flow(input).then(&step, "limit", &schema);
                if flow.inputs.len() <= 1 {
                    return flow;
                }
                let one = Partitioner::RoundRobin { n: 1 };
                self.shuffle(flow, "shuffle to one", one).then(&step, "limit", &schema)
            }
            Op::Sort { input, by, descending, nulls_last, partitions } => {
                let step = Arc::new(Step::Sort {
                    by: by.clone(),
                    descending: descending.clone(),
                    nulls_last: *nulls_last,
                });
                let mut flow = self.flow(input);
                if flow.inputs.len() > 1 {
                    let why = "shuffle by range";
                    flow = self.shuffle_by_range(flow, why, by, descending, *nulls_last, *partitions);
                }
                flow.then(&step, "sort", &schema)
            }
            Op::Join { left, right, join, partitions, strategy } => {
                self.join(node, left, right, join, *partitions, *strategy)
            }
        }
    }

    fn group_by(
        &mut self,
        input: &NodeRef,
        keys: &[Expr],
        aggs: &[Expr],
        n: usize,
        how: Halves,
        schema: &SchemaRef,
    ) -> Flow {
        let mut flow = self.flow(input);
        let n = if keys.is_empty() { 1 } else { n };
        let whole = Arc::new(Step::Aggregate { keys: keys.to_vec(), aggs: aggs.to_vec() });
        let alone = flow.inputs.len() <= 1;
        let cut = how.combine || how.salts.is_some();
        let halves = if cut { decompose(keys, aggs, &flow.schema).map(Arc::new) } else { None };
        let partial = halves.and_then(|halves| {
            let schema = super::schema_after(&flow.schema, |lf| halves.partial(lf)).ok()?;
            Some((halves, schema))
        });
        let Some((halves, partial_schema)) = partial else {
            let flow = if alone { flow } else { self.shuffle(flow, "shuffle by hash", hash(keys, n)) };
            return flow.then(&whole, "group_by", schema);
        };
        if let Some(salts) = how.salts.filter(|_| !alone) {
            let salt = Salt::all(salts);
            let salted = Partitioner::Salted { keys: keys.to_vec(), n, salt };
            flow = self.shuffle(flow, "shuffle by hash, salted", salted);
        }
        // One partition needs no shuffle, but uses the same two halves, so that its time is comparable
        // with the times of many partitions.
        let mut flow =
            flow.then(&Arc::new(Step::Partial(halves.clone())), "group_by: partial", &partial_schema);
        if !alone {
            flow = self.shuffle(flow, "shuffle by hash", hash(halves.merge_keys(), n));
        }
        flow.then(&Arc::new(Step::Merge(halves)), "group_by: final", schema)
    }

    fn join(
        &mut self,
        node: &Node,
        left: &NodeRef,
        right: &NodeRef,
        join: &Arc<JoinStep>,
        n: usize,
        strategy: JoinStrategy,
    ) -> Flow {
        let mut left = self.flow(left);
        let mut right = self.flow(right);
        if node.broadcasts() {
            let schema = right.schema.clone();
            let index = self.broadcasts;
            self.broadcasts += 1;
            let stage =
                self.stage(right, Some("broadcast"), Sink::Broadcast { index, schema: schema.clone() });
            left.after.push(stage);
            let pair = |left| Input::Join {
                left: Box::new(left),
                right: Box::new(Input::Broadcast { index, schema: schema.clone() }),
                join: join.clone(),
            };
            left.inputs = left.inputs.into_iter().map(pair).collect();
            left.names.push("join: broadcast".into());
            left.schema = node.schema.clone();
            return left;
        }
        if left.inputs.len() > 1 || right.inputs.len() > 1 {
            match strategy {
                JoinStrategy::Salted(salts) => {
                    (left, right) = self.shuffle_salted(left, right, join, n, salts);
                }
                JoinStrategy::Auto | JoinStrategy::Broadcast | JoinStrategy::Shuffle => {
                    left = self.shuffle(left, "shuffle by hash", hash(&join.left_on, n));
                    right = self.shuffle(right, "shuffle by hash", hash(&join.right_on, n));
                }
            }
        }
        let pairs = left.inputs.into_iter().zip(right.inputs);
        let pair =
            |(left, right)| Input::Join { left: Box::new(left), right: Box::new(right), join: join.clone() };
        Flow {
            inputs: pairs.map(pair).collect(),
            names: vec!["join".into()],
            after: left.after.into_iter().chain(right.after).collect(),
            schema: node.schema.clone(),
        }
    }
}

/// Whether and where an aggregation is done in two halves.
#[derive(Clone, Copy)]
struct Halves {
    /// The first half runs before the shuffle.
    combine: bool,
    /// The first half runs after a shuffle that spreads each key over this many partitions.
    salts: Option<usize>,
}

/// By the hash of the keys; without keys everything goes to the only partition.
fn hash(keys: &[Expr], n: usize) -> Partitioner {
    if keys.is_empty() { Partitioner::RoundRobin { n } } else { Partitioner::Hash { keys: keys.to_vec(), n } }
}

/// Merges neighbouring inputs so that at most `n` remain, as evenly as possible.
fn coalesce(mut flow: Flow, n: usize) -> Flow {
    let had = flow.inputs.len();
    if had > n {
        let mut rest = flow.inputs.into_iter();
        flow.inputs = (0..n)
            .map(|i| Input::Concat {
                inputs: rest.by_ref().take(had * (i + 1) / n - had * i / n).collect(),
                schema: flow.schema.clone(),
            })
            .collect();
        flow.names.push("coalesce".into());
    }
    flow
}

fn ranges(start: i64, end: i64, n: usize) -> impl Iterator<Item = Input> {
    let (start, n) = (i128::from(start), n as i128);
    let rows = (i128::from(end) - start).max(0);
    let at = move |i: i128| (start + rows * i / n) as i64;
    (0..n).map(move |i| Input::Range { start: at(i), end: at(i + 1) })
}
