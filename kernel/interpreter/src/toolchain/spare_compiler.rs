//! The compiler that has been started before there is anything to compile. A cell takes it, and so does
//! completion when it has to know a type; whoever takes it has the next one started.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

use super::{
    rustc::{Compilation, Product, Rustc, Setup, Until},
    warm_build::{WarmBuild, WarmBuildError, dependency_argument},
};

/// The crates besides Partita that cells can name, as arguments.
#[derive(Debug, Clone, Default)]
pub struct ExtraCrates {
    /// The compiler's.
    pub compiler_arguments: Vec<OsString>,
    /// The linker's, where rustc does not link.
    pub linker_arguments: Vec<OsString>,
}

/// Starts a session's compilers, and keeps one waiting.
#[derive(Debug)]
pub struct SpareCompiler {
    build: WarmBuild,
    directory: PathBuf,
    sysroot: PathBuf,
    /// Where the metadata of Partita's dependencies is.
    metadata: PathBuf,
    state: Mutex<State>,
    starter: Sender<()>,
}

#[derive(Debug)]
struct State {
    /// The crates that were asked for.
    extra_crates: ExtraCrates,
    /// What the next cell needs.
    product: Product,
    next: Option<Rustc>,
    /// The session is over.
    closed: bool,
}

impl SpareCompiler {
    /// For a session whose files are in `directory`. Nothing waits yet.
    ///
    /// # Errors
    /// When what compilers need there cannot be made.
    pub fn new(build: WarmBuild, directory: PathBuf, product: Product) -> Result<Arc<Self>, WarmBuildError> {
        let sysroot = build.make_sysroot(&directory)?;
        let metadata = build.make_metadata(&directory)?;
        let state =
            Mutex::new(State { extra_crates: ExtraCrates::default(), product, next: None, closed: false });
        let (starter, asked) = mpsc::channel();
        let spare = Arc::new(Self { build, directory, sysroot, metadata, state, starter });
        let weak = Arc::downgrade(&spare);
        // A compiler ends with the thread that started it, so that none outlives a kernel that is killed; those
        // who want a completion come and go. Without the thread, cells start their compilers themselves.
        let _ =
            thread::Builder::new().name("compilers".into()).spawn(move || start_when_asked(&asked, &weak));
        Ok(spare)
    }

    /// What cells are compiled against.
    pub fn build(&self) -> &WarmBuild {
        &self.build
    }

    /// What cells have for a sysroot.
    pub fn sysroot(&self) -> &Path {
        &self.sysroot
    }

    /// What leads a compiler to the crates that cells can name.
    pub fn crates(&self) -> Vec<OsString> {
        self.crates_with(&self.lock())
    }

    fn crates_with(&self, state: &State) -> Vec<OsString> {
        let mut arguments = vec![self.build.extern_argument(), dependency_argument(&self.metadata)];
        arguments.extend(state.extra_crates.compiler_arguments.iter().cloned());
        arguments
    }

    /// Has the next one started, unless it is there.
    pub fn prepare(&self) {
        // An error means that there is no thread, and the next cell waits a little longer.
        let _ = self.starter.send(());
    }

    /// Nobody changes what it is started with meanwhile.
    fn start_next(&self) {
        let mut state = self.lock();
        if !state.closed && state.next.as_mut().is_none_or(|rustc| !rustc.is_waiting()) {
            // What goes wrong will go wrong again, and be said, when there is a cell.
            state.next = self.launch(&self.crates_with(&state), 0, "", state.product).ok();
        }
    }

    /// The one that waits, if it leaves `product`.
    pub fn take(&self, product: Product) -> Option<Rustc> {
        self.lock().next.take_if(|rustc| rustc.product() == product && rustc.is_waiting())
    }

    /// Starts one for a crate of its own kind.
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

    /// Compiles a text that is not to be run.
    ///
    /// # Errors
    /// When there is no compiler.
    pub fn look_at(&self, text: &str) -> io::Result<Compilation> {
        let product = self.lock().product;
        let rustc = match self.take(product) {
            Some(rustc) => rustc,
            None => self.start(0, "", product)?,
        };
        let said = rustc.finish(text, Until::Generated);
        self.prepare();
        said
    }

    /// From now on cells find other crates besides Partita.
    pub fn depend_on(&self, extra_crates: ExtraCrates) {
        let mut state = self.lock();
        // The one that waits was started with the old ones.
        (state.extra_crates, state.next) = (extra_crates, None);
    }

    /// What the linker has to know of the crates that were asked for.
    pub fn linker_arguments(&self) -> Vec<OsString> {
        self.lock().extra_crates.linker_arguments.clone()
    }

    /// From now on cells need something else of the compiler.
    pub fn leave(&self, product: Product) {
        let mut state = self.lock();
        (state.product, state.next) = (product, None);
    }

    /// Ends the one that waits; there will be no other.
    pub fn close(&self) {
        let mut state = self.lock();
        (state.closed, state.next) = (true, None);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn start_when_asked(asked: &Receiver<()>, spare: &Weak<SpareCompiler>) {
    while asked.recv().is_ok() {
        let Some(spare) = spare.upgrade() else { return };
        spare.start_next();
    }
}
