//! Controls that a person sets: models of ipywidgets' own, so that they look and feel native in every front
//! end that has those, with typed values on this side.

use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::lock;
use super::model::{self, Model, State, state};
use crate::comm::CommError;
use crate::display::{MimeBundle, MimeDisplay};

const MODULE: &str = "@jupyter-widgets/controls";
const BASE: &str = "@jupyter-widgets/base";
/// Of both, as ipywidgets 8 has them.
const VERSION: &str = "2.0.0";

type OnChange = Arc<dyn Fn() + Send + Sync>;

/// Something a person sets, and what it is set to.
pub trait Control: Part {
    /// What it can be set to.
    type Value: Send + 'static;

    /// What it is set to now.
    fn get(&self) -> Self::Value;
}

/// One or several controls: a control, or a tuple of up to six.
pub trait Controls: Send + 'static {
    /// What they are set to: a value, or a tuple of values.
    type Values: Send + 'static;

    /// What they are set to now.
    fn values(&self) -> Self::Values;

    #[doc(hidden)]
    fn parts(&self) -> Vec<&dyn Part>;
}

/// The page's half of a control.
#[doc(hidden)]
pub trait Part: Send + 'static {
    #[doc(hidden)]
    fn open(&self) -> Result<Handle, CommError>;
    #[doc(hidden)]
    fn when_changed(&self, call: OnChange);
    /// `partitions = 8`
    #[doc(hidden)]
    fn describe(&self) -> String;
}

/// A control's model, as other models name it.
#[doc(hidden)]
pub struct Handle {
    pub(super) id: String,
    pub(super) reference: String,
}

/// What all controls have in common: a label, a value, and a model once it is shown.
struct Knob<T> {
    label: String,
    value: Mutex<T>,
    model: Mutex<Option<Model>>,
    changed: Mutex<Vec<OnChange>>,
}

