use std::{
    env,
    fs::Permissions,
    io,
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use parking_lot::Mutex;
use partita_bridge::{
    CellOutcome, FrameError, FromEvaluation, SOCKET_VARIABLE, SPILL_VARIABLE, Spent, ToEvaluation, Variable,
    read_frame, write_frame,
};
use tempfile::TempDir;
use thiserror::Error;

use super::{
    activity::Activity,
    child::CHILD_ARGUMENT,
    ending::{self, Traces, describe},
    outputs::{Outputs, Pipes},
};
use crate::output::Output;

/// How long a process may take to start.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Why there is no evaluation process.
#[derive(Debug, Error)]
pub enum SpawnError {
    /// The operating system refused.
    #[error("cannot start the evaluation process: {0}")]
    Io(#[from] io::Error),
    /// The process ended while it was starting.
    #[error("the evaluation process ended while starting: {0}")]
    CellEnd(String),
    /// The process did not report in time.
    #[error("the evaluation process did not start within {} seconds; the machine may be overloaded", START_LIMIT.as_secs())]
    Silent,
}

/// How the evaluation process ended in the middle of its work: `ran out of stack …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessDeath(pub String);

/// A running evaluation process. Dropping it ends the process.
pub struct EvaluationProcess {
    child: Child,
    control: ProcessControl,
    answers: mpsc::Receiver<Answer>,
    pipes: Arc<Pipes>,
    rustc: String,
    version: String,
    /// The system's count of out-of-memory kills when this process started.
    out_of_memory_kills: Option<u64>,
    // Dropped last: the process writes there until it has ended.
    spill: TempDir,
}

/// How a cell or command ended.
pub struct CellEnd {
    /// The outcome.
    pub outcome: CellOutcome,
    /// The variables kept.
    pub variables: Vec<Variable>,
    /// Where a cell's time went.
    pub spent: Spent,
}

enum Answer {
    Ready { version: String, rustc: String },
    Done(CellEnd),
}

/// The operations that other threads may use while a cell runs.
#[derive(Clone)]
pub struct ProcessControl {
    socket: Arc<Mutex<UnixStream>>,
    pid: i32,
}

impl ProcessControl {
    /// Asks the process to cancel its running job.
    pub fn interrupt(&self) {
        // A process that has gone needs no interrupt.
        let _ = self.try_send(&ToEvaluation::Interrupt);
    }

    /// Starts a compiled cell or a command; [`EvaluationProcess::finish`] waits for its end.
    pub fn start(&self, work: &ToEvaluation) {
        if self.try_send(work).is_err() {
            // The process has gone or cannot be reached. Killing it also ends the wait for the cell.
            self.kill();
        }
    }

    /// Kills the process at once, and the programs that its cells have started.
    pub fn kill(&self) {
        kill_group(self.pid);
    }

    /// What the thread that runs cells is doing, as far as the system tells.
    pub fn activity(&self) -> Activity {
        Activity::of(self.pid)
    }

    /// Sends a message that belongs to no cell, or one that answers a running cell.
    pub fn send(&self, message: &ToEvaluation) {
        // A process that has gone, or ends with its cell, needs no message.
        let _ = self.try_send(message);
    }

    fn try_send(&self, message: &ToEvaluation) -> Result<(), FrameError> {
        write_frame(&mut *self.socket.lock(), message)
    }
}

impl EvaluationProcess {
    /// Starts `executable` (this binary) as an evaluation process that loads `library` (the `partita`
    /// library). The socket is created in `directory`.
    ///
    /// # Errors
    /// When the process cannot be started or does not report within a minute.
    pub fn spawn(
        executable: &Path,
        library: &Path,
        directory: &Path,
        outputs: &Outputs,
    ) -> Result<Self, SpawnError> {
        let path: PathBuf = directory.join(format!("bridge-{}", uuid::Uuid::new_v4().simple()));
        let listener = UnixListener::bind(&path)?;
        let spill = tempfile::Builder::new()
            .prefix("spill-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(directory)?;
        let mut child = Command::new(executable)
            .arg(CHILD_ARGUMENT)
            .arg(library)
            .env(SOCKET_VARIABLE, &path)
            .env(SPILL_VARIABLE, spill.path())
            .env("LD_LIBRARY_PATH", search_path(library)?)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // The kernel handles a Ctrl-C in the terminal.
            .process_group(0)
            .spawn()?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(SpawnError::CellEnd("its output streams are missing".into()));
        };
        let socket = match accept(&listener, &mut child) {
            Ok(socket) => socket,
            Err(error) => {
                // Its last output is on its stderr.
                let _ = child.kill();
                let _ = child.wait();
                return Err(match read_all(stderr) {
                    said if said.is_empty() => error,
                    said => SpawnError::CellEnd(said),
                });
            }
        };
        // The name is not needed once both ends have the socket.
        let _ = std::fs::remove_file(&path);
        let pipes = Pipes::start(stdout, stderr, outputs.clone())?;
        let control = ProcessControl {
            socket: Arc::new(Mutex::new(socket.try_clone()?)),
            pid: child.id().cast_signed(),
        };
        let (sender, answers) = mpsc::channel();
        let listening = Arc::clone(&pipes);
        let outputs = outputs.clone();
        thread::Builder::new()
            .name("bridge".into())
            .spawn(move || listen(socket, &sender, &listening, &outputs))?;
        let mut process = Self {
            child,
            control,
            answers,
            pipes,
            rustc: String::new(),
            version: String::new(),
            out_of_memory_kills: ending::out_of_memory_kills(),
            spill,
        };
        match process.answers.recv_timeout(START_LIMIT) {
            Ok(Answer::Ready { version, rustc }) => {
                process.version = version;
                process.rustc = rustc;
                Ok(process)
            }
            Err(mpsc::RecvTimeoutError::Timeout) => Err(SpawnError::Silent),
            Ok(Answer::Done(..)) | Err(mpsc::RecvTimeoutError::Disconnected) => {
                Err(SpawnError::CellEnd(process.ending().0))
            }
        }
    }

    /// The compiler that built the loaded library, as `rustc --version` prints it.
    pub fn rustc(&self) -> &str {
        &self.rustc
    }

    /// The version of the loaded library.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Processor time of all threads since the process started.
    pub fn processor_time(&self) -> Option<Duration> {
        let mut clock: libc::clockid_t = 0;
        // SAFETY: all zeros are a valid `timespec`.
        let mut time: libc::timespec = unsafe { std::mem::zeroed() };
        // SAFETY: both calls write only to their arguments. The child is not reaped while `self` is
        // borrowed, so the id is still its own.
        let known = unsafe {
            libc::clock_getcpuclockid(self.control.pid, &raw mut clock) == 0
                && libc::clock_gettime(clock, &raw mut time) == 0
        };
        let seconds = u64::try_from(time.tv_sec).ok()?;
        let nanoseconds = u32::try_from(time.tv_nsec).ok()?;
        known.then(|| Duration::new(seconds, nanoseconds))
    }

    /// A handle for other threads.
    pub fn control(&self) -> ProcessControl {
        self.control.clone()
    }

    /// Waits for the end of the started cell. On return, all its outputs have been forwarded.
    ///
    /// # Errors
    /// When the process ends before the cell does.
    pub fn finish(&mut self) -> Result<CellEnd, ProcessDeath> {
        loop {
            match self.answers.recv() {
                Ok(Answer::Done(ended)) => return Ok(ended),
                Ok(Answer::Ready { .. }) => {}
                Err(mpsc::RecvError) => return Err(self.ending()),
            }
        }
    }

    fn ending(&mut self) -> ProcessDeath {
        // The socket is closed; without it the process is of no use.
        let status = match reap(&mut self.child) {
            Ok(Some(status)) => Ok(status),
            _ => self.wait_or_kill(),
        };
        self.pipes.drain();
        let status = match status {
            Ok(status) => status,
            Err(error) => return ProcessDeath(format!("ended: {error}")),
        };
        ProcessDeath(describe(&Traces {
            status,
            last_words: ending::last_words(self.spill.path()),
            stderr: &self.pipes.last_stderr(),
            out_of_memory: ending::out_of_memory_kills() > self.out_of_memory_kills,
        }))
    }

    fn wait_or_kill(&mut self) -> io::Result<ExitStatus> {
        for _ in 0..200 {
            if let Some(status) = reap(&mut self.child)? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(5));
        }
        self.control.kill();
        self.child.wait()
    }

    /// Asks the process to exit and waits until it has.
    pub fn shutdown(&mut self) {
        if matches!(reap(&mut self.child), Ok(Some(_))) {
            return;
        }
        let _ = self.control.try_send(&ToEvaluation::Shutdown);
        // It exits at once or is killed; either way it is reaped here.
        let _ = self.wait_or_kill();
    }
}

impl Drop for EvaluationProcess {
    fn drop(&mut self) {
        self.shutdown();
    }
}

fn listen(mut socket: UnixStream, answers: &mpsc::Sender<Answer>, pipes: &Pipes, outputs: &Outputs) {
    while let Ok(Some(message)) = read_frame(&mut socket) {
        // Output on the standard streams from before this message must come before it.
        pipes.drain();
        let answer = match message {
            FromEvaluation::Text { stream, text } => {
                outputs.text(stream, text);
                continue;
            }
            FromEvaluation::Display { id, bundle } => {
                outputs.send(Output::Display { id, bundle });
                continue;
            }
            FromEvaluation::UpdateDisplay { id, bundle } => {
                outputs.send(Output::UpdateDisplay { id, bundle });
                continue;
            }
            FromEvaluation::ClearOutput { wait } => {
                outputs.send(Output::ClearOutput { wait });
                continue;
            }
            FromEvaluation::Comm(comm) => {
                outputs.send(Output::Comm(comm));
                continue;
            }
            FromEvaluation::InputRequest { prompt, password } => {
                outputs.send(Output::InputRequest { prompt, password });
                continue;
            }
            FromEvaluation::Page(bundle) => {
                outputs.send(Output::Page(bundle));
                continue;
            }
            FromEvaluation::Events { session, events } => {
                outputs.send(Output::Events { session, events });
                continue;
            }
            FromEvaluation::Ready { version, rustc } => Answer::Ready { version, rustc },
            FromEvaluation::Done { outcome, variables, spent } => {
                Answer::Done(CellEnd { outcome, variables, spent })
            }
        };
        if answers.send(answer).is_err() {
            return;
        }
    }
    // Send this before a running cell gets its result.
    outputs.send(Output::ProcessEnded);
}

/// Waits for the child to connect. Fails if the child has ended instead.
fn accept(listener: &UnixListener, child: &mut Child) -> Result<UnixStream, SpawnError> {
    listener.set_nonblocking(true)?;
    let started = std::time::Instant::now();
    loop {
        match listener.accept() {
            Ok((socket, _)) => {
                socket.set_nonblocking(false)?;
                return Ok(socket);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(status) = child.try_wait()? {
            let traces = Traces { status, last_words: None, stderr: "", out_of_memory: false };
            return Err(SpawnError::CellEnd(describe(&traces)));
        }
        if started.elapsed() > START_LIMIT {
            return Err(SpawnError::Silent);
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn read_all(mut source: impl io::Read) -> String {
    let mut said = String::new();
    // A partial text is better than none.
    let _ = source.read_to_string(&mut said);
    said.trim().to_owned()
}

/// Cells name the library without a path; this makes the loader find the one beside it first.
fn search_path(library: &Path) -> io::Result<std::ffi::OsString> {
    let mut paths: Vec<PathBuf> = library.parent().map(Path::to_path_buf).into_iter().collect();
    if let Some(inherited) = env::var_os("LD_LIBRARY_PATH") {
        paths.extend(env::split_paths(&inherited));
    }
    env::join_paths(paths).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}

/// How the child ended, if it has. Also kills what its cells have started and left running: the child
/// leads a process group of its own.
fn reap(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    // SAFETY: all zeros are a valid `siginfo_t`, and the call writes nothing else.
    let dead = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        // Until it is reaped the child holds its id, so this is certainly the right group.
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        libc::waitid(libc::P_PID, child.id(), &raw mut info, flags) == 0 && info.si_pid() != 0
    };
    if dead {
        kill_group(child.id().cast_signed());
    }
    child.try_wait()
}

fn kill_group(leader: i32) {
    // SAFETY: the group was made for a process that we started and that only its owner reaps; a
    // signal to a group that has just ended has no effect.
    unsafe { libc::kill(-leader, libc::SIGKILL) };
}
