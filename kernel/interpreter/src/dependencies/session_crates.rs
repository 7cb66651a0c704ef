use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use partita_bridge::Stream;

use super::{
    builder::{Builder, hash},
    error::DependencyError,
    library::BuiltCrates,
    project::Project,
    spec::Dependency,
};
use crate::toolchain::{ExtraCrates, WarmBuild};

/// How often a kernel that waits for another one checks again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The crates of one session.
#[derive(Debug, Default)]
pub struct SessionCrates {
    requested: Vec<Dependency>,
    built: Option<BuiltCrates>,
    /// The changeable crates that this session's process may have loaded.
    loaded: Vec<(String, u64)>,
}

impl SessionCrates {
    /// Whether any crates were added.
    pub fn is_empty(&self) -> bool {
        self.built.is_none()
    }

    /// What cells are compiled with.
    pub fn extra_crates(&self) -> ExtraCrates {
        self.built.as_ref().map(BuiltCrates::extra_crates).unwrap_or_default()
    }

    /// Adds crates, or changes the versions of those present, and builds the set unless an earlier
    /// session did. Returns a description of the requested crates.
    ///
    /// # Errors
    /// When the crates are not available. Nothing has changed then.
    pub fn add(&mut self, new: Vec<Dependency>, builder: &Builder<'_>) -> Result<String, DependencyError> {
        let names: Vec<String> = new.iter().map(|dependency| dependency.name.clone()).collect();
        let mut requested = self.requested.clone();
        requested.retain(|old| !names.contains(&old.name));
        requested.extend(new);
        requested.sort_by(|a, b| a.name.cmp(&b.name));
        let cache = cache_directory(builder.build)?;
        let project = Project::prepare(&cache, &requested, self.built.as_ref())?;
        let built = match project.cached(builder.build) {
            Some(built) => built,
            None => {
                let _alone = lock(&project.directory, builder)?;
                match project.cached(builder.build) {
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
        (self.requested, self.built) = (requested, Some(built));
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
    let directory = root.join(hash(build.compiler()));
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
                if builder.interrupts.requested() {
                    return Err(DependencyError::Interrupted);
                }
                thread::sleep(LOOK_AGAIN);
            }
        }
    }
}
