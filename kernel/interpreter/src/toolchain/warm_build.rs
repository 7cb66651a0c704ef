use std::{
    env,
    ffi::OsString,
    fs, io,
    os::unix::fs::{MetadataExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use thiserror::Error;

/// The environment variable for a directory that holds `libpartita.so` and `deps/`.
pub const DIRECTORY_VARIABLE: &str = "PARTITA_WARM_BUILD";

/// Why cells cannot be compiled here. The message says what to do.
#[derive(Debug, Error)]
pub enum WarmBuildError {
    /// The library was not built, or is elsewhere.
    #[error(
        "the partita library is not in {0}: build it with `cargo build --release`, or set {DIRECTORY_VARIABLE} to the \
         directory that has it"
    )]
    Missing(String),
    /// There is no compiler.
    #[error("cannot run `rustc`: {0}; cells need the Rust toolchain from https://rustup.rs on the PATH")]
    NoCompiler(io::Error),
    /// The compiler's answer cannot be understood.
    #[error("`rustc` gave an unexpected answer: {0}")]
    StrangeCompiler(String),
    /// The library was built by another compiler than the current one.
    #[error(
        "the partita library was built by `{built}`, but cells would be compiled by `{now}`: run \
         `cargo build --release` again, or select the old toolchain"
    )]
    OtherCompiler {
        /// The compiler that built the library.
        built: String,
        /// The compiler on the PATH.
        now: String,
    },
    /// The library was rebuilt while the kernel was using it.
    #[error("Partita was rebuilt since this kernel started; restart the kernel")]
    Rebuilt,
    /// A file could not be read or created.
    #[error("{what}: {error}")]
    Io {
        /// What was attempted.
        what: String,
        /// The cause.
        error: io::Error,
    },
}

/// What every cell is compiled against: the `partita` library as a shared object, compiled once, with the
/// metadata of its dependencies and the compiler that built it.
#[derive(Debug, Clone)]
pub struct WarmBuild {
    /// `libpartita.so`.
    pub library: PathBuf,
    /// The directory of its dependencies' metadata.
    pub dependencies: PathBuf,
    /// The compiler itself. rustup's proxy would cost time on every call.
    pub rustc: PathBuf,
    version: String,
    sysroot: PathBuf,
    host: String,
    stamp: Stamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl WarmBuild {
    /// Finds the build: in the directory named by [`DIRECTORY_VARIABLE`], or beside `executable`.
    ///
    /// # Errors
    /// When there is no build, or no compiler for it.
    pub fn locate(executable: &Path) -> Result<Self, WarmBuildError> {
        let directory = match env::var_os(DIRECTORY_VARIABLE) {
            Some(directory) => PathBuf::from(directory),
            None => profile_directory(executable),
        };
        let library = newest_library(&directory)
            .ok_or_else(|| WarmBuildError::Missing(directory.display().to_string()))?;
        let dependencies = directory.join("deps");
        let verbose = ask_compiler(&directory, &["--version", "--verbose"])?;
        let version = verbose.lines().next().unwrap_or_default().to_owned();
        let host = verbose
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .ok_or_else(|| WarmBuildError::StrangeCompiler(verbose.clone()))?
            .to_owned();
        let sysroot = PathBuf::from(ask_compiler(&directory, &["--print", "sysroot"])?);
        let own = sysroot.join("bin/rustc");
        let rustc = if own.is_file() { own } else { PathBuf::from("rustc") };
        let stamp = stamp(&library)?;
        Ok(Self { library, dependencies, rustc, version, sysroot, host, stamp })
    }

    /// The compiler's version, as it prints it.
    pub fn compiler(&self) -> &str {
        &self.version
    }

    /// The compiler's name for this machine: `x86_64-unknown-linux-gnu`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Identifies this build, as opposed to earlier ones in the same place.
    pub fn identity(&self) -> String {
        let Stamp { inode, seconds, nanoseconds } = self.stamp;
        format!("{} {inode} {seconds}.{nanoseconds}", self.library.display())
    }

    /// Checks that the library was built by the compiler that will compile the cells.
    ///
    /// # Errors
    /// When it was built by another one.
    pub fn check_compiler(&self, built: &str) -> Result<(), WarmBuildError> {
        if built == self.version {
            return Ok(());
        }
        Err(WarmBuildError::OtherCompiler { built: built.to_owned(), now: self.version.clone() })
    }

    /// Checks that the library on disk is still the one that the evaluation process has loaded.
    ///
    /// # Errors
    /// When it was replaced or removed.
    pub fn check_unchanged(&self) -> Result<(), WarmBuildError> {
        match stamp(&self.library) {
            Ok(stamp) if stamp == self.stamp => Ok(()),
            _ => Err(WarmBuildError::Rebuilt),
        }
    }

    /// The documentation tool that comes with the compiler.
    pub fn rustdoc(&self) -> PathBuf {
        let own = self.sysroot.join("bin/rustdoc");
        if own.is_file() { own } else { PathBuf::from("rustdoc") }
    }

    /// The linker that comes with the compiler, if there is one.
    pub fn bundled_linker(&self) -> Option<PathBuf> {
        let linker = self.sysroot.join("lib/rustlib").join(&self.host).join("bin/rust-lld");
        linker.is_file().then_some(linker)
    }

    /// The library of functions that machine code calls where the processor has no instruction, such as
    /// division of `u128`.
    pub fn intrinsics(&self) -> Option<PathBuf> {
        let inside = self.sysroot.join("lib/rustlib").join(&self.host).join("lib");
        let mut files = fs::read_dir(inside).ok()?.flatten().map(|entry| entry.path());
        files.find(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with("libcompiler_builtins-") && name.ends_with(".rlib")
        })
    }

