//! Pictures in the terminal: by the kitty, iTerm2 or sixel protocol if the terminal supports it, else in
//! blocks of two pixels per character, and as files if there is no terminal. This module chooses the mode;
//! the others write each form.

mod blocks;
mod files;
mod mode;
mod protocol;
mod sixel;

use std::io;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use partita_bridge::MimeBundle;

use files::Files;
pub use mode::PictureMode;

/// Rows left free around a picture, so that the prompt fits on the screen as well.
const FREE_ROWS: u32 = 3;

/// Larger pictures are not decoded, because a cell's output is not trusted with the memory.
const MOST_PIXELS: u64 = 64 << 20;

/// The result of showing a picture.
#[derive(Debug, PartialEq, Eq)]
pub enum Picture {
    /// A sequence that draws it. The number of rows it takes is up to the terminal.
    Drawn(String),
    /// Lines that draw it coarsely, and a file with the full picture.
    Coarse(String, PathBuf),
    /// A file, because the terminal cannot show it.
    Saved(PathBuf),
}

/// Shows the pictures of a session.
pub struct Pictures {
    files: Files,
    /// Determined when the first picture comes, because querying the terminal disturbs it.
    mode: Option<PictureMode>,
    terminal: bool,
}

impl Pictures {
    /// Pictures for standard output, which may be a terminal.
    pub fn new(terminal: bool) -> Self {
        Self { files: Files::default(), mode: None, terminal }
    }

    /// Prepares the bundle's picture for printing, if it has one.
    ///
    /// # Errors
    /// When a file cannot be written, or the content does not match its type.
    pub fn show(&mut self, display: Option<&str>, bundle: &MimeBundle) -> io::Result<Option<Picture>> {
        let Some(bytes) = raster(bundle)? else {
            return Ok(self.files.save(display, bundle)?.map(Picture::Saved));
        };
        let terminal = self.terminal;
        let mode = *self.mode.get_or_insert_with(|| PictureMode::detect(terminal));
        let drawn = match mode {
            PictureMode::Files => None,
            PictureMode::Kitty { tmux } => protocol::kitty(&bytes, tmux).map(Picture::Drawn),
            PictureMode::Iterm2 { tmux } => protocol::iterm2(&bytes, tmux).map(Picture::Drawn),
            PictureMode::Sixel => decode(&bytes).map(|image| Picture::Drawn(sixel::encode(&image))),
            PictureMode::Blocks { colours } => match decode(&bytes) {
                Some(image) => {
                    let drawn = blocks::draw(&image, colours);
                    self.files.save(display, bundle)?.map(|path| Picture::Coarse(drawn, path))
                }
                None => None,
            },
        };
        match drawn {
            Some(drawn) => Ok(Some(drawn)),
            None => Ok(self.files.save(display, bundle)?.map(Picture::Saved)),
        }
    }
}

/// The bytes of the bundle's PNG or JPEG.
fn raster(bundle: &MimeBundle) -> io::Result<Option<Vec<u8>>> {
    let content = bundle.get("image/png").or_else(|| bundle.get("image/jpeg"));
    content.map(from_base64).transpose()
}

fn from_base64(text: &str) -> io::Result<Vec<u8>> {
    let compact: String = text.split_whitespace().collect();
    STANDARD.decode(compact).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// The picture's pixels; `None` if it is not a picture or is absurdly large.
fn decode(bytes: &[u8]) -> Option<image::RgbaImage> {
    let (width, height) = dimensions(bytes)?;
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return None;
    }
    Some(image::load_from_memory(bytes).ok()?.into_rgba8())
}

fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    image::io::Reader::new(io::Cursor::new(bytes)).with_guessed_format().ok()?.into_dimensions().ok()
}

/// The size of the screen in characters, and of a character in pixels if the terminal reports it.
struct Screen {
    columns: u32,
    rows: u32,
    cell: (u32, u32),
}

