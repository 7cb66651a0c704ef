//! Turns a cell's object file into a shared object. rustc would start the C compiler, which starts
//! `collect2`, which starts the linker, which reads all symbols of `libpartita.so`. For a small cell that
//! takes longer than compiling it. So this module starts the linker that comes with rustc as soon as the
//! object file exists, without that library: the evaluation process has it in its global scope, where the
//! loader resolves the symbols that the cell leaves undefined.
//! global scope, and the loader finds in it what the cell leaves open.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use super::warm_build::WarmBuild;

/// A cell exports only what has a name of its own choice, such as its function and its statics.
/// Everything else may have the same name in several cells and must not be mistaken for another cell's.
const EXPORTS: &str = "{ local: _ZN*; _R*; };\n";

/// The libraries that rustc links for std on this system. The evaluation process has loaded them already;
/// they are listed for the versions of their symbols.
const SYSTEM: &[&str] = &["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc"];

/// The linker that comes with rustc, with the arguments that are the same for every cell.
#[derive(Debug)]
pub struct Linker {
    program: PathBuf,
    before: Vec<OsString>,
    after: Vec<OsString>,
}

impl Linker {
    /// Prepares a linker in `directory`. `None` if rustc has no linker of its own or the C compiler does
    /// not report where the system's libraries are; rustc then links as usual.
    pub fn prepare(build: &WarmBuild, directory: &Path) -> Option<Self> {
        // Other systems have other linkers and conventions.
        if !build.host().ends_with("-linux-gnu") {
            return None;
        }
        let program = build.bundled_linker()?;
        let intrinsics = build.intrinsics()?;
        let answer = Command::new("cc").arg("-print-search-dirs").output().ok()?;
        let directories = library_directories(&String::from_utf8(answer.stdout).ok()?);
        if directories.is_empty() {
            return None;
        }
        let exports = directory.join("exports");
        fs::write(&exports, EXPORTS).ok()?;
        let mut before: Vec<OsString> = ["-flavor", "gnu", "-shared", "--eh-frame-hdr", "--gc-sections"]
            .into_iter()
            // A cell calls its own definitions, even if an earlier cell defined the same name.
            .chain(["-Bsymbolic", "-znow", "-znoexecstack", "--hash-style=gnu"])
            // The work is too small for a second thread.
            .chain(["--threads=1"])
            .map(OsString::from)
            .collect();
        before.push("--version-script".into());
        before.push(exports.into());
        let mut after: Vec<OsString> =
            directories.into_iter().map(|directory| format!("-L{directory}").into()).collect();
        after.push(intrinsics.into());
        after.push("--as-needed".into());
        after.extend(SYSTEM.iter().map(OsString::from));
        Some(Self { program, before, after })
    }

    /// Links `object` into `library` in process group `group`, with the extra arguments `more`. Undefined
    /// symbols are resolved when the cell is loaded.
    ///
    /// # Errors
    /// When the linker cannot be run. A failure of the linker itself is in its output.
    pub fn link(&self, object: &Path, library: &Path, more: &[OsString], group: i32) -> io::Result<Output> {
        Command::new(&self.program)
            .args(&self.before)
            .arg("-o")
            .args([library, object])
            .args(more)
            .args(&self.after)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(group)
            .output()
    }
}

/// Whether a text tells the compiler what else to link: `#[link(name = "z")]`. Only rustc can do that. A
/// false positive only means that rustc links.
pub fn asks_for_libraries(text: &str) -> bool {
    text.match_indices("link").any(|(at, word)| {
        let begins = !text[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
        let inside = text[at + word.len()..].trim_start().strip_prefix('(');
        let named =
            inside.map(|inside| inside.trim_start().trim_start_matches(|c: char| c.is_alphanumeric()));
        begins && named.is_some_and(|rest| rest.trim_start().starts_with('='))
    })
}

/// The existing directories in the C compiler's answer.
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

    #[test]
    fn cells_that_name_libraries_are_told_from_others() {
        for asks in
            ["#[link(name = \"z\")]", "#[cfg_attr(unix, link (name=\"z\"))]", "# [ link(kind = \"dylib\")]"]
        {
            assert!(asks_for_libraries(asks), "{asks}");
        }
        for asks_not in [
            "let link = 1;",
            "unlink(a = 1)",
            "link(a); b = 1",
            "#[link_name = \"x\"]",
            "link(1)",
            "hyperlink",
        ] {
            assert!(!asks_for_libraries(asks_not), "{asks_not}");
        }
    }
}
