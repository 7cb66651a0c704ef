use std::fmt;

use polars::prelude::*;

use super::curve::{Curve, MUCH, drawn, r_squared, verdict};
use super::{Best, FitError};
use crate::display::{MimeBundle, MimeDisplay};
use crate::experiment::{Measurement, table};
use crate::plot::{self, Line, Plot};

/// Gunther's Universal Scalability Law, fitted to a sweep: the throughput at `n` is
/// `X(n) = λ n / (1 + σ (n − 1) + κ n (n − 1))` (N. J. Gunther, *Guerrilla Capacity Planning*, 2007).
///
/// `λ` is the throughput at 1, `σ` the fraction of the work that is serial (contention; with `κ = 0` this is
/// Amdahl's law), `κ` the cost of keeping each pair consistent (coherency), because of which a larger `n` can
/// be slower. With `X = 1 / T` the law is linear in `1/λ`, `σ/λ` and `κ/λ`:
/// `T(n) = (1/λ)·1/n + (σ/λ)·(n − 1)/n + (κ/λ)·(n − 1)`. This is solved exactly, with none of the three
/// negative, by least squares of the relative differences of median times.
///
/// The law describes `n` workers that all work at once. Partitions beyond the slots do not: they wait for
/// each other at almost no cost. If the law does not fit for that reason, its `r_squared` and `error` show
/// it; [`CostFit`](super::CostFit) takes the slots into account.
///
/// ```
/// use partita::prelude::*;
/// let session = Session::embedded(2)?;
/// let result = sweep("partitions", [1, 2, 4, 8]).repeats(3).run(|n| session.range(0, 1000, n).count())?;
/// let fit = result.fit_usl()?;
/// assert!((1..=8).contains(&fit.best().count));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct UslFit {
    /// The throughput at 1, in runs per second.
    pub lambda: f64,
    /// Contention.
    pub sigma: f64,
    /// Coherency.
    pub kappa: f64,
    /// R²: the fraction of the variance of the measured throughputs that the law explains.
    pub r_squared: f64,
    /// The typical relative difference of predicted times from the medians: 0.05 is five percent.
    pub error: f64,
    name: String,
    best: Best,
    points: Vec<(usize, f64)>,
}

impl UslFit {
    pub(in crate::experiment) fn of(
        name: &str,
        settings: &[usize],
        measurements: &[Measurement],
        seed: u64,
    ) -> Result<Self, FitError> {
        let factors = |n: usize| {
            let n = n as f64;
            [1.0 / n, (n - 1.0) / n, n - 1.0]
        };
        let (curve, best) = Curve::through(factors, settings, measurements, seed)?;
        let [one, contention, coherency] = curve.parameters;
        // Nothing runs in parallel: then all of the time at 1 is serial.
        let one = if one > 0.0 { one } else { f64::MIN_POSITIVE };
        let throughput = |ms: f64| 1e3 / ms;
        let measured: Vec<f64> = curve.points.iter().map(|&(_, ms)| throughput(ms)).collect();
        let predicted: Vec<f64> = curve.points.iter().map(|&(n, _)| throughput(curve.predict(n))).collect();
        Ok(Self {
            lambda: 1e3 / one,
            sigma: contention / one,
            kappa: coherency / one,
            r_squared: r_squared(&measured, &predicted),
            error: curve.error(),
            name: name.to_owned(),
            best,
            points: curve.points,
        })
    }

    /// The best setting within the sweep, with its 95 % interval from the spread of the runs.
    pub fn best(&self) -> Best {
        self.best
    }

    /// The predicted time at `n`, in milliseconds. `n` of 0 counts as 1.
    pub fn predict_ms(&self, n: usize) -> f64 {
        let n = n.max(1) as f64;
        1e3 * (1.0 + self.sigma * (n - 1.0) + self.kappa * n * (n - 1.0)) / (self.lambda * n)
    }

    /// Whether predicted times are typically more than 15 % off.
    pub fn fits_badly(&self) -> bool {
        self.error > MUCH
    }

    /// One row per setting: the setting, `median_ms` and `predicted_ms`.
    pub fn data_frame(&self) -> DataFrame {
        table::predictions(&self.name, &self.points, |n| self.predict_ms(n))
    }

    /// A plot of the law as throughput over the settings, with the measured medians as crosses.
    pub fn plot(&self) -> Plot<Line> {
        let settings = drawn(&self.points);
        let measured = settings.iter().map(|n| self.points.iter().find(|point| point.0 == *n));
        let frame = df!(
            self.name.as_str() => settings.iter().map(|n| *n as u32).collect::<Vec<_>>(),
            "law" => settings.iter().map(|n| 1e3 / self.predict_ms(*n)).collect::<Vec<_>>(),
            "measured" => measured.map(|point| point.map(|&(_, ms)| 1e3 / ms)).collect::<Vec<_>>(),
        )
        .expect("columns of one length");
        plot::line(&frame, &self.name, "law")
            .marks("measured")
            .without_dots()
            .log_x()
            .x_label(&self.name)
            .y_label("throughput, 1/s")
            .title(&format!("Universal Scalability Law, best {}", self.best))
    }
}

impl fmt::Display for UslFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = verdict(self.r_squared, self.error);
        write!(
            f,
            "Universal Scalability Law over {}: λ {:.4}/s, σ {:.4}, κ {:.6}; {verdict}; best {}",
            self.name, self.lambda, self.sigma, self.kappa, self.best
        )
    }
}

impl MimeDisplay for UslFit {
    fn mime_bundle(&self) -> MimeBundle {
        table::shown(&self.data_frame(), &[self.to_string()])
    }
}
