//! How a cell's object file becomes a shared object. Left to rustc, the C compiler is started, which starts
//! its `collect2`, which starts the linker, which reads all the symbols of `libpartita.so`: for the little
//! that a cell is, that takes longer than compiling it. So the linker that came with rustc is started here,
//! as soon as the object file is there, and without that library: the evaluation process has it in its
//! global scope, and the loader finds in it what the cell leaves open.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use super::warm_build::WarmBuild;

/// What a cell shows to later ones is what has a name of its own choice, such as its function and its
/// statics. Everything else has the same name in each cell that has it, and may not be taken for another
/// cell's.
const EXPORTS: &str = "{ local: _ZN*; _R*; };\n";

/// The libraries that rustc links for std on this system. The evaluation process has them loaded; they are
/// named for the versions of their symbols.
const SYSTEM: &[&str] = &["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc"];

/// The linker that came with rustc, with what is the same for every cell.
#[derive(Debug)]
pub struct Linker {
    program: PathBuf,
    before: Vec<OsString>,
    after: Vec<OsString>,
}

impl Linker {
    /// Gets one ready in `directory`. `None` where rustc has no linker of its own, or the C compiler does not
    /// say where the system's libraries are: there rustc links as it does everywhere.
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
            // What a cell defines is what it calls, also if an earlier one defined it otherwise.
            .chain(["-Bsymbolic", "-znow", "-znoexecstack", "--hash-style=gnu"])
            // A thread costs more than there is to do for it.
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

    /// Links `object` into `library`, with `more` of its arguments, in process group `group`. What the cell
    /// uses and nobody defines is found when it is loaded.
    ///
    /// # Errors
    /// When it cannot be run. That it refused is in its output.
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

/// Whether a text says to the compiler what else to link with: `#[link(name = "z")]`. Only rustc can do
/// that. A text that merely looks so is linked by it too.
pub fn asks_for_libraries(text: &str) -> bool {
    text.match_indices("link").any(|(at, word)| {
        let begins = !text[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
        let inside = text[at + word.len()..].trim_start().strip_prefix('(');
        let named =
            inside.map(|inside| inside.trim_start().trim_start_matches(|c: char| c.is_alphanumeric()));
        begins && named.is_some_and(|rest| rest.trim_start().starts_with('='))
    })
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
