use std::sync::Arc;

use super::process::ProcessControl;
use crate::evaluator::Messenger;
use parking_lot::Mutex;

/// Leads to the current evaluation process. An evaluator has one for its whole life, so that a restarted
/// process is reached the same way.
#[derive(Clone, Default)]
pub struct CurrentProcess {
    process: Arc<Mutex<Option<ProcessControl>>>,
}

impl CurrentProcess {
    /// Directs messages to this process from now on.
    pub fn connect(&self, process: ProcessControl) {
        *self.process.lock() = Some(process);
    }

    /// A handle for front ends.
    pub fn messenger(&self) -> Messenger {
        let process = Arc::clone(&self.process);
        Arc::new(move |message| {
            // Do not hold the lock while sending: a process that does not read would block its successor.
            let control = process.lock().clone();
            if let Some(control) = control {
                control.send(message);
            }
        })
    }
}
