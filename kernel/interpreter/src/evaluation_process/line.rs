use std::sync::{Arc, Mutex, PoisonError};

use super::process::ProcessControl;
use crate::evaluator::Messenger;

/// Leads to the evaluation process that there is now. One for the life of an evaluator, so that a
/// restarted process is reached the same way.
#[derive(Clone, Default)]
pub struct Line {
    process: Arc<Mutex<Option<ProcessControl>>>,
}

impl Line {
    /// From now on messages go there.
    pub fn connect(&self, process: ProcessControl) {
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
    }

    /// A handle for front ends.
    pub fn messenger(&self) -> Messenger {
        let process = Arc::clone(&self.process);
        Arc::new(move |message| {
            // Not under the lock: a process that does not read would hold up its successor.
            let control = process.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(control) = control {
                control.tell(message);
            }
        })
    }
}
