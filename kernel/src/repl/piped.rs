use std::io::Read;
use std::thread;

use anyhow::{Context, bail};

use super::ReplOptions;
use super::session::{NO_INPUT, Session};
use crate::run::script::{self, Piece};
use partita_interpreter::commands;
use partita_interpreter::{Outcome, Output};

/// Runs standard input cell by cell and stops at the first failure.
pub fn run(options: ReplOptions) -> anyhow::Result<()> {
    let mut source = String::new();
    std::io::stdin().read_to_string(&mut source).context("cannot read cells from standard input")?;
    let (mut session, mut idle_outputs) = Session::start(options, false)?;
    // Outputs between cells are ignored, but threads that ask for input would wait for ever.
    let interpreter = session.interpreter.clone();
    thread::spawn(move || {
        while let Some(output) = idle_outputs.blocking_recv() {
            if matches!(output, Output::InputRequest { .. }) {
                interpreter.input(Err(NO_INPUT.into()));
            }
        }
    });
    for Piece { code: cell, .. } in script::cut(&source) {
        if commands::is_quit(&cell) {
            break;
        }
        let number = session.next_cell();
        if let Outcome::Failed(error) = session.run(&cell) {
            bail!("cell {number} failed: {}", error.message);
        }
    }
    session.printer.line_start();
    Ok(())
}
