use std::fmt;
use std::time::{Duration, Instant};

use crate::display::{MimeBundle, MimeDisplay};

/// The times of repeated runs of the same work.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// The measured runs in order, without warm-up runs.
    pub runs: Vec<Duration>,
}

impl Measurement {
    /// Runs `work` `warmup` times unmeasured, then `repeats` times (at least once) measured. Also returns the
    /// last result.
    ///
    /// # Errors
    /// The first error of `work`.
    pub fn of<R, E>(
        warmup: usize,
        repeats: usize,
        mut work: impl FnMut() -> Result<R, E>,
    ) -> Result<(Self, R), E> {
        for _ in 0..warmup {
            work()?;
        }
        let mut runs = Vec::with_capacity(repeats.max(1));
        let mut timed = || {
            let started = Instant::now();
            let result = work();
            runs.push(started.elapsed());
            result
        };
        let mut last = timed()?;
        for _ in 1..repeats {
            last = timed()?;
        }
        Ok((Self { runs }, last))
    }

    /// For each run, whether it is an outlier: more than one and a half interquartile ranges below the first
    /// or above the third quartile (Tukey's fences). Outliers are marked, and count like all others. With
    /// fewer than four runs there are no outliers.
    ///
    /// ```
    /// use partita::experiment::Measurement;
    /// use std::time::Duration;
    /// let runs = [10, 11, 12, 11, 90].map(Duration::from_millis).to_vec();
    /// assert_eq!(Measurement { runs }.outliers(), [false, false, false, false, true]);
    /// ```
    pub fn outliers(&self) -> Vec<bool> {
        let (first, third) = (self.quantile_ms(0.25), self.quantile_ms(0.75));
        let reach = 1.5 * (third - first);
        let is = |run: &Duration| {
            let ms = run.as_secs_f64() * 1e3;
            self.runs.len() >= 4 && (ms < first - reach || ms > third + reach)
        };
        self.runs.iter().map(is).collect()
    }

    /// The median, in milliseconds.
    pub fn median_ms(&self) -> f64 {
        self.quantile_ms(0.5)
    }

    /// A quantile by linear interpolation between the sorted runs (R's type 7), in milliseconds. `q` is
    /// clamped to 0 … 1.
    ///
    /// ```
    /// use partita::experiment::Measurement;
    /// use std::time::Duration;
    /// let runs = [1, 2, 3, 10].map(Duration::from_millis).to_vec();
    /// assert_eq!(Measurement { runs }.quantile_ms(0.5), 2.5);
    /// ```
    pub fn quantile_ms(&self, q: f64) -> f64 {
        let ms: Vec<f64> = self.runs.iter().map(|run| run.as_secs_f64() * 1e3).collect();
        quantile(&ms, q).unwrap_or(0.0)
    }
}

/// A quantile by linear interpolation between the sorted values (R's type 7); `None` without values.
pub(super) fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = q.clamp(0.0, 1.0) * sorted.len().checked_sub(1)? as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    Some(low + (high - low) * at.fract())
}

/// The median, the range and the number of runs.
///
/// ```
/// use partita::experiment::Measurement;
/// use std::time::Duration;
/// let runs = [1, 2, 3, 10].map(Duration::from_millis).to_vec();
/// assert_eq!(Measurement { runs }.to_string(), "median 2.500 ms of 4 runs (1.000 to 10.000 ms)");
/// ```
impl fmt::Display for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.runs.len() == 1 { "" } else { "s" };
        let (least, most) = (self.quantile_ms(0.0), self.quantile_ms(1.0));
        write!(
            f,
            "median {:.3} ms of {} run{s} ({least:.3} to {most:.3} ms)",
            self.median_ms(),
            self.runs.len()
        )
    }
}

impl MimeDisplay for Measurement {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::text(self.to_string())
    }
}
