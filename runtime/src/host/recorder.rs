//! A host for tests: it keeps what is shown.

use super::input_error::InputError;
use super::interrupts::Interrupts;
use super::{Host, Shown};
use parking_lot::{Mutex, MutexGuard};

/// Keeps what is shown, and answers no question.
#[derive(Default)]
pub(crate) struct Recorder {
    interrupts: Interrupts,
    shown: Mutex<Vec<Shown>>,
}

impl Recorder {
    /// All that was shown so far.
    pub fn shown(&self) -> MutexGuard<'_, Vec<Shown>> {
        self.shown.lock()
    }
}

impl Host for Recorder {
    fn show(&self, shown: Shown) {
        self.shown().push(shown);
    }

    fn ask(&self, _: &str, _: bool) -> Result<String, InputError> {
        Err(InputError::Unavailable("a test answers no questions".into()))
    }

    fn interrupts(&self) -> &Interrupts {
        &self.interrupts
    }
}
