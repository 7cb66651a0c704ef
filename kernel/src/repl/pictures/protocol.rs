//! The protocols that take a picture as a file: kitty's and iTerm2's.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Screen, decode, dimensions};

/// Kitty takes base64 in chunks of this size.
const PIECE: usize = 4096;

/// The sequence with which kitty (and Ghostty, WezTerm, Konsole) shows a picture at the cursor. Other
/// formats are converted to PNG, the only one that kitty accepts.
pub fn kitty(bytes: &[u8], tmux: bool) -> Option<String> {
    let png = if bytes.starts_with(b"\x89PNG") { bytes.to_vec() } else { to_png(bytes)? };
    let columns = columns(&png)?;
    let content = STANDARD.encode(png);
    let mut text = String::with_capacity(content.len() + 1024);
    let mut rest = content.as_str();
    // `q=2`: the terminal must not answer, because an answer would look like keys.
    let mut keys = format!("a=T,f=100,q=2,c={columns},");
    while !rest.is_empty() {
        let (piece, later) = rest.split_at(rest.len().min(PIECE));
        let more = u8::from(!later.is_empty());
        text.push_str(&through(tmux, &format!("\x1b_G{keys}m={more};{piece}\x1b\\")));
        keys.clear();
        rest = later;
    }
    Some(text)
}

/// The sequence with which iTerm2 (and WezTerm, VS Code) shows a picture at the cursor.
pub fn iterm2(bytes: &[u8], tmux: bool) -> Option<String> {
    let columns = columns(bytes)?;
    let content = STANDARD.encode(bytes);
    let size = bytes.len();
    let sequence =
        format!("\x1b]1337;File=inline=1;size={size};width={columns};preserveAspectRatio=1:{content}\x07");
    Some(through(tmux, &sequence))
}

/// The width of the picture in columns.
fn columns(bytes: &[u8]) -> Option<u32> {
    let screen = Screen::now();
    let (width, _) = screen.fit(dimensions(bytes)?);
    Some(width.div_ceil(screen.cell.0).clamp(1, screen.columns))
}

fn to_png(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut png = std::io::Cursor::new(Vec::new());
    decode(bytes)?.write_to(&mut png, image::ImageOutputFormat::Png).ok()?;
    Some(png.into_inner())
}

/// tmux passes a sequence on to its own terminal only if it is wrapped (and `allow-passthrough` is on).
fn through(tmux: bool, sequence: &str) -> String {
    if tmux {
        format!("\x1bPtmux;{}\x1b\\", sequence.replace('\x1b', "\x1b\x1b"))
    } else {
        sequence.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise() -> Vec<u8> {
        let picture = image::RgbImage::from_fn(200, 100, |x, y| {
            let mixed = x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503_219);
            image::Rgb([mixed as u8, (mixed >> 8) as u8, (mixed >> 16) as u8])
        });
        let mut png = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut png, image::ImageOutputFormat::Png).unwrap();
        png.into_inner()
    }

    #[test]
    fn kitty_gets_the_whole_file_in_pieces_and_only_the_last_one_says_so() {
        let png = noise();
        let text = kitty(&png, false).unwrap();
        let pieces: Vec<&str> = text.split("\x1b_G").skip(1).collect();
        assert!(pieces.len() > 2);
        let mut content = String::new();
        for (index, piece) in pieces.iter().enumerate() {
            let (keys, rest) = piece.split_once(';').unwrap();
            let last = index + 1 == pieces.len();
            assert!(keys.ends_with(if last { "m=0" } else { "m=1" }), "{keys}");
            content.push_str(rest.strip_suffix("\x1b\\").unwrap());
        }
        assert_eq!(STANDARD.decode(content).unwrap(), png);
    }

    #[test]
    fn iterm2_gets_the_whole_file() {
        let png = noise();
        let text = iterm2(&png, false).unwrap();
        let content = text.split_once(':').unwrap().1.strip_suffix('\x07').unwrap();
        assert_eq!(STANDARD.decode(content).unwrap(), png);
    }

    #[test]
    fn inside_tmux_sequences_are_wrapped() {
        assert_eq!(through(true, "\x1b]x\x07"), "\x1bPtmux;\x1b\x1b]x\x07\x1b\\");
    }
}
