use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use anyhow::Context;
use partita_events::figures::plural;
use rustyline::ExternalPrinter;
use rustyline::error::ReadlineError;
use tokio::sync::mpsc;

use super::ReplOptions;
use super::editor::{self, History, LineEditor};
use super::session::Session;
use partita_interpreter::{Interpreter, Outcome, Output, commands};

/// How many outputs about workers are kept until the next cell.
const MISSED_OUTPUTS: usize = 256;

/// The interactive loop: reads and runs cells until Ctrl-D or `:quit`.
pub fn run(options: ReplOptions) -> anyhow::Result<()> {
    let mut editor = editor::new(options.colour()).context("cannot use this terminal")?;
    let mut history = History::of_user();
    if let Some(history) = &history {
        history.load(&mut editor);
    }
    println!("{}", banner());
    let (mut session, idle_outputs) = Session::start(options, true)?;
    if let Some(helper) = editor.helper_mut() {
        helper.interpreter = Some(session.interpreter.clone());
    }
    let missed = print_between_cells(&mut editor, session.interpreter.clone(), idle_outputs);
    let mut failed = false;
    loop {
        session.printer.line_start();
        let plain = format!("[{}] >> ", session.next_cell());
        let styled = format!("\x1b[1;{}m{plain}\x1b[0m", if failed { 31 } else { 32 });
        let entered = editor.readline(&(plain, styled));
        if let Some(history) = &mut history {
            history.save(&mut editor);
        }
        match entered {
            Ok(cell) if cell.trim().is_empty() => {}
            Ok(cell) if commands::is_quit(&cell) => break,
            Ok(cell) => {
                missed.try_iter().for_each(|output| session.printer.catch_up(&output));
                failed = matches!(session.run(&cell), Outcome::Failed(_));
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error).context("cannot read from the terminal"),
        }
    }
    Ok(())
}

fn banner() -> String {
    let slots = thread::available_parallelism().map_or(1, usize::from);
    format!(
        "Partita {}: Rust cells on partitioned data, {} here.\n\
         :help lists the commands, Tab completes, Ctrl-R searches, Ctrl-D leaves.",
        env!("CARGO_PKG_VERSION"),
        plural(slots, "slot")
    )
}

/// Prints above the prompt what arrives while no cell runs: text of threads that a cell has left running.
/// What the next cell's printer has to know of is received on the returned channel.
fn print_between_cells(
    editor: &mut LineEditor,
    interpreter: Interpreter,
    mut outputs: mpsc::Receiver<Output>,
) -> Receiver<Output> {
    // If the terminal does not support this, the text is not shown, but the channel must still be read.
    let mut above = editor.create_external_printer().ok();
    let (sender, missed) = sync_channel(MISSED_OUTPUTS);
    thread::spawn(move || {
        while let Some(output) = outputs.blocking_recv() {
            let text = match output {
                Output::Text { text, .. } => text,
                Output::Display { bundle, .. } | Output::UpdateDisplay { bundle, .. } => {
                    console::strip_ansi_codes(bundle.get("text/plain").unwrap_or_default()).into_owned()
                }
                Output::Page(bundle) => format!("{}\n", bundle.get("text/plain").unwrap_or_default()),
                Output::InputRequest { .. } => {
                    interpreter.input(Err("no cell is running, and the prompt is for the next one".into()));
                    continue;
                }
                Output::Events { session, mut events } => {
                    events.retain(|event| event.job().is_none());
                    if !events.is_empty() {
                        let _ = sender.try_send(Output::Events { session, events });
                    }
                    continue;
                }
                Output::ProcessEnded => {
                    let _ = sender.try_send(Output::ProcessEnded);
                    continue;
                }
                Output::ClearOutput { .. } | Output::Comm(_) => continue,
            };
            if let Some(above) = &mut above
                && !text.is_empty()
            {
                let _ = above.print(text);
            }
        }
    });
    missed
}
