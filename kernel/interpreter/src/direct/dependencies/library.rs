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

use super::{Builder, DependencyError, project::Artifact};
use crate::toolchain::{ExtraCrates, WarmBuild};

/// What the shared library of a set of crates is called in code; its file has a hash besides.
pub const CRATE_NAME: &str = "partita_dependencies";

/// A set of crates that cells can be compiled with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Built {
    /// The shared library that has all of them.
    pub library: PathBuf,
    /// Their metadata, one file a crate.
    pub metadata: PathBuf,
    /// The crates that cells can name, and where they are.
    pub externs: Vec<(String, PathBuf)>,
    /// Where libraries of other languages lie, as `-L` wants it.
    pub native: Vec<String>,
    /// Name and version of what was asked for, for people.
    pub versions: Vec<(String, String)>,
    /// The files of crates whose source may change, with what is in them.
    pub changeable: Vec<(String, u64)>,
    /// What they were resolved to; the next set begins with it, so that versions stay.
    pub lockfile: PathBuf,
    /// The library of Partita's that they were linked against.
    pub partita: String,
}

impl Built {
    /// Whether everything is where it was, and still fits `build`.
    pub fn is_usable(&self, build: &WarmBuild) -> bool {
        self.partita == build.identity()
            && self.library.is_file()
            && self.externs.iter().all(|(_, path)| path.is_file())
    }

    /// What a cell's compiler and linker are called with.
    pub fn extra_crates(&self) -> ExtraCrates {
        ExtraCrates {
            compiler_arguments: self.compiler_arguments(),
            linker_arguments: self.linker_arguments(),
        }
    }

    /// The last is for when the compiler links, too.
    fn compiler_arguments(&self) -> Vec<OsString> {
        let mut arguments = self.metadata_arguments();
        arguments.push(joined(&format!("--extern={CRATE_NAME}="), &self.library));
        if let Some(directory) = self.library.parent() {
            // The process looks for the library where it was found at first, too.
            arguments.push(joined("-Clink-arg=-Wl,-rpath,", directory));
        }
        arguments
    }

    /// For a linker that rustc does not call.
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

    /// One crate a line.
    pub fn describe_all(&self) -> String {
        let mut text = String::new();
        for (name, version) in &self.versions {
            // A string takes what is written to it.
            let _ = writeln!(text, "{name} {version}");
        }
        text
    }
}

/// Links the crates that cargo has built into one shared library, unless that was done before, and
/// puts what cells need of them beside it: cargo's own files may be built anew by another session.
pub fn link(
    cache: &Path,
    artifacts: &[Artifact],
    mut built: Built,
    builder: &Builder<'_>,
) -> Result<Built, DependencyError> {
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
    let placed = |directory: &Path, built: &mut Built| {
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
    // Made aside and moved when it is whole, so that nobody finds half of it.
    let making = tempfile::Builder::new().prefix("making-").tempdir_in(&sets).map_err(failed())?;
    fs::create_dir(making.path().join("metadata")).map_err(failed())?;
    for artifact in artifacts {
        let to = making.path().join("metadata").join(file_name(&artifact.file));
        // What can change must not change under a session that uses it.
        if artifact.can_change || fs::hard_link(&artifact.file, &to).is_err() {
            fs::copy(&artifact.file, &to).map_err(failed())?;
        }
    }
    placed(making.path(), &mut built);
    link_into(making.path(), &key, &built, builder)?;
    placed(&directory, &mut built);
    // One that is there and not usable lost files.
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
    built: &Built,
    builder: &Builder<'_>,
) -> Result<(), DependencyError> {
    let source = directory.join("lib.rs");
    let mut text = String::from("extern crate partita as _;\n");
    for (name, _) in &built.externs {
        // A string takes what is written to it.
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
    if builder.interrupts.asked() {
        return Err(DependencyError::Interrupted);
    }
    if output.status.success() {
        return Ok(());
    }
    Err(DependencyError::Link(String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// A short name for a long text. Another one only means that something is built again.
pub fn hash(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn joined(before: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(before);
    argument.push(path);
    argument
}
