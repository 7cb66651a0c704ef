//! What all controls have in common: a label, a value, and the traits of their model.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{Handle, OnChange};
use crate::comm::CommError;
use crate::widgets::model::{Model, State, state};

const MODULE: &str = "@jupyter-widgets/controls";
pub(super) const BASE: &str = "@jupyter-widgets/base";
/// The version of both modules in ipywidgets 8.
const VERSION: &str = "2.0.0";

/// A control's label, and the callbacks for when a person sets it, independent of the type of its value.
#[doc(hidden)]
pub trait Labelled {
    #[doc(hidden)]
    fn label(&self) -> &str;
    #[doc(hidden)]
    fn when_changed(&self, call: OnChange);
}

/// What all controls have in common: a label, a value, and a model once it is shown.
pub(super) struct Knob<T> {
    label: String,
    pub value: Mutex<T>,
    model: Mutex<Option<Model>>,
    changed: Mutex<Vec<OnChange>>,
}

impl<T: Clone + Send + 'static> Knob<T> {
    pub fn new(label: &str, value: T) -> Arc<Self> {
        let (value, model, changed) = (Mutex::new(value), Mutex::default(), Mutex::default());
        Arc::new(Self { label: label.to_owned(), value, model, changed })
    }

    pub fn get(&self) -> T {
        self.value.lock().clone()
    }

    fn set(&self, value: T) {
        *self.value.lock() = value;
        let calls = self.changed.lock().clone();
        calls.iter().for_each(|call| call());
    }

    /// Its model, opened with `traits` the first time. `read` extracts the value that a person has
    /// chosen.
    pub fn open(
        self: &Arc<Self>,
        kind: &str,
        traits: impl FnOnce() -> Result<Value, CommError>,
        read: impl Fn(&Self, &State) -> Option<T> + Send + 'static,
        custom: impl Fn(&Self, &Value) -> Option<T> + Send + 'static,
    ) -> Result<Handle, CommError> {
        let mut model = self.model.lock();
        if model.is_none() {
            let mut whole = model_traits(MODULE, &format!("{kind}Model"), Some(&format!("{kind}View")));
            whole.extend(state(json!({"description": self.label, "disabled": false})));
            whole.extend(state(traits()?));
            let opened = Model::open(whole, None)?;
            let knob = Arc::downgrade(self);
            opened.on_state(move |state| {
                let Some(knob) = knob.upgrade() else { return };
                if let Some(value) = read(&knob, &state) {
                    knob.set(value);
                }
            });
            let knob = Arc::downgrade(self);
            opened.on_custom(move |said| {
                let Some(knob) = knob.upgrade() else { return };
                if let Some(value) = custom(&knob, &said) {
                    knob.set(value);
                }
            });
            *model = Some(opened);
        }
        let model = model.as_ref().ok_or(CommError::Closed)?;
        Ok(Handle { id: model.id().to_owned(), reference: model.reference() })
    }
}

impl<T> Labelled for Knob<T> {
    fn label(&self) -> &str {
        &self.label
    }

    fn when_changed(&self, call: OnChange) {
        self.changed.lock().push(call);
    }
}

impl<T> Drop for Knob<T> {
    fn drop(&mut self) {
        if let Some(model) = self.model.lock().take() {
            model.close();
        }
    }
}

/// The traits that identify a model.
pub(in crate::widgets) fn model_traits(module: &str, model: &str, view: Option<&str>) -> State {
    state(json!({
        "_model_module": module,
        "_model_name": model,
        "_model_module_version": VERSION,
        "_view_module": module,
        "_view_name": view,
        "_view_module_version": VERSION,
        "_view_count": null,
        "_dom_classes": [],
        "layout": null,
    }))
}

/// Labels get their natural width, and controls are wide enough to be set exactly.
pub(super) fn style_and_layout(style: &str) -> Result<(String, String), CommError> {
    let mut looks = model_traits(MODULE, style, Some("StyleView"));
    looks.remove("layout");
    looks.extend(state(json!({"_view_module": BASE, "description_width": "initial"})));
    let mut layout = model_traits(BASE, "LayoutModel", Some("LayoutView"));
    layout.remove("layout");
    layout.extend(state(json!({"width": "480px", "max_width": "100%"})));
    Ok((Model::open(looks, None)?.reference(), Model::open(layout, None)?.reference()))
}
