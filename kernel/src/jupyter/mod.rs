//! The Jupyter kernel: five ZeroMQ sockets with the messaging protocol, displays, history, and the life
//! of the process. Cells are passed to the interpreter and come back as outcomes; this module does not
//! know what a cell is or how it runs. `connection_file` and `sockets` connect to the front end, `iopub`
//! and `outputs` publish, `stdin` asks the person, `comms` carries widget messages, `shell`, `execute`
//! and `complete` answer requests, `concurrent_requests` and `control` answer those that do not wait for
//! the running cell, `worker` owns the interpreter's thread, `lifetime` decides when to end.

mod comms;
mod complete;
mod concurrent_requests;
mod connection_file;
mod control;
mod execute;
mod front_end;
#[cfg(test)]
mod fuzz;
mod history;
mod info;
mod iopub;
mod lifetime;
mod mime;
mod outputs;
mod sending;
mod shell;
mod sockets;
mod stdin;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jupyter_protocol::Status;
use tokio::sync::mpsc;

use crate::evaluators::EvaluatorKind;
use comms::Comms;
use front_end::FrontEnd;
use lifetime::LifetimeEvent;
use shell::Shell;
use sockets::Sockets;
use worker::Worker;

/// How long the sockets stay open after the last message, so that it is actually sent.
const LINGER: Duration = Duration::from_millis(100);
/// How many requests of a front end may wait; beyond that its socket is not read.
const REQUEST_QUEUE: usize = 1024;
/// Stack for the parser that checks whether a cell is complete; it is recursive.
const STACK_BYTES: usize = 64 << 20;

/// The options of `partita kernel`.
#[derive(Debug, Clone)]
pub struct KernelOptions {
    /// The connection file written by Jupyter.
    pub connection_file: PathBuf,
    /// The evaluator that runs the cells.
    pub evaluator: EvaluatorKind,
}

/// Serves one kernel until it receives a shutdown request or its parent has ended.
///
/// # Errors
/// When the connection file cannot be used or a socket cannot be bound. After that, nothing that a front
/// end sends ends the kernel with an error.
pub fn run(options: &KernelOptions) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
        .context("the kernel's threads could not be started")?;
    runtime.block_on(serve(options))?;
    runtime.shutdown_background();
    Ok(())
}

async fn serve(options: &KernelOptions) -> anyhow::Result<()> {
    let connection = connection_file::read(&options.connection_file)?;
    let sockets = Sockets::bind(&connection, &options.connection_file).await?;
    let (lifetime, mut events) = lifetime::watch()?;
    let (background_sender, background) = mpsc::channel(outputs::OUTPUT_QUEUE);
    let worker = Worker::start(options.evaluator, background_sender);
    let publisher = iopub::start(sockets.iopub);
    publisher.publish(Status::starting(), None).await;

    tokio::spawn(sockets::answer_heartbeats(sockets.heartbeat));
    let front_end = FrontEnd {
        questions: stdin::start(sockets.stdin, &worker),
        publisher: publisher.clone(),
        comms: Comms::default(),
        worker: worker.clone(),
        running: Arc::default(),
    };
    tokio::spawn(control::serve(sockets.control, publisher.clone(), lifetime.clone()));
    let (replies, requests) = sockets.shell.split();
    let (arrived, arriving) = mpsc::channel(1);
    let (queue, queued) = mpsc::channel(REQUEST_QUEUE);
    tokio::spawn(sockets::read_requests(requests, arrived));
    tokio::spawn(concurrent_requests::divert(
        arriving,
        queue,
        front_end.clone(),
        concurrent_requests::share(&replies),
    ));
    let (shell, last_parent) = Shell::new(replies, front_end.clone(), lifetime);
    tokio::spawn(outputs::forward_background(background, front_end, last_parent));
    tokio::spawn(shell.serve(queued));

    while let Some(event) = events.recv().await {
        match event {
            LifetimeEvent::Interrupt => worker.interrupt(),
            LifetimeEvent::Leave(reason) => {
                tracing::info!("leaving: {reason}");
                break;
            }
        }
    }
    worker.end().await;
    publisher.flush().await;
    tokio::time::sleep(LINGER).await;
    Ok(())
}
