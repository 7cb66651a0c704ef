use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::prelude::{DrawingBackend, SVGBackend};
use polars::prelude::DataFrame;

use super::bitmap::Bitmap;
use super::column::clean;
use super::style::{CORNER, PANEL, Style, load_font};
use super::{PlotError, png};
use crate::display::html::escape;
use crate::display::{MimeBundle, MimeDisplay};

const SMALLEST: (u32, u32) = (240, 160);
const LARGEST: (u32, u32) = (4000, 4000);

/// The parts that a kind of plot (line, bars, …) defines; everything else is in [`Plot`].
pub trait Kind {
    /// A one-line description of the plot.
    fn describe(&self) -> String;

    /// The default width and height in pixels.
    fn natural_size(&self, _frame: &DataFrame) -> (u32, u32) {
        (720, 400)
    }

    /// Draws the whole picture onto an area that is already filled.
    fn draw<DB: DrawingBackend>(
        &self,
        frame: &DataFrame,
        style: &Style,
        area: &DrawingArea<DB, Shift>,
    ) -> Result<(), PlotError>;
}

/// A plot of some kind, drawn when it is shown or saved. The functions of [`plot`](crate::plot) create one,
/// and its methods configure it:
///
/// ```
/// use partita::plot;
/// use polars::prelude::*;
/// let sizes = df!("partition" => [0, 1, 2], "rows" => [900, 40, 60])?;
/// let plot = plot::bar(&sizes, "partition", "rows").title("Skewed").size(500, 300);
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("skew.png");
/// plot.save(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Plot<K> {
    frame: DataFrame,
    style: Style,
    pub(super) kind: K,
}

impl<K> Plot<K> {
    pub(super) fn new(frame: &DataFrame, kind: K) -> Self {
        Self { frame: frame.clone(), style: Style::default(), kind }
    }

    /// Sets the line of text above the picture.
    #[must_use]
    pub fn title(mut self, title: &str) -> Self {
        self.style.title = Some(clean(title));
        self
    }

    /// Sets the x axis's label, preferably with its unit: `"time, ms"`. By default it is the column's name.
    #[must_use]
    pub fn x_label(mut self, label: &str) -> Self {
        self.style.x_label = Some(clean(label));
        self
    }

    /// Sets the y axis's label, preferably with its unit.
    #[must_use]
    pub fn y_label(mut self, label: &str) -> Self {
        self.style.y_label = Some(clean(label));
        self
    }

    /// Sets width and height in pixels.
    #[must_use]
    pub fn size(mut self, width: u32, height: u32) -> Self {
        self.style.size = Some((width, height));
        self
    }
}

impl<K: Kind> Plot<K> {
    /// Renders the plot as an SVG document.
    ///
    /// # Errors
    /// When a column is missing or of the wrong type, when there is no row to draw, or when there is too much
    /// to draw; the message says which and what to do.
    pub fn svg(&self) -> Result<String, PlotError> {
        let size = self.checked_size()?;
        let mut svg = String::new();
        self.draw_on(SVGBackend::with_string(&mut svg, size))?;
        let (start, rest) = svg.split_once('\n').unwrap_or_default();
        let start = start.strip_suffix('>').unwrap_or(start);
        let label = self.kind.describe();
        Ok(format!(
            "{start} role=\"img\" aria-label=\"{}\">\n<rect width=\"100%\" height=\"100%\" rx=\"{CORNER}\" \
             fill=\"#{:02X}{:02X}{:02X}\"/>\n{rest}",
            escape(&clean(&label)),
            PANEL.0,
            PANEL.1,
            PANEL.2
        ))
    }

    /// Renders the plot as the bytes of a PNG file.
    ///
    /// # Errors
    /// As for [`svg`](Self::svg).
    pub fn png(&self) -> Result<Vec<u8>, PlotError> {
        let size = self.checked_size()?;
        let mut bitmap = Bitmap::new(size);
        self.draw_on(bitmap.backend())?;
        png::encode(&bitmap.into_rgb(), size)
    }

