use std::{
    ffi::OsString,
    fmt::Write,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::{Deserialize, Serialize};

use super::{
    artifact::Artifact,
    builder::{Builder, hash},
    error::DependencyError,
};
use crate::toolchain::{ExtraCrates, WarmBuild};

/// The crate name of the shared library of a set of crates. Its file name also has a hash.
pub const CRATE_NAME: &str = "partita_dependencies";

/// A set of crates that cells can be compiled with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BuiltCrates {
    /// The shared library that contains all of them.
    pub library: PathBuf,
    /// The directory of their metadata, one file per crate.
    pub metadata: PathBuf,
    /// The crates that cells can name, with their files.
    pub externs: Vec<(String, PathBuf)>,
    /// The directories of native libraries, in the form of `-L`.
    pub native: Vec<String>,
    /// Names and versions of the requested crates, for people.
    pub versions: Vec<(String, String)>,
    /// The files of crates whose source may change, with hashes of their content.
    pub changeable: Vec<(String, u64)>,
    /// The lockfile. The next set starts from it, so that versions stay.
    pub lockfile: PathBuf,
    /// The `partita` library that they were linked against.
    pub partita: String,
}

impl BuiltCrates {
    /// Whether all files are in place and still match `build`.
    pub fn is_usable(&self, build: &WarmBuild) -> bool {
        self.partita == build.identity()
            && self.library.is_file()
            && self.externs.iter().all(|(_, path)| path.is_file())
    }

    /// The arguments for a cell's compiler and linker.
    pub fn extra_crates(&self) -> ExtraCrates {
        ExtraCrates {
            compiler_arguments: self.compiler_arguments(),
            linker_arguments: self.linker_arguments(),
        }
    }

    /// The last one applies when the compiler links.
    fn compiler_arguments(&self) -> Vec<OsString> {
        let mut arguments = self.metadata_arguments();
        arguments.push(joined(&format!("--extern={CRATE_NAME}="), &self.library));
        if let Some(directory) = self.library.parent() {
            // The process also searches for the library where it was first found.
            arguments.push(joined("-Clink-arg=-Wl,-rpath,", directory));
        }
        arguments
    }

    /// The arguments for a linker that is not called by rustc.
    fn linker_arguments(&self) -> Vec<OsString> {
        let mut arguments = vec![self.library.clone().into_os_string()];
        if let Some(directory) = self.library.parent() {
            arguments.extend(["-rpath".into(), directory.into()]);
        }
        arguments
    }

    fn metadata_arguments(&self) -> Vec<OsString> {
        let mut arguments = vec![joined("-Ldependency=", &self.metadata)];
        arguments.extend(self.native.iter().map(|path| format!("-L{path}").into()));
        arguments.extend(self.externs.iter().map(|(name, path)| joined(&format!("--extern={name}="), path)));
        arguments
    }

    /// `rand 0.9.2 and regex 1.12.1 are ready`.
    pub fn describe(&self, names: &[String]) -> String {
        let found: Vec<String> = self
            .versions
            .iter()
            .filter(|(name, _)| names.contains(name))
            .map(|(name, version)| format!("{name} {version}"))
            .collect();
        match &found[..] {
            [] => String::new(),
            [one] => format!("{one} is ready\n"),
            [first @ .., last] => format!("{} and {last} are ready\n", first.join(", ")),
        }
    }

    /// One line per crate.
    pub fn describe_all(&self) -> String {
        let mut text = String::new();
        for (name, version) in &self.versions {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name} {version}");
        }
        text
    }
}

