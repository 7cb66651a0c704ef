use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::path::{PathBuf, absolute};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use bytes::Bytes;
use polars::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::frames::{self, WireFrame};
use super::plans::{WirePlan, allowed};
use super::walk::{Seen, can_travel};
use super::{Access, Blobs, CodecError, Decoded, GetBlob, MAX_INPUT_DEPTH, ShuffleSource, packed};
use crate::cache::{CacheId, StorageLevel};
use crate::engine::CacheLease;
use crate::engine::task::{Input, JoinStep, Output, Step, Task};
use crate::plan::placeholder::Template;
use crate::shuffle::{Partitioner, ShuffleId};
use crate::source::WirePiece;

/// A task as it travels. Steps, joins and the like are bytes of their own: many tasks share them.
#[derive(Serialize, Deserialize)]
struct WireTask {
    job: usize,
    stage: usize,
    partition: usize,
    attempt: usize,
    input: WireInput,
    output: WireOutput,
    /// Those that the input reads, by their index in the job.
    broadcasts: Vec<(usize, WireFrame)>,
    sources: HashMap<ShuffleId, Vec<ShuffleSource>>,
}

#[derive(Serialize, Deserialize)]
enum WireInput {
    Frame(WireFrame),
    Range {
        start: i64,
        end: i64,
    },
    Plan(WirePlan),
    Piece(Box<WirePiece>),
    Shuffle {
        id: ShuffleId,
        partition: usize,
        maps: Option<Range<usize>>,
        schema: Schema,
    },
    Broadcast {
        index: usize,
        schema: Schema,
    },
    /// Steps over an input, innermost first.
    Steps {
        input: Box<WireInput>,
        steps: Vec<Bytes>,
    },
    Concat {
        inputs: Vec<WireInput>,
        schema: Schema,
    },
    Join {
        left: Box<WireInput>,
        right: Box<WireInput>,
        join: Bytes,
    },
    Cache {
        id: CacheId,
        partition: usize,
        level: StorageLevel,
        input: Box<WireInput>,
    },
    Lost,
}

#[derive(Serialize, Deserialize)]
enum WireStep<S> {
    Step(S),
    Map(WirePlan),
}

#[derive(Serialize, Deserialize)]
enum WireOutput {
    Shuffle { id: ShuffleId, partitioner: Bytes },
    Sample { by: Bytes, rows: usize },
    Collect,
    Count,
    Parquet { directory: PathBuf },
}

/// Writes tasks; what tasks share is written once for each encoder.
pub(crate) struct Encoder<'a> {
    blobs: &'a dyn Blobs,
    sources: &'a dyn Fn(ShuffleId) -> Vec<ShuffleSource>,
    /// By address; the tasks keep what lies there alive.
    shared: RefCell<HashMap<usize, Bytes>>,
}

impl<'a> Encoder<'a> {
    /// `sources` says where a shuffle's blocks lie. An encoder must not outlive the tasks it writes.
    pub fn new(blobs: &'a dyn Blobs, sources: &'a dyn Fn(ShuffleId) -> Vec<ShuffleSource>) -> Self {
        Self { blobs, sources, shared: RefCell::default() }
    }

    /// The task's bytes.
    ///
    /// # Errors
    /// When something in it cannot travel.
    pub fn encode(&self, task: &Task) -> Result<Vec<u8>, CodecError> {
        let mut needs = Needs::default();
        let input = self.input(&task.input, &mut needs)?;
        let output = self.output(&task.output)?;
        let broadcast = |index: &usize| {
            let rows = task.broadcasts.get(*index).filter(|rows| rows.width() > 0);
            rows.map(|rows| Ok((*index, frames::wire(rows, self.blobs)?)))
        };
        let broadcasts = needs.broadcasts.iter().filter_map(broadcast).collect::<Result<_, CodecError>>()?;
        let sources = needs.shuffles.into_iter().map(|id| (id, (self.sources)(id))).collect();
        let Task { job, stage, partition, attempt, .. } = *task;
        let task = WireTask { job, stage, partition, attempt, input, output, broadcasts, sources };
        let body = packed::to_bytes(&task).map_err(|error| cannot_travel("a task", error))?;
        super::fits("a task", &body)?;
        Ok(super::sealed(&body))
    }

