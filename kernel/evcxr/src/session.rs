use std::path::{Path, PathBuf};
use std::process::Command;

use evcxr::{CommandContext, EvalContext, EvalContextOutputs};
use partita_bridge::SPILL_VARIABLE;
use thiserror::Error;

use super::streams::forward_during;
use super::wrapper::{self, Linked};
use partita_interpreter::OutputSender;
use partita_interpreter::session_directory::SessionDirectory;
use partita_interpreter::toolchain::{HEAD, WarmBuild, WarmBuildError};

/// Why the evcxr evaluator cannot be started or restarted.
#[derive(Debug, Error)]
pub enum EvcxrError {
    /// evcxr failed.
    #[error("cannot start evcxr: {0}")]
    Start(String),
    /// The code that precedes every cell does not compile.
    #[error(
        "cells cannot be linked to {}: {message}; if the compiler has changed since, build partita with it again",
        library.display()
    )]
    Link {
        /// The library.
        library: PathBuf,
        /// The compiler's first message.
        message: String,
    },
    /// There is no library to link cells to.
    #[error(transparent)]
    WarmBuild(#[from] WarmBuildError),
    /// A path must pass through an environment variable but is not UTF-8 or has a colon.
    #[error("{} cannot be used: the path is not UTF-8 or has a colon in it; move it", .0.display())]
    Path(PathBuf),
    /// There is no room for temporary files.
    #[error("cannot make a directory for cells: {0}")]
    Directory(#[from] std::io::Error),
}

/// evcxr and what it was started with.
pub struct Session {
    pub context: CommandContext,
    pub streams: EvalContextOutputs,
    mir: PathBuf,
    library: PathBuf,
    // Dropped last: the context uses its files.
    _directory: SessionDirectory,
}

/// The code before the first cell, after the allowed lints. evcxr keeps all of it for later cells.
const PRELUDE: &str =
    concat!("use partita::prelude::*;\n", include_str!("cell_side.rs"), "\npartita_cell::prepare();\n");

impl Session {
    /// Starts evcxr and prepares it for cells. `program` is started both as evaluation process and as
    /// compiler wrapper, so its `main` must begin with [`run_if_child`](super::run_if_child).
    pub fn start(program: &Path, outputs: &OutputSender) -> Result<Self, EvcxrError> {
        let warm = WarmBuild::locate(program)?;
        let directory = SessionDirectory::create()?;
        let mir = directory.path().join("check.mir");
        let linked = Linked {
            sysroot: warm.make_sysroot(directory.path())?,
            library: warm.library,
            dependencies: warm.dependencies,
        };
        let mut command = Command::new(program);
        isolate(&mut command, &linked.library)?;
        command.env(SPILL_VARIABLE, directory.path());
        let (mut eval, streams) = EvalContext::with_subprocess_command(command)
            .map_err(|error| EvcxrError::Start(error.to_string()))?;
        let mut state = eval.state();
        for (name, path) in wrapper::environment(program, &linked, &mir) {
            state.set_build_env(name, path.to_str().ok_or_else(|| EvcxrError::Path(path.to_owned()))?);
        }
        // The library is optimised already; cells should compile quickly.
        state.set_opt_level("0").map_err(|error| EvcxrError::Start(error.to_string()))?;
        eval.eval_with_state("", state).map_err(|error| EvcxrError::Start(error.to_string()))?;
        let context = CommandContext::with_eval_context(eval);
        let mut session = Self { context, streams, mir, library: linked.library, _directory: directory };
        session.prepare(outputs)?;
        Ok(session)
    }

    /// Runs what every cell needs: once at the start, and after evcxr was cleared.
    pub fn prepare(&mut self, outputs: &OutputSender) -> Result<(), EvcxrError> {
        let context = &mut self.context;
        forward_during(&self.streams, outputs, || context.execute(&format!("{HEAD}{PRELUDE}")), |_| false)
            .map(drop)
            .map_err(|error| EvcxrError::Link { library: self.library.clone(), message: error.to_string() })
    }

    /// The MIR of the last check.
    pub fn mir(&self) -> std::io::Result<String> {
        std::fs::read_to_string(&self.mir)
    }
}

/// Gives the evaluation process its libraries and a process group of its own, because the front end
/// handles Ctrl-C in a terminal.
fn isolate(command: &mut Command, library: &Path) -> Result<(), EvcxrError> {
    use std::os::unix::process::CommandExt;
    let variable = if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };
    let inherited = std::env::var_os(variable).unwrap_or_default();
    let inherited = std::env::split_paths(&inherited).filter(|path| path != Path::new(""));
    let paths = std::env::join_paths(library.parent().map(Path::to_path_buf).into_iter().chain(inherited))
        .map_err(|_| EvcxrError::Path(library.to_owned()))?;
    command.env(variable, paths).process_group(0);
    Ok(())
}
