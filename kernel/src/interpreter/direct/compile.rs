use std::{
    fs, io,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;

use super::{
    dependencies::Built, generate::Generated, generate::ROOT, interrupts::Interrupts, warm_build::WarmBuild,
};

/// One message of the compiler, as `--error-format=json` has it.
#[derive(Debug, Clone, Deserialize)]
pub struct Diagnostic {
    /// What it says.
    pub message: String,
    /// `E0382`, or a lint's name.
    pub code: Option<Code>,
    /// `error`, `warning`, `note`, `help`, `failure-note`.
    pub level: String,
    /// The places it is about.
    pub spans: Vec<Span>,
    /// Notes and helps that belong to it.
    pub children: Vec<Diagnostic>,
}

/// The code of a diagnostic.
#[derive(Debug, Clone, Deserialize)]
pub struct Code {
    /// The code.
    pub code: String,
}

/// A place in a source file.
#[derive(Debug, Clone, Deserialize)]
pub struct Span {
    /// The file as the compiler was told it.
    pub file_name: String,
    /// First byte in the file.
    pub byte_start: usize,
    /// Byte after the last.
    pub byte_end: usize,
    /// 1-based line of the first byte.
    pub line_start: usize,
    /// The lines, for files we do not have.
    pub text: Vec<SpanText>,
    /// Whether it is what the diagnostic points at.
    pub is_primary: bool,
    /// What is said about this place.
    pub label: Option<String>,
    /// What should stand there instead.
    pub suggested_replacement: Option<String>,
    /// The macro call that this place came from.
    pub expansion: Option<Box<Expansion>>,
}

/// One line of a span.
#[derive(Debug, Clone, Deserialize)]
pub struct SpanText {
    /// The line.
    pub text: String,
    /// 1-based column of the first character meant.
    pub highlight_start: usize,
    /// 1-based column after the last.
    pub highlight_end: usize,
}

/// Where a macro was called.
#[derive(Debug, Clone, Deserialize)]
pub struct Expansion {
    /// The call.
    pub span: Span,
}

impl Diagnostic {
    /// Whether it stops the compilation by itself (the closing summary does not count).
    pub fn is_error(&self) -> bool {
        self.level.starts_with("error")
            && !(self.code.is_none() && self.message.starts_with("aborting due to"))
    }

    /// Its code, or nothing.
    pub fn code(&self) -> &str {
        self.code.as_ref().map_or("", |code| &code.code)
    }
}

/// What a compilation gave.
pub struct Compiled {
    /// Whether there is something to load.
    pub succeeded: bool,
    /// The shared object.
    pub library: PathBuf,
    /// What the compiler said, in order.
    pub diagnostics: Vec<Diagnostic>,
    /// Its MIR, if asked for.
    pub mir: String,
    /// What it said that is no diagnostic: a linker's or its own failure.
    pub other: String,
    /// The signal that ended the compiler, if one did.
    pub ended_by: Option<i32>,
}

/// How much of a compilation is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Only whether it is right: nothing is run.
    Check,
    /// A shared object to run.
    Link,
    /// The same, and the types of what is kept.
    LinkAndTypes,
}

/// Compiles cells in a directory of their own.
pub struct Compiler {
    build: WarmBuild,
    directory: PathBuf,
    sysroot: PathBuf,
}

impl Compiler {
    /// A compiler that works in `directory`.
    pub fn new(build: WarmBuild, directory: PathBuf, sysroot: PathBuf) -> Self {
        Self { build, directory, sysroot }
    }

    /// Compiles one generated crate. An interrupt stops the compiler.
    ///
    /// All crates have one name and one `-C metadata`, so that an item that stands in two of them is
    /// one item to the type system.
    pub fn compile(
        &self,
        generated: &Generated,
        depth: Depth,
        serial: u64,
        dependencies: Option<&Built>,
        interrupts: &Interrupts,
    ) -> io::Result<Compiled> {
        for file in &generated.files {
            fs::write(self.directory.join(&file.name), &file.text)?;
        }
        let library = self.directory.join(format!("cell{serial}.so"));
        let mir = self.directory.join("cell.mir");
        let emit = match depth {
            Depth::Check => format!("metadata={}", self.directory.join("cell.rmeta").display()),
            Depth::Link => format!("link={}", library.display()),
            Depth::LinkAndTypes => format!("link={},mir={}", library.display(), mir.display()),
        };
        let mut command = Command::new(&self.build.rustc);
        command
            .current_dir(&self.directory)
            .args([
                ROOT,
                "--crate-name=cells",
                "--crate-type=cdylib",
                "--edition=2024",
                "--error-format=json",
            ])
            .args(["-Cmetadata=partita", "-Copt-level=0", "-Cdebuginfo=0", "-Cembed-bitcode=no"])
            .arg(format!("--emit={emit}"))
            .arg("--sysroot")
            .arg(&self.sysroot)
            .arg(self.build.extern_argument())
            .arg(self.build.dependency_argument())
            .args(dependencies.map(Built::arguments).unwrap_or_default())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0);
        end_with_kernel(&mut command);
        let child = command.spawn()?;
        let watch = interrupts.compiling(child.id().cast_signed());
        let output = child.wait_with_output()?;
        drop(watch);
        let (diagnostics, other) = parse(&String::from_utf8_lossy(&output.stderr));
        let mir = match depth {
            Depth::LinkAndTypes if output.status.success() => fs::read_to_string(&mir)?,
            _ => String::new(),
        };
        let ended_by = output.status.signal();
        Ok(Compiled { succeeded: output.status.success(), library, diagnostics, mir, other, ended_by })
    }

    /// What cells have for a sysroot.
    pub fn sysroot(&self) -> &Path {
        &self.sysroot
    }

    /// Checks that the library to compile against is the one that runs.
    ///
    /// # Errors
    /// When it was rebuilt.
    pub fn check_unchanged(&self) -> Result<(), super::WarmBuildError> {
        self.build.check_unchanged()
    }
}

/// A compiler whose kernel was killed works for nobody.
fn end_with_kernel(command: &mut Command) {
    #[cfg(target_os = "linux")]
    // SAFETY: the closure makes one system call, which may be made between `fork` and `exec`.
    unsafe {
        command.pre_exec(|| {
            // Without it the compiler ends a little later, by itself.
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    #[cfg(not(target_os = "linux"))]
    let _ = command;
}

fn parse(stderr: &str) -> (Vec<Diagnostic>, String) {
    let mut diagnostics = Vec::new();
    let mut other = String::new();
    for line in stderr.lines() {
        match serde_json::from_str::<Diagnostic>(line) {
            Ok(diagnostic) => diagnostics.push(diagnostic),
            // Notices about written files are JSON too, and no news.
            Err(_) if line.starts_with('{') => {}
            Err(_) => {
                other.push_str(line);
                other.push('\n');
            }
        }
    }
    (diagnostics, other)
}