    /// Writes the picture to a file in the format of its ending, `.svg` or `.png`.
    ///
    /// # Errors
    /// As for [`svg`](Self::svg), and for another ending and when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), PlotError> {
        let path = path.as_ref();
        let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
        let content = match ending.as_deref() {
            Some("svg") => self.svg()?.into_bytes(),
            Some("png") => self.png()?,
            _ => return Err(PlotError::Format(path.to_owned())),
        };
        std::fs::write(path, content).map_err(|source| PlotError::Io { path: path.to_owned(), source })
    }

    fn checked_size(&self) -> Result<(u32, u32), PlotError> {
        let (width, height) = self.style.size.unwrap_or_else(|| self.kind.natural_size(&self.frame));
        let fits = (SMALLEST.0..=LARGEST.0).contains(&width) && (SMALLEST.1..=LARGEST.1).contains(&height);
        if fits { Ok((width, height)) } else { Err(PlotError::Size { width, height }) }
    }

    fn draw_on<DB: DrawingBackend>(&self, backend: DB) -> Result<(), PlotError> {
        load_font()?;
        let area = backend.into_drawing_area();
        self.kind.draw(&self.frame, &self.style, &area)?;
        area.present().map_err(PlotError::draw)
    }
}

/// Provides SVG and PNG; the front end chooses. A plot that cannot be drawn shows the reason.
impl<K: Kind> MimeDisplay for Plot<K> {
    fn mime_bundle(&self) -> MimeBundle {
        let drawn = self.svg().and_then(|svg| Ok((svg, self.png()?)));
        match drawn {
            Ok((svg, png)) => {
                MimeBundle::text(format!("{} ({} rows)", self.kind.describe(), self.frame.height()))
                    .with("image/svg+xml", svg)
                    .with("image/png", STANDARD.encode(png))
            }
            Err(error) => MimeBundle::text(format!("{}: {error}", self.kind.describe())),
        }
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::*;

    use super::*;
    use crate::plot;

    fn frame() -> DataFrame {
        df!("n" => [1, 2, 4], "ms" => [30.0, 17.0, 12.0]).unwrap()
    }

    #[test]
    fn a_plot_shows_as_svg_png_and_a_line_of_text() {
        let bundle = plot::line(&frame(), "n", "ms").mime_bundle();
        assert_eq!(bundle.get("text/plain"), Some("line plot of \"ms\" over \"n\" (3 rows)"));
        assert!(bundle.get("image/svg+xml").unwrap().starts_with("<svg "));
        let png = STANDARD.decode(bundle.get("image/png").unwrap()).unwrap();
        assert!(png.starts_with(b"\x89PNG"));
    }

    #[test]
    fn a_plot_that_cannot_be_drawn_shows_why_and_no_picture() {
        let bundle = plot::line(&frame(), "n", "seconds").mime_bundle();
        assert_eq!(bundle.data.len(), 1);
        let text = bundle.get("text/plain").unwrap();
        assert!(text.contains("\"seconds\" is not in the DataFrame; it has \"n\", \"ms\""), "{text}");
    }

    #[test]
    fn title_and_labels_appear_escaped_and_default_to_column_names() {
        let svg = plot::line(&frame(), "n", "ms").title("a < b & c\u{0}").svg().unwrap();
        assert!(svg.contains("a &lt; b &amp; c "), "{svg}");
        assert!(svg.contains(">\nms\n<") && svg.contains(">\nn\n<"), "{svg}");
        let svg = plot::line(&frame(), "n", "ms").x_label("partitions").y_label("time, ms").svg().unwrap();
        assert!(svg.contains("partitions") && svg.contains("time, ms") && !svg.contains(">\nms\n<"));
    }

    #[test]
    fn the_size_asked_for_is_the_size_drawn_and_absurd_ones_are_refused() {
        let svg = plot::line(&frame(), "n", "ms").size(500, 300).svg().unwrap();
        assert!(svg.starts_with("<svg width=\"500\" height=\"300\""), "{svg}");
        for (width, height) in [(0, 0), (10, 300), (500, 100_000)] {
            let error = plot::line(&frame(), "n", "ms").size(width, height).svg().unwrap_err();
            assert!(matches!(error, PlotError::Size { .. }), "{error}");
        }
    }

    #[test]
    fn the_smallest_size_still_draws_with_title_legend_and_long_labels() {
        let long = "a label far too long for a picture this small, whatever one does";
        let frame = df!("n" => [1, 2], "a" => [1e9, 2e9], "s" => [long, "short"]).unwrap();
        let plot = plot::line(&frame, "n", "a").by("s").title(long).x_label(long).y_label(long);
        plot.clone().size(240, 160).svg().unwrap();
        plot.size(240, 160).png().unwrap();
        plot::bar(&frame, "s", "a").size(240, 160).png().unwrap();
    }

    #[test]
    fn saving_goes_by_the_ending_and_names_what_it_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let plot = plot::line(&frame(), "n", "ms");
        plot.save(folder.path().join("a.SVG")).unwrap();
        plot.save(folder.path().join("a.png")).unwrap();
        assert!(std::fs::read(folder.path().join("a.SVG")).unwrap().starts_with(b"<svg"));
        assert!(std::fs::read(folder.path().join("a.png")).unwrap().starts_with(b"\x89PNG"));
        let error = plot.save(folder.path().join("a.pdf")).unwrap_err().to_string();
        assert!(error.contains("a.pdf") && error.contains(".svg or .png"), "{error}");
        let error = plot.save(folder.path().join("no/such/a.svg")).unwrap_err().to_string();
        assert!(error.contains("no/such/a.svg"), "{error}");
    }

