use std::{
    ffi::OsString,
    fs,
    io::{self, BufRead, BufReader, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdin, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use serde::Deserialize;
use tempfile::TempDir;

use super::{
    crate_root::{INCLUDED, ROOT, root},
    diagnostic::{CompilerMessages, Diagnostic},
    linker::Linker,
};

/// How cells are compiled, at every optimisation level.
///
/// All crates have the same name and the same `-C metadata`, so that an item found in two of them is one
/// item to the type system. A cell behaves the same at every level: like `cargo run --release`, without
/// overflow checks and debug assertions.
const FLAGS: &[&str] = &[
    "--crate-name=cells",
    "--crate-type=cdylib",
    "--edition=2024",
    "--error-format=json",
    // Reports when each file is written, which shows how far the compiler is.
    "--json=artifacts",
    "-Cmetadata=partita",
    "-Cdebuginfo=0",
    "-Cembed-bitcode=no",
    "-Cdebug-assertions=off",
    "-Coverflow-checks=off",
    // This gives a single object file, with no pass over several afterwards.
    "-Ccodegen-units=1",
];

/// A compiler started before there is a cell for it. By the time the cell arrives, it has read everything
/// that cells have in common: its own libraries, and the metadata of `partita` and its dependencies. It
/// stops where the crate's root includes [`INCLUDED`], which is its standard input, and goes on when that
/// has been written and closed. When the kernel ends, the input is closed too.
#[derive(Debug)]
pub struct Rustc {
    process: Process,
    stdin: Option<ChildStdin>,
    stderr: Option<BufReader<ChildStderr>>,
    written: Written,
    product: Product,
}

/// What the compilers of a session have in common.
pub struct Setup<'a> {
    /// The program.
    pub rustc: &'a Path,
    /// Its sysroot.
    pub sysroot: &'a Path,
    /// Its working directory.
    pub directory: &'a Path,
}

/// What a compiler must produce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// An object file, for our own linker.
    Object,
    /// A shared object, linked by the compiler.
    Library,
}

/// The files that a compiler has written. They are removed on drop.
#[derive(Debug)]
pub struct Written {
    directory: TempDir,
}

impl Written {
    /// The shared object.
    pub fn library(&self) -> PathBuf {
        self.directory.path().join("cell.so")
    }

    fn object(&self) -> PathBuf {
        self.directory.path().join("cell.o")
    }

    fn mir(&self) -> PathBuf {
        self.directory.path().join("cell.mir")
    }
}

/// The compiler's results.
#[derive(Debug)]
pub struct Compilation {
    /// Whether it succeeded.
    pub succeeded: bool,
    /// Its messages and other output.
    pub messages: CompilerMessages,
    /// Whether the crate is valid but was not linked.
    pub not_linked: bool,
    /// The MIR of the crate.
    pub mir: String,
    /// The files it wrote.
    pub written: Written,
    /// From the arrival of the cell's text until it was known to be valid.
    pub check: Duration,
    /// From there to machine code.
    pub codegen: Duration,
    /// From there to the end.
    pub link: Duration,
}

/// How much of the compiler's work is needed.
#[derive(Clone, Copy)]
pub enum Until<'a> {
    /// Only whether the crate is valid.
    Checked,
    /// Its MIR and an object file.
    Generated,
    /// A shared object, linked by the compiler.
    Linked,
    /// A shared object, linked from the object file by this linker with these arguments.
    LinkedBy(&'a Linker, &'a [OsString]),
}

#[derive(Deserialize)]
struct Artifact {
    emit: String,
}

