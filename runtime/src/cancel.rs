//! Cancellation. The [`host`] cancels when the person interrupts. Long work takes a [`Token`]
//! when it starts and checks it from time to time.
//!
//! A token belongs to the cell in which it was taken: an interrupt cancels everything that the running
//! cell has started and will start, and the next cell starts afresh. Work that can be cancelled alone,
//! because its result is no longer wanted, is also a [`Run`]. These functions use the current host; jobs use
//! their session's.

pub use crate::host::interrupts::{Interrupts, Run, Token};

use crate::host;

/// The token for what this thread does: of the running cell, and of the [`Run`] that it is within.
/// Outside a notebook, of the whole program.
#[must_use]
pub fn current() -> Token {
    host::current().interrupts().token()
}

/// Cancels everything started so far.
pub fn cancel() {
    host::current().interrupts().cancel();
}

/// A new cell starts: what it starts is not cancelled. A program with interrupts of its own calls this
/// before it continues after one.
pub fn next_cell() {
    host::current().interrupts().next_cell();
}

/// The payload of [`unwind`]: the reason.
#[doc(hidden)]
pub struct Interrupted(pub String);

/// Ends the cell from work that has no error to return. This is not a panic, so the panic hook is not
/// called.
pub(crate) fn unwind(why: String) -> ! {
    std::panic::resume_unwind(Box::new(Interrupted(why)))
}
