//! Safe HTML for implementations of `MimeDisplay`.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::MimeBundle;

/// A bundle as a part of a larger page: its HTML, its picture, or its text.
pub fn as_html(bundle: &MimeBundle) -> String {
    if let Some(html) = bundle.get("text/html") {
        return html.to_owned();
    }
    if let Some(svg) = bundle.get("image/svg+xml") {
        // In an element of its own, so that its ids and styles do not affect the page.
        return format!("<img src=\"data:image/svg+xml;base64,{}\">", STANDARD.encode(svg));
    }
    for mime in ["image/png", "image/jpeg", "image/gif", "image/webp"] {
        if let Some(picture) = bundle.get(mime) {
            return format!("<img src=\"data:{mime};base64,{}\">", escape(picture));
        }
    }
    preformatted(bundle.get("text/plain").unwrap_or_default())
}

/// Text with its line breaks and spaces preserved.
pub(super) fn preformatted(text: &str) -> String {
    format!("<pre style=\"overflow-x:auto\">{}</pre>", escape(text))
}

/// Escapes text for HTML element content and double-quoted attributes.
pub fn escape(text: &str) -> Cow<'_, str> {
    html_escape::encode_quoted_attribute(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_values_cannot_become_markup_in_the_page() {
        assert_eq!(
            escape(r#"<img src="x" onerror='a&b'>"#),
            "&lt;img src=&quot;x&quot; onerror=&#x27;a&amp;b&#x27;&gt;"
        );
        assert!(matches!(escape("plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_piece_of_a_page_is_the_richest_form_the_page_can_hold() {
        let bundle = MimeBundle::text("a < b");
        assert!(as_html(&bundle).contains("a &lt; b"));
        let picture = bundle.with("image/png", "aGk=");
        assert_eq!(as_html(&picture), "<img src=\"data:image/png;base64,aGk=\">");
        let svg = picture.with("image/svg+xml", "<svg/>");
        assert_eq!(as_html(&svg), "<img src=\"data:image/svg+xml;base64,PHN2Zy8+\">");
        assert_eq!(as_html(&svg.with("text/html", "<b>")), "<b>");
    }
}
