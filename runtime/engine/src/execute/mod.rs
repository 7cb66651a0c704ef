//! Runs one task on the calling thread: turns its input into one Polars plan, so that Polars' optimiser
//! sees everything from the source to the last step, collects it, and passes the rows to the output.
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
use polars_plan::dsl::DslPlan;

use self::one_core::collect;
use self::stores::Stores;
use crate::panic_text;
use crate::shuffle::sample;
use crate::source::ReadStats;
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
                let count = match &*self.task.input {
                    Input::Frame(frame) => self.rows_in(frame.height()),
                    Input::Range { start, end } => self.rows_in((end - start) as usize),
                    input => {
                        let rows = self.lazy(input)?;
                        count(rows)?
                    }
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
            Input::Frame(frame) => {
                self.rows_in(frame.height());
                frame.clone()
            }
            Input::Cache { .. }
            | Input::Plan(_)
            | Input::Shuffle { .. }
            | Input::Range { .. }
            | Input::Lost
            | Input::Broadcast { .. } => self.rows(input)?,
            input => collect(self.lazy(input)?)?,
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

    /// The input as one plan.
    fn lazy(&mut self, input: &Input) -> PolarsResult<LazyFrame> {
        match input {
            Input::Piece(piece) => piece.scan(self.reads.clone()),
            Input::Step { input, step } => Ok(step.apply(self.lazy(input)?)),
            Input::Concat { inputs, .. } if !inputs.is_empty() => {
                let inputs = inputs.iter().map(|input| self.lazy(input)).collect::<PolarsResult<Vec<_>>>()?;
                concat(
                    inputs,
                    UnionArgs { parallel: false, rechunk: false, maintain_order: true, ..Default::default() },
                )
            }
            Input::Join { left, right, join } => {
                let (left, right) = (self.lazy(left)?, self.lazy(right)?);
                Ok(join.apply(left, right))
            }
            input => Ok(self.rows(input)?.lazy()),
        }
    }

    /// Inputs that are plain rows: nothing of a later step can be pushed into them.
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
            Input::Concat { schema, .. } => DataFrame::empty_with_schema(schema),
            Input::Piece(_) | Input::Step { .. } | Input::Join { .. } => return collect(self.lazy(input)?),
        };
        self.rows_in(frame.height());
        Ok(frame)
    }

    fn rows_in(&mut self, rows: usize) -> u64 {
        self.metrics.rows_in += rows as u64;
        rows as u64
    }
}

/// Counts the rows of a plan while holding no more of them than necessary.
fn count(rows: LazyFrame) -> PolarsResult<u64> {
    // For a union, Polars adds up the lengths of the parts as 128-bit integers, which this build of it
    // lacks. So for such a plan a column is read and its values are counted.
    if rows.logical_plan.into_iter().any(|plan| matches!(plan, DslPlan::Union { .. })) {
        return Ok(collect(rows.select([nth(0).as_expr()]))?.height() as u64);
    }
    let frame = collect(rows.select([len()]))?;
    frame.columns()[0].get(0)?.try_extract::<u64>()
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
