use std::path::PathBuf;
use std::thread;

use anyhow::Context;
use rustyline::ExternalPrinter;
use rustyline::error::ReadlineError;
use tokio::sync::mpsc;

use super::editor::{self, LineEditor};
use super::session::Session;
use super::{ReplOptions, printer};
use crate::interpreter::{Output, commands};

/// The interactive loop: read a cell, run it, until Ctrl-D or `:quit`.
pub fn run(options: ReplOptions) -> anyhow::Result<()> {
    let history = history_file();
    let mut editor = editor::new(history.as_deref()).context("cannot use this terminal")?;
    println!(
        "Partita {}: Rust cells on partitioned data. :help says more, Ctrl-D leaves.",
        env!("CARGO_PKG_VERSION")
    );
    let (mut session, idle_outputs) = Session::start(options)?;
    print_between_cells(&mut editor, idle_outputs);
    loop {
        session.printer.line_start();
        let plain = format!("[{}] >> ", session.next_cell());
        let styled = format!("\x1b[1;32m{plain}\x1b[0m");
        match editor.readline(&(plain, styled)) {
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) if commands::is_quit(&line) => break,
            Ok(line) => {
                session.run(&line);
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error).context("cannot read from the terminal"),
        }
    }
    if let Some(path) = history
        && let Err(error) = save(&mut editor, &path)
    {
        eprintln!("the history could not be saved to {}: {error}", path.display());
    }
    Ok(())
}

fn history_file() -> Option<PathBuf> {
    Some(dirs::data_dir()?.join("partita").join("history.txt"))
}

fn save(editor: &mut LineEditor, path: &std::path::Path) -> rustyline::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    editor.append_history(path)
}

/// Prints above the prompt what arrives while none runs: text of threads that a cell left behind.
fn print_between_cells(editor: &mut LineEditor, mut outputs: mpsc::Receiver<Output>) {
    // A terminal that cannot do this shows such text not at all; the channel must be read even so.
    let mut above = editor.create_external_printer().ok();
    thread::spawn(move || {
        while let Some(output) = outputs.blocking_recv() {
            let text = match output {
                Output::Text { text, .. } => text,
                Output::Display { bundle, .. } | Output::UpdateDisplay { bundle, .. } => {
                    printer::without_colours(bundle.get("text/plain").unwrap_or_default())
                }
                Output::ClearOutput { .. } | Output::Events(_) => continue,
                Output::Comm(_) | Output::InputRequest { .. } | Output::Page(_) => continue,
            };
            if let Some(above) = &mut above
                && !text.is_empty()
            {
                let _ = above.print(text);
            }
        }
    });
}
