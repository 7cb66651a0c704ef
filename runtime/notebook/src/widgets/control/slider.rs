//! A slider: a number within a range.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde_json::json;

use super::knob::{Knob, Labelled, style_and_layout};
use super::{Control, Handle, Part};
use crate::comm::CommError;
use crate::widgets::model::State;

/// A number that a slider can be set to.
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

/// A number within a range; created by [`slider`].
#[derive(Clone)]
pub struct Slider<T: Number> {
    knob: Arc<Knob<T>>,
    range: RangeInclusive<T>,
    step: f64,
}

/// A slider for a number from `range`, integer or not. It starts at the beginning of the range unless
/// [set](Slider::at).
///
/// ```
/// # mod partita { pub use ::partita::*; pub use ::partita_notebook::*; }
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
    /// The initial value, clamped to the range.
    #[must_use]
    pub fn at(self, value: T) -> Self {
        *self.knob.value.lock() = self.bounds()(value);
        self
    }

    /// The distance between neighbouring values. Defaults to 1 for integers and to a hundredth of the
    /// range for others.
    #[must_use]
    pub fn step(self, step: T) -> Self {
        Self { step: step.to_f64(), ..self }
    }

    /// Clamps a value to the range. Neither code nor the page is trusted to send a valid one.
    pub(super) fn bounds(&self) -> impl Fn(T) -> T + Send + 'static {
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
            let (style, layout) = style_and_layout("SliderStyleModel")?;
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
        let within = self.bounds();
        let read = move |_: &Knob<T>, state: &State| {
            state.get("value")?.as_f64().map(|value| within(T::of_f64(value)))
        };
        self.knob.open(if T::WHOLE { "IntSlider" } else { "FloatSlider" }, traits, read, |_, _| None)
    }

    fn knob(&self) -> &dyn Labelled {
        &*self.knob
    }

    fn value(&self) -> String {
        self.get().to_string()
    }
}
