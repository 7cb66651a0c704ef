//! The spare compiler, started before there is anything to compile. A cell takes it, and so does
//! completion when it needs a type. Taking it starts the next one.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Weak,
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

use parking_lot::{Mutex, MutexGuard};

use super::{
    rustc::{Compilation, Product, Rustc, Setup, Until},
    warm_build::{WarmBuild, WarmBuildError, dependency_argument},
};

/// The crates besides Partita that cells can name, as arguments.
#[derive(Debug, Clone, Default)]
pub struct ExtraCrates {
    /// The compiler's arguments.
    pub compiler_arguments: Vec<OsString>,
    /// The linker's arguments, if rustc does not link.
    pub linker_arguments: Vec<OsString>,
}

/// Starts a session's compilers and keeps a spare one ready.
#[derive(Debug)]
pub struct SpareCompiler {
    build: WarmBuild,
    directory: PathBuf,
    sysroot: PathBuf,
    /// The directory with the metadata of Partita's dependencies.
    metadata: PathBuf,
    state: Mutex<State>,
    starter: Sender<()>,
}

#[derive(Debug)]
struct State {
    /// The crates added with `:dep`.
    extra_crates: ExtraCrates,
    /// What the next cell needs.
    product: Product,
    next: Option<Rustc>,
    /// The session has ended.
    closed: bool,
}

impl SpareCompiler {
    /// For a session whose files are in `directory`. There is no spare compiler yet.
    ///
    /// # Errors
    /// When the files that compilers need there cannot be created.
    pub fn new(build: WarmBuild, directory: PathBuf, product: Product) -> Result<Arc<Self>, WarmBuildError> {
        let sysroot = build.make_sysroot(&directory)?;
        let metadata = build.make_metadata(&directory)?;
        let state =
            Mutex::new(State { extra_crates: ExtraCrates::default(), product, next: None, closed: false });
        let (starter, asked) = mpsc::channel();
        let spare = Arc::new(Self { build, directory, sysroot, metadata, state, starter });
        let weak = Arc::downgrade(&spare);
        // A compiler ends with the thread that started it, so that none outlives a kernel that is killed.
        // Threads that ask for completions are short-lived, so this thread starts the compilers. Without
        // it, cells start theirs themselves.
        let _ =
            thread::Builder::new().name("compilers".into()).spawn(move || start_when_asked(&asked, &weak));
        Ok(spare)
    }

    /// The build that cells are compiled against.
    pub fn build(&self) -> &WarmBuild {
        &self.build
    }

    /// The sysroot of cells.
    pub fn sysroot(&self) -> &Path {
        &self.sysroot
    }

    /// The arguments with which a compiler finds the crates that cells can name.
    pub fn crates(&self) -> Vec<OsString> {
        self.crates_with(&self.lock())
    }

    fn crates_with(&self, state: &State) -> Vec<OsString> {
        let mut arguments = vec![self.build.extern_argument(), dependency_argument(&self.metadata)];
        arguments.extend(state.extra_crates.compiler_arguments.iter().cloned());
        arguments
    }

    /// Starts a spare compiler unless there is one.
    pub fn replenish(&self) {
        // An error means that the thread has ended; the next cell then waits a little longer.
        let _ = self.starter.send(());
    }

    /// Holds the lock, so that the arguments do not change meanwhile.
    fn start_next(&self) {
        let mut state = self.lock();
        if !state.closed && state.next.as_mut().is_none_or(|rustc| !rustc.is_waiting()) {
            // An error here will occur again, and be reported, when there is a cell.
            state.next = self.launch(&self.crates_with(&state), 0, "", state.product).ok();
        }
    }

    /// The spare compiler, if it produces `product`.
    pub fn take(&self, product: Product) -> Option<Rustc> {
        self.lock().next.take_if(|rustc| rustc.product() == product && rustc.is_waiting())
    }

    /// Starts a compiler for a crate with its own level and attributes.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, level: u8, attributes: &str, product: Product) -> io::Result<Rustc> {
        self.launch(&self.crates(), level, attributes, product)
    }

    fn launch(
        &self,
        crates: &[OsString],
        level: u8,
        attributes: &str,
        product: Product,
    ) -> io::Result<Rustc> {
        let setup = Setup { rustc: &self.build.rustc, sysroot: &self.sysroot, directory: &self.directory };
        Rustc::start(&setup, crates, level, attributes, product)
    }

    /// Compiles a text that will not be run.
    ///
    /// # Errors
    /// When there is no compiler.
    pub fn analyse(&self, text: &str) -> io::Result<Compilation> {
        let product = self.lock().product;
        let rustc = match self.take(product) {
            Some(rustc) => rustc,
            None => self.start(0, "", product)?,
        };
        let said = rustc.finish(text, Until::Generated);
        self.replenish();
        said
    }

    /// Sets the crates that later cells find besides Partita.
    pub fn set_extra_crates(&self, extra_crates: ExtraCrates) {
        let mut state = self.lock();
        // The spare compiler was started with the old ones.
        (state.extra_crates, state.next) = (extra_crates, None);
    }

    /// The linker's arguments for the crates added with `:dep`.
    pub fn linker_arguments(&self) -> Vec<OsString> {
        self.lock().extra_crates.linker_arguments.clone()
    }

    /// Sets what the compiler produces for later cells.
    pub fn set_product(&self, product: Product) {
        let mut state = self.lock();
        (state.product, state.next) = (product, None);
    }

    /// Ends the spare compiler for good.
    pub fn close(&self) {
        let mut state = self.lock();
        (state.closed, state.next) = (true, None);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

fn start_when_asked(asked: &Receiver<()>, spare: &Weak<SpareCompiler>) {
    while asked.recv().is_ok() {
        let Some(spare) = spare.upgrade() else { return };
        spare.start_next();
    }
}
