use polars::prelude::*;

use super::Measurement;
use crate::display::{MimeBundle, MimeDisplay};
use crate::plot::{self, Line, Plot};

/// The same work at several settings, such as partition counts.
///
/// ```
/// use partita::prelude::*;
/// use partita::experiment::sweep;
/// let session = Session::embedded(2)?;
/// let result = sweep("partitions", [1, 2, 4]).repeats(3).run(|n| session.range(0, 1000, n).count())?;
/// assert_eq!(result.results(), [1000, 1000, 1000]);
/// assert_eq!(result.data_frame().height(), 3);
/// # Ok::<(), partita::PartitaError>(())
/// ```
pub fn sweep(name: &str, settings: impl IntoIterator<Item = usize>) -> Sweep {
    // The setting's column stands beside these.
    let taken = ["median_ms", "low_ms", "high_ms", "runs"].contains(&name);
    let name = if taken { format!("{name} (setting)") } else { name.to_owned() };
    Sweep { name, settings: settings.into_iter().collect(), warmup: 2, repeats: 9 }
}

/// A sweep about to run; made by [`sweep`].
#[derive(Debug, Clone)]
pub struct Sweep {
    name: String,
    settings: Vec<usize>,
    warmup: usize,
    repeats: usize,
}

impl Sweep {
    /// Unmeasured runs before the measured ones, at each setting; 2 unless set.
    #[must_use]
    pub fn warmup(mut self, runs: usize) -> Self {
        self.warmup = runs;
        self
    }

    /// Measured runs at each setting; 9 unless set, at least 1.
    #[must_use]
    pub fn repeats(mut self, runs: usize) -> Self {
        self.repeats = runs;
        self
    }

    /// Runs `work` at each setting, one setting after another.
    ///
    /// # Errors
    /// The first error of `work`.
    pub fn run<R, E>(self, mut work: impl FnMut(usize) -> Result<R, E>) -> Result<SweepResult<R>, E> {
        let mut measurements = Vec::new();
        let mut results = Vec::new();
        for &setting in &self.settings {
            let (measurement, result) = Measurement::of(self.warmup, self.repeats, || work(setting))?;
            measurements.push(measurement);
            results.push(result);
        }
        Ok(SweepResult { name: self.name, settings: self.settings, measurements, results })
    }
}

/// What a sweep measured. As a cell's last expression it shows as a table.
#[derive(Debug, Clone)]
pub struct SweepResult<R> {
    name: String,
    settings: Vec<usize>,
    measurements: Vec<Measurement>,
    results: Vec<R>,
}

impl<R> SweepResult<R> {
    /// The work's last result at each setting: to check that they agree.
    pub fn results(&self) -> &[R] {
        &self.results
    }

    /// The times at each setting.
    pub fn measurements(&self) -> &[Measurement] {
        &self.measurements
    }

    /// One row a setting: the setting, `median_ms`, the quartiles `low_ms` and `high_ms`, and `runs`.
    pub fn data_frame(&self) -> DataFrame {
        let quantile = |q| self.measurements.iter().map(|m| m.quantile_ms(q)).collect::<Vec<f64>>();
        df!(
            self.name.as_str() => self.settings.iter().map(|&n| n as u32).collect::<Vec<_>>(),
            "median_ms" => quantile(0.5),
            "low_ms" => quantile(0.25),
            "high_ms" => quantile(0.75),
            "runs" => self.measurements.iter().map(|m| m.runs.len() as u32).collect::<Vec<_>>(),
        )
        .expect("columns of one length")
    }

    /// The medians as a curve over the settings, with the quartiles as a band.
    pub fn plot(&self) -> Plot<Line> {
        plot::line(&self.data_frame(), &self.name, "median_ms")
            .error_bars("low_ms", "high_ms")
            .log_x()
            .x_label(&self.name)
            .y_label("time, ms")
    }
}

impl<R> MimeDisplay for SweepResult<R> {
    fn mime_bundle(&self) -> MimeBundle {
        self.data_frame().mime_bundle()
    }
}
