use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{MimeBundle, MimeDisplay};

/// The root element of an SVG must start within this many bytes; comments and a document type may precede it.
const SVG_HEAD_BYTES: usize = 4 << 10;

/// An encoded picture: PNG, JPEG, GIF, WebP or SVG.
///
/// ```
/// use partita::display::{Image, MimeDisplay};
/// let dot = r#"<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><circle r="4" cx="4" cy="4"/></svg>"#;
/// assert_eq!(Image::new(dot)?.mime_bundle().get("image/svg+xml"), Some(dot));
///
/// let error = Image::open("no-such.png").unwrap_err();
/// assert!(error.to_string().contains("no-such.png"));
/// # Ok::<(), partita::display::ImageError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    bytes: Vec<u8>,
    format: Format,
}

/// An error of loading a picture.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file cannot be read.
    #[error("the picture {path} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The file is not a picture.
    #[error("{path} is not a PNG, JPEG, GIF, WebP or SVG file (the content decides, not the name)")]
    File {
        /// The file.
        path: PathBuf,
    },
    /// The bytes are not a picture.
    #[error(
        "these {0} bytes are not a PNG, JPEG, GIF, WebP or SVG picture; raw pixels must be encoded first"
    )]
    Bytes(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Png,
    Jpeg,
    Gif,
    WebP,
    Svg,
}

impl Format {
    /// Detects the format from the first bytes.
    fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [b'G', b'I', b'F', b'8', ..] => Some(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            _ => Self::is_svg(bytes).then_some(Self::Svg),
        }
    }

    fn is_svg(bytes: &[u8]) -> bool {
        let Ok(text) = str::from_utf8(bytes) else { return false };
        let head = &text[..text.floor_char_boundary(SVG_HEAD_BYTES)];
        head.trim_start_matches('\u{feff}').trim_start().starts_with('<') && head.contains("<svg")
    }

    fn name_and_mime(self) -> (&'static str, &'static str) {
        match self {
            Self::Png => ("PNG", "image/png"),
            Self::Jpeg => ("JPEG", "image/jpeg"),
            Self::Gif => ("GIF", "image/gif"),
            Self::WebP => ("WebP", "image/webp"),
            Self::Svg => ("SVG", "image/svg+xml"),
        }
    }
}

impl Image {
    /// A picture from the bytes of an encoded file.
    ///
    /// # Errors
    /// When the bytes are not a picture in one of these formats.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, ImageError> {
        let bytes = bytes.into();
        match Format::of(&bytes) {
            Some(format) => Ok(Self { bytes, format }),
            None => Err(ImageError::Bytes(bytes.len())),
        }
    }

    /// A picture from a file.
    ///
    /// # Errors
    /// When the file cannot be read or is not a picture.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ImageError> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|source| ImageError::Read { path: path.to_owned(), source })?;
        Self::new(bytes).map_err(|_| ImageError::File { path: path.to_owned() })
    }
}

impl MimeDisplay for Image {
    fn mime_bundle(&self) -> MimeBundle {
        let (name, mime) = self.format.name_and_mime();
        let content = match (self.format, str::from_utf8(&self.bytes)) {
            (Format::Svg, Ok(text)) => text.to_owned(),
            _ => STANDARD.encode(&self.bytes),
        };
        MimeBundle::text(format!("{name} picture, {} bytes", self.bytes.len())).with(mime, content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_travels_as_base64_under_the_type_its_bytes_have() {
        let png = Image::new([0x89, b'P', b'N', b'G', 0]).unwrap();
        assert_eq!(png.mime_bundle().get("image/png"), Some("iVBORwA="));
        for (bytes, mime) in [
            (&[0xff, 0xd8, 0xff, 0xe0][..], "image/jpeg"),
            (b"GIF89a", "image/gif"),
            (b"RIFF\x04\0\0\0WEBPVP8 ", "image/webp"),
        ] {
            assert!(Image::new(bytes).unwrap().mime_bundle().get(mime).is_some(), "{mime}");
        }
    }

    #[test]
    fn an_svg_is_known_behind_its_prologue_and_travels_as_text() {
        let svg =
            "<?xml version=\"1.0\"?>\n<!-- made by hand -->\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>";
        assert_eq!(Image::new(svg).unwrap().mime_bundle().get("image/svg+xml"), Some(svg));
        assert!(Image::new("a text about <svg> elements").is_err());
    }

    #[test]
    fn what_is_no_picture_is_refused_by_name() {
        let error = Image::new("hello").unwrap_err().to_string();
        assert!(error.starts_with("these 5 bytes are not a PNG"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plot.png");
        std::fs::write(&path, "hello").unwrap();
        let error = Image::open(&path).unwrap_err().to_string();
        assert!(error.contains("plot.png") && error.contains("is not a PNG"), "{error}");
    }
}
