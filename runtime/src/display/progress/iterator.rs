//! The iterator that counts the items of a loop.

use super::{End, Progress};
use crate::cancel;

/// Shows the progress of a loop while it runs. The final state is accurate: a loop left early, by `break`,
/// `?` or a panic, shows where it stopped. An interrupt ends the loop, and the cell with it.
///
/// ```
/// use partita::display::progress;
/// let mut sum = 0;
/// for n in progress(1..=100) {
///     sum += n;
/// }
/// assert_eq!(sum, 5050);
/// ```
pub fn progress<I: IntoIterator>(items: I) -> ProgressIterator<I::IntoIter> {
    let items = items.into_iter();
    let total = match items.size_hint() {
        (least, Some(most)) if least == most => Some(most as u64),
        _ => None,
    };
    ProgressIterator::new(items, Progress::start(total))
}

/// The iterator that [`progress`] returns: the same items, counted.
#[derive(Debug)]
pub struct ProgressIterator<I> {
    items: I,
    progress: Progress,
    /// Whether an item was returned. It counts as done when the next one is requested.
    started: bool,
    token: cancel::Token,
}

impl<I> ProgressIterator<I> {
    /// Counts `items` in `progress`.
    pub(super) fn new(items: I, progress: Progress) -> Self {
        Self { items, progress, started: false, token: cancel::current() }
    }

    /// Sets the message beside the bar.
    #[must_use]
    pub fn with_message(self, message: impl Into<String>) -> Self {
        self.progress.set_message(message);
        self
    }
}

impl<I: Iterator> Iterator for ProgressIterator<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        if std::mem::take(&mut self.started) {
            self.progress.inc(1);
        }
        if self.token.is_cancelled() {
            self.progress.end(&End::Interrupted);
            let state = self.progress.shared.describe(Some(&End::Interrupted));
            cancel::unwind(format!("the loop was {state}; the session and its variables are unchanged"));
        }
        let item = self.items.next();
        match item {
            Some(_) => self.started = true,
            None => self.progress.finish(),
        }
        item
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}
