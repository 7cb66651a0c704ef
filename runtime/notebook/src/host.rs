//! The host of a notebook's sessions: it sends their displays to the kernel and gets their input from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use partita::cancel::Interrupts;
use partita::host::{AlreadySet, Host, Shown};
use partita::input::InputError;
use partita_bridge::{FrameError, FromEvaluation, Stream};
use partita_events::Event;

use crate::bridge::bridge;
use crate::input::Questions;
use crate::print::write_text;
use crate::widgets::timeline;
use crate::{capture, events};

/// The evaluation process, as its sessions see it.
#[derive(Default)]
pub(crate) struct Notebook {
    pub interrupts: Interrupts,
    pub questions: Questions,
    /// Whether a cell is running.
    running: AtomicBool,
}

impl Notebook {
    /// Makes this the host of the process.
    pub fn install() -> Result<Arc<Self>, AlreadySet> {
        let notebook = Arc::new(Self::default());
        partita::host::set_current(notebook.clone())?;
        Ok(notebook)
    }

    /// The same for tests, which share one process.
    #[cfg(test)]
    pub fn install_for_tests() {
        let _ = Self::install();
    }

    /// A cell or command begins or has ended.
    pub fn set_running(&self, running: bool) {
        self.running.store(running, Ordering::Relaxed);
    }
}

impl Host for Notebook {
    fn show(&self, shown: Shown) {
        let Some(shown) = capture::take(shown) else { return };
        let message = match shown {
            Shown::New { id, bundle } => FromEvaluation::Display { id: Some(id), bundle },
            Shown::Update { id, bundle } => FromEvaluation::UpdateDisplay { id, bundle },
            Shown::Clear { wait } => FromEvaluation::ClearOutput { wait },
            Shown::Page(bundle) => FromEvaluation::Page(bundle),
        };
        if let Some(bridge) = bridge() {
            // A display over the bridge's limit is reported; if the kernel has gone, this process ends.
            if let Err(FrameError::TooLarge(bytes)) = bridge.send(&message) {
                write_text(Stream::Stderr, format_args!("a display of {bytes} bytes is too large to show\n"));
            }
        }
    }

    fn ask(&self, prompt: &str, password: bool) -> Result<String, InputError> {
        self.questions.ask(prompt, password, &self.interrupts.token())
    }

    fn interrupts(&self) -> &Interrupts {
        &self.interrupts
    }

    fn receive(&self, session: u64, event: &Event) {
        timeline::note(session, event);
        events::receive(session, event);
    }

    fn is_running(&self) -> bool {
        self.running.load(Ordering::Relaxed)
    }
}