impl Screen {
    fn now() -> Self {
        // SAFETY: all zeros are a valid `winsize`, which the call fills in if there is a terminal.
        let size = unsafe {
            let mut size: libc::winsize = std::mem::zeroed();
            let done = libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) == 0;
            done.then_some(size)
        };
        let known = size.filter(|size| size.ws_col > 0 && size.ws_row > 0);
        let (columns, rows) = known.map_or((80, 24), |size| (size.ws_col.into(), size.ws_row.into()));
        let cell = known
            .filter(|size| size.ws_xpixel > 0 && size.ws_ypixel > 0)
            .map_or((9, 18), |size| (u32::from(size.ws_xpixel) / columns, u32::from(size.ws_ypixel) / rows));
        Self { columns, rows, cell: (cell.0.max(1), cell.1.max(1)) }
    }

    /// The size in pixels at which a picture of `size` fits on the screen. Never enlarges.
    fn fit(&self, size: (u32, u32)) -> (u32, u32) {
        let most = (self.columns * self.cell.0, self.rows.saturating_sub(FREE_ROWS).max(4) * self.cell.1);
        fit(size, most)
    }
}

/// `size` reduced in proportion until it is at most `most`.
fn fit(size: (u32, u32), most: (u32, u32)) -> (u32, u32) {
    let (width, height) = (size.0.max(1), size.1.max(1));
    let by = (f64::from(most.0) / f64::from(width)).min(f64::from(most.1) / f64::from(height)).min(1.0);
    (((f64::from(width) * by) as u32).max(1), ((f64::from(height) * by) as u32).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PNG of two colours, as in a bundle.
    fn bundle() -> MimeBundle {
        let picture = image::RgbImage::from_fn(16, 16, |x, _| {
            image::Rgb(if x < 8 { [255, 0, 0] } else { [0, 0, 255] })
        });
        let mut png = io::Cursor::new(Vec::new());
        picture.write_to(&mut png, image::ImageOutputFormat::Png).unwrap();
        MimeBundle::text("a picture").with("image/png", STANDARD.encode(png.into_inner()))
    }

    fn drawn(mode: PictureMode) -> String {
        let mut pictures = Pictures { files: Files::default(), mode: Some(mode), terminal: true };
        match pictures.show(None, &bundle()).unwrap().unwrap() {
            Picture::Drawn(text) => text,
            Picture::Coarse(text, path) => {
                std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
                text
            }
            Picture::Saved(path) => panic!("saved to {}", path.display()),
        }
    }

    #[test]
    fn a_picture_is_drawn_the_way_the_terminal_has() {
        assert!(drawn(PictureMode::Kitty { tmux: false }).starts_with("\x1b_G"));
        assert!(drawn(PictureMode::Iterm2 { tmux: false }).starts_with("\x1b]1337;File="));
        assert!(drawn(PictureMode::Sixel).starts_with("\x1bP"));
        assert!(drawn(PictureMode::Blocks { colours: mode::Colours::True }).contains("\x1b[48;2;255;0;0m"));
    }

    #[test]
    fn what_is_no_picture_and_vectors_are_not_drawn() {
        let mut pictures =
            Pictures { files: Files::default(), mode: Some(PictureMode::Sixel), terminal: true };
        assert_eq!(pictures.show(None, &MimeBundle::text("1")).unwrap(), None);
        assert!(pictures.show(None, &MimeBundle::default().with("image/png", "%")).is_err());
        let garbage = MimeBundle::default().with("image/png", STANDARD.encode("no png"));
        let Some(Picture::Saved(path)) = pictures.show(None, &garbage).unwrap() else { panic!("drawn") };
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_picture_keeps_its_shape_and_is_never_enlarged() {
        assert_eq!(fit((720, 400), (360, 4000)), (360, 200));
        assert_eq!(fit((720, 400), (1000, 100)), (180, 100));
        assert_eq!(fit((10, 10), (1000, 1000)), (10, 10));
        assert_eq!(fit((0, 4_000_000), (10, 10)), (1, 10));
    }
}