impl<T: Clone + Send + 'static> Knob<T> {
    fn new(label: &str, value: T) -> Arc<Self> {
        let (value, model, changed) = (Mutex::new(value), Mutex::default(), Mutex::default());
        Arc::new(Self { label: label.to_owned(), value, model, changed })
    }

    fn get(&self) -> T {
        lock(&self.value).clone()
    }

    fn set(&self, value: T) {
        *lock(&self.value) = value;
        let calls = lock(&self.changed).clone();
        calls.iter().for_each(|call| call());
    }

    /// Its model, opened with `traits` the first time; `read` says which value a person has chosen.
    fn open(
        self: &Arc<Self>,
        kind: &str,
        traits: impl FnOnce() -> Result<Value, CommError>,
        read: impl Fn(&Self, &State) -> Option<T> + Send + 'static,
        custom: impl Fn(&Self, &Value) -> Option<T> + Send + 'static,
    ) -> Result<Handle, CommError> {
        let mut model = lock(&self.model);
        if model.is_none() {
            let mut whole = described(MODULE, &format!("{kind}Model"), Some(&format!("{kind}View")));
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

impl<T> Drop for Knob<T> {
    fn drop(&mut self) {
        if let Some(model) = lock(&self.model).take() {
            model.close();
        }
    }
}

/// The traits that say what a model is.
pub(super) fn described(module: &str, model: &str, view: Option<&str>) -> State {
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

/// Labels are as wide as they are, and controls wide enough to be set exactly.
fn dressed(style: &str) -> Result<(String, String), CommError> {
    let mut looks = described(MODULE, style, Some("StyleView"));
    looks.remove("layout");
    looks.extend(state(json!({"_view_module": BASE, "description_width": "initial"})));
    let mut layout = described(BASE, "LayoutModel", Some("LayoutView"));
    layout.remove("layout");
    layout.extend(state(json!({"width": "480px", "max_width": "100%"})));
    Ok((Model::open(looks, None)?.reference(), Model::open(layout, None)?.reference()))
}

/// A number a slider can be set to.
pub trait Number: Copy + PartialOrd + Display + Send + 'static {
    #[doc(hidden)]
    const WHOLE: bool;
    #[doc(hidden)]
    fn to_f64(self) -> f64;
    #[doc(hidden)]
    fn of_f64(value: f64) -> Self;
}

macro_rules! numbers {
    ($($number:ty: $whole:literal),*) => {$(
        impl Number for $number {
            const WHOLE: bool = $whole;
            fn to_f64(self) -> f64 {
                self as f64
            }
            fn of_f64(value: f64) -> Self {
                value as Self
            }
        }
    )*};
}

numbers! {
    i8: true, i16: true, i32: true, i64: true, isize: true, u8: true, u16: true, u32: true, u64: true,
    usize: true, f32: false, f64: false
}

/// A number within a range; made by [`slider`].
#[derive(Clone)]
pub struct Slider<T: Number> {
    knob: Arc<Knob<T>>,
    range: RangeInclusive<T>,
    step: f64,
}

/// A slider for a number from `range`, whole or not; it stands at the range's start until it is
/// [set](Slider::at).
///
/// ```
/// use partita::widgets::{Control, slider};
/// let partitions = slider("partitions", 1..=64).at(8);
/// assert_eq!(partitions.get(), 8usize);
/// let share = slider("share", 0.0..=1.0).step(0.05);
/// assert_eq!(share.get(), 0.0);
/// ```
pub fn slider<T: Number>(label: &str, range: RangeInclusive<T>) -> Slider<T> {
    let span = range.end().to_f64() - range.start().to_f64();
    let step = if T::WHOLE { 1.0 } else { (span / 100.0).max(f64::MIN_POSITIVE) };
    Slider { knob: Knob::new(label, *range.start()), range, step }
}

impl<T: Number> Slider<T> {
    /// Where it stands at first; outside of its range, at the nearer end.
    #[must_use]
    pub fn at(self, value: T) -> Self {
        *lock(&self.knob.value) = self.within(value);
        self
    }

    /// Between two neighbouring values: 1 for whole numbers and a hundredth of the range for others, unless
    /// set.
    #[must_use]
    pub fn step(self, step: T) -> Self {
        Self { step: step.to_f64(), ..self }
    }

    fn within(&self, value: T) -> T {
        let (low, high) = (*self.range.start(), *self.range.end());
        if value > high {
            high
        } else if value >= low {
            value
        } else {
            low
        }
    }
}

impl<T: Number> Control for Slider<T> {
    type Value = T;

    fn get(&self) -> T {
        self.knob.get()
    }
}

impl<T: Number> Part for Slider<T> {
    fn open(&self) -> Result<Handle, CommError> {
        let number = |value: T| match T::WHOLE {
            true => json!(value.to_f64() as i64),
            false => json!(value.to_f64()),
        };
        let digits = (-self.step.log10()).ceil().clamp(0.0, 9.0);
        let traits = || {
            let (style, layout) = dressed("SliderStyleModel")?;
            Ok(json!({
                "value": number(self.get()),
                "min": number(*self.range.start()),
                "max": number(*self.range.end()),
                "step": if T::WHOLE { json!((self.step as i64).max(1)) } else { json!(self.step) },
                "orientation": "horizontal",
                "readout": true,
                "readout_format": if T::WHOLE { "d".into() } else { format!(".{digits}f") },
                "continuous_update": true,
                "behavior": "drag-tap",
                "style": style,
                "layout": layout,
            }))
        };
        let this = self.clone_within();
        let read = move |_: &Knob<T>, state: &State| {
            state.get("value")?.as_f64().map(|value| this(T::of_f64(value)))
        };
        self.knob.open(if T::WHOLE { "IntSlider" } else { "FloatSlider" }, traits, read, |_, _| None)
    }

    fn when_changed(&self, call: OnChange) {
        lock(&self.knob.changed).push(call);
    }

    fn describe(&self) -> String {
        format!("{} = {}", self.knob.label, self.get())
    }
}

impl<T: Number> Slider<T> {
    /// What the page says is not trusted to be in the range.
    fn clone_within(&self) -> impl Fn(T) -> T + Send + 'static {
        let (low, high) = (*self.range.start(), *self.range.end());
        move |value| {
            if value > high {
                high
            } else if value >= low {
                value
            } else {
                low
            }
        }
    }
}

/// One of several choices; made by [`dropdown`].
#[derive(Clone)]
pub struct Dropdown<T> {
    knob: Arc<Knob<usize>>,
    choices: Arc<Vec<T>>,
    labels: Arc<Vec<String>>,
}

/// A list to choose one from; the first is chosen until another one is [set](Dropdown::at).
///
/// # Panics
/// When there is nothing to choose from.
///
/// ```
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
    /// Which one is chosen at first, counted from 0; the last, if there are not so many.
    #[must_use]
    pub fn at(self, index: usize) -> Self {
        *lock(&self.knob.value) = index.min(self.choices.len() - 1);
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
            let (style, layout) = dressed("DescriptionStyleModel")?;
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

    fn when_changed(&self, call: OnChange) {
        lock(&self.knob.changed).push(call);
    }

    fn describe(&self) -> String {
        format!("{} = {}", self.knob.label, self.labels[self.knob.get()])
    }
}

/// On or off; made by [`toggle`].
#[derive(Clone)]
pub struct Toggle {
    knob: Arc<Knob<bool>>,
}

/// A box to check.
///
/// ```
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

    fn when_changed(&self, call: OnChange) {
        lock(&self.knob.changed).push(call);
    }

    fn describe(&self) -> String {
        format!("{} = {}", self.knob.label, self.get())
    }
}

