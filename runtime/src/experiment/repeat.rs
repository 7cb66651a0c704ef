use polars::prelude::*;

use super::rounds::Rounds;
use super::{Conditions, Measurement, table};
use crate::display::{MimeBundle, MimeDisplay};
use crate::plot::{self, Line, Plot};

/// Runs the same work `n` times (at least once), after two unmeasured runs.
///
/// ```
/// use partita::prelude::*;
/// let session = Session::embedded(2)?;
/// let counted = experiment::repeat(5, || session.range(0, 1000, 4).count())?;
/// assert_eq!(counted.results(), [1000; 5]);
/// assert_eq!(counted.measurement().runs.len(), 5);
/// # Ok::<(), partita::PartitaError>(())
/// ```
///
/// # Errors
/// The first error of `work`.
pub fn repeat<R, E>(n: usize, mut work: impl FnMut() -> Result<R, E>) -> Result<Repeated<R>, E> {
    let mut results = Vec::with_capacity(n.max(1));
    let rounds = Rounds { warmup: 2, repeats: n, seed: 0 };
    let (mut measurements, conditions) = rounds.run(1, |_| work(), |_, result| results.push(result))?;
    Ok(Repeated { measurement: measurements.remove(0), results, conditions })
}

/// The measurement of [`repeat`], with all results. As a cell's last expression it shows as a table.
#[derive(Debug, Clone)]
pub struct Repeated<R> {
    measurement: Measurement,
    results: Vec<R>,
    conditions: Conditions,
}

impl<R> Repeated<R> {
    /// The times.
    pub fn measurement(&self) -> &Measurement {
        &self.measurement
    }

    /// The result of each run, in order.
    pub fn results(&self) -> &[R] {
        &self.results
    }

    /// The conditions of the measurement.
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// One row: `median_ms`, the quartiles `low_ms` and `high_ms`, `runs`, and how many of them are
    /// `outliers`.
    pub fn data_frame(&self) -> DataFrame {
        let summary = table::summary(Self::variant(), std::slice::from_ref(&self.measurement));
        summary.drop("work").expect("it is there")
    }

    /// One row per run: `round`, `ms`, and whether it is an `outlier` ([`Measurement::outliers`]).
    pub fn runs(&self) -> DataFrame {
        let runs = table::runs(&Self::variant(), std::slice::from_ref(&self.measurement));
        runs.drop("work").expect("it is there")
    }

    /// A plot of the time of every run, in order, with outliers marked.
    pub fn plot(&self) -> Plot<Line> {
        let outlier = when(col("outlier")).then(col("ms")).otherwise(lit(NULL)).alias("outlier");
        let frame = self.runs().lazy().with_columns([outlier]).collect().expect("columns that are there");
        let plot = plot::line(&frame, "round", "ms").x_label("run").y_label("time, ms");
        if self.measurement.outliers().contains(&true) { plot.marks("outlier") } else { plot }
    }

    fn variant() -> Column {
        Column::new("work".into(), ["work"])
    }
}

impl<R> MimeDisplay for Repeated<R> {
    fn mime_bundle(&self) -> MimeBundle {
        table::shown(&self.data_frame(), &[table::note(&self.conditions)])
    }
}
