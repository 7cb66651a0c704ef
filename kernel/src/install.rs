//! Writes and removes the kernelspec, the small directory by which Jupyter finds the kernel. Its location
//! follows Jupyter's conventions, which are written down here only. Besides the start command it contains
//! a logo.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use thiserror::Error;

/// The default name of the kernelspec's directory.
pub const DEFAULT_NAME: &str = "partita";
const LOGO: &str = include_str!("../../assets/logo-svg.svg");

/// Where a kernelspec goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// For this user, in Jupyter's data directory.
    User,
    /// Into the active Python environment.
    SysPrefix,
    /// Below a directory: `DIR/share/jupyter`.
    Prefix(PathBuf),
    /// For everybody on this machine.
    System,
}

/// What to install.
#[derive(Debug, Clone)]
pub struct Kernelspec {
    /// The directory name, by which Jupyter knows the kernel.
    pub name: String,
    /// The `partita` binary.
    pub program: PathBuf,
    /// The evaluator to start the kernel with, if not the default one.
    pub evaluator: Option<String>,
}

/// Why the kernelspec could not be installed or removed.
#[derive(Debug, Error)]
pub enum InstallError {
    /// Jupyter would not find a kernel of this name.
    #[error("`{0}` is not a valid kernel name; use letters, digits, `-`, `.` and `_`")]
    Name(String),
    /// There is no home directory to install into.
    #[error("there is no home directory to install into; set JUPYTER_DATA_DIR, or use --prefix DIR")]
    NoHome,
    /// No Python environment was found.
    #[error("no Python environment is active ({0}); activate one, or use --prefix DIR or --user")]
    NoEnvironment(String),
    /// The path cannot be written as JSON.
    #[error("the path {} is not valid Unicode, which a kernelspec needs; move the program", .0.display())]
    NotUnicode(PathBuf),
    /// Another kernel has this name.
    #[error(
        "{} has another kernel's kernelspec; choose another --name, or remove it with \
         `jupyter kernelspec remove`", .0.display()
    )]
    Foreign(PathBuf),
    /// There is nothing to remove.
    #[error("there is no kernelspec at {}; `jupyter kernelspec list` lists them", .0.display())]
    Missing(PathBuf),
    /// The file system refused.
    #[error("{}: {reason}; check that it can be written, or choose another place (--user, --prefix DIR)", path.display())]
    Io {
        /// What was being written or removed.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
}

impl Place {
    /// The directory of the kernelspec called `name` in this place.
    ///
    /// # Errors
    /// When the name is not valid or the place cannot be found.
    pub fn directory(&self, name: &str) -> Result<PathBuf, InstallError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if name.is_empty() || name.starts_with('.') || !name.chars().all(allowed) {
            return Err(InstallError::Name(name.to_owned()));
        }
        let data = match self {
            Self::User => user_data().ok_or(InstallError::NoHome)?,
            Self::SysPrefix => sys_prefix()?.join("share/jupyter"),
            Self::Prefix(directory) => directory.join("share/jupyter"),
            Self::System => PathBuf::from("/usr/local/share/jupyter"),
        };
        Ok(data.join("kernels").join(name))
    }
}

/// Jupyter's data directory for this user.
fn user_data() -> Option<PathBuf> {
    match std::env::var_os("JUPYTER_DATA_DIR") {
        Some(directory) if !directory.is_empty() => Some(directory.into()),
        _ if cfg!(target_os = "macos") => Some(dirs::home_dir()?.join("Library/Jupyter")),
        _ => Some(dirs::data_dir()?.join("jupyter")),
    }
}

