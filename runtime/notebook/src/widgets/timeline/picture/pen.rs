//! Writes shapes and texts as SVG, and defines their colours.

use std::fmt::Write as _;

use partita::display::html::escape;

/// The maximum number of bars with a tooltip.
const TIPS: usize = 800;

pub(super) const INK: &str = "#1c2128";
pub(super) const MUTED: &str = "#5b6570";
pub(super) const LINE: &str = "#e3e6ea";
pub(super) const BAND: &str = "#f5f6f8";
pub(super) const ALARM: &str = "#a3130f";
pub(super) const FONT: &str =
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif";

/// Okabe and Ito's colours, as in `assets/picture.js`.
pub(super) const STAGES: [[u8; 3]; 7] = [
    [0x00, 0x72, 0xb2],
    [0xe6, 0x9f, 0x00],
    [0x00, 0x9e, 0x73],
    [0xcc, 0x79, 0xa7],
    [0x56, 0xb4, 0xe9],
    [0xd5, 0x5e, 0x00],
    [0x7f, 0x8b, 0x99],
];

pub(super) const WHITE: [u8; 3] = [255; 3];
pub(super) const BLACK: [u8; 3] = [0; 3];

/// Writes elements one after another. `id` distinguishes this picture's names from those of others in a
/// page.
pub(super) struct Pen<'a> {
    pub out: String,
    pub id: &'a str,
    tips: usize,
}

impl<'a> Pen<'a> {
    pub fn new(id: &'a str) -> Self {
        Self { out: String::new(), id, tips: 0 }
    }

    pub fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, fill: &str) {
        // Writing to a string cannot fail.
        let _ = write!(
            self.out,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{fill}\"/>",
            tenths(x),
            tenths(y),
            tenths(width.max(0.1)),
            tenths(height)
        );
    }

    pub fn frame(&mut self, x: f64, y: f64, width: f64, height: f64, colour: &str, dash: &str) {
        let _ = write!(
            self.out,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"{colour}\"{dash}/>",
            tenths(x + 0.5),
            tenths(y + 0.5),
            tenths((width - 1.0).max(0.5)),
            tenths((height - 1.0).max(0.5))
        );
    }

    pub fn text(&mut self, x: f64, y: f64, text: &str, colour: &str, size: f64, anchor: &str) {
        let anchor = if anchor == "start" { String::new() } else { format!(" text-anchor=\"{anchor}\"") };
        let _ = write!(
            self.out,
            "<text x=\"{}\" y=\"{}\" fill=\"{colour}\" font-size=\"{size}\"{anchor}>{}</text>",
            tenths(x),
            tenths(y),
            escape(text)
        );
    }

    pub fn bold(&mut self, x: f64, y: f64, text: &str, size: f64) {
        let _ = write!(
            self.out,
            "<text x=\"{}\" y=\"{}\" fill=\"{INK}\" font-size=\"{size}\" font-weight=\"600\">{}</text>",
            tenths(x),
            tenths(y),
            escape(text)
        );
    }

    /// Draws something with a tooltip, which the page shows.
    pub fn with_tip(&mut self, tip: impl FnOnce() -> String, draw: impl FnOnce(&mut Self)) {
        self.tips += 1;
        if self.tips > TIPS {
            draw(self);
            return;
        }
        self.out.push_str("<g>");
        draw(self);
        let _ = write!(self.out, "<title>{}</title></g>", escape(&tip()));
    }
}

pub(super) fn colour(stage: usize) -> [u8; 3] {
    STAGES[stage % STAGES.len()]
}

pub(super) fn hex([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

pub(super) fn mixed(a: [u8; 3], b: [u8; 3], share: f64) -> String {
    let mix = |a: u8, b: u8| (f64::from(a) * (1.0 - share) + f64::from(b) * share).round() as u8;
    hex([mix(a[0], b[0]), mix(a[1], b[1]), mix(a[2], b[2])])
}

pub(super) fn luminance(colour: [u8; 3]) -> f64 {
    let [red, green, blue] = colour.map(|channel| {
        let channel = f64::from(channel) / 255.0;
        if channel <= 0.03928 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/// The text, shortened to this many characters.
pub(super) fn fit(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

pub(super) fn tenths(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}
