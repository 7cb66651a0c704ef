//! Two pixels a character: the upper half of the block in one colour, the rest in another.

use std::fmt::Write;

use image::imageops::{FilterType, resize};
use image::{Rgba, RgbaImage};

use super::mode::Colours;
use super::{Screen, fit};

/// The maximum width; more gains nothing in blocks.
const WIDEST: u32 = 160;

/// The picture as lines of half blocks, as wide as the screen allows.
pub fn draw(image: &RgbaImage, colours: Colours) -> String {
    let screen = Screen::now();
    let most =
        ((screen.columns - 1).clamp(1, WIDEST), screen.rows.saturating_sub(super::FREE_ROWS + 1).max(8) * 2);
    let (width, height) = fit(image.dimensions(), most);
    lines(&resize(image, width, height, FilterType::Triangle), colours)
}

fn lines(image: &RgbaImage, colours: Colours) -> String {
    let mut text = String::new();
    for y in (0..image.height()).step_by(2) {
        let mut last = None;
        for x in 0..image.width() {
            let upper = seen(image.get_pixel(x, y));
            let lower = if y + 1 < image.height() { seen(image.get_pixel(x, y + 1)) } else { None };
            if last != Some((upper, lower)) {
                let _ = match (upper, lower) {
                    (None, None) => write!(text, "\x1b[0m"),
                    (Some(upper), None) => write!(text, "\x1b[0;38;{}m", colours.of(upper)),
                    (None, Some(lower)) => write!(text, "\x1b[0;38;{}m", colours.of(lower)),
                    (Some(upper), Some(lower)) if upper == lower => {
                        write!(text, "\x1b[48;{}m", colours.of(upper))
                    }
                    (Some(upper), Some(lower)) => {
                        write!(text, "\x1b[38;{};48;{}m", colours.of(upper), colours.of(lower))
                    }
                };
                last = Some((upper, lower));
            }
            text.push(match (upper, lower) {
                // A uniform area is left empty, so that copied text is not full of blocks.
                _ if upper == lower => ' ',
                (None, Some(_)) => '▄',
                _ => '▀',
            });
        }
        text.push_str("\x1b[0m\n");
    }
    text
}

fn seen(pixel: &Rgba<u8>) -> Option<[u8; 3]> {
    let [red, green, blue, opacity] = pixel.0;
    (opacity >= 128).then_some([red, green, blue])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_two_pixels_and_colours_are_written_once() {
        let image =
            RgbaImage::from_fn(2, 3, |_, y| Rgba(if y == 0 { [1, 2, 3, 255] } else { [4, 5, 6, 255] }));
        assert_eq!(
            lines(&image, Colours::True),
            "\x1b[38;2;1;2;3;48;2;4;5;6m▀▀\x1b[0m\n\x1b[0;38;2;4;5;6m▀▀\x1b[0m\n"
        );
    }

    #[test]
    fn with_few_colours_the_nearest_of_the_fixed_ones_are_taken() {
        let image = RgbaImage::from_pixel(1, 2, Rgba([255, 0, 0, 255]));
        assert_eq!(lines(&image, Colours::Few), "\x1b[48;5;196m \x1b[0m\n");
    }
}
