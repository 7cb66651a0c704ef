use std::{
    error::Error,
    io::{self, Write},
    os::unix::net::UnixStream,
    sync::mpsc,
    thread,
    time::Instant,
};

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use partita::input::InputError;
use partita_bridge::{
    CellOutcome, Command, FrameError, FromEvaluation, LoadCell, MimeBundle, Panic, ToEvaluation, Viewer,
    read_frame,
};
use partita_events::Event;
use polars::error::abort::register_polars_abort_mechanism;

use super::{CellFunction, Scope, backtrace, commands, last_words, panics};
use crate::bridge::{self, Bridge, bridge};
use crate::host::Notebook;
use crate::widgets::{self, timeline};
use crate::{comm, events};

/// Cells are compiled without optimisation, so they need much stack.
const STACK_BYTES: usize = 256 << 20;

/// What the kernel asks for, one at a time.
enum Work {
    Cell(LoadCell),
    Command(Command),
}

/// Runs the evaluation process, from the connection to the kernel to its end. The kernel's binary loads
/// this library and calls this function. The result is the exit code of the process.
#[unsafe(no_mangle)]
pub extern "C" fn partita_evaluation_main() -> i32 {
    match serve() {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("partita: the evaluation process failed: {error}");
            1
        }
    }
}

fn serve() -> Result<(), FrameError> {
    let incoming = bridge::connect()?;
    last_words::prepare()?;
    // Before our own hook, which must know what Polars' hook does.
    register_polars_abort_mechanism();
    panics::install_hook();
    let notebook = Notebook::install().map_err(io::Error::other)?;
    events::forward(deliver, timeline::show_due)?;
    widgets::serve();
    let (cells, queue) = mpsc::channel();
    thread::Builder::new().name("bridge".into()).spawn({
        let notebook = notebook.clone();
        move || listen(incoming, &cells, &notebook)
    })?;
    let worker = thread::Builder::new()
        .name(panics::CELL_THREAD.into())
        .stack_size(STACK_BYTES)
        .spawn(move || run_cells(&queue, &notebook))?;
    worker.join().unwrap_or_else(|_| Err(io::Error::other("the cell thread panicked outside a cell").into()))
}

/// Passes a batch of a session's events to the timelines and to the kernel.
fn deliver(session: u64, events: Vec<Event>) {
    timeline::observe(session, &events);
    if let Some(bridge) = bridge() {
        // If the kernel has gone, this process ends anyway.
        let _ = bridge.send(&FromEvaluation::Events { session, events });
    }
}

/// Receives messages from the kernel while cells run. When the kernel ends, the process ends.
fn listen(mut incoming: UnixStream, cells: &mpsc::Sender<Work>, notebook: &Notebook) {
    loop {
        match read_frame(&mut incoming) {
            Ok(Some(ToEvaluation::Run(cell))) => {
                // Here, in the order of the messages: an interrupt that follows belongs to this cell.
                notebook.interrupts.next_cell();
                if cells.send(Work::Cell(cell)).is_err() {
                    exit_now(1);
                }
            }
            Ok(Some(ToEvaluation::Command(command))) => {
                notebook.interrupts.next_cell();
                if cells.send(Work::Command(command)).is_err() {
                    exit_now(1);
                }
            }
            Ok(Some(ToEvaluation::Comm(comm))) => comm::receive(comm),
            Ok(Some(ToEvaluation::Input(line))) => {
                notebook.questions.answer(line.map_err(InputError::Unavailable));
            }
            Ok(Some(ToEvaluation::Interrupt)) => {
                notebook.interrupts.cancel();
                notebook.questions.interrupted();
                // A Polars query in the cell reacts to this signal, for which Polars has installed a
                // handler.
                // SAFETY: raising a handled signal touches no memory.
                unsafe { libc::raise(libc::SIGINT) };
            }
            Ok(Some(ToEvaluation::Shutdown)) => {
                partita::session::remove_temp_dirs();
                exit_now(0)
            }
            // The kernel was killed, and cannot end what the cells have started.
            Ok(None) | Err(_) => kill_group(),
        }
    }
}

