use std::io::Read;
use std::thread;

use anyhow::{Context, bail};

use super::ReplOptions;
use super::commands::{self, ReplCommand};
use super::session::Session;
use crate::interpreter::Outcome;
use crate::run::script::{self, Piece};

/// Runs everything on standard input, cell by cell; stops at the first that fails.
pub fn run(options: ReplOptions) -> anyhow::Result<()> {
    let mut source = String::new();
    std::io::stdin().read_to_string(&mut source).context("cannot read cells from standard input")?;
    let (mut session, mut idle_outputs) = Session::start(options)?;
    // Nobody waits for what comes after the last cell, but a full channel would stop the evaluator.
    thread::spawn(move || while idle_outputs.blocking_recv().is_some() {});
    for Piece { code: cell, .. } in script::cut(&source) {
        match ReplCommand::parse(&cell, options.evaluator) {
            Some(ReplCommand::Help) => session.printer.note(commands::HELP),
            Some(ReplCommand::Variables) => {
                let text = commands::variables(&session.interpreter);
                session.printer.note(&text);
            }
            Some(ReplCommand::Quit) => break,
            Some(ReplCommand::Unknown(command)) => bail!(commands::unknown(&command)),
            None => {
                let number = session.next_cell();
                if let Outcome::Failed(error) = session.run(&cell) {
                    bail!("cell {number} failed: {}", error.message);
                }
            }
        }
    }
    session.printer.line_start();
    Ok(())
}
