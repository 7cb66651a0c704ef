use std::sync::OnceLock;

use plotters::style::{FontFamily, FontStyle, IntoFont, RGBColor, TextStyle, register_font};

use super::PlotError;

/// The colours of series and stages in order: Okabe and Ito's, which are distinct with any colour vision,
/// without their yellow, which is too faint on a light panel.
pub(super) const PALETTE: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(213, 94, 0),
    RGBColor(86, 180, 233),
    RGBColor(85, 85, 85),
];

/// Dark marks on an opaque light panel are readable on both light and dark pages.
pub(super) const PANEL: RGBColor = RGBColor(252, 252, 250);
pub(super) const INK: RGBColor = RGBColor(40, 42, 46);
pub(super) const DIM: RGBColor = RGBColor(95, 98, 104);
pub(super) const GRID: RGBColor = RGBColor(226, 227, 229);
/// Radius of the panel's corners in pixels.
pub(super) const CORNER: u32 = 8;

pub(super) const TITLE: f64 = 19.0;
pub(super) const TEXT: f64 = 15.0;
pub(super) const SMALL: f64 = 14.0;

/// The bundled font first. Verdana has nearly the same widths, for an SVG shown without it.
const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";
static DEJAVU_SANS: &[u8] = include_bytes!("../../../assets/fonts/DejaVuSans.ttf");

/// The colour of a series or stage by its position.
pub(super) fn color(index: usize) -> RGBColor {
    PALETTE[index % PALETTE.len()]
}

/// A text style in the bundled font, which works without any installed font.
pub(super) fn text(size: f64, color: RGBColor) -> TextStyle<'static> {
    (FontFamily::Name(FAMILY), size).into_font().color(&color)
}

/// Registers the font with plotters, once.
pub(super) fn load_font() -> Result<(), PlotError> {
    // Process-wide because plotters keeps its fonts so.
    static LOADED: OnceLock<bool> = OnceLock::new();
    let loaded = LOADED.get_or_init(|| register_font(FAMILY, FontStyle::Normal, DEJAVU_SANS).is_ok());
    if *loaded { Ok(()) } else { Err(PlotError::Draw("the built-in font cannot be read".to_owned())) }
}

/// Settings that all kinds of plots have in common.
#[derive(Debug, Clone, Default)]
pub struct Style {
    pub(super) title: Option<String>,
    pub(super) x_label: Option<String>,
    pub(super) y_label: Option<String>,
    pub(super) size: Option<(u32, u32)>,
}

impl Style {
    /// The x axis's label, or the kind's own default.
    pub(super) fn x_or(&self, own: &str) -> String {
        self.x_label.clone().unwrap_or_else(|| own.to_owned())
    }

    /// The y axis's label, or the kind's own default.
    pub(super) fn y_or(&self, own: &str) -> String {
        self.y_label.clone().unwrap_or_else(|| own.to_owned())
    }
}
