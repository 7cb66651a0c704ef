use std::pin::pin;

use anyhow::Context;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::ReplOptions;
use super::leave::LeaveSignals;
use super::printer::Printer;
use crate::interpreter::{Cell, Interpreter, Outcome, Output};

/// How many outputs may wait to be printed before the cell waits.
const WAITING_OUTPUTS: usize = 256;

/// A started interpreter and what shows its outputs.
pub struct Session {
    pub interpreter: Interpreter,
    pub printer: Printer,
    runtime: Runtime,
    interrupts: Signal,
    next_cell: u32,
}

impl Session {
    /// Starts the evaluator. Outputs that come while no cell runs are received on the second value.
    pub fn start(options: ReplOptions) -> anyhow::Result<(Self, mpsc::Receiver<Output>)> {
        let (background, idle_outputs) = mpsc::channel(WAITING_OUTPUTS);
        // One of its own: this one waits for signals while the other stands still between cells.
        let leaving = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let leave_signals = {
            let _inside = leaving.enter();
            LeaveSignals::register()?
        };
        let interpreter =
            Interpreter::start(options.evaluator, background).context("cannot start the evaluator")?;
        leave_signals.on(leaving, interpreter.clone())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // From here on Ctrl-C no longer ends this process.
        let interrupts = {
            let _inside = runtime.enter();
            signal(SignalKind::interrupt())?
        };
        let session = Self { interpreter, printer: Printer::new(), runtime, interrupts, next_cell: 1 };
        Ok((session, idle_outputs))
    }

    /// The number the next cell gets.
    pub fn next_cell(&self) -> u32 {
        self.next_cell
    }

    /// Runs one cell, shows its outputs as they come and then its value or error. Ctrl-C interrupts it.
    pub fn run(&mut self, code: &str) -> Outcome {
        let cell = Cell { number: self.next_cell, code: code.to_owned() };
        self.next_cell += 1;
        let Self { interpreter, printer, runtime, interrupts, .. } = self;
        let outcome = runtime.block_on(async {
            let (sender, mut outputs) = mpsc::channel(WAITING_OUTPUTS);
            let mut running = pin!(interpreter.execute(cell, sender));
            loop {
                tokio::select! {
                    biased;
                    Some(output) = outputs.recv() => printer.output(&output),
                    Some(()) = interrupts.recv() => interpreter.interrupt(),
                    outcome = &mut running => {
                        while let Ok(output) = outputs.try_recv() {
                            printer.output(&output);
                        }
                        break outcome;
                    }
                }
            }
        });
        match &outcome {
            Outcome::Finished(Some(bundle)) => self.printer.value(bundle),
            Outcome::Finished(None) => {}
            Outcome::Failed(error) => self.printer.error(error),
        }
        outcome
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.interpreter.shutdown();
    }
}
