//! Shows a value in the middle of a cell or program, through the current [`host`].

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{MimeBundle, MimeDisplay};
use crate::host::{self, Shown};

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
    host::current().show(Shown::Update { id: id.to_owned(), bundle: value.mime_bundle() });
}

/// Clears the running cell's outputs: at once, or with `wait` at the next output, which avoids flicker. Text
/// in a terminal stays.
///
/// ```
/// partita::display::clear_output(true);
/// ```
pub fn clear_output(wait: bool) {
    host::current().show(Shown::Clear { wait });
}

/// Shows a long value beside the outputs, in the front end's pager if it has one.
///
/// ```
/// partita::display::page(&partita::display::Text("a long manual".into()));
/// ```
pub fn page<T: MimeDisplay + ?Sized>(value: &T) {
    host::current().show(Shown::Page(value.mime_bundle()));
}

#[doc(hidden)]
pub fn display_bundle(bundle: MimeBundle) -> DisplayHandle {
    let handle = DisplayHandle::new(fresh_id());
    // `display!(())` has nothing to show.
    if !bundle.is_empty() {
        host::current().show(Shown::New { id: handle.id.clone(), bundle });
    }
    handle
}

/// An id that no other display of any kernel has.
pub fn fresh_id() -> String {
    // Process-wide: the id must differ from every other display's, whichever session or cell shows it.
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
        host::current().show(Shown::Update { id: self.id.clone(), bundle });
    }

    /// Shows a value here as well, under the same id; later updates change both places.
    pub fn display<T: MimeDisplay + ?Sized>(&self, value: &T) {
        host::current().show(Shown::New { id: self.id.clone(), bundle: value.mime_bundle() });
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
