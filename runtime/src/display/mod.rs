//! How values look to a person: one trait, [`MimeDisplay`], from a value to a MIME bundle, with its
//! implementations for Polars' types and for the wrappers that pick a representation ([`Html`],
//! [`Markdown`], [`Image`]). [`mime_of!`](crate::mime_of) extends it to any value at all, which is
//! what a cell's last expression needs; [`display()`] shows a value on the way. Where the bundle goes (a
//! notebook, a terminal) is not decided here, and pictures of data are made in [`plot`](crate::plot).

pub mod any;
mod containers;
pub(crate) mod html;
mod page;
mod polars;
mod send;
mod table;
mod wrappers;

pub use page::page;
pub(crate) use page::page_to;
pub use partita_bridge::MimeBundle;
pub use send::display;
pub(crate) use send::send_to;
pub use wrappers::{Html, Image, Markdown};

/// A value that can show itself to a person.
///
/// Implement it for your own types and they show richly as a cell's last expression:
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
pub trait MimeDisplay {
    /// The value in every representation it has; `text/plain` is always among them.
    fn mime_bundle(&self) -> MimeBundle;
}
