//! Controls for people. They are ipywidgets' own models, so they look and feel native in every front end
//! that has those, with typed values on this side. `knob` has what they share; each other module is a
//! kind of control.

mod dropdown;
mod knob;
mod slider;
mod switches;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use partita::display::{MimeBundle, MimeDisplay};

pub use self::dropdown::{Dropdown, dropdown};
use self::knob::Labelled;
pub(super) use self::knob::model_traits;
pub use self::slider::{Number, Slider, slider};
pub use self::switches::{Button, Toggle, button, toggle};
use super::model;
use crate::comm::CommError;

pub(super) type OnChange = Arc<dyn Fn() + Send + Sync>;

/// Something that a person sets, with its value.
pub trait Control: Part {
    /// The type of the value.
    type Value: Send + 'static;

    /// The current value.
    fn get(&self) -> Self::Value;
}

/// One or several controls: a control, or a tuple of up to six.
pub trait Controls: Send + 'static {
    /// The type of the values: a value, or a tuple of values.
    type Values: Send + 'static;

    /// The current values.
    fn values(&self) -> Self::Values;

    #[doc(hidden)]
    fn parts(&self) -> Vec<&dyn Part>;
}

/// The front end's half of a control.
#[doc(hidden)]
pub trait Part: Send + 'static {
    #[doc(hidden)]
    fn open(&self) -> Result<Handle, CommError>;
    #[doc(hidden)]
    fn knob(&self) -> &dyn Labelled;
    /// The value as text.
    #[doc(hidden)]
    fn value(&self) -> String;
    /// `partitions = 8`
    #[doc(hidden)]
    fn describe(&self) -> String {
        format!("{} = {}", self.knob().label(), self.value())
    }
}

/// A control's model, as other models refer to it.
#[doc(hidden)]
pub struct Handle {
    pub(super) id: String,
    pub(super) reference: String,
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

        /// In a page it can be set; [`get`](Control::get) returns the value.
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

/// What a dropdown can hold.
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
