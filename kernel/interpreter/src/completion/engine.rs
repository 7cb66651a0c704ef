use std::{
    env,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::Arc,
    thread,
};

use super::{
    index::{self, Index, IndexError},
    probe::Prober,
};
use crate::toolchain::WarmBuild;
use parking_lot::Mutex;

/// The first argument that makes this binary build the index and exit.
const CHILD_ARGUMENT: &str = "make-index";

/// What answers are based on besides the cells: the compiler and the index.
pub struct Engine {
    /// Asks the compiler.
    pub prober: Prober,
    build: WarmBuild,
    executable: PathBuf,
    index: Mutex<IndexState>,
}

enum IndexState {
    Unknown,
    Open(Arc<Index>),
    /// Another process is building it.
    Making,
    Failed,
}

impl Engine {
    /// An engine for `build`, or else for the build beside `executable`. `None` if there is none; cells
    /// then say why.
    pub fn new(executable: &Path, build: Option<&WarmBuild>) -> Option<Self> {
        let build = build.cloned().or_else(|| WarmBuild::locate(executable).ok())?;
        let prober = Prober::new(build.clone()).ok()?;
        let executable = executable.to_path_buf();
        Some(Self { prober, build, executable, index: Mutex::new(IndexState::Unknown) })
    }

    /// The index, if it exists. If not, starts building it in the background and returns `None` until it
    /// is ready.
    pub fn index(self: &Arc<Self>) -> Option<Arc<Index>> {
        let mut state = self.index.lock();
        match &*state {
            IndexState::Open(index) => return Some(Arc::clone(index)),
            IndexState::Failed | IndexState::Making => return None,
            IndexState::Unknown => {}
        }
        if let Ok(index) = Index::open(&index::location(&self.build)) {
            let index = Arc::new(index);
            *state = IndexState::Open(Arc::clone(&index));
            return Some(index);
        }
        *state = IndexState::Making;
        let engine = Arc::clone(self);
        let making = thread::Builder::new().name("index".into()).spawn(move || engine.make());
        if making.is_err() {
            *state = IndexState::Failed;
        }
        None
    }

    /// Builds the index in a process of its own, because that takes memory for a while and is not urgent.
    fn make(&self) {
        let made = Command::new(&self.executable)
            .arg(CHILD_ARGUMENT)
            .arg(&self.executable)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output();
        let opened = match made {
            Ok(output) if output.status.success() => Index::open(&index::location(&self.build)),
            Ok(output) => {
                Err(std::io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
            }
            Err(error) => Err(error),
        };
        let state = match opened {
            Ok(index) => IndexState::Open(Arc::new(index)),
            Err(error) => {
                tracing::warn!("completion has no index of names: {error}");
                IndexState::Failed
            }
        };
        *self.index.lock() = state;
    }
}

/// If this binary was started to build the index, builds it and does not return. Call it first in `main`.
pub fn run_if_child() {
    let mut arguments = env::args_os().skip(1);
    if arguments.next().is_none_or(|argument| argument != CHILD_ARGUMENT) {
        return;
    }
    // SAFETY: this only changes how the process is scheduled.
    unsafe { libc::nice(5) };
    let executable = arguments.next().map_or_else(|| env::current_exe().unwrap_or_default(), PathBuf::from);
    process::exit(match make_index(&executable) {
        Ok(_) => 0,
        Err(error) => {
            eprintln!("{error}");
            1
        }
    });
}

/// Builds the index of the build beside `executable`, unless it exists, and returns its path. Takes about
/// half a minute.
///
/// # Errors
/// When there is no build or rustdoc fails. Completion then works without an index.
pub fn make_index(executable: &Path) -> Result<PathBuf, IndexError> {
    index::ensure(&WarmBuild::locate(executable)?)
}
