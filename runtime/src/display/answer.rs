use super::{MimeBundle, MimeDisplay};

/// What a closure gives that somebody else calls and shows: something to show, nothing, or an error.
///
/// It is here, beside [`MimeDisplay`], because only this crate may say that `()` has no other implementation.
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
