//! Tasks that arrive: opened, and everything in them checked before it is used.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use bytes::Bytes;
use polars::prelude::*;
use serde::de::DeserializeOwned;

use super::frames;
use super::plans::allowed;
use super::shared::Part;
use super::walk::{Seen, can_travel, walk};
use super::wire::{WireInput, WireOutput, WireStep, WireTask, exprs_of, keys_of};
use super::{Access, CodecError, Decoded, GetBlob, MAX_INPUT_DEPTH, packed};
use crate::engine::CacheLease;
use crate::engine::task::{Input, JoinStep, Output, Step, Task};
use crate::plan::placeholder::Template;
use crate::shuffle::Partitioner;

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

fn unpack<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, CodecError> {
    packed::from_bytes(bytes).map_err(|cause| CodecError::malformed(what, cause))
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
                let allowed = |path: &Path| self.access.read(path).map_err(CodecError::from);
                Input::Piece(Arc::new(piece.open(&self.access.opened, allowed)?))
            }
            WireInput::Shuffle { id, partition, maps, schema } => {
                Input::Shuffle { id, partition, maps, schema: Arc::new(schema) }
            }
            WireInput::Broadcast { index, schema } => Input::Broadcast { index, schema: Arc::new(schema) },
            WireInput::Steps { input, steps } => {
                let mut input = *boxed(input)?;
                for step in steps {
                    input = Input::Step { input: Box::new(input), step: self.step(&step)? };
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
                let join = self.access.shared.part(&join, || {
                    let join: JoinStep = unpack("a join", &join)?;
                    let reads = self.check(join.left_on.iter().chain(&join.right_on))?;
                    Ok(reads.part(join))
                })?;
                Input::Join { left: boxed(left)?, right: boxed(right)?, join }
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

    fn step(&self, bytes: &Bytes) -> Result<Arc<Step>, CodecError> {
        self.access.shared.part(bytes, || match unpack("a step", bytes)? {
            WireStep::Step(step) => {
                let reads = self.check(exprs_of(&step))?;
                Ok(reads.part(step))
            }
            WireStep::Map(plan) => {
                let template: Template = plan.into_template(self.access, self.blobs)?;
                Ok(Part::Own(Step::Map(Box::new(template))))
            }
        })
    }

    fn output(&self, output: WireOutput) -> Result<Output, CodecError> {
        Ok(match output {
            WireOutput::Shuffle { id, partitioner } => {
                let partitioner = self.access.shared.part(&partitioner, || {
                    let partitioner: Partitioner = unpack("a shuffle", &partitioner)?;
                    let reads = self.check(keys_of(&partitioner))?;
                    Ok(reads.part(partitioner))
                })?;
                Output::Shuffle { id, partitioner }
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

    fn check<'e>(&self, exprs: impl IntoIterator<Item = &'e Expr>) -> Result<Reads, CodecError> {
        let exprs: Vec<&Expr> = exprs.into_iter().collect();
        let seen = || exprs.iter().map(|expr| Seen::Expr(expr));
        can_travel("an expression", seen())?;
        allowed(seen(), self.access)?;
        // A plan in an expression may read files.
        let plain = walk(seen(), |seen, _| if matches!(seen, Seen::Plan(_)) { Err(()) } else { Ok(()) });
        Ok(if plain.is_ok() { Reads::Rows } else { Reads::Files })
    }
}

/// What expressions that passed the check need beside their rows.
enum Reads {
    Rows,
    Files,
}

impl Reads {
    fn part<T>(self, part: T) -> Part<T> {
        match self {
            Self::Rows => Part::Shared(part),
            Self::Files => Part::Own(part),
        }
    }
}
