//! A dropdown: one of several choices.

use std::fmt::Display;
use std::sync::Arc;

use serde_json::json;

use super::knob::{Knob, Labelled, style_and_layout};
use super::{Control, Handle, Part};
use crate::comm::CommError;
use crate::widgets::model::State;

/// One of several choices; created by [`dropdown`].
#[derive(Clone)]
pub struct Dropdown<T> {
    knob: Arc<Knob<usize>>,
    choices: Arc<Vec<T>>,
    labels: Arc<Vec<String>>,
}

/// A list to choose from. The first entry is selected unless another one is [set](Dropdown::at).
///
/// # Panics
/// If there are no choices.
///
/// ```
/// # mod partita { pub use ::partita::*; pub use ::partita_notebook::*; }
/// use partita::widgets::{Control, dropdown};
/// let strategy = dropdown("strategy", ["hash", "range", "round robin"]).at(1);
/// assert_eq!(strategy.get(), "range");
/// ```
pub fn dropdown<T: Display + Clone + Send + Sync + 'static>(
    label: &str,
    choices: impl IntoIterator<Item = T>,
) -> Dropdown<T> {
    let choices: Vec<T> = choices.into_iter().collect();
    assert!(!choices.is_empty(), "the dropdown {label:?} has no choices; give it at least one");
    let labels = choices.iter().map(ToString::to_string).collect();
    Dropdown { knob: Knob::new(label, 0), choices: Arc::new(choices), labels: Arc::new(labels) }
}

impl<T> Dropdown<T> {
    /// Which entry is selected at first, counted from 0; the last one if there are fewer.
    #[must_use]
    pub fn at(self, index: usize) -> Self {
        *self.knob.value.lock() = index.min(self.choices.len() - 1);
        self
    }
}

impl<T: Clone + Send + Sync + 'static> Control for Dropdown<T> {
    type Value = T;

    fn get(&self) -> T {
        self.choices[self.knob.get()].clone()
    }
}

impl<T: Send + Sync + 'static> Part for Dropdown<T> {
    fn open(&self) -> Result<Handle, CommError> {
        let traits = || {
            let (style, layout) = style_and_layout("DescriptionStyleModel")?;
            Ok(json!({
                "_options_labels": *self.labels,
                "index": self.knob.get(),
                "style": style,
                "layout": layout,
            }))
        };
        let choices = self.choices.len();
        let read = move |_: &Knob<usize>, state: &State| {
            let index = usize::try_from(state.get("index")?.as_u64()?).ok()?;
            (index < choices).then_some(index)
        };
        self.knob.open("Dropdown", traits, read, |_, _| None)
    }

    fn knob(&self) -> &dyn Labelled {
        &*self.knob
    }

    fn value(&self) -> String {
        self.labels[self.knob.get()].clone()
    }
}
