//! A host's interrupts, and the tokens with which work checks for them.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

thread_local! {
    static RUN: RefCell<Option<Run>> = const { RefCell::new(None) };
}

/// The interrupts of one host. Cheap to clone; clones are the same.
///
/// ```
/// use partita::cancel::Interrupts;
/// let interrupts = Interrupts::default();
/// let token = interrupts.token();
/// interrupts.cancel();
/// assert!(token.is_cancelled());
/// interrupts.next_cell();
/// assert!(!interrupts.token().is_cancelled());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Interrupts {
    cells: Arc<Cells>,
}

/// Cells are counted from 1.
#[derive(Debug)]
struct Cells {
    running: AtomicU64,
    /// This cell and all before it are cancelled.
    cancelled: AtomicU64,
}

impl Default for Cells {
    fn default() -> Self {
        Self { running: AtomicU64::new(1), cancelled: AtomicU64::new(0) }
    }
}

impl Interrupts {
    /// The token for what this thread does: of the running cell, and of the [`Run`] that it is within.
    #[must_use]
    pub fn token(&self) -> Token {
        let cell = self.cells.running.load(Ordering::Acquire);
        Token { cells: self.cells.clone(), cell, run: RUN.with_borrow(Clone::clone) }
    }

    /// Cancels everything started so far.
    pub fn cancel(&self) {
        self.cells.cancelled.fetch_max(self.cells.running.load(Ordering::Acquire), Ordering::AcqRel);
    }

    /// Starts a new cell: what it starts is not cancelled.
    pub fn next_cell(&self) {
        self.cells.running.fetch_add(1, Ordering::AcqRel);
    }
}

/// Tells whether the work it was taken for has been cancelled.
#[derive(Debug, Clone)]
pub struct Token {
    cells: Arc<Cells>,
    cell: u64,
    run: Option<Run>,
}

impl Token {
    /// Whether the work should stop now.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cell <= self.cells.cancelled.load(Ordering::Acquire)
            || self.run.as_ref().is_some_and(Run::is_cancelled)
    }
}

/// Work of one thread that can be cancelled alone, while the cell and its other work go on.
///
/// ```
/// use partita::cancel::{self, Run};
/// let run = Run::default();
/// run.within(|| {
///     run.cancel();
///     assert!(cancel::current().is_cancelled());
/// });
/// assert!(!cancel::current().is_cancelled());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Run {
    cancelled: Arc<AtomicBool>,
}

impl Run {
    /// Does `work`, which this run can cancel.
    pub fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        /// Restores the previous run, even if the work unwinds.
        struct Back(Option<Run>);
        impl Drop for Back {
            fn drop(&mut self) {
                RUN.set(self.0.take());
            }
        }
        let _back = Back(RUN.replace(Some(self.clone())));
        work()
    }

    /// Cancels what was started within it.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    /// Whether it was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancelled_cell_stays_cancelled_and_the_next_one_is_not() {
        let interrupts = Interrupts::default();
        let first = interrupts.token();
        assert!(!first.is_cancelled());
        interrupts.cancel();
        assert!(first.is_cancelled());
        assert!(interrupts.token().is_cancelled(), "work the same cell starts later is cancelled too");
        interrupts.next_cell();
        assert!(!interrupts.token().is_cancelled());
        assert!(first.is_cancelled());
    }
}
