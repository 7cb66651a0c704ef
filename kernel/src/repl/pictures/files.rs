use std::collections::HashMap;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use partita_bridge::MimeBundle;

use super::from_base64;

/// Writes the pictures of a session to files if they cannot be shown, or only coarsely. The folder is
/// created for the first picture and stays when the session ends.
#[derive(Default)]
pub struct Files {
    folder: Option<PathBuf>,
    count: u32,
    by_display: HashMap<String, PathBuf>,
}

impl Files {
    /// Writes the bundle's picture, if it has one. A display that is updated keeps its file.
    ///
    /// # Errors
    /// When the file cannot be written, or the content does not match its type.
    pub fn save(&mut self, display: Option<&str>, bundle: &MimeBundle) -> io::Result<Option<PathBuf>> {
        let (bytes, extension) = if let Some(svg) = bundle.get("image/svg+xml") {
            (svg.as_bytes().to_vec(), "svg")
        } else if let Some(png) = bundle.get("image/png") {
            (from_base64(png)?, "png")
        } else if let Some(jpeg) = bundle.get("image/jpeg") {
            (from_base64(jpeg)?, "jpg")
        } else {
            return Ok(None);
        };
        let known = display.and_then(|id| self.by_display.get(id)).cloned();
        let path = match known.filter(|path| path.extension().is_some_and(|old| old == extension)) {
            Some(path) => path,
            None => {
                self.count += 1;
                let name = format!("plot-{}.{extension}", self.count);
                self.folder()?.join(name)
            }
        };
        std::fs::write(&path, bytes)?;
        if let Some(id) = display {
            self.by_display.insert(id.to_owned(), path.clone());
        }
        Ok(Some(path))
    }

    fn folder(&mut self) -> io::Result<&Path> {
        if self.folder.is_none() {
            let made = tempfile::Builder::new()
                .prefix("partita-")
                // Plots show the person's data.
                .permissions(Permissions::from_mode(0o700))
                .tempdir()?;
            self.folder = Some(made.keep());
        }
        self.folder.as_deref().ok_or_else(|| io::Error::other("no folder for pictures"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(pictures: &mut Files, display: Option<&str>, mime: &str, content: &str) -> PathBuf {
        pictures.save(display, &MimeBundle::default().with(mime, content)).unwrap().unwrap()
    }

    #[test]
    fn pictures_are_numbered_and_an_updated_display_keeps_its_file() {
        let mut pictures = Files::default();
        let first = saved(&mut pictures, Some("a"), "image/svg+xml", "<svg/>");
        let png = saved(&mut pictures, None, "image/png", "aGk=\n");
        let again = saved(&mut pictures, Some("a"), "image/svg+xml", "<svg>2</svg>");
        assert!(first.ends_with("plot-1.svg") && png.ends_with("plot-2.png"));
        assert_eq!(again, first);
        assert_eq!(std::fs::read(&png).unwrap(), b"hi");
        assert_eq!(std::fs::read_to_string(&first).unwrap(), "<svg>2</svg>");
        let mode = std::fs::metadata(first.parent().unwrap()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "others may look into the folder");
        std::fs::remove_dir_all(first.parent().unwrap()).unwrap();
    }

    #[test]
    fn text_makes_no_file_and_broken_base64_is_an_error() {
        let mut pictures = Files::default();
        assert!(pictures.save(None, &MimeBundle::text("1")).unwrap().is_none());
        assert!(pictures.folder.is_none());
        assert!(pictures.save(None, &MimeBundle::default().with("image/png", "%")).is_err());
    }
}