    /// `--extern` for the library.
    pub fn extern_argument(&self) -> OsString {
        let mut argument = OsString::from("--extern=partita=");
        argument.push(&self.library);
        argument
    }

    /// `-L` for its dependencies.
    pub fn dependency_argument(&self) -> OsString {
        dependency_argument(&self.dependencies)
    }

    /// Identifies this build, as opposed to all others, including rebuilt copies.
    pub fn fingerprint(&self) -> String {
        let Stamp { seconds, nanoseconds, .. } = self.stamp;
        format!("{} {seconds}.{nanoseconds}", self.version)
    }

    /// Makes a directory in `directory` with the metadata of the dependencies. If whole libraries were
    /// beside it, rustc would open and read those too, which takes a third of its start-up time.
    ///
    /// # Errors
    /// When links cannot be created.
    pub fn make_metadata(&self, directory: &Path) -> Result<PathBuf, WarmBuildError> {
        let place = directory.join("metadata");
        let make = || -> io::Result<()> {
            fs::create_dir_all(&place)?;
            for entry in fs::read_dir(&self.dependencies)? {
                let path = entry?.path();
                let needed = match path.extension().and_then(|extension| extension.to_str()) {
                    // Metadata without a library belongs to another kind of build.
                    Some("rlib") => Some(path.with_extension("rmeta")).filter(|metadata| metadata.exists()),
                    Some(env::consts::DLL_EXTENSION) => None,
                    _ => continue,
                };
                let file = needed.unwrap_or(path);
                // Cells name the library by its path.
                if let Some(name) = file.file_name().filter(|name| Some(*name) != self.library.file_name()) {
                    symlink(&file, place.join(name))?;
                }
            }
            Ok(())
        };
        match make() {
            Ok(()) => Ok(place),
            Err(error) => {
                let what = format!("cannot collect the metadata of cells' crates in {}", place.display());
                Err(WarmBuildError::Io { what, error })
            }
        }
    }

    /// Makes a sysroot for cells in `directory`: the compiler's own, without the shared standard library.
    /// `libpartita.so` contains the standard library; with a second one in sight, rustc would try to link
    /// both and fail.
    ///
    /// # Errors
    /// When links cannot be created.
    pub fn make_sysroot(&self, directory: &Path) -> Result<PathBuf, WarmBuildError> {
        let root = directory.join("sysroot");
        let make = || -> io::Result<()> {
            let inside = Path::new("lib/rustlib").join(&self.host);
            fs::create_dir_all(root.join(&inside).join("lib"))?;
            let tools = self.sysroot.join(&inside).join("bin");
            if tools.is_dir() {
                symlink(tools, root.join(&inside).join("bin"))?;
            }
            for entry in fs::read_dir(self.sysroot.join(&inside).join("lib"))? {
                let path = entry?.path();
                let shared =
                    path.extension().is_some_and(|extension| extension == "so" || extension == "dylib");
                if let (false, Some(name)) = (shared, path.file_name()) {
                    symlink(&path, root.join(&inside).join("lib").join(name))?;
                }
            }
            Ok(())
        };
        match make() {
            Ok(()) => Ok(root),
            Err(error) => Err(WarmBuildError::Io {
                what: format!("cannot make the cells' sysroot in {}", root.display()),
                error,
            }),
        }
    }
}

/// The `-L` argument for a directory of indirect dependencies.
pub fn dependency_argument(directory: &Path) -> OsString {
    let mut argument = OsString::from("-Ldependency=");
    argument.push(directory);
    argument
}

/// `target/release`, even for a test binary, which is in its `deps`.
fn profile_directory(executable: &Path) -> PathBuf {
    let directory = executable.parent().unwrap_or(Path::new("."));
    let directory =
        if directory.ends_with("deps") { directory.parent().unwrap_or(directory) } else { directory };
    directory.to_path_buf()
}

/// `cargo build` puts the library into the profile's directory, `cargo test` only into `deps`.
fn newest_library(directory: &Path) -> Option<PathBuf> {
    let name = format!("{}partita{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
    [directory.join(&name), directory.join("deps").join(&name)]
        .into_iter()
        .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
        .reduce(|first, second| if second.0 > first.0 { second } else { first })
        .map(|(_, path)| path)
}

/// Runs the compiler in the library's directory: in the notebook's directory, a `rust-toolchain.toml` may
/// select another compiler.
fn ask_compiler(directory: &Path, arguments: &[&str]) -> Result<String, WarmBuildError> {
    let mut command = Command::new("rustc");
    let output =
        command.current_dir(directory).args(arguments).output().map_err(WarmBuildError::NoCompiler)?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && !text.is_empty() {
        return Ok(text);
    }
    Err(WarmBuildError::StrangeCompiler(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

fn stamp(path: &Path) -> Result<Stamp, WarmBuildError> {
    let metadata = fs::metadata(path)
        .map_err(|error| WarmBuildError::Io { what: format!("cannot read {}", path.display()), error })?;
    Ok(Stamp { inode: metadata.ino(), seconds: metadata.mtime(), nanoseconds: metadata.mtime_nsec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_build_names_the_directory_and_the_remedy() {
        let directory = tempfile::tempdir().unwrap();
        let error = WarmBuild::locate(&directory.path().join("partita")).unwrap_err().to_string();
        assert!(error.contains(&directory.path().display().to_string()), "{error}");
        assert!(error.contains("cargo build --release"), "{error}");
    }
}
