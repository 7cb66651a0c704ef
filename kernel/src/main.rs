//! `partita`: the Jupyter kernel, the terminal REPL and their installation.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use indicatif::ProgressBar;
use partita_interpreter::completion;
use partita_kernel::doctor;
use partita_kernel::evaluators::{self, EvaluatorKind, UnknownEvaluator};
use partita_kernel::install::{self, DEFAULT_NAME, Kernelspec, Place};
use partita_kernel::jupyter::{self, KernelOptions};
use partita_kernel::repl::{self, ReplOptions};
use partita_kernel::run::{self, RunOptions};
use partita_kernel::search_path;
use tracing_subscriber::EnvFilter;

const EXAMPLES: &str = "\
Examples:
  partita                                    type cells in the terminal
  partita -e '1 + 1'                         print the value and exit
  partita run lesson.rs                      run a script; stop at the first error
  partita run lesson.ipynb --output out.ipynb
  partita install --user                     let Jupyter find the kernel
  partita doctor                             check the installation";

/// Rust cells over partitioned data: a Jupyter kernel and a terminal REPL.
#[derive(Parser)]
#[command(name = "partita", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Run this code and print its value; can be given several times, for several cells.
    #[arg(short = 'e', long = "evaluate", value_name = "CODE", allow_hyphen_values = true)]
    code: Vec<String>,
    #[command(flatten)]
    evaluator: EvaluatorArg,
    #[command(flatten)]
    colour: ColourArg,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a notebook; Jupyter calls this.
    Kernel {
        /// The connection file written by Jupyter.
        #[arg(short = 'f', long, value_name = "FILE")]
        connection_file: PathBuf,
        #[command(flatten)]
        evaluator: EvaluatorArg,
    },
    /// Type cells in the terminal (the default).
    Repl {
        #[command(flatten)]
        evaluator: EvaluatorArg,
        #[command(flatten)]
        colour: ColourArg,
    },
    /// Run a script (.rs) or a notebook (.ipynb) to its end or to the first error.
    ///
    /// A script is split into cells: each ends with the line that completes it. Text and values go to
    /// standard output, errors to standard error, and the exit code tells whether all cells ran.
    Run {
        /// The script or notebook; `-` is a script on standard input.
        file: PathBuf,
        /// Write the notebook with its outputs to this file, even if a cell failed.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        evaluator: EvaluatorArg,
    },
    /// Check everything that Partita uses, and say what to do about what is missing.
    ///
    /// Fails only if cells cannot run.
    Doctor {
        /// Print one JSON object, for programs.
        #[arg(long)]
        json: bool,
    },
    /// Register the kernel with Jupyter.
    Install {
        #[command(flatten)]
        place: PlaceArgs,
        #[command(flatten)]
        evaluator: EvaluatorArg,
    },
    /// Remove the kernel from Jupyter.
    Uninstall {
        #[command(flatten)]
        place: PlaceArgs,
    },
}

#[derive(Args)]
struct ColourArg {
    /// Print without colours (as with NO_COLOR set).
    #[arg(long)]
    no_color: bool,
}

#[derive(Args)]
struct EvaluatorArg {
    /// The evaluator that runs the cells: `direct` (the default) or `evcxr`.
    #[arg(long, value_name = "NAME", value_parser = known_evaluator)]
    evaluator: Option<String>,
}

fn known_evaluator(name: &str) -> Result<String, UnknownEvaluator> {
    name.parse::<EvaluatorKind>().map(|_| name.to_owned())
}

impl EvaluatorArg {
    fn kind(&self) -> EvaluatorKind {
        self.evaluator.as_deref().and_then(|name| name.parse().ok()).unwrap_or_default()
    }
}

#[derive(Args)]
struct PlaceArgs {
    #[command(flatten)]
    place: PlaceChoice,
    /// Name of the kernelspec.
    #[arg(long, default_value = DEFAULT_NAME)]
    name: String,
}

#[derive(Args)]
#[group(multiple = false)]
struct PlaceChoice {
    /// Install for this user (the default).
    #[arg(long)]
    user: bool,
    /// Install into the active Python environment.
    #[arg(long)]
    sys_prefix: bool,
    /// Install below this directory, as DIR/share/jupyter.
    #[arg(long, value_name = "DIR")]
    prefix: Option<PathBuf>,
    /// Install for everybody on this machine.
    #[arg(long)]
    system: bool,
}

impl PlaceChoice {
    fn place(self) -> Place {
        match self.prefix {
            Some(directory) => Place::Prefix(directory),
            None if self.sys_prefix => Place::SysPrefix,
            None if self.system => Place::System,
            None => Place::User,
        }
    }
}

fn main() -> ExitCode {
    // Before anything else: the kernel starts this binary again as its evaluation process.
    evaluators::run_if_child();
    search_path::add_cargo_bin();
    completion::run_if_child();
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_env("PARTITA_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let stderr = std::io::stderr;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(stderr().is_terminal())
        .with_writer(stderr)
        .init();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("partita: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn repl_options(evaluator: &EvaluatorArg, colour: &ColourArg) -> ReplOptions {
    ReplOptions { evaluator: evaluator.kind(), no_color: colour.no_color }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        None if !cli.code.is_empty() => {
            let succeeded = run::run_code(&cli.code, cli.evaluator.kind())?;
            return Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        None => repl::run(repl_options(&cli.evaluator, &cli.colour))?,
        Some(Command::Repl { evaluator, colour }) => repl::run(repl_options(&evaluator, &colour))?,
        Some(Command::Kernel { connection_file, evaluator }) => {
            jupyter::run(&KernelOptions { connection_file, evaluator: evaluator.kind() })?;
        }
        Some(Command::Run { file, output, evaluator }) => {
            run::run(&RunOptions { file, output, evaluator: evaluator.kind() })?;
        }
        Some(Command::Doctor { json }) => {
            let well = doctor::run(json).context("cannot print the results")?;
            return Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Some(Command::Install { place, evaluator }) => {
            let program = std::env::current_exe().context("cannot find the path of this program")?;
            let spec = Kernelspec { name: place.name, program, evaluator: evaluator.evaluator };
            let directory = install::install(&spec, &place.place.place())?;
            println!("Installed the kernel `{}` in {}", spec.name, directory.display());
            make_index(&spec.program);
        }
        Some(Command::Uninstall { place }) => {
            let directory = install::uninstall(&place.name, &place.place.place())?;
            println!("Removed {}", directory.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds the index now. Otherwise the first kernel that completes a name would start building it and
/// answer without it.
fn make_index(program: &Path) {
    let spinner = ProgressBar::new_spinner()
        .with_message("Indexing names for completion (once per build, takes about half a minute)");
    spinner.enable_steady_tick(Duration::from_millis(100));
    let made = completion::make_index(program);
    spinner.finish_and_clear();
    if let Err(error) = made {
        eprintln!("partita: completion will know fewer names: {error:#}");
    }
}
