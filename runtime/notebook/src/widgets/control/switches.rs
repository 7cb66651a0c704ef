//! A checkbox and a button.

use std::sync::Arc;

use serde_json::{Value, json};

use super::knob::{Knob, Labelled};
use super::{Control, Handle, Part};
use crate::comm::CommError;

/// On or off; created by [`toggle`].
#[derive(Clone)]
pub struct Toggle {
    knob: Arc<Knob<bool>>,
}

/// A checkbox.
///
/// ```
/// # mod partita { pub use ::partita::*; pub use ::partita_notebook::*; }
/// use partita::widgets::{Control, toggle};
/// assert!(!toggle("cached", false).get());
/// ```
#[must_use]
pub fn toggle(label: &str, on: bool) -> Toggle {
    Toggle { knob: Knob::new(label, on) }
}

impl Control for Toggle {
    type Value = bool;

    fn get(&self) -> bool {
        self.knob.get()
    }
}

impl Part for Toggle {
    fn open(&self) -> Result<Handle, CommError> {
        let traits = || Ok(json!({"value": self.get(), "indent": false, "style": null}));
        self.knob.open("Checkbox", traits, |_, state| state.get("value")?.as_bool(), |_, _| None)
    }

    fn knob(&self) -> &dyn Labelled {
        &*self.knob
    }

    fn value(&self) -> String {
        self.get().to_string()
    }
}

/// Something to press; created by [`button`].
#[derive(Clone)]
pub struct Button {
    knob: Arc<Knob<u64>>,
}

/// A button. Its value is the number of presses.
///
/// ```
/// # mod partita { pub use ::partita::*; pub use ::partita_notebook::*; }
/// use partita::widgets::{Control, button};
/// assert_eq!(button("again").get(), 0);
/// ```
#[must_use]
pub fn button(label: &str) -> Button {
    Button { knob: Knob::new(label, 0) }
}

impl Control for Button {
    type Value = u64;

    fn get(&self) -> u64 {
        self.knob.get()
    }
}

impl Part for Button {
    fn open(&self) -> Result<Handle, CommError> {
        let pressed =
            |knob: &Knob<u64>, said: &Value| (said["event"] == "click").then(|| knob.get().saturating_add(1));
        let traits = || Ok(json!({"button_style": "", "icon": "", "tooltip": null, "style": null}));
        self.knob.open("Button", traits, |_, _| None, pressed)
    }

    fn knob(&self) -> &dyn Labelled {
        &*self.knob
    }

    fn value(&self) -> String {
        self.get().to_string()
    }
}
