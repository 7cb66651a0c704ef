//! The processes of Partita's pool. Their work is in the libraries `partita-master` and `partita`. This crate
//! has their command line and environment, their log on standard error and exit codes, and their shutdown.

mod health;
mod history;
mod listen;
mod master;
mod shutdown;
mod size;
mod token;
mod worker;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// The processes of Partita's pool.
///
/// Every option can also be set in the environment. The pool's token is read from the file --token-file
/// (PARTITA_TOKEN_FILE) or from PARTITA_TOKEN, never from the command line. RUST_LOG chooses what is logged.
#[derive(Parser)]
#[command(name = "partita-node", version = version())]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a pool: workers and sessions connect to it.
    Master(master::Arguments),
    /// Join a pool and run its tasks.
    Worker(worker::Arguments),
    /// Show past sessions from their event logs.
    History(history::Arguments),
    /// Check whether a process of the pool on this machine answers; exits with 0 if it does.
    Health(health::Arguments),
    /// Print a new token, or write one into a file for the pool's environment.
    Token(token::Arguments),
}

fn version() -> &'static str {
    const POLARS: &str = polars::VERSION;
    static VERSION: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    VERSION.get_or_init(|| format!("{} (Polars {POLARS})", env!("CARGO_PKG_VERSION")))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    let done = match arguments.command {
        Command::Master(arguments) => on_tokio(master::run(arguments)),
        Command::Worker(arguments) => on_tokio(worker::run(arguments)),
        Command::History(arguments) => on_tokio(history::run(arguments)),
        Command::Health(arguments) => on_tokio(health::run(arguments)),
        Command::Token(arguments) => token::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("partita-node: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn on_tokio(process: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(process);
    // Do not wait for running tasks: a process that is told to stop should stop.
    runtime.shutdown_background();
    done
}