/// Ends the process and the programs that its cells have started: the kernel made it the leader of a
/// process group.
fn kill_group() -> ! {
    // SAFETY: plain calls; the signal goes to nobody else, because the group is this process's.
    unsafe {
        if libc::getpgrp() == libc::getpid() {
            libc::kill(0, libc::SIGKILL);
        }
    }
    exit_now(1)
}

/// Ends the process without running exit handlers and without flushing: other threads may be in the
/// middle of a cell, and one of them may hold the lock of a standard stream.
fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` takes any code and does not return.
    unsafe { libc::_exit(code) }
}

fn run_cells(queue: &mpsc::Receiver<Work>, notebook: &Notebook) -> Result<(), FrameError> {
    let Some(bridge) = bridge() else { return Ok(()) };
    last_words::guard_this_thread()?;
    let scope = Scope::default();
    bridge.send(&FromEvaluation::Ready {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        rustc: partita::RUSTC_VERSION.to_owned(),
    })?;
    // A command's outputs go to the viewer of the last cell.
    let mut viewer = Viewer::Terminal;
    for work in queue {
        notebook.set_running(true);
        last_words::forget();
        let outcome = match work {
            Work::Cell(cell) => {
                cell.forget.iter().for_each(|name| scope.forget(name));
                viewer = cell.viewer;
                widgets::begin_cell(viewer);
                run_cell(&cell, &scope).unwrap_or_else(|why| CellOutcome::NotLoaded(loader_message(&why)))
            }
            Work::Command(command) => {
                widgets::begin_cell(viewer);
                commands::run(&command, &scope)
            }
        };
        // The interrupt belonged to the cell: callbacks that run jobs from now on are not cancelled.
        notebook.interrupts.next_cell();
        notebook.set_running(false);
        flush();
        events::flush();
        timeline::end_cell();
        report(bridge, outcome, &scope)?;
    }
    Ok(())
}

/// Sends the kernel the outcome of the cell. What is too large to send is replaced by a text that says
/// so; the outcome and the variables stay the same.
fn report(bridge: &Bridge, outcome: CellOutcome, scope: &Scope) -> Result<(), FrameError> {
    let done = FromEvaluation::Done { outcome, variables: scope.variables(), spent: scope.spent() };
    match (bridge.send(&done), done) {
        (Err(FrameError::TooLarge(bytes)), FromEvaluation::Done { outcome, variables, spent }) => {
            bridge.send(&FromEvaluation::Done { outcome: shortened(outcome, bytes), variables, spent })
        }
        (sent, _) => sent,
    }
}

fn shortened(outcome: CellOutcome, bytes: u64) -> CellOutcome {
    let too_large = |what| format!("{what} of {bytes} bytes is too large to show; show a part of it");
    match outcome {
        CellOutcome::Finished(_) => {
            CellOutcome::Finished(Some(MimeBundle::text(too_large("the value's display"))))
        }
        CellOutcome::Failed(_) => CellOutcome::Failed(vec![too_large("the error's text")]),
        CellOutcome::Panicked(panic) => {
            CellOutcome::Panicked(Panic { message: too_large("the panic's message"), ..panic })
        }
        CellOutcome::NotLoaded(_) => CellOutcome::NotLoaded(too_large("the loader's message")),
    }
}

fn run_cell(cell: &LoadCell, scope: &Scope) -> Result<CellOutcome, libloading::Error> {
    let began = Instant::now();
    backtrace::remember(&cell.library);
    // SAFETY: the kernel compiled the library against this very one; it has no initialisers of its
    // own. Statics in it are found by later cells, hence global.
    let library = unsafe { Library::open(Some(&cell.library), RTLD_NOW | RTLD_GLOBAL) }?;
    // SAFETY: the kernel generates the function with exactly this type.
    let function = *unsafe { library.get::<CellFunction>(cell.symbol.as_bytes()) }?;
    // Variables may hold code of this library (drop glue, vtables) for as long as the process lives.
    std::mem::forget(library);
    scope.begin(began.elapsed());
    function(scope);
    Ok(scope.outcome())
}

/// The system loader's message, without what surrounds it.
fn loader_message(error: &libloading::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// Flushes the buffers of the process's own streams, Rust's and C's.
fn flush() {
    // Nothing can be done about a closed stream, and nobody reads it.
    let _ = io::stdout().flush();
    // SAFETY: a null stream asks for all of them.
    unsafe { libc::fflush(std::ptr::null_mut()) };
}
