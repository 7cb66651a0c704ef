use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::least_squares::{Equation, non_negative};
use super::{Best, FitError};
use crate::experiment::Measurement;
use crate::experiment::measurement::quantile;

/// One more than the number of parameters: a curve of three parameters passes through any three points.
pub(super) const LEAST_POINTS: usize = 4;

/// The number of fits to resampled runs for an interval.
const RESAMPLES: usize = 1000;

/// A law `T(n) = Σ parameter · factor(n)` with three parameters, fitted to measured medians.
pub(super) struct Curve<F> {
    /// The factors of the parameters at a setting.
    pub factors: F,
    /// Settings and median times in ms, sorted by setting.
    pub points: Vec<(usize, f64)>,
    pub parameters: [f64; 3],
}

impl<F: Fn(usize) -> [f64; 3]> Curve<F> {
    /// Finds the parameters by least squares of the relative differences of times: with absolute differences,
    /// a sweep's slowest setting alone would decide.
    ///
    /// # Errors
    /// When there are too few different settings from 1 up, or a time is zero.
    pub fn through(
        factors: F,
        settings: &[usize],
        measurements: &[Measurement],
        seed: u64,
    ) -> Result<(Self, Best), FitError> {
        let mut runs: Vec<(usize, Vec<f64>)> = settings
            .iter()
            .zip(measurements)
            .filter(|(setting, _)| **setting > 0)
            .map(|(setting, m)| (*setting, m.runs.iter().map(|run| run.as_secs_f64() * 1e3).collect()))
            .collect();
        runs.sort_by_key(|(setting, _)| *setting);
        runs.dedup_by_key(|(setting, _)| *setting);
        if runs.len() < LEAST_POINTS {
            return Err(FitError::TooFew { settings: runs.len() });
        }
        let median = |ms: &[f64]| quantile(ms, 0.5).unwrap_or(0.0);
        let points: Vec<(usize, f64)> = runs.iter().map(|(setting, ms)| (*setting, median(ms))).collect();
        if let Some((setting, _)) = points.iter().find(|(_, ms)| *ms <= 0.0) {
            return Err(FitError::NoTime { setting: *setting });
        }
        let parameters = fit(&factors, &points);
        let curve = Self { factors, points, parameters };
        let best = curve.best(&runs, seed);
        Ok((curve, best))
    }

    /// The predicted time in ms.
    pub fn predict(&self, n: usize) -> f64 {
        time(&self.factors, &self.parameters, n)
    }

    /// The difference of predicted times from the medians: the root mean square of the relative differences.
    pub fn error(&self) -> f64 {
        let squares = self.points.iter().map(|&(n, ms)| (self.predict(n) / ms - 1.0).powi(2));
        (squares.sum::<f64>() / self.points.len() as f64).sqrt()
    }

    /// The best setting, with a percentile bootstrap interval. For each resample, as many runs of each
    /// setting as there are are drawn from them with replacement, and the law is fitted to their medians.
    fn best(&self, runs: &[(usize, Vec<f64>)], seed: u64) -> Best {
        let mut random = StdRng::seed_from_u64(seed);
        let mut counts: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                let points: Vec<(usize, f64)> = runs
                    .iter()
                    .map(|(setting, ms)| {
                        let drawn: Vec<f64> =
                            ms.iter().map(|_| ms[random.random_range(0..ms.len())]).collect();
                        (*setting, quantile(&drawn, 0.5).unwrap_or(0.0).max(f64::MIN_POSITIVE))
                    })
                    .collect();
                self.least(&fit(&self.factors, &points)) as f64
            })
            .collect();
        counts.sort_by(f64::total_cmp);
        let count = self.least(&self.parameters);
        let end = |q| quantile(&counts, q).map_or(count, |at| at.round() as usize);
        let (low, high) = (end(0.025).min(count), end(0.975).max(count));
        Best { count, low, high, at_end: self.points.last().is_some_and(|&(n, _)| n == count) }
    }

    /// The setting with the lowest time, between the smallest and the largest measured one; the smallest of
    /// equal ones.
    fn least(&self, parameters: &[f64; 3]) -> usize {
        let (first, last) = (self.points[0].0, self.points[self.points.len() - 1].0);
        let mut best = (first, time(&self.factors, parameters, first));
        for n in candidates(first, last) {
            let ms = time(&self.factors, parameters, n);
            // Differences in the last bits do not count.
            if ms < best.1 * (1.0 - 1e-9) {
                best = (n, ms);
            }
        }
        best.0
    }
}

/// Whole numbers from `first` to `last`: all up to a thousand, beyond that in steps of a thousandth.
fn candidates(first: usize, last: usize) -> impl Iterator<Item = usize> {
    let mut next = Some(first);
    std::iter::from_fn(move || {
        let n = next?;
        next = (n < last).then(|| (n + 1 + n / 1000).min(last));
        Some(n)
    })
}

fn fit(factors: &impl Fn(usize) -> [f64; 3], points: &[(usize, f64)]) -> [f64; 3] {
    let equation =
        |&(n, ms): &(usize, f64)| Equation { factors: factors(n).map(|factor| factor / ms), value: 1.0 };
    non_negative(&points.iter().map(equation).collect::<Vec<_>>())
}

fn time(factors: &impl Fn(usize) -> [f64; 3], parameters: &[f64; 3], n: usize) -> f64 {
    factors(n).iter().zip(parameters).map(|(factor, parameter)| factor * parameter).sum()
}

/// R²: the fraction of the variance of `measured` that `predicted` explains.
pub(super) fn r_squared(measured: &[f64], predicted: &[f64]) -> f64 {
    let mean = measured.iter().sum::<f64>() / measured.len() as f64;
    let left: f64 = measured.iter().zip(predicted).map(|(m, p)| (m - p).powi(2)).sum();
    let all: f64 = measured.iter().map(|m| (m - mean).powi(2)).sum();
    if all == 0.0 { if left == 0.0 { 1.0 } else { 0.0 } } else { 1.0 - left / all }
}

/// The settings of a drawn curve: enough for a smooth line, including the measured ones.
pub(super) fn drawn(points: &[(usize, f64)]) -> Vec<usize> {
    let (first, last) = (points[0].0, points[points.len() - 1].0);
    let steps = 60.0;
    let ratio = last as f64 / first as f64;
    let mut drawn: Vec<usize> =
        (0..=60).map(|i| (first as f64 * ratio.powf(f64::from(i) / steps)).round() as usize).collect();
    drawn.extend(points.iter().map(|&(n, _)| n));
    drawn.sort_unstable();
    drawn.dedup();
    drawn
}

/// A readable verdict on a fit: its R² and typical difference, with a warning if the fit is bad.
pub(super) fn verdict(r_squared: f64, error: f64) -> String {
    let figures = format!("R² {r_squared:.3}, predicted times are off by {:.0} %", error * 100.0);
    if error > MUCH {
        format!("{figures}: the law fits badly, do not rely on its predictions")
    } else {
        figures
    }
}

/// A fit with a larger typical relative difference is bad.
pub(super) const MUCH: f64 = 0.15;
