//! Decodes received tasks and checks everything in them before it is used.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use polars::prelude::*;
use polars_plan::dsl::DataTypeExpr;
use serde::de::DeserializeOwned;

use super::frames;
use super::plans::allowed;
use super::shared::{Part, Shared};
use super::visit::{Seen, can_travel, visit};
use super::wire::{WireInput, WireOutput, WireTask, keys_of};
use super::{Access, CodecError, Decoded, GetBlob, MAX_INPUT_DEPTH, fragments, packed};
use crate::cache::CacheLease;
use crate::shuffle::Partitioner;
use crate::task::{Input, Output, Task};

/// Decodes the task in these bytes.
pub(super) fn decode(
    bytes: &[u8],
    access: &Access,
    shared: &Shared,
    blobs: &GetBlob<'_>,
) -> Result<Decoded, CodecError> {
    let task: WireTask = unpack("a task", bytes)?;
    let decoder = Decoder { access, shared, blobs };
    let input = Arc::new(decoder.input(task.input, 0)?);
    let output = decoder.output(task.output)?;
    let mut broadcasts = Vec::new();
    for (index, frame) in task.broadcasts {
        // Bounded by a small number: a higher index can only be an error.
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
    shared: &'a Shared,
    blobs: &'a GetBlob<'a>,
}

impl Decoder<'_> {
    fn input(&self, input: WireInput, depth: usize) -> Result<Input, CodecError> {
        if depth > MAX_INPUT_DEPTH {
            return Err(CodecError::malformed("a task", "its inputs are nested too deeply"));
        }
        Ok(match input {
            WireInput::Frame(frame) => Input::Frame(frames::open(frame, self.blobs)?),
            WireInput::Range { start, end } if start <= end => Input::Range { start, end },
            WireInput::Range { .. } => {
                return Err(CodecError::malformed("a range", "it ends before it begins"));
            }
            WireInput::Plan(plan) => Input::Plan(Box::new(plan.open(self.access, self.blobs)?)),
            WireInput::Piece(piece) => {
                let allowed = |path: &Path| self.access.read(path).map_err(CodecError::from);
                Input::Piece(Arc::new(piece.open(&self.access.opened, allowed)?))
            }
            WireInput::Shuffle { id, partition, maps, schema } => {
                Input::Shuffle { id, partition, maps, schema: Arc::new(schema) }
            }
            WireInput::Broadcast { index, schema } => Input::Broadcast { index, schema: Arc::new(schema) },
            WireInput::Fragment { fragment, inputs } => {
                let fragment = self.shared.part(&fragment, || fragments::decode(&fragment))?;
                if fragment.holes().iter().any(|(_, input)| *input >= inputs.len()) {
                    return Err(CodecError::malformed("a task", "its plan reads an input that it lacks"));
                }
                Input::Fragment { fragment, inputs: self.inputs(inputs, depth)? }
            }
            WireInput::Concat { inputs, schema } => {
                Input::Concat { inputs: self.inputs(inputs, depth)?, schema: Arc::new(schema) }
            }
            WireInput::Cache { id, partition, level, input } => Input::Cache {
                lease: Arc::new(CacheLease::detached(id)),
                partition,
                level,
                input: Box::new(self.input(*input, depth + 1)?),
            },
            WireInput::Lost => Input::Lost,
        })
    }

    fn inputs(&self, inputs: Vec<WireInput>, depth: usize) -> Result<Vec<Input>, CodecError> {
        inputs.into_iter().map(|input| self.input(input, depth + 1)).collect()
    }

    fn output(&self, output: WireOutput) -> Result<Output, CodecError> {
        Ok(match output {
            WireOutput::Shuffle { id, partitioner } => {
                let partitioner = self.shared.part(&partitioner, || {
                    let partitioner: Partitioner = unpack("a shuffle", &partitioner)?;
                    let needs = self.check(keys_of(&partitioner))?;
                    // Its bounds belong to a single job.
                    let bounds = matches!(partitioner, Partitioner::Range { .. });
                    Ok(if bounds { Part::Own(partitioner) } else { needs.part(partitioner) })
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

    fn check<'e>(&self, exprs: impl IntoIterator<Item = &'e Expr>) -> Result<Needs, CodecError> {
        let exprs: Vec<&Expr> = exprs.into_iter().collect();
        let seen = || exprs.iter().map(|expr| Seen::Expr(expr));
        can_travel("an expression", seen())?;
        allowed(seen(), self.access)?;
        let plain = visit(seen(), |seen, _| if is_plain(seen) { Ok(()) } else { Err(()) });
        Ok(if plain.is_ok() { Needs::Rows } else { Needs::More })
    }
}

/// What expressions that passed the check need besides their input.
enum Needs {
    /// Only the rows they are given.
    Rows,
    /// Files, or memory of their own.
    More,
}

impl Needs {
    fn part<T>(self, part: T) -> Part<T> {
        match self {
            Self::Rows => Part::Shared(part),
            Self::More => Part::Own(part),
        }
    }
}

/// Whether an expression means the same in every task and holds no resources. A plan in it may read
/// files, literals may be whole columns, and a categorical type keeps its strings as long as it exists.
fn is_plain(seen: &Seen<'_>) -> bool {
    match seen {
        Seen::Expr(Expr::Literal(LiteralValue::Scalar(value))) => !value.dtype().contains_categoricals(),
        Seen::Expr(Expr::Literal(value)) => value.is_scalar(),
        Seen::Expr(Expr::Cast { dtype: DataTypeExpr::Literal(dtype), .. }) => !dtype.contains_categoricals(),
        Seen::Expr(Expr::Cast { .. }) | Seen::Plan(_) => false,
        Seen::Expr(_) => true,
    }
}