/// The directory of the active Python environment. If none is active, asks the first Python on the PATH.
fn sys_prefix() -> Result<PathBuf, InstallError> {
    let active = ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(std::env::var_os);
    if let Some(prefix) = active.into_iter().find(|prefix| !prefix.is_empty()) {
        return Ok(prefix.into());
    }
    let asked = Command::new("python3").args(["-c", "import sys; print(sys.prefix)"]).output();
    let output = asked.map_err(|error| InstallError::NoEnvironment(format!("python3: {error}")))?;
    let prefix = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || prefix.is_empty() {
        return Err(InstallError::NoEnvironment(format!("python3: {}", output.status)));
    }
    Ok(prefix.into())
}

/// Writes the kernelspec, replacing an older one of ours, and returns its directory.
///
/// # Errors
/// When the place cannot be found or written, or another kernel has the name.
pub fn install(spec: &Kernelspec, place: &Place) -> Result<PathBuf, InstallError> {
    let directory = place.directory(&spec.name)?;
    if read_argv(&directory).is_some_and(|argv| !is_ours(&argv)) {
        return Err(InstallError::Foreign(directory));
    }
    let json = serde_json::to_string_pretty(&spec.json()?).unwrap_or_default();
    fs::create_dir_all(&directory).map_err(|reason| InstallError::Io { path: directory.clone(), reason })?;
    write(&directory.join("logo-svg.svg"), LOGO)?;
    // Last, because from now on Jupyter offers the kernel.
    write(&directory.join("kernel.json"), &(json + "\n"))?;
    Ok(directory)
}

/// Removes the kernelspec and returns its directory.
///
/// # Errors
/// When there is none, when it belongs to another kernel, or when it cannot be removed.
pub fn uninstall(name: &str, place: &Place) -> Result<PathBuf, InstallError> {
    let directory = place.directory(name)?;
    match read_argv(&directory) {
        None => Err(InstallError::Missing(directory)),
        Some(argv) if !is_ours(&argv) => Err(InstallError::Foreign(directory)),
        Some(_) => match fs::remove_dir_all(&directory) {
            Ok(()) => Ok(directory),
            Err(reason) => Err(InstallError::Io { path: directory, reason }),
        },
    }
}

impl Kernelspec {
    fn json(&self) -> Result<Value, InstallError> {
        let program = self.program.to_str().ok_or_else(|| InstallError::NotUnicode(self.program.clone()))?;
        let mut argv = vec![program, "kernel", "-f", "{connection_file}"];
        if let Some(evaluator) = &self.evaluator {
            argv.extend(["--evaluator", evaluator]);
        }
        Ok(json!({
            "argv": argv,
            "display_name": self.display_name(),
            "language": "rust",
            "interrupt_mode": "message",
            "metadata": {"debugger": false},
        }))
    }

    /// Kernels installed side by side must be distinguishable in a menu.
    fn display_name(&self) -> String {
        if self.name == DEFAULT_NAME {
            "Partita (Rust)".to_owned()
        } else {
            format!("Partita (Rust, {})", self.name)
        }
    }
}

/// Partita's kernelspecs, in Jupyter's search order: each directory with its start command.
pub fn installed() -> Vec<(PathBuf, Vec<String>)> {
    let mut found = Vec::new();
    for directory in data_directories().into_iter().map(|directory| directory.join("kernels")) {
        let mut kernels: Vec<PathBuf> =
            fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        kernels.sort();
        let ours = |kernel: PathBuf| Some((read_argv(&kernel).filter(|argv| is_ours(argv))?, kernel));
        found.extend(kernels.into_iter().filter_map(ours).map(|(argv, kernel)| (kernel, argv)));
    }
    found
}