    #[test]
    fn an_empty_frame_says_so_for_every_kind() {
        let empty = df!("a" => Vec::<f64>::new(), "b" => Vec::<f64>::new()).unwrap();
        let errors = [
            plot::line(&empty, "a", "b").svg(),
            plot::bar(&empty, "a", "b").svg(),
            plot::histogram(&empty, "a").svg(),
            plot::heat_map(&empty, "a", "b", "a").svg(),
            plot::timeline(&empty, "a", "a", "b").svg(),
        ];
        for error in errors {
            let error = error.unwrap_err().to_string();
            assert!(error.contains("has no rows; check the filter"), "{error}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
        #[test]
        fn any_numbers_and_names_give_a_picture_or_an_error_but_no_panic(
            rows in proptest::collection::vec((any_float(), any_float(), "\\PC{0,30}"), 1..12),
        ) {
            let x: Vec<f64> = rows.iter().map(|row| row.0).collect();
            let y: Vec<f64> = rows.iter().map(|row| row.1).collect();
            let name: Vec<&str> = rows.iter().map(|row| row.2.as_str()).collect();
            let frame = df!("x" => x, "y" => y, "name" => name).unwrap();
            let line = plot::line(&frame, "x", "y").by("name").band("x", "y");
            let pictures = [
                line.clone().svg(),
                line.log_x().log_y().svg(),
                plot::bar(&frame, "name", "y").svg(),
                plot::bar(&frame, "name", "y").by("x").horizontal().svg(),
                plot::histogram(&frame, "x").svg(),
                plot::heat_map(&frame, "x", "name", "y").svg(),
                plot::timeline(&frame, "name", "x", "y").stage("name").svg(),
            ];
            for picture in pictures {
                match picture {
                    Ok(svg) => proptest::prop_assert!(svg.trim_end().ends_with("</svg>") && !svg.contains("NaN")),
                    Err(error) => proptest::prop_assert!(!error.to_string().contains("drawing failed"), "{}", error),
                }
            }
        }
    }

    fn any_float() -> impl proptest::prelude::Strategy<Value = f64> {
        use proptest::prelude::*;
        prop_oneof![
            any::<f64>(),
            -1e3..1e3f64,
            (-5..50i32).prop_map(f64::from),
            Just(f64::NAN),
            Just(f64::MAX)
        ]
    }
}
