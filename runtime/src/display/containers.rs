use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use super::{MimeBundle, MimeDisplay};

macro_rules! shows_as_its_target {
    ($($pointer:ty),*) => {$(
        impl<T: MimeDisplay + ?Sized> MimeDisplay for $pointer {
            fn mime_bundle(&self) -> MimeBundle {
                (**self).mime_bundle()
            }
        }
    )*};
}

shows_as_its_target!(&T, &mut T, Box<T>, Rc<T>, Arc<T>);

impl<T: MimeDisplay> MimeDisplay for Option<T> {
    fn mime_bundle(&self) -> MimeBundle {
        match self {
            Some(value) => value.mime_bundle(),
            None => MimeBundle::text("None"),
        }
    }
}

/// A failed result shows its error's message: the cell itself did not fail.
impl<T: MimeDisplay, E: fmt::Display> MimeDisplay for Result<T, E> {
    fn mime_bundle(&self) -> MimeBundle {
        match self {
            Ok(value) => value.mime_bundle(),
            Err(error) => MimeBundle::text(format!("Err: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Html;
    use super::*;

    #[test]
    fn a_value_shows_the_same_through_pointers_options_and_results() {
        let html = || Html("<b>3</b>".into());
        let plain = html().mime_bundle();
        assert_eq!(<&Html as MimeDisplay>::mime_bundle(&&html()), plain);
        assert_eq!(Box::new(html()).mime_bundle(), plain);
        assert_eq!(Arc::new(html()).mime_bundle(), plain);
        assert_eq!(Some(html()).mime_bundle(), plain);
        assert_eq!(Ok::<_, String>(html()).mime_bundle(), plain);
    }

    #[test]
    fn an_error_shows_its_message_and_none_its_name() {
        let failed: Result<Html, String> = Err("no such file: trips.parquet".into());
        assert_eq!(failed.mime_bundle().get("text/plain"), Some("Err: no such file: trips.parquet"));
        assert_eq!(None::<Html>.mime_bundle().get("text/plain"), Some("None"));
    }
}