impl Rustc {
    /// Starts a compiler. `crates` are the arguments with which it finds the crates that cells can name;
    /// `attributes` are the crate's own.
    pub fn start(
        setup: &Setup<'_>,
        crates: &[OsString],
        level: u8,
        attributes: &str,
        product: Product,
    ) -> io::Result<Self> {
        let directory = setup.directory;
        let written = Written { directory: tempfile::Builder::new().prefix("out-").tempdir_in(directory)? };
        let name = if attributes.is_empty() { ROOT } else { "attributed.rs" };
        let path = directory.join(name);
        if !attributes.is_empty() || !path.exists() {
            fs::write(&path, root(attributes))?;
        }
        let input = directory.join(INCLUDED);
        if input.symlink_metadata().is_err() {
            std::os::unix::fs::symlink("/dev/stdin", input)?;
        }
        let mut emit = format!("--emit=obj={},mir={}", written.object().display(), written.mir().display());
        if product == Product::Library {
            emit.push_str(&format!(",link={}", written.library().display()));
        }
        let mut command = Command::new(setup.rustc);
        command
            .current_dir(directory)
            .arg(name)
            .args(FLAGS)
            .arg(format!("-Copt-level={level}"))
            .arg(emit)
            .arg("--sysroot")
            .arg(setup.sysroot)
            .args(crates)
            // If it is stopped, its temporary files are removed with its other files.
            .env("TMPDIR", written.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // The kernel handles a Ctrl-C in the terminal. The linker ends with the compiler.
            .process_group(0);
        end_with_kernel(&mut command);
        let mut child = command.spawn()?;
        let (stdin, stderr) = (child.stdin.take(), child.stderr.take().map(BufReader::new));
        Ok(Self { process: Process(child), stdin, stderr, written, product })
    }

    /// Whether it is still waiting; the system may have ended it meanwhile.
    pub fn is_waiting(&mut self) -> bool {
        self.process.runs()
    }

    /// What it produces.
    pub fn product(&self) -> Product {
        self.product
    }

    /// Its process, which leads a group of its own.
    pub fn group(&self) -> i32 {
        self.process.group()
    }

    /// Writes the text that it is waiting for and reads its messages to the end, or as far as needed.
    pub fn finish(mut self, text: &str, until: Until<'_>) -> io::Result<Compilation> {
        let began = Instant::now();
        if let Some(mut stdin) = self.stdin.take() {
            match stdin.write_all(text.as_bytes()) {
                // It has ended early; its last output says why.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                written => written?,
            }
        }
        let mut said = Received::default();
        let mut line = Vec::new();
        let mut enough = false;
        if let Some(stderr) = &mut self.stderr {
            while !enough && stderr.read_until(b'\n', &mut line)? > 0 {
                said.receive(&String::from_utf8_lossy(&line), began);
                enough = match until {
                    Until::Checked => said.checked.is_some(),
                    // The file is complete; only the compiler's own cleanup follows.
                    Until::Generated | Until::LinkedBy(..) => said.generated.is_some(),
                    Until::Linked => false,
                };
                line.clear();
            }
        }
        let mut linked = true;
        if let Until::LinkedBy(linker, more) = until
            && said.generated.is_some()
        {
            let output = linker.link(&self.written.object(), &self.written.library(), more, self.group())?;
            linked = output.status.success();
            said.other.push_str(&String::from_utf8_lossy(&output.stderr));
        }
        let status = self.end(enough)?;
        let ended = began.elapsed();
        let right = if enough { !said.refused() } else { status.success() };
        let check = said.checked.unwrap_or(ended);
        let generated = said.generated.unwrap_or(ended).max(check);
        let mir = if right { fs::read_to_string(self.written.mir())? } else { String::new() };
        // The file may be large and is not needed any more.
        let _ = fs::remove_file(self.written.object());
        let linkers = said.diagnostics.iter().any(Diagnostic::is_linkers);
        Ok(Compilation {
            succeeded: right && linked,
            not_linked: linkers || !linked,
            messages: CompilerMessages {
                diagnostics: said.diagnostics,
                other: said.other,
                ended_by: if enough { None } else { status.signal() },
            },
            mir,
            written: self.written,
            check,
            codegen: generated - check,
            link: ended.saturating_sub(generated),
        })
    }

    /// Waits for the process, or kills it if everything needed is there.
    fn end(&mut self, enough: bool) -> io::Result<ExitStatus> {
        if enough {
            self.process.kill();
        }
        if let Some(mut stderr) = self.stderr.take() {
            // The pipe must be emptied for the process to end.
            io::copy(&mut stderr, &mut io::sink())?;
        }
        self.process.0.wait()
    }
}

/// A compiler's process, which leads a group of its own. It is killed on drop.
#[derive(Debug)]
struct Process(Child);

impl Process {
    fn runs(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    fn group(&self) -> i32 {
        self.0.id().cast_signed()
    }

    fn kill(&self) {
        // SAFETY: the group was made for this compiler, which is reaped only by this value.
        unsafe { libc::kill(-self.group(), libc::SIGKILL) };
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.runs() {
            self.kill();
            // It was sent a signal that cannot be ignored.
            let _ = self.0.wait();
        }
    }
}

#[derive(Default)]
struct Received {
    diagnostics: Vec<Diagnostic>,
    other: String,
    checked: Option<Duration>,
    generated: Option<Duration>,
}

impl Received {
    /// Reads one line.
    fn receive(&mut self, line: &str, began: Instant) {
        if let Ok(diagnostic) = serde_json::from_str::<Diagnostic>(line) {
            self.diagnostics.push(diagnostic);
        } else if let Ok(artifact) = serde_json::from_str::<Artifact>(line) {
            match artifact.emit.as_str() {
                "mir" => self.checked = Some(began.elapsed()),
                "obj" => self.generated = Some(began.elapsed()),
                _ => {}
            }
        } else if !line.starts_with('{') {
            self.other.push_str(line);
        }
    }

    fn refused(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Ends the compiler when the kernel is killed.
fn end_with_kernel(command: &mut Command) {
    #[cfg(target_os = "linux")]
    // SAFETY: the closure makes one system call, which may be made between `fork` and `exec`.
    unsafe {
        command.pre_exec(|| {
            // Without this the compiler ends by itself, a little later.
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    #[cfg(not(target_os = "linux"))]
    let _ = command;
}
