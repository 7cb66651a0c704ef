//! Sixel encoding: a palette and, for each band of six rows, the columns of each colour.

use std::collections::HashMap;
use std::fmt::Write;

use color_quant::NeuQuant;
use image::RgbaImage;
use image::imageops::{FilterType, resize};

use super::Screen;

/// The number of colours that every terminal has for a picture.
const COLOURS: usize = 256;

/// The sixel sequence of a picture, reduced if it does not fit on the screen.
pub fn encode(image: &RgbaImage) -> String {
    let (width, height) = Screen::now().fit(image.dimensions());
    if (width, height) == image.dimensions() {
        sixels(image)
    } else {
        sixels(&resize(image, width, height, FilterType::CatmullRom))
    }
}

fn sixels(image: &RgbaImage) -> String {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let palette = Palette::of(image);
    // `1`: pixels that no sixel sets keep the terminal's own colour.
    let mut text = format!("\x1bP0;1;0q\"1;1;{width};{height}");
    for (index, [red, green, blue]) in palette.colours.iter().enumerate() {
        let percent = |part: u8| (u32::from(part) * 100 + 127) / 255;
        let _ = write!(text, "#{index};2;{};{};{}", percent(*red), percent(*green), percent(*blue));
    }
    for band in 0..height.div_ceil(6) {
        let mut lines: Vec<Option<Vec<u8>>> = vec![None; palette.colours.len()];
        for y in band * 6..height.min(band * 6 + 6) {
            for x in 0..width {
                if let Some(colour) = palette.indices[y * width + x] {
                    lines[usize::from(colour)].get_or_insert_with(|| vec![0; width])[x] |= 1 << (y % 6);
                }
            }
        }
        for (colour, line) in lines.iter().enumerate() {
            if let Some(line) = line {
                let _ = write!(text, "#{colour}");
                push_runs(&mut text, line);
                text.push('$');
            }
        }
        text.push('-');
    }
    text.push_str("\x1b\\");
    text
}

/// Columns of six pixels, with equal neighbours written once.
fn push_runs(text: &mut String, line: &[u8]) {
    for run in line.chunk_by(|a, b| a == b) {
        let sixel = char::from(b'?' + run[0]);
        if run.len() > 3 {
            let _ = write!(text, "!{}{sixel}", run.len());
        } else {
            text.extend(std::iter::repeat_n(sixel, run.len()));
        }
    }
}

/// The colours of a picture and, for each pixel, the index of its colour; `None` if it is transparent.
struct Palette {
    colours: Vec<[u8; 3]>,
    indices: Vec<Option<u8>>,
}

impl Palette {
    /// The picture's own colours if they are few (as in a plot without anti-aliasing), else the best
    /// approximation.
    fn of(image: &RgbaImage) -> Self {
        let visible = |pixel: &image::Rgba<u8>| pixel.0[3] >= 128;
        let mut known: HashMap<[u8; 3], u8> = HashMap::new();
        for pixel in image.pixels().filter(|pixel| visible(pixel)) {
            let [red, green, blue, _] = pixel.0;
            let next = known.len();
            if next == COLOURS && !known.contains_key(&[red, green, blue]) {
                return Self::quantized(image);
            }
            known.entry([red, green, blue]).or_insert(next as u8);
        }
        let mut colours = vec![[0; 3]; known.len()];
        for (colour, index) in &known {
            colours[usize::from(*index)] = *colour;
        }
        let index = |pixel: &image::Rgba<u8>| {
            let [red, green, blue, _] = pixel.0;
            visible(pixel).then(|| known[&[red, green, blue]])
        };
        Self { colours, indices: image.pixels().map(index).collect() }
    }

    fn quantized(image: &RgbaImage) -> Self {
        // Every tenth pixel is enough to find the colours.
        let quantizer = NeuQuant::new(10, COLOURS, image.as_raw());
        let colours = quantizer.color_map_rgb().chunks_exact(3).map(|c| [c[0], c[1], c[2]]).collect();
        let mut seen: HashMap<[u8; 4], u8> = HashMap::new();
        let indices = image
            .pixels()
            .map(|pixel| {
                (pixel.0[3] >= 128)
                    .then(|| *seen.entry(pixel.0).or_insert_with(|| quantizer.index_of(&pixel.0) as u8))
            })
            .collect();
        Self { colours, indices }
    }
}

#[cfg(test)]
mod tests {
    use image::Rgba;

    use super::*;

    #[test]
    fn two_colours_give_two_entries_and_their_bits() {
        let image =
            RgbaImage::from_fn(
                5,
                7,
                |_, y| if y < 3 { Rgba([255, 0, 0, 255]) } else { Rgba([0, 0, 255, 255]) },
            );
        assert_eq!(sixels(&image), "\x1bP0;1;0q\"1;1;5;7#0;2;100;0;0#1;2;0;0;100#0!5F$#1!5w$-#1!5@$-\x1b\\");
    }

    #[test]
    fn transparent_pixels_are_left_out() {
        let image = RgbaImage::from_fn(2, 1, |x, _| Rgba([9, 9, 9, if x == 0 { 0 } else { 255 }]));
        assert!(sixels(&image).contains("#0?@$"));
        assert!(!sixels(&RgbaImage::new(4, 4)).contains("#0"));
    }

    #[test]
    fn many_colours_are_reduced_to_what_a_terminal_has() {
        let image = RgbaImage::from_fn(64, 64, |x, y| Rgba([(x * 4) as u8, (y * 4) as u8, 128, 255]));
        let text = sixels(&image);
        assert!(text.contains("#255;2;") && !text.contains("#256;2;"));
    }
}