    fn input(&self, input: &Input, needs: &mut Needs) -> Result<WireInput, CodecError> {
        needs.depth += 1;
        if needs.depth > MAX_INPUT_DEPTH {
            let cause = format!("its joins and unions are nested more than {MAX_INPUT_DEPTH} deep");
            return Err(CodecError::CannotTravel { what: "a task".into(), cause });
        }
        let boxed = |input: &Input, needs: &mut Needs| self.input(input, needs).map(Box::new);
        let wire = match input {
            Input::Frame(frame) => WireInput::Frame(frames::wire(frame, self.blobs)?),
            Input::Range { start, end } => WireInput::Range { start: *start, end: *end },
            Input::Plan(plan) => WireInput::Plan(WirePlan::of(plan, self.blobs)?),
            Input::Piece(piece) => WireInput::Piece(Box::new(WirePiece::new(piece))),
            Input::Shuffle { id, partition, maps, schema } => {
                needs.shuffles.insert(*id);
                let (id, partition, maps) = (*id, *partition, maps.clone());
                WireInput::Shuffle { id, partition, maps, schema: (**schema).clone() }
            }
            Input::Broadcast { index, schema } => {
                needs.broadcasts.insert(*index);
                WireInput::Broadcast { index: *index, schema: (**schema).clone() }
            }
            Input::Step { .. } => {
                let (mut steps, mut below) = (Vec::new(), input);
                while let Input::Step { input, step } = below {
                    steps.push(self.step(step)?);
                    below = input;
                }
                steps.reverse();
                WireInput::Steps { input: boxed(below, needs)?, steps }
            }
            Input::Concat { inputs, schema } => WireInput::Concat {
                inputs: inputs.iter().map(|input| self.input(input, needs)).collect::<Result<_, _>>()?,
                schema: (**schema).clone(),
            },
            Input::Join { left, right, join } => WireInput::Join {
                left: boxed(left, needs)?,
                right: boxed(right, needs)?,
                join: self.once(Arc::as_ptr(join).addr(), || {
                    let exprs = || join.left_on.iter().chain(&join.right_on);
                    pack("a join", &**join, exprs)
                })?,
            },
            Input::Cache { lease, partition, level, input } => WireInput::Cache {
                id: lease.id(),
                partition: *partition,
                level: *level,
                input: boxed(input, needs)?,
            },
            Input::Lost => WireInput::Lost,
        };
        needs.depth -= 1;
        Ok(wire)
    }

    fn step(&self, step: &Arc<Step>) -> Result<Bytes, CodecError> {
        self.once(Arc::as_ptr(step).addr(), || match &**step {
            Step::Map(template) => {
                let map = WireStep::<&Step>::Map(WirePlan::of_template(template, self.blobs)?);
                pack("map_partitions", &map, std::iter::empty::<&Expr>)
            }
            other => pack(name(other), &WireStep::Step(other), || exprs_of(other).into_iter()),
        })
    }

    fn output(&self, output: &Output) -> Result<WireOutput, CodecError> {
        Ok(match output {
            Output::Shuffle { id, partitioner } => WireOutput::Shuffle {
                id: *id,
                partitioner: self.once(Arc::as_ptr(partitioner).addr(), || {
                    pack("a shuffle", &**partitioner, || keys_of(partitioner).into_iter())
                })?,
            },
            Output::Sample { by, rows } => {
                WireOutput::Sample { by: pack("a sort", by, || by.iter())?.into(), rows: *rows }
            }
            Output::Collect => WireOutput::Collect,
            Output::Count => WireOutput::Count,
            Output::Parquet { directory } => {
                let directory = absolute(directory).unwrap_or_else(|_| directory.clone());
                WireOutput::Parquet { directory }
            }
        })
    }

