use super::{MimeBundle, MimeDisplay};

/// The result of a closure that somebody else calls and shows: a value to show, nothing, or an error.
///
/// It is defined here, beside [`MimeDisplay`], because only this crate may assume that `()` does not
/// implement that trait.
pub trait Answer {
    #[doc(hidden)]
    fn bundle(&self) -> MimeBundle;
    #[doc(hidden)]
    fn failure(&self) -> Option<String> {
        None
    }
}

impl Answer for () {
    fn bundle(&self) -> MimeBundle {
        MimeBundle::default()
    }
}

impl<T: MimeDisplay> Answer for T {
    fn bundle(&self) -> MimeBundle {
        self.mime_bundle()
    }

    fn failure(&self) -> Option<String> {
        MimeDisplay::failure(self)
    }
}

impl<E: std::fmt::Display> Answer for Result<(), E> {
    fn bundle(&self) -> MimeBundle {
        MimeBundle::default()
    }

    fn failure(&self) -> Option<String> {
        self.as_ref().err().map(ToString::to_string)
    }
}
