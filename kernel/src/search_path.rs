//! The search path for programs. A front end started from a desktop, such as VS Code, has not read the
//! shell's profile, so its PATH lacks what rustup adds there.

use std::env;
use std::path::{Path, PathBuf};

/// Adds cargo's own directory to PATH if that is the only place with a `rustc`, which cells need.
///
/// Call it before the program starts a thread, because the environment is shared.
pub fn add_cargo_bin() {
    let path = env::var_os("PATH").unwrap_or_default();
    let cargo_home = env::var_os("CARGO_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let Some(home) = cargo_home.or_else(|| Some(dirs::home_dir()?.join(".cargo"))) else { return };
    let directories: Vec<PathBuf> =
        env::split_paths(&path).filter(|directory| !directory.as_os_str().is_empty()).collect();
    if let Some(bin) = missing(&directories, &home)
        && let Ok(path) = env::join_paths(directories.into_iter().chain([bin]))
    {
        // SAFETY: no other thread is running, as this function requires of its caller.
        unsafe { env::set_var("PATH", path) };
    }
}

/// The directory below cargo's home that must be added.
fn missing(directories: &[PathBuf], cargo_home: &Path) -> Option<PathBuf> {
    let has_rustc = |directory: &Path| directory.join("rustc").is_file();
    if directories.iter().any(|directory| has_rustc(directory)) {
        return None;
    }
    Some(cargo_home.join("bin")).filter(|bin| has_rustc(bin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargos_directory_is_added_only_if_it_has_what_no_other_has() {
        let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let directories = [other.path().to_path_buf()];
        assert_eq!(missing(&directories, home.path()), None);
        std::fs::create_dir(home.path().join("bin")).unwrap();
        std::fs::write(home.path().join("bin/rustc"), "").unwrap();
        assert_eq!(missing(&directories, home.path()), Some(home.path().join("bin")));
        std::fs::write(other.path().join("rustc"), "").unwrap();
        assert_eq!(missing(&directories, home.path()), None);
    }
}