    fn once(
        &self,
        address: usize,
        write: impl FnOnce() -> Result<Vec<u8>, CodecError>,
    ) -> Result<Bytes, CodecError> {
        if let Some(bytes) = self.shared.borrow().get(&address) {
            return Ok(bytes.clone());
        }
        let bytes = Bytes::from(write()?);
        self.shared.borrow_mut().insert(address, bytes.clone());
        Ok(bytes)
    }
}

/// What a task's input asks for that is not in it.
#[derive(Default)]
struct Needs {
    depth: usize,
    shuffles: BTreeSet<ShuffleId>,
    broadcasts: BTreeSet<usize>,
}

fn cannot_travel(what: &str, error: PolarsError) -> CodecError {
    CodecError::CannotTravel { what: what.to_owned(), cause: error.to_string() }
}

/// Packs something with expressions in it; a closure in one of them is named.
fn pack<'e, T: Serialize, I: Iterator<Item = &'e Expr>>(
    what: &str,
    value: &T,
    exprs: impl Fn() -> I,
) -> Result<Vec<u8>, CodecError> {
    can_travel(what, exprs().map(Seen::Expr))?;
    let bytes = packed::to_bytes(value).map_err(|error| cannot_travel(what, error))?;
    super::fits(what, &bytes)?;
    Ok(bytes)
}

fn unpack<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, CodecError> {
    packed::from_bytes(bytes).map_err(|cause| CodecError::malformed(what, cause))
}

fn name(step: &Step) -> &'static str {
    match step {
        Step::Filter(_) => "filter",
        Step::Select(_) => "select",
        Step::WithColumns(_) => "with_columns",
        Step::Map(_) => "map_partitions",
        Step::Aggregate { .. } | Step::Partial(_) | Step::Merge(_) => "group_by",
        Step::Sort { .. } => "sort",
        Step::Distinct(_) => "distinct",
        Step::Limit(_) => "limit",
    }
}

fn exprs_of(step: &Step) -> Vec<&Expr> {
    match step {
        Step::Filter(expr) => vec![expr],
        Step::Select(exprs) | Step::WithColumns(exprs) | Step::Sort { by: exprs, .. } => {
            exprs.iter().collect()
        }
        Step::Aggregate { keys, aggs } => keys.iter().chain(aggs).collect(),
        Step::Partial(aggregation) | Step::Merge(aggregation) => aggregation.exprs().collect(),
        Step::Map(_) | Step::Distinct(_) | Step::Limit(_) => Vec::new(),
    }
}

fn keys_of(partitioner: &Partitioner) -> Vec<&Expr> {
    match partitioner {
        Partitioner::RoundRobin { .. } => Vec::new(),
        Partitioner::Hash { keys: exprs, .. }
        | Partitioner::Salted { keys: exprs, .. }
        | Partitioner::Copied { keys: exprs, .. }
        | Partitioner::Range { by: exprs, .. } => exprs.iter().collect(),
        Partitioner::ByExpr { expr, .. } => vec![expr],
    }
}

/// The task in these bytes.
pub(super) fn decode(bytes: &[u8], access: &Access, blobs: &GetBlob<'_>) -> Result<Decoded, CodecError> {
    let task: WireTask = unpack("a task", bytes)?;
    let decoder = Decoder { access, blobs };
    let input = Arc::new(decoder.input(task.input, 0)?);
    let output = decoder.output(task.output)?;
    let mut broadcasts = Vec::new();
    for (index, frame) in task.broadcasts {
        // Bounded by the frames that are there: an index beyond them is no more than a mistake.
        if index > 1 << 16 {
            return Err(CodecError::malformed("a task", format!("broadcast {index}")));
        }
        if broadcasts.len() <= index {
            broadcasts.resize(index + 1, DataFrame::empty());
        }
        broadcasts[index] = frames::open(frame, blobs)?;
    }
    let WireTask { job, stage, partition, attempt, sources, .. } = task;
    let task = Task {
        job,
        stage,
        partition,
        attempt,
        input,
        output,
        broadcasts: Arc::new(broadcasts),
        queued: Instant::now(),
        cancelled: Arc::new(AtomicBool::new(false)),
        excluded: Vec::new(),
    };
    Ok(Decoded { task, sources })
}