/// Something to press; made by [`button`].
#[derive(Clone)]
pub struct Button {
    knob: Arc<Knob<u64>>,
}

/// A button. Its value is how often it was pressed.
///
/// ```
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

    fn when_changed(&self, call: OnChange) {
        lock(&self.knob.changed).push(call);
    }

    fn describe(&self) -> String {
        format!("{}: pressed {} times", self.knob.label, self.get())
    }
}

macro_rules! shown {
    ($($control:ident<$($part:ident: $bound:path),*>)*) => {$(
        impl<$($part: $bound + Clone + Send + Sync),*> Controls for $control<$($part),*> {
            type Values = <Self as Control>::Value;

            fn values(&self) -> Self::Values {
                self.get()
            }

            fn parts(&self) -> Vec<&dyn Part> {
                vec![self]
            }
        }

        /// In a page it can be set; [`get`](Control::get) says to what.
        impl<$($part: $bound + Clone + Send + Sync),*> MimeDisplay for $control<$($part),*> {
            fn mime_bundle(&self) -> MimeBundle {
                bundle(self)
            }
        }

        impl<$($part: $bound + Clone + Send + Sync),*> fmt::Debug for $control<$($part),*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.describe())
            }
        }
    )*};
}

shown! {
    Slider<T: Number>
    Dropdown<T: Anything>
    Toggle<>
    Button<>
}

/// What a dropdown may hold.
#[doc(hidden)]
pub trait Anything: 'static {}
impl<T: 'static> Anything for T {}

fn bundle(part: &dyn Part) -> MimeBundle {
    let text = MimeBundle::text(part.describe());
    if !super::in_page() {
        return text;
    }
    match part.open() {
        Ok(handle) => text.with(model::VIEW, model::view(&handle.id)),
        Err(_) => text,
    }
}

macro_rules! tuples_of_controls {
    ($(($($control:ident $index:tt),*))*) => {$(
        impl<$($control: Control),*> Controls for ($($control,)*) {
            type Values = ($($control::Value,)*);

            fn values(&self) -> Self::Values {
                ($(self.$index.get(),)*)
            }

            fn parts(&self) -> Vec<&dyn Part> {
                vec![$(&self.$index),*]
            }
        }
    )*};
}

tuples_of_controls! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slider_stays_within_its_range() {
        assert_eq!(slider("n", 1..=64).at(100).get(), 64);
        assert_eq!(slider("n", 1..=64).at(0).get(), 1);
        let slider = slider("n", -1.0..=1.0).at(f64::NAN);
        assert_eq!(slider.get(), -1.0);
        assert_eq!((slider.clone_within())(7.0), 1.0);
    }

    #[test]
    fn controls_say_what_they_are_set_to() {
        let controls =
            (slider("n", 1..=4).at(3), dropdown("how", ["hash", "range"]).at(9), toggle("cached", true));
        assert_eq!(controls.values(), (3, "range", true));
        let said: Vec<String> = controls.parts().iter().map(|part| part.describe()).collect();
        assert_eq!(said, ["n = 3", "how = range", "cached = true"]);
        // Without a page there is nothing to set, and nothing to open.
        assert_eq!(controls.0.mime_bundle(), MimeBundle::text("n = 3"));
    }

    #[test]
    #[should_panic(expected = "the dropdown \"how\" has no choices")]
    fn a_dropdown_without_choices_is_refused_by_name() {
        dropdown("how", [""; 0]);
    }
}
