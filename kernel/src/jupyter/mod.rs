//! The kernel as Jupyter sees it: five ZeroMQ sockets, the messaging protocol on them, displays,
//! history, and the life of the process. Cells go to the interpreter and come back as outcomes; what
//! a cell is and how it runs is not known here. `connection_file` and `sockets` reach the front end,
//! `iopub` and `outputs` publish, `stdin` asks the person, `comms` carries what widgets say, `shell`,
//! `execute` and `complete` answer requests, `concurrent_requests` and `control` those that do not wait for the cell that
//! runs, `worker` owns the interpreter's thread, `lifetime` says when to leave.

mod comms;
mod complete;
mod concurrent_requests;
mod connection_file;
mod control;
mod execute;
mod front_end;
mod history;
mod info;
mod iopub;
mod lifetime;
mod mime;
mod outputs;
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

/// How long the sockets stay open after the last message, so that what was sent also leaves.
const LINGER: Duration = Duration::from_millis(100);
/// Requests a front end may have waiting; beyond that its socket is not read.
const REQUEST_QUEUE: usize = 1024;
/// Whether a cell is complete is asked of a parser that is recursive.
const STACK_BYTES: usize = 64 << 20;

/// What `partita kernel` was asked for.
#[derive(Debug, Clone)]
pub struct KernelOptions {
    /// The connection file Jupyter wrote.
    pub connection_file: PathBuf,
    /// Which evaluator runs the cells.
    pub evaluator: EvaluatorKind,
}

/// Serves one kernel until it is told to shut down or its parent is gone.
///
/// # Errors
/// When the connection file cannot be used or a socket cannot be bound. Nothing a front end sends
/// afterwards ends the kernel with an error.
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

    tokio::spawn(sockets::beat(sockets.heartbeat));
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
