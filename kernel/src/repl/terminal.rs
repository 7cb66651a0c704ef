use std::thread;

use anyhow::Context;
use rustyline::ExternalPrinter;
use rustyline::error::ReadlineError;
use tokio::sync::mpsc;

use super::ReplOptions;
use super::editor::{self, History, LineEditor};
use super::session::Session;
use partita_interpreter::{Interpreter, Outcome, Output, commands};

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
    print_between_cells(&mut editor, session.interpreter.clone(), idle_outputs);
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
            Ok(cell) => failed = matches!(session.run(&cell), Outcome::Failed(_)),
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
        "Partita {}: Rust cells on partitioned data, {slots} slot{} here.\n\
         :help lists the commands, Tab completes, Ctrl-R searches, Ctrl-D leaves.",
        env!("CARGO_PKG_VERSION"),
        if slots == 1 { "" } else { "s" }
    )
}

/// Prints above the prompt what arrives while no cell runs: text of threads that a cell has left running.
fn print_between_cells(
    editor: &mut LineEditor,
    interpreter: Interpreter,
    mut outputs: mpsc::Receiver<Output>,
) {
    // If the terminal does not support this, the text is not shown, but the channel must still be read.
    let mut above = editor.create_external_printer().ok();
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
                Output::ClearOutput { .. } | Output::Events { .. } => continue,
                Output::Comm(_) | Output::ProcessEnded => continue,
            };
            if let Some(above) = &mut above
                && !text.is_empty()
            {
                let _ = above.print(text);
            }
        }
    });
}
