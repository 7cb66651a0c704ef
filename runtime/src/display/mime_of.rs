//! Displays any value: [`mime_of!`](crate::mime_of) prefers [`MimeDisplay`], falls back to `Debug`, and for a
//! type with neither says which derive would help.
//!
//! The choice is made where the expression's type is known, by autoref specialisation. The macro calls
//! `.mime()` on references to a [`Probe`]. Method lookup strips one reference at a time and finds the
//! implementations in order of preference. The traits are public only because the macro's expansion names
//! them.

use std::any::type_name;
use std::fmt::{self, Debug, Write};

use super::bounded::Bounded;
use super::{DisplayHandle, MimeBundle, MimeDisplay};

/// The display of any expression's value: `Some` bundle, or `None` for `()`, which shows nothing.
///
/// The expression is evaluated once and borrowed, not moved. Its type must be concrete at the place of the
/// macro: inside a generic function only the bounds written there count.
///
/// ```
/// struct Opaque;
/// let text = |bundle: Option<partita::display::MimeBundle>| {
///     bundle.and_then(|bundle| bundle.get("text/plain").map(str::to_owned))
/// };
/// assert_eq!(text(partita::mime_of!(1 + 1)).as_deref(), Some("2"));
/// assert_eq!(text(partita::mime_of!(())), None);
/// assert!(text(partita::mime_of!(Opaque)).unwrap().contains("derive(Debug)"));
/// ```
#[macro_export]
macro_rules! mime_of {
    ($value:expr) => {
        match &$value {
            value => {
                #[allow(unused_imports)]
                use $crate::display::mime_of::{
                    ViaDebug as _, ViaMimeDisplay as _, ViaName as _, ViaUnit as _,
                };
                (&&&&$crate::display::mime_of::Probe(value)).mime()
            }
        }
    };
}

/// Shows any value now, as a cell's last expression would be shown. It is
/// [`display()`](crate::display::display) for values without [`MimeDisplay`].
///
/// ```
/// let shown = partita::display!(vec![1, 2, 3]);
/// shown.update(&partita::display::Text("changed".into()));
/// ```
#[macro_export]
macro_rules! display {
    ($value:expr) => {
        $crate::display::display_bundle($crate::mime_of!($value).unwrap_or_default())
    };
}

/// The longest text for a `Debug` value; longer text is cut, with a note.
const MAX_DEBUG_BYTES: usize = 64 << 10;
/// The longest one-line `Debug` form; longer ones are indented.
const ONE_LINE_BYTES: usize = 120;
/// The most lines of the indented form: a longer list reads better on one wrapped line.
const MAX_INDENTED_LINES: usize = 100;

/// A borrowed value whose representation is to be chosen.
#[doc(hidden)]
pub struct Probe<'a, T: ?Sized>(pub &'a T);

#[doc(hidden)]
pub trait ViaUnit {
    fn mime(&self) -> Option<MimeBundle>;
}

impl ViaUnit for &&&Probe<'_, ()> {
    fn mime(&self) -> Option<MimeBundle> {
        None
    }
}

/// `display(&x)` as a cell's last expression has already shown `x`.
impl ViaUnit for &&&Probe<'_, DisplayHandle> {
    fn mime(&self) -> Option<MimeBundle> {
        None
    }
}

/// A text of several lines (a plan, a report) is shown as lines, not quoted on one line.
impl ViaUnit for &&&Probe<'_, String> {
    fn mime(&self) -> Option<MimeBundle> {
        Some(text_bundle(self.0))
    }
}

impl ViaUnit for &&&Probe<'_, &str> {
    fn mime(&self) -> Option<MimeBundle> {
        Some(text_bundle(self.0))
    }
}

fn text_bundle(text: &str) -> MimeBundle {
    if text.trim_end().contains('\n') {
        MimeBundle::text(bounded(format_args!("{text}")))
    } else {
        MimeBundle::text(debug_text(&text))
    }
}

#[doc(hidden)]
pub trait ViaMimeDisplay {
    fn mime(&self) -> Option<MimeBundle>;
}

impl<T: MimeDisplay + ?Sized> ViaMimeDisplay for &&Probe<'_, T> {
    fn mime(&self) -> Option<MimeBundle> {
        Some(self.0.mime_bundle())
    }
}

#[doc(hidden)]
pub trait ViaDebug {
    fn mime(&self) -> Option<MimeBundle>;
}

impl<T: Debug + ?Sized> ViaDebug for &Probe<'_, T> {
    fn mime(&self) -> Option<MimeBundle> {
        Some(debug_bundle(&self.0))
    }
}

#[doc(hidden)]
pub trait ViaName {
    fn mime(&self) -> Option<MimeBundle>;
}

impl<T: ?Sized> ViaName for Probe<'_, T> {
    fn mime(&self) -> Option<MimeBundle> {
        Some(name_bundle(type_name::<T>()))
    }
}

