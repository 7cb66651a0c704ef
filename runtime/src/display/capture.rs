//! Captures what one thread shows, so that another part of the program can show it elsewhere.

use std::cell::RefCell;

use partita_bridge::{MimeBundle, Stream};

use super::send::Shown;

/// The most bytes of one thread's text that are kept; the rest is dropped.
const MAX_TEXT: usize = 1 << 20;
/// The most displays that are kept.
const MAX_SHOWN: usize = 256;

thread_local! {
    static HERE: RefCell<Option<Capture>> = const { RefCell::new(None) };
}

/// Something that a thread has shown.
#[derive(Debug, Clone, PartialEq)]
pub enum Captured {
    /// Text of a stream.
    Text(Stream, String),
    /// A display, and the id for updating it.
    Display(String, MimeBundle),
}

type OnChange = Box<dyn FnMut(&[Captured])>;

struct Capture {
    captured: Vec<Captured>,
    text: usize,
    changed: OnChange,
}

/// Runs `work` and returns what its thread has shown meanwhile. `changed` is called with all of it whenever
/// something was added.
pub fn capture<T>(
    changed: impl FnMut(&[Captured]) + 'static,
    work: impl FnOnce() -> T,
) -> (T, Vec<Captured>) {
    let capture = Capture { captured: Vec::new(), text: 0, changed: Box::new(changed) };
    let before = HERE.replace(Some(capture));
    let value = work();
    let capture = HERE.replace(before);
    (value, capture.map(|capture| capture.captured).unwrap_or_default())
}

/// Captures a display if this thread's displays are captured; otherwise returns it.
pub(super) fn take(shown: Shown) -> Option<Shown> {
    HERE.with_borrow_mut(|here| {
        let Some(capture) = here else { return Some(shown) };
        let captured = &mut capture.captured;
        match shown {
            Shown::New { id, bundle } => {
                if captured.len() < MAX_SHOWN {
                    captured.push(Captured::Display(id, bundle));
                }
            }
            Shown::Update { id, bundle } => {
                let known = captured.iter_mut().find_map(|captured| match captured {
                    Captured::Display(of, shown) if *of == id => Some(shown),
                    _ => None,
                });
                match known {
                    Some(known) => *known = bundle,
                    // A cell's display is updated where it is shown.
                    None => return Some(Shown::Update { id, bundle }),
                }
            }
            Shown::Clear { .. } => captured.clear(),
            Shown::Page(bundle) => captured.push(Captured::Display(String::new(), bundle)),
        }
        (capture.changed)(&capture.captured);
        None
    })
}

/// Captures text if this thread's text is captured. Returns whether it was.
pub fn take_text(stream: Stream, text: &str) -> bool {
    HERE.with_borrow_mut(|here| {
        let Some(capture) = here else { return false };
        let room = text.floor_char_boundary(MAX_TEXT.saturating_sub(capture.text));
        let text = &text[..room];
        capture.text += text.len();
        match capture.captured.last_mut() {
            Some(Captured::Text(of, before)) if *of == stream => before.push_str(text),
            _ if text.is_empty() => {}
            _ => capture.captured.push(Captured::Text(stream, text.to_owned())),
        }
        (capture.changed)(&capture.captured);
        true
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Text, display, update_display};
    use super::*;

    #[test]
    fn displays_of_the_thread_are_kept_and_updated_in_place() {
        let ((), captured) = capture(
            |_| {},
            || {
                let first = display(&Text("one".into()));
                assert!(take_text(Stream::Stdout, "a"));
                assert!(take_text(Stream::Stdout, "b"));
                first.update(&Text("two".into()));
            },
        );
        let [Captured::Display(_, shown), Captured::Text(Stream::Stdout, text)] = &captured[..] else {
            panic!("{captured:?}")
        };
        assert_eq!((shown.get("text/plain"), text.as_str()), (Some("two"), "ab"));
        assert!(!take_text(Stream::Stdout, "later"), "nothing is taken any more");
        update_display("unknown", &Text("goes on its way".into()));
    }
}
