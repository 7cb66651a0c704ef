use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Display};
use std::rc::Rc;
use std::sync::Arc;

use super::listing::listing;
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

/// An error shows its message: the cell itself did not fail.
impl<T: MimeDisplay, E: fmt::Display> MimeDisplay for Result<T, E> {
    fn mime_bundle(&self) -> MimeBundle {
        match self {
            Ok(value) => value.mime_bundle(),
            Err(error) => MimeBundle::text(format!("Err: {error}")),
        }
    }

    fn failure(&self) -> Option<String> {
        self.as_ref().err().map(ToString::to_string)
    }
}

impl<T: MimeDisplay> MimeDisplay for [T] {
    fn mime_bundle(&self) -> MimeBundle {
        listing(self.iter().enumerate().map(|(index, value)| (index, value as &dyn MimeDisplay)), self.len())
    }
}

impl<T: MimeDisplay> MimeDisplay for Vec<T> {
    fn mime_bundle(&self) -> MimeBundle {
        self.as_slice().mime_bundle()
    }
}

impl<T: MimeDisplay, const N: usize> MimeDisplay for [T; N] {
    fn mime_bundle(&self) -> MimeBundle {
        self.as_slice().mime_bundle()
    }
}

impl<K: Display, V: MimeDisplay> MimeDisplay for BTreeMap<K, V> {
    fn mime_bundle(&self) -> MimeBundle {
        listing(self.iter().map(|(key, value)| (key, value as &dyn MimeDisplay)), self.len())
    }
}

/// Sorted by key, so that showing it twice gives the same.
impl<K: Display + Ord, V: MimeDisplay, S> MimeDisplay for HashMap<K, V, S> {
    fn mime_bundle(&self) -> MimeBundle {
        let mut entries: Vec<(&K, &V)> = self.iter().collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        listing(entries.into_iter().map(|(key, value)| (key, value as &dyn MimeDisplay)), self.len())
    }
}

macro_rules! tuples_show_their_parts {
    ($(($($part:ident $index:tt),*))*) => {$(
        impl<$($part: MimeDisplay),*> MimeDisplay for ($($part,)*) {
            fn mime_bundle(&self) -> MimeBundle {
                let parts = [$(&self.$index as &dyn MimeDisplay),*];
                listing(parts.into_iter().enumerate(), parts.len())
            }
        }
    )*};
}

tuples_show_their_parts! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
}

#[cfg(test)]
mod tests {
    use super::super::{Html, Text};
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

    fn text(value: &(impl MimeDisplay + ?Sized)) -> String {
        value.mime_bundle().get("text/plain").expect("text").to_owned()
    }

    #[test]
    fn lists_tuples_and_maps_show_their_values_below_each_other() {
        let list = vec![Text("a".into()), Text("b".into())];
        assert_eq!(text(&list), "[0] a\n[1] b");
        assert_eq!(text(&list[..1]), "[0] a");
        assert_eq!(text(&(Text("a".into()), Html("<b>".into()))), "[0] a\n[1] <b>");
        let map = HashMap::from([("y", Text("2".into())), ("x", Text("1".into()))]);
        assert_eq!(text(&map), "[x] 1\n[y] 2");
        assert_eq!(text(&Vec::<Text>::new()), "(empty)");
    }

    #[test]
    fn a_long_list_is_no_longer_than_a_page() {
        let page = Text("line\n".repeat(15));
        let shown = text(&vec![page; 100]);
        assert!(shown.lines().count() < 60, "{shown}");
        assert!(shown.ends_with("… and 88 more"), "{shown}");
    }

    #[test]
    fn keys_and_texts_cannot_inject_markup() {
        let map = BTreeMap::from([("<script>", Text("<script>\n".repeat(2)))]);
        let bundle = map.mime_bundle();
        assert!(!bundle.get("text/html").unwrap().contains("<script"), "{bundle:?}");
    }
}
