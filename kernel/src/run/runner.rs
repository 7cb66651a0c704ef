use std::{io, pin::pin, process, thread};

use anyhow::Context;
use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
};

use super::{positions::Positions, printer::Printer, record::Record};
use crate::evaluators::EvaluatorKind;
use partita_interpreter::{Cell, Interpreter, Outcome, Output, Viewer};

/// How many outputs may be queued for printing; beyond that the cell waits.
const WAITING_OUTPUTS: usize = 256;

/// A running interpreter and the printer of its outputs.
pub struct Runner {
    interpreter: Interpreter,
    printer: Printer,
    runtime: Runtime,
    interrupts: Signal,
    /// Whether cells may read standard input.
    input: bool,
}

impl Runner {
    /// Starts the evaluator for this many cells.
    pub fn start(evaluator: EvaluatorKind, cells: usize, input: bool) -> anyhow::Result<Self> {
        let (background, mut idle_outputs) = mpsc::channel(WAITING_OUTPUTS);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (interrupts, mut terminate, mut hangup) = {
            let _inside = runtime.enter();
            (
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
            )
        };
        let interpreter = evaluator.start(background).context("cannot start the evaluator")?;
        // What comes after the last cell is ignored, but a full channel would stop the evaluator.
        thread::spawn(move || while idle_outputs.blocking_recv().is_some() {});
        let ending = interpreter.clone();
        runtime.spawn(async move {
            let signal = tokio::select! {
                _ = terminate.recv() => SignalKind::terminate(),
                _ = hangup.recv() => SignalKind::hangup(),
            };
            let ended = tokio::task::spawn_blocking(move || ending.shutdown());
            // A panic there has been reported; this process ends in any case.
            let _ = ended.await;
            process::exit(128 + signal.as_raw_value());
        });
        Ok(Self { interpreter, printer: Printer::new(cells), runtime, interrupts, input })
    }

    /// Runs one cell, shows its outputs as they come and then its value or error, and adds them to
    /// `record`. Ctrl-C interrupts it.
    pub fn run(
        &mut self,
        number: u32,
        code: &str,
        positions: Option<&Positions>,
        mut record: Option<&mut Record<'_>>,
    ) -> Outcome {
        // What is recorded is viewed later.
        let viewer = if record.is_some() { Viewer::Document } else { Viewer::Terminal };
        let cell = Cell { number, code: code.to_owned(), viewer };
        let Self { interpreter, printer, runtime, interrupts, input } = self;
        printer.begin(number);
        let mut show = |output: Output, printer: &mut Printer| {
            if let Output::InputRequest { prompt, password } = &output {
                answer(interpreter, prompt, *password, *input, printer);
            }
            printer.output(&output, positions);
            if let Some(record) = &mut record {
                record.output(output);
            }
        };
        let outcome = runtime.block_on(async {
            let (sender, mut outputs) = mpsc::channel(WAITING_OUTPUTS);
            let mut running = pin!(interpreter.execute(cell, sender));
            loop {
                tokio::select! {
                    biased;
                    Some(output) = outputs.recv() => show(output, printer),
                    Some(()) = interrupts.recv() => interpreter.interrupt(),
                    outcome = &mut running => {
                        while let Ok(output) = outputs.try_recv() {
                            show(output, printer);
                        }
                        break outcome;
                    }
                }
            }
        });
        let outcome = match outcome {
            Outcome::Failed(error) => {
                Outcome::Failed(positions.map_or(error.clone(), |positions| positions.translate(&error)))
            }
            finished => finished,
        };
        match &outcome {
            Outcome::Finished(Some(bundle)) => printer.value(bundle),
            Outcome::Finished(None) => printer.end_of_cell(),
            Outcome::Failed(error) => printer.error(error),
        }
        if let Some(record) = record {
            record.outcome(&outcome);
        }
        outcome
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.interpreter.shutdown();
    }
}

/// Answers a cell's question with a line of standard input.
fn answer(interpreter: &Interpreter, prompt: &str, password: bool, input: bool, printer: &mut Printer) {
    if password {
        let why = "a password cannot be typed hidden here; run the cells in the REPL or in Jupyter";
        return interpreter.input(Err(why.to_owned()));
    }
    if !input {
        return interpreter.input(Err("standard input is the script itself".to_owned()));
    }
    printer.prompt(prompt);
    let interpreter = interpreter.clone();
    // On a thread of its own, so that Ctrl-C reaches the cell while nobody types.
    thread::spawn(move || {
        let mut line = String::new();
        let read = match io::stdin().read_line(&mut line) {
            Ok(0) => Err("standard input has ended".to_owned()),
            Ok(_) => Ok(line.trim_end_matches(['\n', '\r']).to_owned()),
            Err(error) => Err(error.to_string()),
        };
        interpreter.input(read);
    });
}
