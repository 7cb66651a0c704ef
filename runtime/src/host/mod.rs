//! The program that Partita runs inside: a notebook's evaluation process, a terminal, a test. [`Host`] is
//! everything that the library needs from it.
//!
//! A [`Session`](crate::Session) keeps the host that it was built with. Free functions such as
//! [`display`](crate::display::display()) and [`input`](crate::input::input) have no session; they use
//! the [`current`] host, which is the [`Terminal`] unless a program calls [`set_current`]. `display`
//! defines what is shown and how it looks; a notebook's host is in `partita-notebook`.

pub(crate) mod input_error;
pub(crate) mod interrupts;
#[cfg(test)]
pub(crate) mod recorder;
mod terminal;

use std::env;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use partita_bridge::{MimeBundle, SPILL_VARIABLE};
use partita_events::Event;

use input_error::InputError;
use interrupts::Interrupts;

pub use terminal::Terminal;

/// What the library asks of the program that it runs inside.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use partita::cancel::Interrupts;
/// use partita::host::{Host, Shown};
/// use partita::input::InputError;
/// use partita::prelude::*;
///
/// /// Keeps what is shown.
/// #[derive(Default)]
/// struct Quiet {
///     interrupts: Interrupts,
///     shown: Mutex<Vec<Shown>>,
/// }
///
/// impl Host for Quiet {
///     fn show(&self, shown: Shown) {
///         self.shown.lock().unwrap().push(shown);
///     }
///     fn ask(&self, _: &str, _: bool) -> Result<String, InputError> {
///         Err(InputError::Unavailable("nobody is here".into()))
///     }
///     fn interrupts(&self) -> &Interrupts {
///         &self.interrupts
///     }
/// }
///
/// let host = Arc::new(Quiet::default());
/// let session = Session::builder().host(host.clone()).embedded(2)?;
/// session.range(0, 10, 2).show()?;
/// assert_eq!(host.shown.lock().unwrap().len(), 1);
///
/// host.interrupts.cancel();
/// assert!(matches!(session.range(0, 10, 2).count(), Err(PartitaError::Cancelled { .. })));
/// # Ok::<(), PartitaError>(())
/// ```
pub trait Host: Send + Sync + 'static {
    /// Shows something, or changes what is shown.
    fn show(&self, shown: Shown);

    /// Asks the person for a line, which is returned without its line break. A `password` is not shown.
    ///
    /// # Errors
    /// When nobody can be asked, or the person interrupts.
    fn ask(&self, prompt: &str, password: bool) -> Result<String, InputError>;

    /// Where the person's interrupts arrive: work takes its [`Token`](crate::cancel::Token) here.
    fn interrupts(&self) -> &Interrupts;

    /// Receives each event of each session, with the session's number, on the thread that emits it. It must
    /// be quick.
    fn receive(&self, _session: u64, _event: &Event) {}

    /// Whether [`Shown::Update`] replaces what was shown. If not, progress is drawn on standard error.
    fn replaces_displays(&self) -> bool {
        true
    }

    /// Whether escape sequences in text become colours. Front ends that do not support them remove them.
    fn has_colours(&self) -> bool {
        true
    }

    /// Whether a cell is running. Between cells, displays are not updated just because time passes.
    fn is_running(&self) -> bool {
        true
    }

    /// The directory for data that does not fit in memory and for the files of sessions. A kernel names one in
    /// `PARTITA_SPILL` to the processes that it starts, and removes it however they end.
    fn temp_dir(&self) -> PathBuf {
        env::var_os(SPILL_VARIABLE).map_or_else(env::temp_dir, PathBuf::from)
    }
}

/// What a program shows.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    /// A new display, which can be updated by its id.
    New {
        /// Its id.
        id: String,
        /// Its content.
        bundle: MimeBundle,
    },
    /// Replaces the content of every display with this id.
    Update {
        /// The id.
        id: String,
        /// The new content.
        bundle: MimeBundle,
    },
    /// Clears the running cell's outputs.
    Clear {
        /// Whether to wait until the next output.
        wait: bool,
    },
    /// A long value for the pager.
    Page(MimeBundle),
}

/// Process-wide because `display(&x)` and `input("…")` take no argument that could carry a host. There is
/// only one, because a process has one front end.
static CURRENT: OnceLock<Arc<dyn Host>> = OnceLock::new();

/// The host that free functions use, and that sessions are built with.
pub fn current() -> &'static Arc<dyn Host> {
    CURRENT.get_or_init(|| Arc::new(Terminal::default()))
}

/// The current host is already fixed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this process has a host already: set it once, before anything is shown and before the first session"
)]
pub struct AlreadySet;

/// Makes `host` the current one.
///
/// # Errors
/// When there is a current host: one was set, or something has used the terminal.
pub fn set_current(host: Arc<dyn Host>) -> Result<(), AlreadySet> {
    CURRENT.set(host).map_err(|_| AlreadySet)
}
