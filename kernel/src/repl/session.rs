use std::pin::pin;

use anyhow::Context;
use rustyline::error::ReadlineError;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::exit_signals::ExitSignals;
use super::live::REDRAWN_EVERY;
use super::printer::Printer;
use super::terminal_settings::ModesOff;
use super::{ReplOptions, editor};
use partita_interpreter::{Cell, Interpreter, Outcome, Output, Viewer};

/// How many outputs may be queued for printing; beyond that the cell waits.
const WAITING_OUTPUTS: usize = 256;

/// The error for a cell that asks for input when nobody is present.
pub const NO_INPUT: &str = "standard input is the script itself; run it in a terminal to enter input";

/// A running interpreter and the printer of its outputs.
pub struct Session {
    pub interpreter: Interpreter,
    pub printer: Printer,
    runtime: Runtime,
    interrupts: Signal,
    next_cell: u32,
    /// Whether a person is present who can be asked.
    interactive: bool,
}

impl Session {
    /// Starts the evaluator. `interactive` means that a person is present. Outputs that arrive while no
    /// cell runs are received on the second value.
    pub fn start(options: ReplOptions, interactive: bool) -> anyhow::Result<(Self, mpsc::Receiver<Output>)> {
        let (background, idle_outputs) = mpsc::channel(WAITING_OUTPUTS);
        // A runtime of its own: it waits for signals while the other one is idle between cells.
        let leaving = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let exit_signals = {
            let _inside = leaving.enter();
            ExitSignals::register()?
        };
        let interpreter = options.evaluator.start(background).context("cannot start the evaluator")?;
        exit_signals.on(leaving, interpreter.clone())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // From here on Ctrl-C no longer ends this process.
        let interrupts = {
            let _inside = runtime.enter();
            signal(SignalKind::interrupt())?
        };
        let printer = Printer::new(interactive, options.colour());
        let session = Self { interpreter, printer, runtime, interrupts, next_cell: 1, interactive };
        Ok((session, idle_outputs))
    }

    /// The number of the next cell.
    pub fn next_cell(&self) -> u32 {
        self.next_cell
    }

    /// Runs one cell, shows its outputs as they come and then its value or error. Ctrl-C interrupts it.
    pub fn run(&mut self, code: &str) -> Outcome {
        let cell = Cell { number: self.next_cell, code: code.to_owned(), viewer: Viewer::Terminal };
        self.next_cell += 1;
        // Input typed meanwhile goes to the next prompt and is not echoed into the view of the jobs.
        let _quiet = self.interactive.then(|| ModesOff::new(libc::STDIN_FILENO, libc::ECHO));
        let Self { interpreter, printer, runtime, interrupts, interactive, .. } = self;
        let outcome = runtime.block_on(async {
            let (sender, mut outputs) = mpsc::channel(WAITING_OUTPUTS);
            let mut redraw = tokio::time::interval(REDRAWN_EVERY);
            redraw.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut running = pin!(interpreter.execute(cell, sender));
            loop {
                // Outputs last: a cell that prints without end must not block an interrupt.
                tokio::select! {
                    biased;
                    Some(()) = interrupts.recv() => interpreter.interrupt(),
                    _ = redraw.tick(), if printer.is_live() => printer.refresh(),
                    Some(output) = outputs.recv() => match output {
                        Output::InputRequest { prompt, password } => {
                            answer(interpreter, printer, *interactive, &prompt, password);
                        }
                        output => printer.output(output),
                    },
                    outcome = &mut running => {
                        while let Ok(output) = outputs.try_recv() {
                            printer.output(output);
                        }
                        break outcome;
                    }
                }
            }
        });
        printer.end_cell();
        match &outcome {
            Outcome::Finished(Some(bundle)) => self.printer.value(bundle),
            Outcome::Finished(None) => {}
            Outcome::Failed(error) => self.printer.error(error),
        }
        outcome
    }
}

/// Gives a cell its line of input, or the reason why there is none.
fn answer(interpreter: &Interpreter, printer: &mut Printer, interactive: bool, prompt: &str, password: bool) {
    if !interactive {
        interpreter.input(Err(NO_INPUT.into()));
        return;
    }
    printer.hide_jobs();
    printer.line_start();
    interpreter.input(match editor::ask(prompt, password) {
        Ok(line) => Ok(line),
        Err(ReadlineError::Interrupted) => {
            interpreter.interrupt();
            Err("the input was interrupted by Ctrl-C".into())
        }
        Err(ReadlineError::Eof) => Err("the input was ended by Ctrl-D".into()),
        Err(error) => Err(format!("cannot read input from this terminal: {error}")),
    });
}

impl Drop for Session {
    fn drop(&mut self) {
        self.interpreter.shutdown();
    }
}
