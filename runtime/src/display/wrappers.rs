use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{MimeBundle, MimeDisplay};

/// Text that the front end renders as HTML. It is shown as it is: escape what comes from data.
///
/// ```
/// use partita::display::{Html, MimeDisplay};
/// assert_eq!(Html("<b>3</b> rows".into()).mime_bundle().get("text/html"), Some("<b>3</b> rows"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Html(pub String);

impl MimeDisplay for Html {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::text(self.0.as_str()).with("text/html", self.0.as_str())
    }
}

/// Text that the front end renders as Markdown; a terminal shows the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Markdown(pub String);

impl MimeDisplay for Markdown {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::text(self.0.as_str()).with("text/markdown", self.0.as_str())
    }
}

/// The bytes of an encoded picture: PNG, JPEG or GIF, told apart by their first bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image(pub Vec<u8>);

impl Image {
    fn format(&self) -> Option<(&'static str, &'static str)> {
        match self.0.as_slice() {
            [0x89, b'P', b'N', b'G', ..] => Some(("PNG", "image/png")),
            [0xff, 0xd8, 0xff, ..] => Some(("JPEG", "image/jpeg")),
            [b'G', b'I', b'F', b'8', ..] => Some(("GIF", "image/gif")),
            _ => None,
        }
    }
}

impl MimeDisplay for Image {
    fn mime_bundle(&self) -> MimeBundle {
        let size = self.0.len();
        match self.format() {
            Some((name, mime)) => {
                MimeBundle::text(format!("{name} picture, {size} bytes")).with(mime, STANDARD.encode(&self.0))
            }
            None => MimeBundle::text(format!("Image: these {size} bytes are not a PNG, JPEG or GIF file")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_offers_its_source_as_text() {
        let bundle = Markdown("**3** rows".into()).mime_bundle();
        assert_eq!(bundle.get("text/markdown"), Some("**3** rows"));
        assert_eq!(bundle.get("text/plain"), Some("**3** rows"));
    }

    #[test]
    fn a_picture_travels_as_base64_under_the_type_its_bytes_have() {
        let png = Image(vec![0x89, b'P', b'N', b'G', 0]);
        assert_eq!(png.mime_bundle().get("image/png"), Some("iVBORwA="));
        let jpeg = Image(vec![0xff, 0xd8, 0xff, 0xe0]);
        assert!(jpeg.mime_bundle().get("image/jpeg").is_some());
    }

    #[test]
    fn bytes_that_are_no_picture_say_so() {
        let bundle = Image(b"hello".to_vec()).mime_bundle();
        assert_eq!(bundle.data.len(), 1);
        assert!(bundle.get("text/plain").unwrap().contains("not a PNG, JPEG or GIF"));
    }
}