struct Decoder<'a> {
    access: &'a Access,
    blobs: &'a GetBlob<'a>,
}

impl Decoder<'_> {
    fn input(&self, input: WireInput, depth: usize) -> Result<Input, CodecError> {
        if depth > MAX_INPUT_DEPTH {
            return Err(CodecError::malformed("a task", "its inputs are nested too deeply"));
        }
        let boxed = |input: Box<WireInput>| self.input(*input, depth + 1).map(Box::new);
        Ok(match input {
            WireInput::Frame(frame) => Input::Frame(frames::open(frame, self.blobs)?),
            WireInput::Range { start, end } if start <= end => Input::Range { start, end },
            WireInput::Range { .. } => {
                return Err(CodecError::malformed("a range", "it ends before it begins"));
            }
            WireInput::Plan(plan) => Input::Plan(Box::new(plan.into_plan(self.access, self.blobs)?)),
            WireInput::Piece(piece) => {
                let allowed = |path: &std::path::Path| self.access.read(path).map_err(CodecError::from);
                Input::Piece(Arc::new(piece.open(&self.access.opened, allowed)?))
            }
            WireInput::Shuffle { id, partition, maps, schema } => {
                Input::Shuffle { id, partition, maps, schema: Arc::new(schema) }
            }
            WireInput::Broadcast { index, schema } => Input::Broadcast { index, schema: Arc::new(schema) },
            WireInput::Steps { input, steps } => {
                let mut input = *boxed(input)?;
                for step in steps {
                    input = Input::Step { input: Box::new(input), step: Arc::new(self.step(&step)?) };
                }
                input
            }
            WireInput::Concat { inputs, schema } => Input::Concat {
                inputs: inputs
                    .into_iter()
                    .map(|input| self.input(input, depth + 1))
                    .collect::<Result<_, _>>()?,
                schema: Arc::new(schema),
            },
            WireInput::Join { left, right, join } => {
                let join: JoinStep = unpack("a join", &join)?;
                self.check(join.left_on.iter().chain(&join.right_on))?;
                Input::Join { left: boxed(left)?, right: boxed(right)?, join: Arc::new(join) }
            }
            WireInput::Cache { id, partition, level, input } => Input::Cache {
                lease: Arc::new(CacheLease::detached(id)),
                partition,
                level,
                input: boxed(input)?,
            },
            WireInput::Lost => Input::Lost,
        })
    }

    fn step(&self, bytes: &[u8]) -> Result<Step, CodecError> {
        match unpack("a step", bytes)? {
            WireStep::Step(step) => {
                self.check(exprs_of(&step))?;
                Ok(step)
            }
            WireStep::Map(plan) => {
                let template: Template = plan.into_template(self.access, self.blobs)?;
                Ok(Step::Map(Box::new(template)))
            }
        }
    }

    fn output(&self, output: WireOutput) -> Result<Output, CodecError> {
        Ok(match output {
            WireOutput::Shuffle { id, partitioner } => {
                let partitioner: Partitioner = unpack("a shuffle", &partitioner)?;
                self.check(keys_of(&partitioner))?;
                Output::Shuffle { id, partitioner: Arc::new(partitioner) }
            }
            WireOutput::Sample { by, rows } => {
                let by: Vec<Expr> = unpack("a sort", &by)?;
                self.check(&by)?;
                Output::Sample { by, rows }
            }
            WireOutput::Collect => Output::Collect,
            WireOutput::Count => Output::Count,
            WireOutput::Parquet { directory } => {
                Output::Parquet { directory: self.access.write(&directory)? }
            }
        })
    }

    fn check<'e>(&self, exprs: impl IntoIterator<Item = &'e Expr>) -> Result<(), CodecError> {
        let exprs: Vec<&Expr> = exprs.into_iter().collect();
        can_travel("an expression", exprs.iter().map(|expr| Seen::Expr(expr)))?;
        allowed(exprs.into_iter().map(Seen::Expr), self.access)
    }
}
