//! Several values below each other: the display of lists, tuples and maps.

use std::fmt::Display;

use super::html::{as_html, escape};
use super::{MimeBundle, MimeDisplay};

/// The number of values that are shown open; the others are folded.
const MAX_OPEN: usize = 3;
/// The most values that are shown.
const MAX_VALUES: usize = 12;
/// After this many lines of text only the first line of each value follows.
const MAX_LINES: usize = 40;

/// A page of `count` labelled values. Only values that are shown are rendered.
pub(super) fn listing<'a, L: Display>(
    values: impl Iterator<Item = (L, &'a dyn MimeDisplay)>,
    count: usize,
) -> MimeBundle {
    if count == 0 {
        return MimeBundle::text("(empty)");
    }
    let mut text = String::new();
    let mut html = String::new();
    let mut lines = 0;
    for (number, (label, value)) in values.take(MAX_VALUES).enumerate() {
        let bundle = value.mime_bundle();
        let plain = bundle.get("text/plain").unwrap_or_default().trim_end();
        let first = plain.lines().next().unwrap_or_default();
        let more = plain.lines().count().max(1);
        if number == 0 || lines + more <= MAX_LINES {
            lines += more;
            text.push_str(&format!("[{label}] {plain}\n"));
        } else {
            text.push_str(&format!("[{label}] {first} …\n"));
        }
        let open = if number < MAX_OPEN { " open" } else { "" };
        let summary = if more > 1 { first } else { "" };
        html.push_str(&format!(
            "<details{open}><summary>[{}] <small style=\"opacity:0.6\">{}</small></summary>{}</details>",
            escape(&label.to_string()),
            escape(summary),
            as_html(&bundle)
        ));
    }
    if count > MAX_VALUES {
        let rest = format!("… and {} more", count - MAX_VALUES);
        text.push_str(&rest);
        html.push_str(&format!("<small style=\"opacity:0.6\">{rest}</small>"));
    }
    MimeBundle::text(text.trim_end()).with("text/html", html)
}
