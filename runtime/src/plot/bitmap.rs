//! Plotters' bitmap backend puts every letter on a whole pixel, which spaces small text unevenly. So PNGs are
//! drawn enlarged and scaled down; each pixel is the mean of the pixels that it covers.

use plotters::prelude::{BitMapBackend, DrawingBackend};
use plotters::style::text_anchor::VPos;
use plotters::style::{FontTransform, IntoFont, RGBAColor};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind};

use super::style::PANEL;

/// Above this many pixels the enlarged picture would take too much memory. Such a picture also has room for
/// larger text.
const MAX_ENLARGED: u32 = 2_000_000;
/// In an SVG one unit of font size is 1/1.24 em; in a bitmap it is DejaVu's line height of 1.164 em.
const LIKE_SVG: f64 = 1.164 / 1.24;

/// How far below plotters' own position a text must be, in font sizes, to match its position in an SVG.
fn baseline_drop(anchor: VPos) -> f64 {
    match anchor {
        VPos::Top => 0.15,
        VPos::Center => 0.14,
        VPos::Bottom => 0.07,
    }
}

/// The pixels of a picture while it is drawn.
pub(super) struct Bitmap {
    size: (u32, u32),
    factor: u32,
    pixels: Vec<u8>,
}

impl Bitmap {
    /// An empty panel.
    pub fn new(size: (u32, u32)) -> Self {
        let factor = if size.0 * size.1 <= MAX_ENLARGED { 3 } else { 1 };
        let count = (size.0 * factor) as usize * (size.1 * factor) as usize;
        Self { size, factor, pixels: [PANEL.0, PANEL.1, PANEL.2].repeat(count) }
    }

    /// The backend that draws into it, with coordinates in pixels of the final size.
    pub fn backend(&mut self) -> Enlarged<'_> {
        let (width, height) = (self.size.0 * self.factor, self.size.1 * self.factor);
        Enlarged {
            inner: BitMapBackend::with_buffer(&mut self.pixels, (width, height)),
            size: self.size,
            factor: self.factor as i32,
        }
    }

    /// RGB bytes in the final size.
    pub fn into_rgb(self) -> Vec<u8> {
        if self.factor == 1 {
            return self.pixels;
        }
        let (width, factor) = (self.size.0 as usize, self.factor as usize);
        let mut rgb = Vec::with_capacity(self.pixels.len() / (factor * factor));
        for row in 0..self.size.1 as usize {
            for column in 0..width {
                let mut sum = [0u32; 3];
                for y in row * factor..(row + 1) * factor {
                    let start = (y * width * factor + column * factor) * 3;
                    for pixel in self.pixels[start..start + factor * 3].chunks_exact(3) {
                        sum.iter_mut().zip(pixel).for_each(|(sum, part)| *sum += u32::from(*part));
                    }
                }
                rgb.extend(sum.map(|sum| (sum / (factor * factor) as u32) as u8));
            }
        }
        rgb
    }
}

/// A bitmap backend that draws everything enlarged by `factor`.
pub(super) struct Enlarged<'a> {
    inner: BitMapBackend<'a>,
    size: (u32, u32),
    factor: i32,
}

type Failure<'a> = DrawingErrorKind<<BitMapBackend<'a> as DrawingBackend>::ErrorType>;

impl Enlarged<'_> {
    /// The middle of a pixel.
    fn middle(&self, (x, y): BackendCoord) -> BackendCoord {
        (x * self.factor + self.factor / 2, y * self.factor + self.factor / 2)
    }

    fn thick<S: BackendStyle>(&self, style: &S) -> Thick {
        Thick { color: style.color(), width: style.stroke_width() * self.factor as u32 }
    }
}

struct Thick {
    color: BackendColor,
    width: u32,
}

impl BackendStyle for Thick {
    fn color(&self) -> BackendColor {
        self.color
    }

    fn stroke_width(&self) -> u32 {
        self.width
    }
}

impl<'a> DrawingBackend for Enlarged<'a> {
    type ErrorType = <BitMapBackend<'a> as DrawingBackend>::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Result<(), Failure<'a>> {
        self.inner.ensure_prepared()
    }

    fn present(&mut self) -> Result<(), Failure<'a>> {
        self.inner.present()
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Result<(), Failure<'a>> {
        self.draw_rect(point, (point.0 + 1, point.1 + 1), &color, true)
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Result<(), Failure<'a>> {
        self.inner.draw_line(self.middle(from), self.middle(to), &self.thick(style))
    }

    /// As in an SVG, the right and bottom coordinates are the rectangle's edges, not its last pixels.
    fn draw_rect<S: BackendStyle>(
        &mut self,
        (left, top): BackendCoord,
        (right, bottom): BackendCoord,
        style: &S,
        fill: bool,
    ) -> Result<(), Failure<'a>> {
        let factor = self.factor;
        let far = (right * factor, bottom * factor);
        self.inner.draw_rect((left * factor, top * factor), far, &self.thick(style), fill)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Result<(), Failure<'a>> {
        let path: Vec<_> = path.into_iter().map(|point| self.middle(point)).collect();
        self.inner.draw_path(path, &self.thick(style))
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Result<(), Failure<'a>> {
        let radius = radius * self.factor as u32;
        self.inner.draw_circle(self.middle(center), radius, &self.thick(style), fill)
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Result<(), Failure<'a>> {
        let path: Vec<_> = path.into_iter().map(|point| self.middle(point)).collect();
        self.inner.fill_polygon(path, &self.thick(style))
    }

    fn draw_text<T: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &T,
        position: BackendCoord,
    ) -> Result<(), Failure<'a>> {
        let BackendColor { alpha, rgb: (red, green, blue) } = style.color();
        let size = style.size() * f64::from(self.factor) * LIKE_SVG;
        let (transform, anchor) = (style.transform(), style.anchor());
        let style = (style.family(), size, style.style())
            .into_font()
            .transform(transform.clone())
            .color(&RGBAColor(red, green, blue, alpha))
            .pos(anchor);
        let (x, y) = (position.0 * self.factor, position.1 * self.factor);
        let drop = (size * baseline_drop(anchor.v_pos)).round() as i32;
        let position = match transform {
            FontTransform::Rotate90 => (x - drop, y),
            FontTransform::Rotate180 => (x, y - drop),
            FontTransform::Rotate270 => (x + drop, y),
            _ => (x, y + drop),
        };
        self.inner.draw_text(text, &style, position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixel(rgb: &[u8], width: usize, x: usize, y: usize) -> [u8; 3] {
        let start = (y * width + x) * 3;
        [rgb[start], rgb[start + 1], rgb[start + 2]]
    }

    #[test]
    fn a_rectangle_fills_exactly_its_pixels_and_ends_before_its_far_edges() {
        let ink = BackendColor { alpha: 1.0, rgb: (10, 20, 30) };
        let mut bitmap = Bitmap::new((20, 10));
        bitmap.backend().draw_rect((5, 2), (8, 4), &ink, true).unwrap();
        let rgb = bitmap.into_rgb();
        assert_eq!(rgb.len(), 20 * 10 * 3);
        let inked = (0..200).filter(|index| pixel(&rgb, 20, index % 20, index / 20) == [10, 20, 30]);
        let inked: Vec<(usize, usize)> = inked.map(|index| (index % 20, index / 20)).collect();
        assert_eq!(inked, [(5, 2), (6, 2), (7, 2), (5, 3), (6, 3), (7, 3)]);
    }

    #[test]
    fn a_huge_picture_is_not_enlarged() {
        assert_eq!(Bitmap::new((4000, 4000)).pixels.len(), 4000 * 4000 * 3);
    }
}
