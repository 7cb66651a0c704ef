//! Cancellation. The evaluation process cancels when the person interrupts. Long work takes a [`Token`]
//! when it starts and checks it from time to time.
//!
//! A token belongs to the cell in which it was taken: an interrupt cancels everything that the running
//! cell has started and will start, and the next cell starts afresh. Work that can be cancelled alone,
//! because its result is no longer wanted, is also a [`Run`].

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static CELL: AtomicU64 = AtomicU64::new(1);
static CANCELLED: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static RUN: RefCell<Option<Run>> = const { RefCell::new(None) };
}

/// Tells whether the work it was taken for has been cancelled.
#[derive(Debug, Clone)]
pub struct Token {
    cell: u64,
    run: Option<Run>,
}

impl Token {
    /// Whether the work should stop now.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cell <= CANCELLED.load(Ordering::Acquire) || self.run.as_ref().is_some_and(Run::is_cancelled)
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

/// The token for what this thread does: of the running cell, and of the [`Run`] that it is within.
/// Outside a notebook, of the whole program.
#[must_use]
pub fn current() -> Token {
    Token { cell: CELL.load(Ordering::Acquire), run: RUN.with_borrow(Clone::clone) }
}

/// Cancels everything started so far.
pub fn cancel() {
    CANCELLED.fetch_max(CELL.load(Ordering::Acquire), Ordering::AcqRel);
}

/// The payload of [`unwind`]: the reason.
#[doc(hidden)]
pub struct Interrupted(pub String);

/// Ends the cell from work that has no error to return. This is not a panic, so the panic hook is not
/// called.
pub(crate) fn unwind(why: String) -> ! {
    std::panic::resume_unwind(Box::new(Interrupted(why)))
}

/// A new cell starts: what it starts is not cancelled. A program with interrupts of its own calls this
/// before it continues after one.
pub fn next_cell() {
    CELL.fetch_add(1, Ordering::AcqRel);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancelled_cell_stays_cancelled_and_the_next_one_is_not() {
        let first = current();
        assert!(!first.is_cancelled());
        cancel();
        assert!(first.is_cancelled());
        assert!(current().is_cancelled(), "work the same cell starts later is cancelled too");
        next_cell();
        assert!(!current().is_cancelled());
        assert!(first.is_cancelled());
    }
}
