//! `partita-node token`: makes new tokens.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use anyhow::Context;
use uuid::Uuid;

#[derive(clap::Args)]
pub struct Arguments {
    /// Write it to this file, readable by its owner only, unless the file exists.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Some(path) = &arguments.file else {
        println!("{}", token());
        return Ok(());
    };
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = match file {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            eprintln!("{} exists and is kept as it is", path.display());
            return Ok(());
        }
        Err(error) => return Err(error).with_context(|| format!("cannot write {}", path.display())),
    };
    writeln!(file, "{}", token()).with_context(|| format!("cannot write {}", path.display()))
}

/// 244 random bits from the system.
fn token() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}
