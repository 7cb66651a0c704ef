use std::fmt;

use polars::prelude::*;

use super::curve::{Curve, MUCH, drawn, r_squared, verdict};
use super::{Best, FitError};
use crate::display::{MimeBundle, MimeDisplay};
use crate::experiment::{Measurement, table};
use crate::plot::{self, Line, Plot};

/// The two costs of a partition count on a fixed number of slots, fitted to a sweep:
/// `T(n) = serial + work · ⌈n / slots⌉ / n + overhead · n`.
///
/// `work` is the work on partitions in parallel: `n` tasks of `work / n` each, `slots` at a time, take
/// `⌈n / slots⌉` turns. `overhead` is the fixed cost of each further partition: planning, queueing, starting
/// and collecting. `serial` is the rest, which does not depend on the count. This is list scheduling of even
/// tasks with a fixed cost per task added. Unlike the Universal Scalability Law it takes into account that
/// partitions beyond the slots wait for their turn.
///
/// The three parameters are found exactly, none of them negative, by least squares of the relative
/// differences of median times.
///
/// ```
/// use partita::prelude::*;
/// let session = Session::embedded(2)?;
/// let result = sweep("partitions", [1, 2, 4, 8]).repeats(3).run(|n| session.range(0, 1000, n).count())?;
/// let fit = result.fit_costs(session.slots())?;
/// assert!(fit.predict_ms(8) > 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct CostFit {
    /// The time that does not depend on the partition count, in milliseconds.
    pub serial_ms: f64,
    /// The work that the slots share, in milliseconds of one slot.
    pub work_ms: f64,
    /// The fixed cost of each partition, in milliseconds.
    pub overhead_ms: f64,
    /// R²: the fraction of the variance of the median times that the law explains.
    pub r_squared: f64,
    /// The typical relative difference of predicted times from the medians: 0.05 is five percent.
    pub error: f64,
    name: String,
    slots: usize,
    best: Best,
    points: Vec<(usize, f64)>,
}

impl CostFit {
    pub(in crate::experiment) fn of(
        name: &str,
        settings: &[usize],
        measurements: &[Measurement],
        slots: usize,
        seed: u64,
    ) -> Result<Self, FitError> {
        if slots == 0 {
            return Err(FitError::NoSlots);
        }
        let factors = |n: usize| [1.0, turns(n, slots), n as f64];
        let (curve, best) = Curve::through(factors, settings, measurements, seed)?;
        let [serial_ms, work_ms, overhead_ms] = curve.parameters;
        let measured: Vec<f64> = curve.points.iter().map(|&(_, ms)| ms).collect();
        let predicted: Vec<f64> = curve.points.iter().map(|&(n, _)| curve.predict(n)).collect();
        Ok(Self {
            serial_ms,
            work_ms,
            overhead_ms,
            r_squared: r_squared(&measured, &predicted),
            error: curve.error(),
            name: name.to_owned(),
            slots,
            best,
            points: curve.points,
        })
    }

    /// The best setting within the sweep, with its 95 % interval from the spread of the runs.
    pub fn best(&self) -> Best {
        self.best
    }

    /// The predicted time at `n` partitions, in milliseconds. `n` of 0 counts as 1.
    pub fn predict_ms(&self, n: usize) -> f64 {
        self.serial_ms + self.parallel_ms(n) + self.overhead_ms * n.max(1) as f64
    }

    /// The part of it that the slots share.
    pub fn parallel_ms(&self, n: usize) -> f64 {
        self.work_ms * turns(n.max(1), self.slots)
    }

    /// Whether predicted times are typically more than 15 % off.
    pub fn fits_badly(&self) -> bool {
        self.error > MUCH
    }

    /// One row per setting: the setting, `median_ms` and `predicted_ms`.
    pub fn data_frame(&self) -> DataFrame {
        table::predictions(&self.name, &self.points, |n| self.predict_ms(n))
    }

    /// A plot of the two costs separately and of their sum, with the measured medians as crosses.
    pub fn plot(&self) -> Plot<Line> {
        let settings = drawn(&self.points);
        let each = |of: &dyn Fn(usize) -> f64| settings.iter().map(|n| of(*n)).collect::<Vec<f64>>();
        let measured = settings.iter().map(|n| self.points.iter().find(|point| point.0 == *n));
        let frame = df!(
            self.name.as_str() => settings.iter().map(|n| *n as u32).collect::<Vec<_>>(),
            "whole" => each(&|n| self.predict_ms(n)),
            "work on the slots" => each(&|n| self.parallel_ms(n)),
            "overhead of partitions" => each(&|n| self.overhead_ms * n as f64),
            "measured" => measured.map(|point| point.map(|&(_, ms)| ms)).collect::<Vec<_>>(),
        )
        .expect("columns of one length");
        plot::line(&frame, &self.name, "whole")
            .series("work on the slots")
            .series("overhead of partitions")
            .marks("measured")
            .without_dots()
            .log_x()
            .x_label(&self.name)
            .y_label("time, ms")
            .title(&format!("Two costs on {} slots, best {}", self.slots, self.best))
    }
}

/// The time of `n` even tasks on the slots, relative to the time of the same work on one slot.
fn turns(n: usize, slots: usize) -> f64 {
    n.div_ceil(slots) as f64 / n as f64
}

impl fmt::Display for CostFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = verdict(self.r_squared, self.error);
        write!(
            f,
            "costs over {} on {} slots: serial {:.3} ms, work {:.3} ms, overhead {:.4} ms a partition; {verdict}; \
             best {}",
            self.name, self.slots, self.serial_ms, self.work_ms, self.overhead_ms, self.best
        )
    }
}

impl MimeDisplay for CostFit {
    fn mime_bundle(&self) -> MimeBundle {
        table::shown(&self.data_frame(), &[self.to_string()])
    }
}
