//! Runs one task on the calling thread: fills the holes of its fragments with rows or file readers, runs
//! them as they are, and passes the rows to the output.
//! [`stores`] gives access to other tasks' rows; [`slots`] are the threads that run tasks. All engines
//! and workers use this.

mod one_core;
pub mod slots;
pub mod stores;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use partita_events::TaskMetrics;
use polars::prelude::*;
use polars_plan::dsl::FileScanIR;
use polars_plan::plans::IR;

use self::one_core::collect;
use self::stores::Stores;
use crate::panic_text;
use crate::shuffle::sample;
use crate::source::{Piece, ReadStats};
use crate::task::fragment::Fragment;
use crate::task::{Input, Output, Task, TaskError, TaskResult};

/// Runs a task. An error or panic in it is returned as its message.
pub fn execute(
    task: &Task,
    slot: usize,
    stores: &dyn Stores,
) -> Result<(TaskResult, TaskMetrics), TaskError> {
    let started = Instant::now();
    let cpu = thread_cpu();
    let mut run = Run { task, stores, metrics: TaskMetrics::default(), reads: Arc::default(), cause: None };
    let result = catch_unwind(AssertUnwindSafe(|| run.run()))
        .unwrap_or_else(|panic| Err(TaskError::Failed(panic_text(&*panic))));
    let result = result.map_err(|error| run.cause.take().unwrap_or(error))?;
    let reads = run.reads.snapshot();
    let mut metrics = run.metrics;
    metrics.slot = slot;
    metrics.queue = started - task.queued;
    metrics.rows_in += reads.rows_read;
    metrics.bytes_read = reads.bytes_read;
    metrics.read = reads.time;
    metrics.row_groups_skipped = reads.row_groups_skipped;
    metrics.cpu = thread_cpu().saturating_sub(cpu);
    metrics.run = started.elapsed();
    Ok((result, metrics))
}

struct Run<'a> {
    task: &'a Task,
    stores: &'a dyn Stores,
    metrics: TaskMetrics,
    reads: Arc<ReadStats>,
    /// The error, if the scheduler needs more than its text.
    cause: Option<TaskError>,
}

