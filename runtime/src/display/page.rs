use std::sync::OnceLock;

use super::{MimeBundle, MimeDisplay};

static PAGER: OnceLock<fn(MimeBundle)> = OnceLock::new();

/// Shows a value to be read beside the notebook: in the front end's pager, once the cell has ended.
/// Elsewhere it is printed.
///
/// ```
/// partita::display::page(&partita::display::Markdown("# Long\n\nA text to read.".into()));
/// ```
pub fn page<T: MimeDisplay + ?Sized>(value: &T) {
    let bundle = value.mime_bundle();
    match PAGER.get() {
        Some(pager) => pager(bundle),
        None => println!("{}", bundle.get("text/plain").unwrap_or_default()),
    }
}

/// Sends pages to `pager` from now on; the first call holds.
pub(crate) fn page_to(pager: fn(MimeBundle)) {
    let _ = PAGER.set(pager);
}
