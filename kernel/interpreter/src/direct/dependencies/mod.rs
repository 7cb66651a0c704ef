//! Crates that a session adds with `:dep`: the request (`spec`), the small cargo project that builds the
//! whole set so that features unify (`project`), and the shared library that the built crates are linked
//! into (`library`). How cells use them is the compiler's matter.
//!
//! Cargo builds against the compiler's own std, which `libpartita.so` contains as well. The crates are
//! linked into a library of their own *against* `libpartita.so`, so that the process has one std and one
//! instance of each of the crates' statics, whichever cell uses them. A crate that Partita uses too is
//! built separately and is another crate to the compiler, because the profile differs from Partita's.

mod library;
mod project;
mod spec;

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use partita_bridge::Stream;
use thiserror::Error;

use self::project::Project;
pub use self::{
    library::{Built, CRATE_NAME},
    spec::{Dependency, SpecError, leading},
};
use super::interrupts::Interrupts;
use crate::{
    errors,
    evaluation_process::Outputs,
    evaluator::CellError,
    toolchain::{ExtraCrates, WarmBuild},
};

/// How often a kernel that waits for another one checks again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Why the crates are not available. The session keeps what it had.
#[derive(Debug, Error)]
pub enum DependencyError {
    /// The request cannot be parsed.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// There is no directory to build in.
    #[error("there is no cache directory to build crates in; set XDG_CACHE_HOME or HOME")]
    NoCache,
    /// A file could not be read or created.
    #[error("{what}: {error}")]
    Io {
        /// What was attempted.
        what: String,
        /// The cause.
        error: io::Error,
    },
    /// Cargo could not be started.
    #[error("cannot run `cargo`: {0}; `:dep` needs the Rust toolchain from https://rustup.rs on the PATH")]
    NoCargo(io::Error),
    /// Cargo failed to build them.
    #[error("{headline}")]
    Cargo {
        /// The first error.
        headline: String,
        /// All of cargo's output.
        said: String,
    },
    /// A program was requested as a library.
    #[error("`{0}` has no library that cells could use")]
    NoLibrary(String),
    /// The crates cannot be linked into one shared library.
    #[error("the crates were built, but could not be linked for cells")]
    Link(String),
    /// A crate in a local directory was edited after cells had used it.
    #[error(
        "`{0}` has changed since this session loaded it; restart the kernel to use the new version (cells keep \
         using the old one)"
    )]
    Changed(String),
    /// The build was interrupted.
    #[error("interrupted")]
    Interrupted,
}

impl DependencyError {
    /// Converts it to the error of the cell that requested the crates.
    pub fn report(&self) -> CellError {
        if let Self::Interrupted = self {
            return errors::interrupted("stopped before the crates were built; nothing has changed");
        }
        errors::cell_error("DependencyError", self.to_string(), &[self.details().to_owned()])
    }

    /// Details beyond the headline, for the traceback.
    fn details(&self) -> &str {
        match self {
            Self::Cargo { said, .. } | Self::Link(said) => said,
            _ => "",
        }
    }

    fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        |error| Self::Io { what, error }
    }
}

/// Builds crates and reports progress.
pub struct Builder<'a> {
    /// The build that they are linked against.
    pub build: &'a WarmBuild,
    /// The sysroot of cells.
    pub sysroot: &'a Path,
    /// Stops the build on an interrupt.
    pub interrupts: &'a Interrupts,
    /// Where cargo's progress goes.
    pub outputs: &'a Outputs,
}

/// The crates of one session.
#[derive(Debug, Default)]
pub struct Dependencies {
    asked: Vec<Dependency>,
    built: Option<Built>,
    /// The changeable crates that this session's process may have loaded.
    loaded: Vec<(String, u64)>,
}

impl Dependencies {
    /// Whether any crates were added.
    pub fn is_empty(&self) -> bool {
        self.built.is_none()
    }

    /// What cells are compiled with.
    pub fn extra_crates(&self) -> ExtraCrates {
        self.built.as_ref().map(Built::extra_crates).unwrap_or_default()
    }

    /// Adds crates, or changes the versions of those present, and builds the set unless an earlier
    /// session did. Returns a description of the requested crates.
    ///
    /// # Errors
    /// When the crates are not available. Nothing has changed then.
    pub fn add(&mut self, new: Vec<Dependency>, builder: &Builder<'_>) -> Result<String, DependencyError> {
        let names: Vec<String> = new.iter().map(|dependency| dependency.name.clone()).collect();
        let mut asked = self.asked.clone();
        asked.retain(|old| !names.contains(&old.name));
        asked.extend(new);
        asked.sort_by(|a, b| a.name.cmp(&b.name));
        let cache = cache_directory(builder.build)?;
        let project = Project::prepare(&cache, &asked, self.built.as_ref())?;
        let built = match project.remembered(builder.build) {
            Some(built) => built,
            None => {
                let _alone = lock(&project.directory, builder)?;
                match project.remembered(builder.build) {
                    Some(built) => built,
                    None => project.build(&cache, builder)?,
                }
            }
        };
        let changed = built.changeable.iter().find(|(name, content)| {
            self.loaded.iter().any(|(known, loaded)| known == name && loaded != content)
        });
        if let Some((name, _)) = changed {
            return Err(DependencyError::Changed(crate_of(name)));
        }
        for crate_file in &built.changeable {
            if !self.loaded.contains(crate_file) {
                self.loaded.push(crate_file.clone());
            }
        }
        let ready = built.describe(&names);
        (self.asked, self.built) = (asked, Some(built));
        Ok(ready)
    }

    /// The output of `:dep` alone.
    pub fn list(&self) -> String {
        match &self.built {
            Some(built) => built.describe_all(),
            None => "no extra crates; `:dep rand = \"0.9\"` adds one\n".to_owned(),
        }
    }
}

/// The crate name in a file name: `libmy_crate-0123456789abcdef.rlib` belongs to `my_crate`.
fn crate_of(file: &str) -> String {
    let name = file.rsplit_once('-').map_or(file, |(name, _)| name);
    name.strip_prefix("lib").unwrap_or(name).to_owned()
}

/// The directory of built crates, shared by all sessions that use this compiler.
pub fn cache_root() -> Option<PathBuf> {
    Some(dirs::cache_dir()?.join("partita").join("dependencies"))
}

fn cache_directory(build: &WarmBuild) -> Result<PathBuf, DependencyError> {
    let root = cache_root().ok_or(DependencyError::NoCache)?;
    let directory = root.join(library::hash(build.compiler()));
    fs::create_dir_all(&directory)
        .map_err(DependencyError::io(format!("cannot make {}", directory.display())))?;
    Ok(directory)
}

/// Waits until no other kernel builds the same set. The lock is released when the file is closed.
fn lock(project: &Path, builder: &Builder<'_>) -> Result<fs::File, DependencyError> {
    let path = project.join("lock");
    let file =
        fs::File::create(&path).map_err(DependencyError::io(format!("cannot make {}", path.display())))?;
    let mut said = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::Error(error)) => {
                return Err(DependencyError::Io { what: format!("cannot lock {}", path.display()), error });
            }
            Err(fs::TryLockError::WouldBlock) => {
                if !said {
                    said = true;
                    builder
                        .outputs
                        .text(Stream::Stderr, "waiting for another kernel that is building these crates\n");
                }
                if builder.interrupts.asked() {
                    return Err(DependencyError::Interrupted);
                }
                thread::sleep(LOOK_AGAIN);
            }
        }
    }
}
