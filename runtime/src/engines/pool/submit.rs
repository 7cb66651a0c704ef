//! Sends tasks: encodes them, records them as running, and sends them in batches.

use std::time::Instant;

use bytes::Bytes;
use crossbeam_channel::Sender;
use partita_engine::EngineError;
use partita_engine::codec::Encoder;
use partita_engine::shuffle::ShuffleId;
use partita_engine::task::{Output, Task, TaskError, TaskEvent};
use partita_events::WorkerId;
use partita_wire::MESSAGE_BYTES;
use partita_wire::pool::{SubmitTasks, TaskSpec, from_session};

use super::PoolEngine;
use super::blob_sender::BlobSender;
use super::link::{Broken, Link};
use super::state::{Attempt, Running, key};

/// The bytes of tasks in one message; a single task may have more.
const BATCH_BYTES: usize = 4 << 20;

/// How many tasks are encoded before they are sent: the first ones run while the next are encoded.
const AT_A_TIME: usize = 16;

/// The overhead of a message besides the bytes of its tasks.
const AROUND: usize = 4096;

/// What a task adds to a message besides its bytes.
const KEY_BYTES: usize = 64;

/// A task's index, the shuffle that it reads, and the lost map partitions of that shuffle.
type Missing = (usize, ShuffleId, Vec<usize>);

/// Sends tasks of one job to the master.
///
/// # Errors
/// When the job's connection is lost, or a task cannot be sent. Tasks before that one may then run.
pub(super) fn submit(
    engine: &PoolEngine,
    tasks: &[Task],
    events: &Sender<TaskEvent>,
) -> Result<(), EngineError> {
    let Some(first) = tasks.first() else { return Ok(()) };
    let job = first.job;
    // A job belongs to the connection on which it began: the output of its stages is nowhere else.
    let begun = engine.shared.state().jobs.get(&job).copied();
    if begun.is_some() {
        let state = engine.shared.state();
        if let Some(cause) = &state.lost {
            return Err(engine.lost(cause));
        }
    }
    let link = engine.link()?;
    if engine.shared.state().job_on(job) != link.connection {
        return Err(engine.lost("it was reopened meanwhile"));
    }
    engine.sweep();
    let blobs = BlobSender { engine, link: &link };
    let sources = |id| engine.shared.state().sources(id);
    let encoder = Encoder::new(&blobs, &sources);
    for tasks in tasks.chunks(AT_A_TIME) {
        let (specs, missing) = encode(engine, &encoder, tasks, &link)?;
        register(engine, tasks, &missing, &link, events)?;
        for (index, shuffle, map_partitions) in missing {
            let Task { stage, partition, attempt, .. } = tasks[index];
            let cause = "the worker that kept them is gone".to_owned();
            let end = Box::new(Err(TaskError::FetchFailed { shuffle, map_partitions, cause }));
            let at = Instant::now();
            // This is the job's own sender, so the job is listening.
            let _ = events.send(TaskEvent::Ended {
                stage,
                partition,
                attempt,
                worker: WorkerId::EMBEDDED,
                at,
                end,
            });
        }
        send(specs, &link).map_err(|broken| engine.lost(&broken.to_string()))?;
    }
    Ok(())
}

/// Encodes tasks. Those that read lost blocks are returned separately.
fn encode(
    engine: &PoolEngine,
    encoder: &Encoder<'_>,
    tasks: &[Task],
    link: &Link,
) -> Result<(Vec<TaskSpec>, Vec<Missing>), EngineError> {
    let (mut specs, mut missing) = (Vec::with_capacity(tasks.len()), Vec::new());
    for (index, task) in tasks.iter().enumerate() {
        let preferred_workers = {
            let state = engine.shared.state();
            if let Some((shuffle, map_partitions)) = state.missing(&task.input) {
                missing.push((index, shuffle, map_partitions));
                continue;
            }
            state.preferred(&task.input)
        };
        let body = encoder.encode(task)?;
        if body.len() + AROUND > MESSAGE_BYTES {
            let (partition, bytes) = (task.partition, body.len());
            return Err(EngineError::TaskTooLarge { partition, bytes, most: MESSAGE_BYTES });
        }
        specs.push(TaskSpec {
            key: Some(key(link.session, attempt_of(task))),
            body: Bytes::from(body),
            preferred_workers: preferred_workers.into_iter().map(u64::from).collect(),
            excluded_workers: task.excluded.iter().map(|worker| worker.0).collect(),
        });
    }
    Ok((specs, missing))
}

fn attempt_of(task: &Task) -> Attempt {
    (task.job, task.stage, task.partition, task.attempt)
}

/// Records who waits for the tasks, before the first can end.
fn register(
    engine: &PoolEngine,
    tasks: &[Task],
    missing: &[Missing],
    link: &Link,
    events: &Sender<TaskEvent>,
) -> Result<(), EngineError> {
    let mut state = engine.shared.state();
    if state.connection != link.connection || state.lost.is_some() {
        let cause = state.lost.clone().unwrap_or_default();
        return Err(engine.lost(&cause));
    }
    let mut left_out = missing.iter().map(|(index, ..)| *index).peekable();
    for (index, task) in tasks.iter().enumerate() {
        if left_out.next_if_eq(&index).is_some() {
            continue;
        }
        let shuffle = match &task.output {
            Output::Shuffle { id, .. } => Some(*id),
            _ => None,
        };
        state.running.insert(attempt_of(task), Running { events: events.clone(), shuffle });
    }
    Ok(())
}

fn send(specs: Vec<TaskSpec>, link: &Link) -> Result<(), Broken> {
    let mut tasks = Vec::new();
    let mut bytes = 0;
    for spec in specs {
        if bytes + spec.body.len() > BATCH_BYTES && !tasks.is_empty() {
            let tasks = std::mem::take(&mut tasks);
            bytes = 0;
            link.send(from_session::Message::Submit(SubmitTasks { tasks }))?;
        }
        bytes += spec.body.len() + KEY_BYTES;
        tasks.push(spec);
    }
    link.send(from_session::Message::Submit(SubmitTasks { tasks }))
}
