use std::{
    any::{Any, TypeId, type_name},
    cell::{Cell, RefCell},
    future::Future,
    io,
    mem::needs_drop,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::OnceLock,
    time::{Duration, Instant},
};

use partita::cancel::{self, Interrupted};
use partita_bridge::{CellOutcome, MimeBundle, Panic, Spent, Stream};
use polars::error::abort::{QueryAborted, catch_polars_abort};
use tokio::runtime::Runtime;

use super::{CellFailure, panics, store::Store, write_text};

/// How often a cell that awaits checks whether it was interrupted.
const CANCEL_CHECK: Duration = Duration::from_millis(20);

/// The result of a cell's body: nothing, or the error that ended it.
pub type CellResult = Result<(), CellFailure>;

/// The function that the kernel generates around a cell. The cell's outcome is stored in its scope.
pub type CellFunction = fn(&Scope);

/// What a running cell sees of the process: its variables. The generated code takes out the variables
/// that the cell names, lends them to the body, and puts back those that the body did not consume,
/// however it ended.
///
/// Everything generic here is compiled again in every cell, with all that it calls and drops. So it
/// consists of a few lines around functions that are not generic, which halves the time to compile a
/// cell.
#[derive(Default)]
pub struct Scope {
    store: RefCell<Store>,
    outcome: RefCell<Option<CellOutcome>>,
    shown: RefCell<Option<MimeBundle>>,
    /// When the value began to be turned into what is shown.
    displaying: Cell<Option<Instant>>,
    spent: Cell<Spent>,
}

/// A value on its way into the store. The compiler writes its type in full into the MIR, where the kernel
/// reads it.
pub struct Kept<T> {
    name: &'static str,
    value: T,
}

impl<T: 'static> Kept<T> {
    /// Marks `value` to be kept under `name`.
    #[inline(never)]
    pub fn new(name: &'static str, value: T) -> Self {
        Self { name, value }
    }
}

