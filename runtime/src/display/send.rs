//! Showing a value in the middle of a cell or program. The evaluation process says where displays go;
//! without it they are printed.

use std::sync::OnceLock;

use super::{MimeBundle, MimeDisplay};

static SINK: OnceLock<fn(MimeBundle)> = OnceLock::new();

/// Shows a value now: richly in a notebook, as text on standard output elsewhere.
///
/// ```
/// partita::display::display(&partita::display::Markdown("**done**".into()));
/// ```
pub fn display<T: MimeDisplay + ?Sized>(value: &T) {
    let bundle = value.mime_bundle();
    match SINK.get() {
        Some(sink) => sink(bundle),
        None => println!("{}", bundle.get("text/plain").unwrap_or_default()),
    }
}

/// Sends displays to `sink` from now on; the first call holds.
pub(crate) fn send_to(sink: fn(MimeBundle)) {
    let _ = SINK.set(sink);
}