/// Links the crates that cargo has built into one shared library, unless that was done before, and copies
/// what cells need of them beside it: another session may rebuild cargo's own files.
pub fn link(
    cache: &Path,
    artifacts: &[Artifact],
    mut built: BuiltCrates,
    builder: &Builder<'_>,
) -> Result<BuiltCrates, DependencyError> {
    let mut key = format!("{} {:?}", built.partita, built.externs);
    for artifact in artifacts {
        let name = file_name(&artifact.file);
        if artifact.can_change {
            let bytes = fs::read(&artifact.file)
                .map_err(DependencyError::io(format!("cannot read {}", artifact.file.display())))?;
            let mut hasher = DefaultHasher::new();
            bytes.hash(&mut hasher);
            built.changeable.push((name.clone(), hasher.finish()));
        }
        key.push_str(&name);
    }
    let key = hash(&format!("{key} {:?}", built.changeable));
    let sets = cache.join("sets");
    let directory = sets.join(&key);
    let file = format!("{}{CRATE_NAME}-{key}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let externs = built.externs.clone();
    let placed = |directory: &Path, built: &mut BuiltCrates| {
        built.library = directory.join(&file);
        built.metadata = directory.join("metadata");
        built.externs = externs
            .iter()
            .map(|(name, path)| (name.clone(), directory.join("metadata").join(file_name(path))))
            .collect();
    };
    placed(&directory, &mut built);
    if built.is_usable(builder.build) {
        return Ok(built);
    }
    let failed = || DependencyError::io(format!("cannot prepare crates in {}", sets.display()));
    fs::create_dir_all(&sets).map_err(failed())?;
    // Made under another name and moved when complete, so that nobody finds a partial one.
    let making = tempfile::Builder::new().prefix("making-").tempdir_in(&sets).map_err(failed())?;
    fs::create_dir(making.path().join("metadata")).map_err(failed())?;
    for artifact in artifacts {
        let to = making.path().join("metadata").join(file_name(&artifact.file));
        // Files that can change must not change under a session that uses them.
        if artifact.can_change || fs::hard_link(&artifact.file, &to).is_err() {
            fs::copy(&artifact.file, &to).map_err(failed())?;
        }
    }
    placed(making.path(), &mut built);
    link_into(making.path(), &key, &built, builder)?;
    placed(&directory, &mut built);
    // One that exists but is not usable has lost files.
    let _ = fs::remove_dir_all(&directory);
    match fs::rename(making.path(), &directory) {
        Ok(()) => drop(making.keep()),
        // Another kernel has made the same one meanwhile.
        Err(_) if built.is_usable(builder.build) => {}
        Err(error) => return Err(failed()(error)),
    }
    Ok(built)
}

fn link_into(
    directory: &Path,
    key: &str,
    built: &BuiltCrates,
    builder: &Builder<'_>,
) -> Result<(), DependencyError> {
    let source = directory.join("lib.rs");
    let mut text = String::from("extern crate partita as _;\n");
    for (name, _) in &built.externs {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "extern crate {name} as _;");
    }
    fs::write(&source, text).map_err(DependencyError::io(format!("cannot write {}", source.display())))?;
    let mut command = Command::new(&builder.build.rustc);
    command
        .arg(&source)
        .args([&format!("--crate-name={CRATE_NAME}"), "--crate-type=dylib", "--edition=2024"])
        .args(["-Cprefer-dynamic", "-Copt-level=0", "-Cdebuginfo=0"])
        .args([format!("-Cmetadata={key}"), format!("-Cextra-filename=-{key}")])
        .arg("--out-dir")
        .arg(directory)
        .arg("--sysroot")
        .arg(builder.sysroot)
        .arg(joined("--extern=partita=", &builder.build.library))
        .arg(joined("-Ldependency=", &builder.build.dependencies))
        .args(built.metadata_arguments())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0);
    let trouble = || DependencyError::io("cannot run the compiler");
    let child = command.spawn().map_err(trouble())?;
    let watch = builder.interrupts.compiling(child.id().cast_signed());
    let output = child.wait_with_output().map_err(trouble())?;
    drop(watch);
    if builder.interrupts.requested() {
        return Err(DependencyError::Interrupted);
    }
    if output.status.success() {
        return Ok(());
    }
    Err(DependencyError::Link(String::from_utf8_lossy(&output.stderr).into_owned()))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn joined(before: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(before);
    argument.push(path);
    argument
}
