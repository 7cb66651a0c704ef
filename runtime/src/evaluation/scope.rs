use std::{
    any::Any,
    cell::RefCell,
    future::Future,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::OnceLock,
    time::Duration,
};

use partita_bridge::{CellOutcome, MimeBundle, Panic, Stream};
use polars::error::abort::{QueryAborted, catch_polars_abort};
use tokio::runtime::Runtime;

use super::{CellFailure, panics, store::Store, write_text};
use crate::cancel::{self, Interrupted};

/// How often a cell that awaits looks whether it was interrupted.
const CANCEL_CHECK: Duration = Duration::from_millis(20);

/// What a cell's body returns: what to show, or the error that left it.
pub type CellResult = Result<Option<MimeBundle>, CellFailure>;

/// The function that the kernel generates around a cell.
pub type CellFunction = fn(&Scope) -> CellOutcome;

/// What a running cell sees of the process: its variables. The generated code takes the variables
/// that the cell names out of it, lends them to the body, and puts back those the body did not
/// consume, however the body ended.
#[derive(Default)]
pub struct Scope {
    store: RefCell<Store>,
}

/// A value on its way into the store. The type is written out in the compiler's MIR, from which the
/// kernel reads it.
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
    /// Says before anything runs whether `name` can be had as a `T`.
    ///
    /// # Errors
    /// When it is not there or has another type.
    pub fn expect<T: 'static>(&self, name: &str) -> Result<(), CellOutcome> {
        self.store.borrow().check::<T>(name).map_err(CellOutcome::NotLoaded)
    }

    /// Takes a variable out, after [`expect`](Self::expect) allowed it.
    ///
    /// # Panics
    /// When `expect` was not asked; the generated code always asks.
    #[must_use]
    pub fn take<T: 'static>(&self, name: &str) -> T {
        let value = self.store.borrow_mut().take(name);
        value.unwrap_or_else(|| panic!("variable `{name}` was taken without asking whether it is there"))
    }

    /// Stores what the body bound.
    pub fn keep<T: 'static>(&self, kept: Kept<T>) {
        // The old value is dropped after the borrow: its `drop` is the person's code.
        let old = self.store.borrow_mut().put(kept.name, kept.value);
        release(kept.name, old);
    }

    /// Puts back a variable that the body was lent, unless the body bound the name anew.
    pub fn restore<T: 'static>(&self, name: &str, value: T) {
        if self.store.borrow().contains(name) {
            release(name, value);
            return;
        }
        self.store.borrow_mut().put(name, value);
    }

    /// Runs the body and turns every way it can end into an outcome.
    pub fn run(&self, body: impl FnOnce() -> CellResult) -> CellOutcome {
        panics::forget_last();
        let body = AssertUnwindSafe(|| catch_polars_abort(AssertUnwindSafe(body)));
        match catch_unwind(body) {
            Ok(Ok(Ok(bundle))) => CellOutcome::Finished(bundle),
            Ok(Ok(Err(failure))) => CellOutcome::Failed(failure.into_chain()),
            Ok(Err(QueryAborted::KeyboardInterrupt)) => {
                CellOutcome::Failed(vec!["the Polars query was interrupted".into()])
            }
            Ok(Err(QueryAborted::OocOutOfDisk)) => {
                CellOutcome::Failed(vec!["Polars found no room on the disk for what it had to spill".into()])
            }
            Err(payload) => match payload.downcast::<Interrupted>() {
                Ok(interrupted) => CellOutcome::Failed(vec![interrupted.0]),
                Err(payload) => CellOutcome::Panicked(panics::last(payload)),
            },
        }
    }

    /// [`run`](Self::run) for a body that awaits.
    pub fn run_async(&self, body: impl Future<Output = CellResult>) -> CellOutcome {
        self.run(|| match runtime() {
            // An interrupted cell is not waited for; what it borrowed is given back as after a `?`.
            Ok(runtime) => runtime.block_on(async {
                let token = cancel::current();
                tokio::select! {
                    biased;
                    outcome = body => outcome,
                    () = cancelled(token) => Err(CellFailure::new("the cell was interrupted at an `.await`")),
                }
            }),
            Err(error) => Err(CellFailure::new(format!("cannot start the async runtime: {error}"))),
        })
    }

    pub(super) fn forget(&self, name: &str) {
        let value = self.store.borrow_mut().forget(name);
        release(name, value);
    }

    /// Shows every variable to `look`, which must not come back here.
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
async fn cancelled(token: cancel::Token) {
    while !token.is_cancelled() {
        tokio::time::sleep(CANCEL_CHECK).await;
    }
}

/// Drops a variable's old value outside of any body. Its `drop` is the person's code: if it panics, that
/// is said, and nothing else is lost.
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

/// One runtime for all cells, so that a task spawned in one goes on in the next.
fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let runtime = Runtime::new()?;
    Ok(RUNTIME.get_or_init(|| runtime))
}
