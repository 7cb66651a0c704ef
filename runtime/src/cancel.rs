//! Whether what runs should stop. The evaluation process cancels when the person interrupts; long
//! work takes a [`Token`] when it starts and asks it now and then.
//!
//! A token belongs to the cell in which it was taken: an interrupt cancels everything the running
//! cell has started and will start, and the next cell begins afresh.

use std::sync::atomic::{AtomicU64, Ordering};

static CELL: AtomicU64 = AtomicU64::new(1);
static CANCELLED: AtomicU64 = AtomicU64::new(0);

/// Says whether the work it was taken for has been cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    cell: u64,
}

impl Token {
    /// Whether the work should stop now.
    #[must_use]
    pub fn is_cancelled(self) -> bool {
        self.cell <= CANCELLED.load(Ordering::Acquire)
    }
}

/// The token of the cell that runs now; outside a notebook, of the whole program.
#[must_use]
pub fn current() -> Token {
    Token { cell: CELL.load(Ordering::Acquire) }
}

/// Cancels everything started so far.
pub fn cancel() {
    CANCELLED.fetch_max(CELL.load(Ordering::Acquire), Ordering::AcqRel);
}

/// What unwinds from [`unwind`]: why.
pub(crate) struct Interrupted(pub(crate) String);

/// Ends the cell from work that has no error to return. It is no panic: no hook is told.
pub(crate) fn unwind(why: String) -> ! {
    std::panic::resume_unwind(Box::new(Interrupted(why)))
}

/// A new cell starts: what it begins is not cancelled. A program that offers interrupts of its own
/// calls this before it goes on after one.
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