/// Jupyter's search path, nearest first. The environment is that of the `jupyter` on the PATH.
fn data_directories() -> Vec<PathBuf> {
    let listed = std::env::var_os("JUPYTER_PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> =
        std::env::split_paths(&listed).filter(|path| !path.as_os_str().is_empty()).collect();
    directories.extend(user_data());
    let active = ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(std::env::var_os).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let beside = std::env::split_paths(&path)
        .find(|directory| directory.join("jupyter").is_file())
        .and_then(|directory| Some(directory.parent()?.to_owned()));
    for prefix in active.chain(beside) {
        let share = prefix.join("share/jupyter");
        if !prefix.as_os_str().is_empty() && !directories.contains(&share) {
            directories.push(share);
        }
    }
    for system in ["/usr/local/share/jupyter", "/usr/share/jupyter"].map(PathBuf::from) {
        if !directories.contains(&system) {
            directories.push(system);
        }
    }
    directories
}

fn write(path: &Path, text: &str) -> Result<(), InstallError> {
    fs::write(path, text).map_err(|reason| InstallError::Io { path: path.to_owned(), reason })
}

/// The start command of the kernelspec in `directory`. Empty if the kernelspec has none; `None` if there
/// is no kernelspec.
fn read_argv(directory: &Path) -> Option<Vec<String>> {
    let text = fs::read_to_string(directory.join("kernel.json")).ok()?;
    let spec: Value = serde_json::from_str(&text).unwrap_or_default();
    Some(serde_json::from_value(spec["argv"].clone()).unwrap_or_default())
}

fn is_ours(argv: &[String]) -> bool {
    let program = argv.first().map(Path::new).and_then(Path::file_name);
    program.is_some_and(|name| name == "partita") && argv.get(1).is_some_and(|command| command == "kernel")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str) -> Kernelspec {
        Kernelspec { name: name.into(), program: "/opt/my tools/partita".into(), evaluator: None }
    }

    #[test]
    fn the_kernelspec_starts_this_program_and_asks_for_message_interrupts() {
        let prefix = tempfile::tempdir().unwrap();
        let place = Place::Prefix(prefix.path().into());
        let evaluator = Some("evcxr".to_owned());
        let directory = install(&Kernelspec { evaluator, ..spec("partita") }, &place).unwrap();
        assert_eq!(directory, prefix.path().join("share/jupyter/kernels/partita"));
        let text = fs::read_to_string(directory.join("kernel.json")).unwrap();
        let expected = json!({
            "argv": ["/opt/my tools/partita", "kernel", "-f", "{connection_file}", "--evaluator", "evcxr"],
            "display_name": "Partita (Rust)", "language": "rust", "interrupt_mode": "message",
            "metadata": {"debugger": false},
        });
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
        assert!(directory.join("logo-svg.svg").is_file());
    }

    #[test]
    fn installing_again_replaces_and_uninstalling_leaves_nothing() {
        let prefix = tempfile::tempdir().unwrap();
        let place = Place::Prefix(prefix.path().into());
        let directory = install(&spec("partita"), &place).unwrap();
        assert_eq!(install(&spec("partita"), &place).unwrap(), directory);
        assert_eq!(uninstall("partita", &place).unwrap(), directory);
        assert!(!directory.exists());
        assert!(matches!(uninstall("partita", &place), Err(InstallError::Missing(_))));
    }

    #[test]
    fn another_kernels_kernelspec_is_neither_replaced_nor_removed() {
        let prefix = tempfile::tempdir().unwrap();
        let place = Place::Prefix(prefix.path().into());
        let directory = place.directory("python3").unwrap();
        fs::create_dir_all(&directory).unwrap();
        let foreign = r#"{"argv": ["python", "-m", "ipykernel_launcher"]}"#;
        fs::write(directory.join("kernel.json"), foreign).unwrap();
        assert!(matches!(install(&spec("python3"), &place), Err(InstallError::Foreign(_))));
        assert!(matches!(uninstall("python3", &place), Err(InstallError::Foreign(_))));
        assert_eq!(fs::read_to_string(directory.join("kernel.json")).unwrap(), foreign);
    }

    #[test]
    fn a_name_that_would_leave_the_kernels_directory_is_refused() {
        for name in ["", "..", "a/b", ".hidden", "ü"] {
            assert!(matches!(Place::System.directory(name), Err(InstallError::Name(_))), "{name}");
        }
    }
}
