//! Captures what one thread shows, so that another part of the program can show it elsewhere.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use partita::host::Shown;
use partita_bridge::{MimeBundle, Stream};

/// The maximum bytes kept of one thread's text; the rest is dropped.
const MAX_TEXT: usize = 1 << 20;
/// The maximum number of displays kept.
const MAX_SHOWN: usize = 256;

thread_local! {
    static HERE: RefCell<Option<Arc<Mutex<Capture>>>> = const { RefCell::new(None) };
}

/// The captures in progress. Process-wide because other threads, such as a progress bar's, update what this one
/// has shown.
static OPEN: Mutex<Vec<Weak<Mutex<Capture>>>> = Mutex::new(Vec::new());

/// Something that a thread has shown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Captured {
    /// Text of a stream.
    Text(Stream, String),
    /// A display, and the id for updating it.
    Display(String, MimeBundle),
}

type OnChange = Box<dyn FnMut(&[Captured]) + Send>;

struct Capture {
    captured: Vec<Captured>,
    text: usize,
    changed: OnChange,
}

/// Runs `work` and returns what its thread has shown meanwhile. After each addition, `changed` is called
/// with all of it.
pub(crate) fn capture<T>(
    changed: impl FnMut(&[Captured]) + Send + 'static,
    work: impl FnOnce() -> T,
) -> (T, Vec<Captured>) {
    let capture = Capture { captured: Vec::new(), text: 0, changed: Box::new(changed) };
    let capture = Arc::new(Mutex::new(capture));
    {
        let mut open = OPEN.lock();
        open.retain(|capture| capture.strong_count() > 0);
        open.push(Arc::downgrade(&capture));
    }
    let before = HERE.replace(Some(capture.clone()));
    let value = work();
    HERE.set(before);
    let captured = std::mem::take(&mut capture.lock().captured);
    (value, captured)
}

/// Captures a display if this thread's displays are captured, or if it updates a captured one. Otherwise
/// returns it.
pub(crate) fn take(shown: Shown) -> Option<Shown> {
    let here = HERE.with_borrow(Clone::clone);
    match shown {
        Shown::Update { id, bundle } => {
            let mut bundle = Some(bundle);
            let elsewhere = OPEN.lock().iter().filter_map(Weak::upgrade).collect::<Vec<_>>();
            // A display that is in no capture belongs to a cell; it is updated where it is shown.
            here.iter().chain(&elsewhere).any(|capture| capture.lock().update(&id, &mut bundle));
            bundle.map(|bundle| Shown::Update { id, bundle })
        }
        shown => match here {
            None => Some(shown),
            Some(capture) => {
                capture.lock().add(shown);
                None
            }
        },
    }
}

/// Captures text if this thread's text is captured. Returns whether it is.
pub(crate) fn take_text(stream: Stream, text: &str) -> bool {
    let Some(capture) = HERE.with_borrow(Clone::clone) else { return false };
    let capture = &mut *capture.lock();
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
}

impl Capture {
    fn add(&mut self, shown: Shown) {
        match shown {
            Shown::New { id, bundle } | Shown::Update { id, bundle } => {
                if self.captured.len() < MAX_SHOWN {
                    self.captured.push(Captured::Display(id, bundle));
                }
            }
            Shown::Clear { .. } => self.captured.clear(),
            Shown::Page(bundle) => self.captured.push(Captured::Display(String::new(), bundle)),
        }
        (self.changed)(&self.captured);
    }

    /// Updates the display with this id, if there is one. Returns whether there is.
    fn update(&mut self, id: &str, bundle: &mut Option<MimeBundle>) -> bool {
        let known = self.captured.iter_mut().find_map(|captured| match captured {
            Captured::Display(of, shown) if of == id => Some(shown),
            _ => None,
        });
        let Some(known) = known else { return false };
        *known = bundle.take().unwrap_or_default();
        (self.changed)(&self.captured);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use partita::display::{Text, display, update_display};

    use super::*;
    use crate::host::Notebook;

    #[test]
    fn displays_of_the_thread_are_kept_and_updated_in_place() {
        Notebook::install_for_tests();
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

    #[test]
    fn another_thread_updates_a_captured_display_and_shows_nothing_new_in_it() {
        Notebook::install_for_tests();
        let ((), captured) = capture(
            |_| {},
            || {
                let first = display(&Text("0 %".into()));
                let bar = thread::spawn(move || {
                    first.update(&Text("50 %".into()));
                    display(&Text("elsewhere".into()));
                });
                bar.join().unwrap();
            },
        );
        let [Captured::Display(_, shown)] = &captured[..] else { panic!("{captured:?}") };
        assert_eq!(shown.get("text/plain"), Some("50 %"));
    }
}