// Not generic and never inlined, so that it is compiled once and not in every cell.
#[inline(never)]
fn debug_bundle(value: &dyn Debug) -> MimeBundle {
    MimeBundle::text(debug_text(value))
}

#[inline(never)]
fn name_bundle(type_name: &str) -> MimeBundle {
    MimeBundle::text(format!(
        "a value of type {type_name}, which has no Debug; to see it, put #[derive(Debug)] on the type or \
         implement MimeDisplay for it"
    ))
}

fn debug_text(value: &dyn Debug) -> String {
    let line = bounded(format_args!("{value:?}"));
    if line.len() <= ONE_LINE_BYTES {
        return line;
    }
    let indented = bounded(format_args!("{value:#?}"));
    if indented.lines().count() <= MAX_INDENTED_LINES { indented } else { line }
}

fn bounded(arguments: fmt::Arguments<'_>) -> String {
    let mut text = Bounded::new(MAX_DEBUG_BYTES);
    // An error here is either our own bound or a failed `Debug`; both leave a prefix to show.
    let complete = text.write_fmt(arguments).is_ok();
    if text.cut {
        text.text.push_str(&format!(" … (cut after {} KiB)", MAX_DEBUG_BYTES >> 10));
    } else if !complete {
        text.text.push_str(" … (its Debug implementation failed here)");
    }
    text.text
}

#[cfg(test)]
mod tests {
    use super::super::{Html, MimeBundle};
    use super::*;

    fn text(bundle: Option<MimeBundle>) -> String {
        bundle.expect("a bundle").get("text/plain").expect("text").to_owned()
    }

    #[derive(Debug)]
    #[allow(dead_code)]
    struct Both(u8);
    impl MimeDisplay for Both {
        fn mime_bundle(&self) -> MimeBundle {
            MimeBundle::text("shown by MimeDisplay")
        }
    }

    struct Neither;

    #[test]
    fn mime_display_wins_over_debug() {
        assert_eq!(text(mime_of!(Both(1))), "shown by MimeDisplay");
        assert_eq!(text(mime_of!(&&Both(1))), "shown by MimeDisplay");
        assert_eq!(text(mime_of!(Some(Both(1)))), "shown by MimeDisplay");
    }

    #[test]
    fn without_mime_display_a_value_shows_its_debug_form() {
        assert_eq!(text(mime_of!(41 + 1)), "42");
        assert_eq!(text(mime_of!(0.5)), "0.5");
        assert_eq!(text(mime_of!("a\"b")), r#""a\"b""#);
        assert_eq!(text(mime_of!(vec![Some(1), None])), "[Some(1), None]");
        assert_eq!(text(mime_of!(Vec::<u8>::new())), "[]");
        assert_eq!(text(mime_of!(*"unsized")), "\"unsized\"");
        assert_eq!(text(mime_of!(Ok::<u8, String>(1))), "Ok(1)");
    }

    #[test]
    fn a_text_of_several_lines_shows_as_lines() {
        assert_eq!(text(mime_of!("SORT BY\n  FILTER \"a\"".to_owned())), "SORT BY\n  FILTER \"a\"");
        assert_eq!(text(mime_of!("one\ntwo")), "one\ntwo");
        assert_eq!(text(mime_of!("a line\n")), r#""a line\n""#);
    }

    #[test]
    fn a_display_handle_shows_nothing_again() {
        assert!(mime_of!(DisplayHandle::new("plot")).is_none());
    }

    #[test]
    fn the_unit_value_shows_nothing() {
        assert!(mime_of!(()).is_none());
        assert!(
            mime_of!({
                let _ = 1;
            })
            .is_none()
        );
    }

    #[test]
    fn a_type_with_neither_is_named_with_the_remedy() {
        let note = text(mime_of!(Neither));
        assert!(note.contains("Neither") && note.contains("#[derive(Debug)]"), "{note}");
        let closure = |x: u8| x;
        assert!(text(mime_of!(closure)).contains("closure"));
    }

    #[test]
    fn the_expression_is_evaluated_once_and_not_moved() {
        let mut evaluations = 0;
        let owned = Html(String::new());
        text(mime_of!({
            evaluations += 1;
            &owned
        }));
        assert_eq!(evaluations, 1);
        assert_eq!(owned, Html(String::new()));
    }

    #[test]
    fn long_structures_are_indented_and_long_lists_stay_on_one_line() {
        let structure = vec!["a name that is long enough to count"; 5];
        assert!(text(mime_of!(structure)).lines().count() > 5);
        let list: Vec<u32> = (0..1000).collect();
        assert_eq!(text(mime_of!(list)).lines().count(), 1);
    }

    #[test]
    fn a_huge_value_is_cut_and_says_so() {
        let shown = text(mime_of!(vec!["é"; 1_000_000]));
        assert!(shown.len() < MAX_DEBUG_BYTES + 100, "{}", shown.len());
        assert!(shown.ends_with("(cut after 64 KiB)"));
    }
}
