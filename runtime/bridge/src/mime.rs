use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One value in several representations, keyed by MIME type. The front end shows the richest it supports.
/// Text types contain text, binary ones (`image/png`) base64, as in Jupyter; JSON types contain the JSON
/// text.
///
/// ```
/// use partita_bridge::MimeBundle;
/// let bundle = MimeBundle::text("3 rows").with("text/html", "<b>3</b> rows");
/// assert_eq!(bundle.get("text/plain"), Some("3 rows"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MimeBundle {
    /// MIME type to content.
    pub data: BTreeMap<String, String>,
}

impl MimeBundle {
    /// A bundle with only `text/plain`, which every front end can show.
    pub fn text(text: impl Into<String>) -> Self {
        Self::default().with("text/plain", text)
    }

    /// Adds or replaces one representation.
    #[must_use]
    pub fn with(mut self, mime: &str, content: impl Into<String>) -> Self {
        self.data.insert(mime.to_owned(), content.into());
        self
    }

    /// The content of one representation.
    pub fn get(&self, mime: &str) -> Option<&str> {
        self.data.get(mime).map(String::as_str)
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }
}
