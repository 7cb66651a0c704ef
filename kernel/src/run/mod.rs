//! Runs a script, a notebook, or code from the command line without a person, to its end or to the first
//! error, which makes the program fail. `script` splits a file into cells (the REPL uses it for piped
//! input), `notebook` reads and writes notebooks, `record` keeps the outputs of their cells, `printer`
//! prints to the standard streams, `runner` runs the cells. What a cell means is the interpreter's
//! matter.

mod notebook;
mod positions;
mod printer;
mod record;
mod runner;
pub mod script;

use std::{
    env, fs,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use notebook::Notebook;
use positions::Positions;
use runner::Runner;

use crate::evaluators::EvaluatorKind;
use partita_interpreter::{Outcome, commands};

/// The options of `partita run`.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The script or notebook; `-` is a script on standard input.
    pub file: PathBuf,
    /// Where to write the executed notebook.
    pub output: Option<PathBuf>,
    /// The evaluator that runs the cells.
    pub evaluator: EvaluatorKind,
}

/// Runs a script or a notebook.
///
/// # Errors
/// When it cannot be read, the evaluator cannot be started, or a cell fails.
pub fn run(options: &RunOptions) -> anyhow::Result<()> {
    let extension = options.file.extension().and_then(|extension| extension.to_str());
    if extension == Some("ipynb") {
        return run_notebook(options);
    }
    if let Some(output) = &options.output {
        bail!(
            "only a notebook can be written to {}; {} is a script",
            output.display(),
            options.file.display()
        );
    }
    let standard_input = options.file == Path::new("-");
    if !standard_input && extension != Some("rs") {
        bail!("{} is neither a script (.rs) nor a notebook (.ipynb)", options.file.display());
    }
    let (name, source) = if standard_input {
        let mut source = String::new();
        std::io::stdin().read_to_string(&mut source).context("cannot read the script from standard input")?;
        ("standard input".to_owned(), source)
    } else {
        let source = fs::read_to_string(&options.file)
            .with_context(|| format!("cannot read {}", options.file.display()))?;
        (options.file.display().to_string(), source)
    };
    let pieces = script::cut(&source);
    let positions = Positions::new(&name, pieces.iter().map(|piece| piece.line).collect());
    let mut runner = Runner::start(options.evaluator, pieces.len(), !standard_input)?;
    for (number, piece) in (1..).zip(&pieces) {
        if commands::is_quit(&piece.code) {
            break;
        }
        // The blank lines make the compiler count lines as in the file.
        let code = format!("{}{}", "\n".repeat(piece.line - 1), piece.code);
        if let Outcome::Failed(error) = runner.run(number, &code, Some(&positions), None) {
            bail!("{} failed: {}", positions.cell(number), error.message);
        }
    }
    Ok(())
}

/// Runs pieces of code one after the other, as cells of one session. Returns whether all of them
/// succeeded; errors have been printed by then.
///
/// # Errors
/// When the evaluator cannot be started.
pub fn run_code(pieces: &[String], evaluator: EvaluatorKind) -> anyhow::Result<bool> {
    let mut runner = Runner::start(evaluator, pieces.len(), true)?;
    for (number, code) in (1..).zip(pieces) {
        if let Outcome::Failed(_) = runner.run(number, code, None, None) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn run_notebook(options: &RunOptions) -> anyhow::Result<()> {
    let name = options.file.display();
    let text = fs::read_to_string(&options.file).with_context(|| format!("cannot read {name}"))?;
    let mut notebook = Notebook::parse(&text).with_context(|| format!("cannot run {name}"))?;
    let cells = notebook.prepare();
    let output = options.output.as_deref().map(std::path::absolute).transpose()?;
    // As in Jupyter, a notebook's paths are relative to its own directory.
    if let Some(directory) = options.file.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        env::set_current_dir(directory).with_context(|| format!("cannot work in {}", directory.display()))?;
    }
    let mut failed = None;
    let mut runner = Runner::start(options.evaluator, cells.len(), true)?;
    for (number, cell) in (1..).zip(cells) {
        let outcome = runner.run(number, &cell.code, None, Some(&mut notebook.record(cell.index, number)));
        if let Outcome::Failed(error) = outcome
            && !cell.may_fail
        {
            failed = Some(format!("{name}, cell {number} failed: {}", error.message));
            break;
        }
    }
    drop(runner);
    if let Some(output) = &output {
        notebook.write(output).with_context(|| format!("cannot write {}", output.display()))?;
    }
    match failed {
        Some(failed) => bail!(failed),
        None => Ok(()),
    }
}
