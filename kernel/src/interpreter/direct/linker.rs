//! How a cell's object becomes a shared one. Left alone, rustc starts the C compiler, which starts its
//! `collect2`, which starts the linker: for the little that a cell is, that is half of the time. A
//! cell needs none of what they add, so the linker that came with rustc is started at once.

use std::{ffi::OsString, path::Path, process::Command};

use super::warm_build::WarmBuild;

/// rustc's arguments; none where rustc has no linker of its own or the C compiler does not say where
/// the system's libraries are. Then rustc links as it does everywhere.
pub fn arguments(build: &WarmBuild) -> Vec<OsString> {
    direct(build).unwrap_or_default()
}

fn direct(build: &WarmBuild) -> Option<Vec<OsString>> {
    // Other systems have other linkers and conventions.
    if !build.host().contains("-linux-") {
        return None;
    }
    let linker = build.bundled_linker()?;
    let answer = Command::new("cc").arg("-print-search-dirs").output().ok()?;
    let directories = library_directories(&String::from_utf8(answer.stdout).ok()?);
    if directories.is_empty() {
        return None;
    }
    let mut option = OsString::from("-Clinker=");
    option.push(linker);
    let mut arguments = vec![option, "-Clinker-flavor=ld.lld".into()];
    arguments.extend(directories.into_iter().map(|directory| format!("-Clink-arg=-L{directory}").into()));
    Some(arguments)
}

/// The directories in the C compiler's answer that are there.
fn library_directories(answer: &str) -> Vec<String> {
    let listed = answer.lines().find_map(|line| line.strip_prefix("libraries: =")).unwrap_or_default();
    let mut directories = Vec::new();
    for directory in listed.split(':') {
        let Ok(directory) = Path::new(directory).canonicalize() else { continue };
        if let Some(directory) = directory.to_str().map(str::to_owned)
            && !directories.contains(&directory)
        {
            directories.push(directory);
        }
    }
    directories
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_that_are_not_there_or_there_twice_are_left_out() {
        let answer = "install: /nowhere\nlibraries: =/usr/lib/../lib/:/nowhere/lib:/usr/lib\n";
        let lib = Path::new("/usr/lib").canonicalize().unwrap();
        assert_eq!(library_directories(answer), [lib.to_str().unwrap()]);
        assert!(library_directories("cc: no such option").is_empty());
    }
}
