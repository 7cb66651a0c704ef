//! The form in which a task is sent, and its encoder.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::path::{PathBuf, absolute};
use std::sync::Arc;

use bytes::Bytes;
use partita_events::{JobId, PartitionId, StageId};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::frames::{self, WireFrame};
use super::plans::WirePlan;
use super::visit::{Seen, can_travel};
use super::{Blobs, CodecError, MAX_INPUT_DEPTH, ShuffleSource, fragments, packed};
use crate::cache::{CacheId, StorageLevel};
use crate::shuffle::{Partitioner, ShuffleId};
use crate::source::WirePiece;
use crate::task::{Input, Output, Task};

/// A task as it is sent. Fragments and partitioners are encoded separately, because many tasks share them.
#[derive(Serialize, Deserialize)]
pub(super) struct WireTask {
    pub job: JobId,
    pub stage: StageId,
    pub partition: PartitionId,
    pub attempt: usize,
    pub input: WireInput,
    pub output: WireOutput,
    /// The broadcasts that the input reads, with their index in the job.
    pub broadcasts: Vec<(usize, WireFrame)>,
    pub sources: HashMap<ShuffleId, Vec<ShuffleSource>>,
}

#[derive(Serialize, Deserialize)]
pub(super) enum WireInput {
    Frame(WireFrame),
    Range { start: i64, end: i64 },
    Plan(WirePlan),
    Piece(Box<WirePiece>),
    Shuffle { id: ShuffleId, partition: usize, maps: Option<Range<usize>>, schema: Schema },
    Broadcast { index: usize, schema: Schema },
    Fragment { fragment: Bytes, inputs: Vec<WireInput> },
    Concat { inputs: Vec<WireInput>, schema: Schema },
    Cache { id: CacheId, partition: usize, level: StorageLevel, input: Box<WireInput> },
    Lost,
}

#[derive(Serialize, Deserialize)]
pub(super) enum WireOutput {
    Shuffle { id: ShuffleId, partitioner: Bytes },
    Sample { by: Bytes, rows: usize },
    Collect,
    Count,
    Parquet { directory: PathBuf },
}

/// Encodes tasks. What tasks share is encoded once per encoder.
pub struct Encoder<'a> {
    blobs: &'a dyn Blobs,
    sources: &'a dyn Fn(ShuffleId) -> Vec<ShuffleSource>,
    /// By address; the tasks keep what is at these addresses alive.
    shared: RefCell<HashMap<usize, Bytes>>,
}

impl<'a> Encoder<'a> {
    /// `sources` returns where a shuffle's blocks are. An encoder must not outlive the tasks it encodes.
    pub fn new(blobs: &'a dyn Blobs, sources: &'a dyn Fn(ShuffleId) -> Vec<ShuffleSource>) -> Self {
        Self { blobs, sources, shared: RefCell::default() }
    }

    /// The task's bytes.
    ///
    /// # Errors
    /// When something in it cannot be sent.
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
        let body = packed::to_bytes(&task).map_err(|error| CodecError::cannot_travel("a task", error))?;
        super::fits("a task", &body)?;
        Ok(super::sealed(&body))
    }

    fn input(&self, input: &Input, needs: &mut Needs) -> Result<WireInput, CodecError> {
        needs.depth += 1;
        if needs.depth > MAX_INPUT_DEPTH {
            let cause = format!("its inputs are nested more than {MAX_INPUT_DEPTH} deep");
            return Err(CodecError::cannot_travel("a task", cause));
        }
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
            Input::Fragment { fragment, inputs } => WireInput::Fragment {
                fragment: self.once(Arc::as_ptr(fragment).addr(), || fragments::encode(fragment))?,
                inputs: self.inputs(inputs, needs)?,
            },
            Input::Concat { inputs, schema } => {
                WireInput::Concat { inputs: self.inputs(inputs, needs)?, schema: (**schema).clone() }
            }
            Input::Cache { lease, partition, level, input } => WireInput::Cache {
                id: lease.id(),
                partition: *partition,
                level: *level,
                input: Box::new(self.input(input, needs)?),
            },
            Input::Lost => WireInput::Lost,
        };
        needs.depth -= 1;
        Ok(wire)
    }

    fn inputs(&self, inputs: &[Input], needs: &mut Needs) -> Result<Vec<WireInput>, CodecError> {
        inputs.iter().map(|input| self.input(input, needs)).collect()
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

/// What a task's input refers to without containing it.
#[derive(Default)]
struct Needs {
    depth: usize,
    shuffles: BTreeSet<ShuffleId>,
    broadcasts: BTreeSet<usize>,
}

/// Encodes something that contains expressions. An error names the closure found in one of them.
fn pack<'e, T: Serialize, I: Iterator<Item = &'e Expr>>(
    what: &str,
    value: &T,
    exprs: impl Fn() -> I,
) -> Result<Vec<u8>, CodecError> {
    can_travel(what, exprs().map(Seen::Expr))?;
    let bytes = packed::to_bytes(value).map_err(|error| CodecError::cannot_travel(what, error))?;
    super::fits(what, &bytes)?;
    Ok(bytes)
}

pub(super) fn keys_of(partitioner: &Partitioner) -> Vec<&Expr> {
    match partitioner {
        Partitioner::RoundRobin { .. } => Vec::new(),
        Partitioner::Hash { keys: exprs, .. }
        | Partitioner::Salted { keys: exprs, .. }
        | Partitioner::Copied { keys: exprs, .. }
        | Partitioner::Range { by: exprs, .. } => exprs.iter().collect(),
        Partitioner::ByExpr { expr, .. } => vec![expr],
    }
}
