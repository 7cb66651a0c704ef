//! Shows a value in the middle of a cell or program. The evaluation process sets where displays go; without
//! it they are printed.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::capture::take;
use super::{MimeBundle, MimeDisplay};

/// A display on its way to the front end.
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

static SINK: OnceLock<fn(Shown)> = OnceLock::new();
static RUNNING: AtomicBool = AtomicBool::new(true);

/// Sends displays to `sink` from now on. Only the first call has an effect.
pub fn send_to(sink: fn(Shown)) {
    let _ = SINK.set(sink);
}

/// Sets whether a cell runs. Between cells, displays are not updated just because time passes.
pub fn set_running(running: bool) {
    RUNNING.store(running, Ordering::Relaxed);
}

pub(super) fn is_running() -> bool {
    RUNNING.load(Ordering::Relaxed)
}

/// Where displays go, if they are not printed.
pub(super) fn sink() -> Option<fn(Shown)> {
    SINK.get().copied()
}

/// Whether escape sequences in text become colours. Front ends that do not support them remove them.
pub(crate) fn colours() -> bool {
    sink().is_some() || io::stdout().is_terminal()
}

fn send(shown: Shown) {
    let Some(shown) = take(shown) else { return };
    match (sink(), shown) {
        (Some(sink), shown) => sink(shown),
        (None, Shown::New { bundle, .. } | Shown::Update { bundle, .. } | Shown::Page(bundle)) => {
            if let Some(text) = bundle.get("text/plain") {
                // A closed standard output is not the program's error.
                let _ = writeln!(io::stdout(), "{}", text.trim_end());
            }
        }
        // Printed text cannot be cleared.
        (None, Shown::Clear { .. }) => {}
    }
}

/// Shows a value now: as rich output in a notebook, as text on standard output elsewhere. The returned handle
/// can replace the output; it may be ignored.
///
/// ```
/// use partita::display::{Markdown, display};
/// let shown = display(&Markdown("**working**".into()));
/// shown.update(&Markdown("**done**".into()));
/// ```
pub fn display<T: MimeDisplay + ?Sized>(value: &T) -> DisplayHandle {
    display_bundle(value.mime_bundle())
}

/// Shows a value under an id of your choice, for [`update_display`] from another cell. Earlier displays with
/// the same id are not changed.
///
/// ```
/// use partita::display::{Markdown, display_with_id, update_display};
/// display_with_id("state", &Markdown("loading".into()));
/// update_display("state", &Markdown("loaded".into()));
/// ```
pub fn display_with_id<T: MimeDisplay + ?Sized>(id: impl Into<String>, value: &T) -> DisplayHandle {
    let handle = DisplayHandle::new(id);
    handle.display(value);
    handle
}

/// Replaces the content of every display with this id.
pub fn update_display<T: MimeDisplay + ?Sized>(id: &str, value: &T) {
    send(Shown::Update { id: id.to_owned(), bundle: value.mime_bundle() });
}

/// Clears the running cell's outputs: at once, or with `wait` at the next output, which avoids flicker. Text
/// in a terminal stays.
///
/// ```
/// partita::display::clear_output(true);
/// ```
pub fn clear_output(wait: bool) {
    send(Shown::Clear { wait });
}

/// Shows a long value beside the outputs, in the front end's pager if it has one.
///
/// ```
/// partita::display::page(&partita::display::Text("a long manual".into()));
/// ```
pub fn page<T: MimeDisplay + ?Sized>(value: &T) {
    send(Shown::Page(value.mime_bundle()));
}

#[doc(hidden)]
pub fn display_bundle(bundle: MimeBundle) -> DisplayHandle {
    let handle = DisplayHandle::new(fresh_id());
    // `display!(())` has nothing to show.
    if !bundle.is_empty() {
        send(Shown::New { id: handle.id.clone(), bundle });
    }
    handle
}

/// An id that no other display of any kernel has.
pub fn fresh_id() -> String {
    static PROCESS: OnceLock<u64> = OnceLock::new();
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let process = PROCESS.get_or_init(rand::random);
    format!("partita-{process:016x}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A handle to a display from [`display`] or [`display_with_id`]. It can change the display, in later cells
/// too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayHandle {
    id: String,
}

impl DisplayHandle {
    /// The handle of the displays with this id.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into() }
    }

    /// The display's id in front ends.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Replaces the display's content wherever it is shown.
    pub fn update<T: MimeDisplay + ?Sized>(&self, value: &T) {
        update_display(&self.id, value);
    }

    #[doc(hidden)]
    pub fn update_bundle(&self, bundle: MimeBundle) {
        send(Shown::Update { id: self.id.clone(), bundle });
    }

    /// Shows a value here as well, under the same id; later updates change both places.
    pub fn display<T: MimeDisplay + ?Sized>(&self, value: &T) {
        send(Shown::New { id: self.id.clone(), bundle: value.mime_bundle() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_displays_share_an_id() {
        let (first, second) = (fresh_id(), fresh_id());
        assert_ne!(first, second);
        assert!(first.starts_with("partita-") && second.starts_with("partita-"));
    }
}
