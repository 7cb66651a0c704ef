//! How values are displayed. One trait, [`MimeDisplay`], makes a MIME bundle of a value. It is implemented
//! for Polars' types, for job reports, for containers and for the wrappers that pick a representation
//! ([`Html`], [`Markdown`], [`Latex`], [`Json`], [`Image`], [`Text`]). [`mime_of!`](crate::mime_of) extends it
//! to any value, which a cell's last expression needs. [`display()`] shows a value in the middle of a cell and
//! returns a handle that replaces it; [`progress()`] shows the progress of a loop. The [`host`](crate::host)
//! decides where displays go (a notebook, a terminal), and plots are in [`plot`](crate::plot).

mod answer;
mod bounded;
mod containers;
pub mod html;
mod image;
#[doc(hidden)]
mod job_report;
mod listing;
pub mod mime_of;
mod polars;
mod progress;
mod show;
mod table;
mod wrappers;

pub use answer::Answer;
pub use image::{Image, ImageError};
pub use partita_bridge::MimeBundle;
pub use progress::{Progress, ProgressIterator, progress};
pub use show::{DisplayHandle, clear_output, display, display_with_id, page, update_display};
#[doc(hidden)]
pub use show::{display_bundle, fresh_id};
pub use wrappers::{Html, Json, JsonError, Latex, Markdown, Text};

/// A value that can be displayed.
///
/// Implement it for your own types to give them rich output as a cell's last expression:
///
/// ```
/// use partita::display::{MimeBundle, MimeDisplay};
/// struct Celsius(f64);
/// impl MimeDisplay for Celsius {
///     fn mime_bundle(&self) -> MimeBundle {
///         MimeBundle::text(format!("{} °C", self.0)).with("text/html", format!("<b>{}</b> °C", self.0))
///     }
/// }
/// assert_eq!(Celsius(21.5).mime_bundle().get("text/plain"), Some("21.5 °C"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be displayed",
    label = "not a MimeDisplay",
    note = "`display!(value)` shows any value that has Debug; to show your own type richly, implement \
            MimeDisplay for it"
)]
pub trait MimeDisplay {
    /// The value in all its representations; `text/plain` is always among them.
    fn mime_bundle(&self) -> MimeBundle;

    /// The error's message, if the value is a failure.
    #[doc(hidden)]
    fn failure(&self) -> Option<String> {
        None
    }
}

/// The examples in docs/display.md.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/display.md")]
struct Page;