impl Run<'_> {
    fn run(&mut self) -> Result<TaskResult, TaskError> {
        match &self.task.output {
            Output::Count => {
                let known = match &*self.task.input {
                    Input::Frame(frame) => Some(frame.height() as u64),
                    Input::Range { start, end } => Some((end - start) as u64),
                    // Footers tell it.
                    Input::Piece(piece) => piece.rows(),
                    _ => None,
                };
                let count = match known {
                    Some(rows) => self.rows_in(rows as usize),
                    None => self.frame(&self.task.input)?.height() as u64,
                };
                self.metrics.rows_out = count;
                Ok(TaskResult::Count(count))
            }
            Output::Collect => Ok(TaskResult::Frame(self.frame(&self.task.input)?)),
            Output::Sample { by, rows } => {
                let frame = self.frame(&self.task.input)?;
                let keys = sample(&frame, by, *rows, self.task.partition.0 as u64)
                    .map_err(|error| TaskError::Failed(error.to_string()))?;
                self.metrics.rows_out = keys.height() as u64;
                Ok(TaskResult::Frame(keys))
            }
            Output::Shuffle { id, partitioner } => {
                let frame = self.frame(&self.task.input)?;
                let started = Instant::now();
                self.metrics.hot_keys = partitioner.hot_keys(&frame, self.task.partition.0);
                let written = self.stores.put(*id, self.task.partition.0, partitioner, frame)?;
                self.metrics.shuffle_out = written.bytes;
                self.metrics.spilled += written.spilled;
                self.metrics.write = started.elapsed();
                Ok(TaskResult::Written(written.blocks))
            }
            Output::Parquet { directory } => {
                let mut frame = self.frame(&self.task.input)?;
                let started = Instant::now();
                let name = format!("part-{:05}.parquet", self.task.partition);
                // Two attempts may write at the same time; the last one to finish wins.
                let partial = directory.join(format!(".{name}.{}.partial", self.task.attempt));
                let path = directory.join(&name);
                let mut write = || -> PolarsResult<()> {
                    let file = fs::File::create(&partial)?;
                    ParquetWriter::new(file).set_parallel(false).finish(&mut frame)?;
                    // Readers only see complete files.
                    Ok(fs::rename(&partial, &path)?)
                };
                let failed = |error| TaskError::Failed(format!("writing {}: {error}", path.display()));
                write().map_err(failed)?;
                self.metrics.write = started.elapsed();
                Ok(TaskResult::Nothing)
            }
        }
    }

    /// The input, computed.
    fn frame(&mut self, input: &Input) -> PolarsResult<DataFrame> {
        let frame = match input {
            Input::Fragment { fragment, inputs } => self.fragment(fragment, inputs)?,
            input => self.rows(input)?,
        };
        self.metrics.rows_out = frame.height() as u64;
        self.stores.observe(frame.estimated_size());
        Ok(frame)
    }

    /// Remembers an error that passes through Polars, so that the task ends with exactly this error.
    fn failed(&mut self, error: TaskError) -> PolarsError {
        let text = error.to_string();
        self.cause = Some(error);
        PolarsError::ComputeError(text.into())
    }

    /// A fragment over its inputs, computed.
    fn fragment(&mut self, fragment: &Fragment, inputs: &[Input]) -> PolarsResult<DataFrame> {
        let mut plan = fragment.copy();
        let mut known: Vec<Option<DataFrame>> = vec![None; inputs.len()];
        for &(hole, input) in fragment.holes() {
            if let Some(Input::Piece(piece)) = inputs.get(input) {
                read_piece(plan.lp_arena.get_mut(hole), piece, &self.reads);
                continue;
            }
            let rows = match known.get(input) {
                Some(Some(rows)) => rows.clone(),
                Some(None) => known[input].insert(self.rows(&inputs[input])?).clone(),
                None => polars_bail!(ComputeError: "a plan reads input {input} of {}", inputs.len()),
            };
            fill(plan.lp_arena.get_mut(hole), rows)?;
        }
        drop(known);
        collect(plan)
    }

    /// The rows of an input.
    fn rows(&mut self, input: &Input) -> PolarsResult<DataFrame> {
        let frame = match input {
            Input::Frame(frame) => frame.clone(),
            Input::Range { start, end } => DataFrame::new_infer_height(vec![Column::new(
                "id".into(),
                (*start..*end).collect::<Vec<i64>>(),
            )])?,
            // Every task gets all of it, so its size says nothing about this partition.
            Input::Broadcast { index, schema } => {
                let rows = self.task.broadcasts.get(*index).cloned();
                return Ok(rows.unwrap_or_else(|| DataFrame::empty_with_schema(schema)));
            }
            Input::Lost => {
                return Err(self.failed(TaskError::CacheLost));
            }
            Input::Shuffle { id, partition, maps, schema } => {
                let started = Instant::now();
                let blocks = self.stores.fetch(*id, *partition, maps.as_ref());
                let blocks = blocks.map_err(|error| self.failed(error))?;
                let frame = stack(blocks, schema)?;
                self.metrics.fetch += started.elapsed();
                self.metrics.shuffle_in += frame.estimated_size() as u64;
                frame
            }
            Input::Cache { lease, partition, level, input } => {
                if let Some(frame) = self.stores.cached(lease.id(), *partition) {
                    self.metrics.cache_hits += 1;
                    frame
                } else {
                    let frame = self.frame(input)?;
                    let kept = self.stores.keep(lease.id(), *partition, *level, &frame);
                    self.metrics.spilled += kept.map_err(|error| self.failed(error))?;
                    return Ok(frame);
                }
            }
            Input::Plan(plan) => (**plan).clone().collect()?,
            Input::Concat { inputs, schema } => {
                let frames = inputs.iter().map(|input| self.rows(input)).collect::<PolarsResult<_>>()?;
                return stack(frames, schema);
            }
            Input::Piece(piece) => return piece.scan(self.reads.clone())?.collect(),
            Input::Fragment { fragment, inputs } => return self.fragment(fragment, inputs),
        };
        self.rows_in(frame.height());
        Ok(frame)
    }

    fn rows_in(&mut self, rows: usize) -> u64 {
        self.metrics.rows_in += rows as u64;
        rows as u64
    }
}

/// Makes the hole a scan of a piece, with the columns, rows and predicate that the plan requests.
fn read_piece(hole: &mut IR, piece: &Piece, stats: &Arc<ReadStats>) {
    if let IR::Scan { scan_type, .. } = hole
        && let FileScanIR::Anonymous { function, .. } = &mut **scan_type
    {
        *function = piece.reader(stats.clone());
    }
}

/// Puts rows into a hole.
fn fill(hole: &mut IR, rows: DataFrame) -> PolarsResult<()> {
    let IR::Scan { output_schema, predicate: None, unified_scan_args, .. } = hole else {
        polars_bail!(ComputeError: "a plan requests a predicate of rows that are computed already");
    };
    let rows = match &unified_scan_args.pre_slice {
        Some(slice) => rows.slice(slice.to_signed_offset_len().0, slice.len()),
        None => rows,
    };
    let schema = rows.schema().clone();
    *hole = IR::DataFrameScan { df: Arc::new(rows), schema, output_schema: output_schema.take() };
    Ok(())
}

/// Stacks frames with the same schema vertically; they share their buffers.
pub fn stack(frames: Vec<DataFrame>, schema: &SchemaRef) -> PolarsResult<DataFrame> {
    let mut frames = frames.into_iter().filter(|frame| frame.height() > 0);
    let Some(mut first) = frames.next() else { return Ok(DataFrame::empty_with_schema(schema)) };
    for frame in frames {
        first.vstack_mut(&frame)?;
    }
    Ok(first)
}

/// The processor time that this thread has used.
fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live, writable timespec; the clock id exists on Linux and macOS.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    if status == 0 { Duration::new(time.tv_sec as u64, time.tv_nsec as u32) } else { Duration::ZERO }
}