impl Scope {
    /// Whether `name` can be taken as a `T`. Called before anything runs. If it cannot, that is the
    /// cell's outcome.
    pub fn expect<T: 'static>(&self, name: &str) -> bool {
        self.expect_type(name, TypeId::of::<T>(), type_name::<T>())
    }

    #[inline(never)]
    fn expect_type(&self, name: &str, id: TypeId, type_name: &'static str) -> bool {
        let checked = self.store.borrow().check(name, id, type_name);
        checked.map_err(|error| self.end(CellOutcome::NotLoaded(error.to_string()))).is_ok()
    }

    /// Takes a variable out, after [`expect`](Self::expect) has allowed it.
    ///
    /// # Panics
    /// If `expect` was not called; the generated code always calls it.
    #[must_use]
    pub fn take<T: 'static>(&self, name: &str) -> T {
        match self.take_value(name, TypeId::of::<T>()).downcast() {
            Ok(value) => *value,
            Err(_) => never_asked(name),
        }
    }

    #[inline(never)]
    fn take_value(&self, name: &str, id: TypeId) -> Box<dyn Any> {
        let value = self.store.borrow_mut().take(name, id);
        value.unwrap_or_else(|| never_asked(name))
    }

    /// Stores what the body bound.
    pub fn keep<T: 'static>(&self, kept: Kept<T>) {
        self.keep_value(kept.name, Box::new(kept.value), type_name::<T>(), needs_drop::<T>());
    }

    #[inline(never)]
    fn keep_value(&self, name: &str, value: Box<dyn Any>, type_name: &'static str, owns: bool) {
        // The old value is dropped after the borrow, because its `drop` is the person's code.
        let old = self.store.borrow_mut().put_value(name, value, type_name, owns);
        release(name, old);
    }

    /// Puts back a variable that was lent to the body, unless the body rebound the name.
    pub fn restore<T: 'static>(&self, name: &str, value: T) {
        self.restore_value(name, Box::new(value), type_name::<T>(), needs_drop::<T>());
    }

    #[inline(never)]
    fn restore_value(&self, name: &str, value: Box<dyn Any>, type_name: &'static str, owns: bool) {
        if self.store.borrow().contains(name) {
            release(name, value);
            return;
        }
        self.store.borrow_mut().put_value(name, value, type_name, owns);
    }

    /// Runs the body and turns every way it can end into an outcome.
    pub fn run(&self, body: impl FnOnce() -> CellResult) {
        self.run_boxed(Box::new(body));
    }

    #[inline(never)]
    fn run_boxed(&self, body: Box<dyn FnOnce() -> CellResult + '_>) {
        panics::forget_last();
        let began = Instant::now();
        let body = AssertUnwindSafe(|| catch_polars_abort(AssertUnwindSafe(body)));
        let ended = catch_unwind(body);
        let display = self.displaying.take().map_or(Duration::ZERO, |since| since.elapsed());
        let display = display + self.spent.get().display;
        let run = began.elapsed().saturating_sub(display);
        self.spent.set(Spent { run, display, ..self.spent.get() });
        self.end(match ended {
            Ok(Ok(Ok(()))) => CellOutcome::Finished(self.shown.take()),
            Ok(Ok(Err(failure))) => CellOutcome::Failed(failure.into_chain()),
            Ok(Err(QueryAborted::KeyboardInterrupt)) => {
                CellOutcome::Failed(vec!["the Polars query was interrupted".into()])
            }
            Ok(Err(QueryAborted::OocOutOfDisk)) => {
                CellOutcome::Failed(vec!["the disk is full: Polars could not spill its data".into()])
            }
            Err(payload) => match payload.downcast::<Interrupted>() {
                Ok(interrupted) => CellOutcome::Failed(vec![interrupted.0]),
                Err(payload) => CellOutcome::Panicked(panics::last(payload)),
            },
        });
    }

    /// Like [`run`](Self::run), for a body that awaits.
    pub fn run_async(&self, body: impl Future<Output = CellResult>) {
        self.run_pinned(Box::pin(body));
    }

    #[inline(never)]
    fn run_pinned(&self, body: Pin<Box<dyn Future<Output = CellResult> + '_>>) {
        self.run(|| match runtime() {
            // An interrupted cell is not waited for; what it borrowed is given back as after a `?`.
            Ok(runtime) => runtime.block_on(async {
                let token = cancel::current();
                tokio::select! {
                    biased;
                    outcome = body => outcome,
                    () = cancelled(&token) => Err(CellFailure::new("the cell was interrupted at an `.await`")),
                }
            }),
            Err(error) => Err(CellFailure::new(format!("cannot start the async runtime: {error}"))),
        });
    }

    /// The body's own work is done; what follows turns its value into what is shown.
    pub fn begin_display(&self) {
        self.displaying.set(Some(Instant::now()));
    }

    /// Sets the body's value, if there is something to show. It is shown if the body succeeds.
    pub fn show(&self, bundle: Option<MimeBundle>) {
        if let Some(since) = self.displaying.take() {
            self.spent.set(Spent { display: since.elapsed(), ..self.spent.get() });
        }
        self.shown.replace(bundle);
    }

    fn end(&self, outcome: CellOutcome) {
        self.outcome.replace(Some(outcome));
    }

    /// How the body ended. Call it once.
    pub fn outcome(&self) -> CellOutcome {
        self.outcome.take().unwrap_or_else(|| CellOutcome::NotLoaded("it did not report how it ended".into()))
    }

    /// Another cell begins; loading it took this long.
    pub(super) fn begin(&self, load: Duration) {
        self.shown.take();
        self.outcome.take();
        self.displaying.take();
        self.spent.set(Spent { load, ..Spent::default() });
    }

    /// Where the last cell's time went.
    pub(super) fn spent(&self) -> Spent {
        self.spent.get()
    }

    pub(super) fn forget(&self, name: &str) {
        let value = self.store.borrow_mut().forget(name);
        release(name, value);
    }

    /// Passes every variable to `look`, which must not call this scope.
    pub(super) fn each(&self, look: impl FnMut(&str, &dyn Any)) {
        self.store.borrow().each(look);
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.store.borrow().contains(name)
    }

    /// Keeps a value that no cell made.
    pub(super) fn insert<T: 'static>(&self, name: &str, value: T) {
        let old = self.store.borrow_mut().put(name, value);
        release(name, old);
    }

    pub(super) fn variables(&self) -> Vec<partita_bridge::Variable> {
        self.store.borrow().variables()
    }
}

/// Waits until the cell's work is cancelled.
async fn cancelled(token: &cancel::Token) {
    while !token.is_cancelled() {
        tokio::time::sleep(CANCEL_CHECK).await;
    }
}

/// An error in the generated code, which always checks first.
#[inline(never)]
fn never_asked(name: &str) -> ! {
    panic!("variable `{name}` was taken without checking whether it exists")
}

/// Drops a variable's old value outside of any body. Its `drop` is the person's code: a panic in it is
/// reported, and nothing else is lost.
fn release<T>(name: &str, value: T) {
    panics::forget_last();
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        let Panic { message, file, line, .. } = panics::last(payload);
        write_text(
            Stream::Stderr,
            format_args!("dropping the old value of `{name}` panicked at {file}, line {line}: {message}\n"),
        );
    }
}

/// One runtime for all cells, so that a task spawned in one continues in the next.
fn runtime() -> io::Result<&'static Runtime> {
    // Process-wide: the tasks in it outlive the cell and the scope that spawned them.
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let runtime = Runtime::new()?;
    Ok(RUNTIME.get_or_init(|| runtime))
}
