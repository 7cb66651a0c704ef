use polars::prelude::*;

use super::fit::{CostFit, FitError, UslFit};
use super::rounds::Rounds;
use super::{Conditions, Measurement, table};
use crate::display::{MimeBundle, MimeDisplay};
use crate::plot::{self, Line, Plot};

/// Runs the same work at several settings, such as partition counts.
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
    let rounds = Rounds { warmup: 2, repeats: 9, seed: 0 };
    Sweep { name: table::free(name), settings: settings.into_iter().collect(), rounds }
}

/// A sweep that has not run yet; created by [`sweep`].
#[derive(Debug, Clone)]
pub struct Sweep {
    name: String,
    settings: Vec<usize>,
    rounds: Rounds,
}

impl Sweep {
    /// Sets the number of unmeasured runs at each setting before the measured ones; 2 by default.
    #[must_use]
    pub fn warmup(mut self, runs: usize) -> Self {
        self.rounds.warmup = runs;
        self
    }

    /// Sets the number of measured runs at each setting; 9 by default, at least 1.
    #[must_use]
    pub fn repeats(mut self, runs: usize) -> Self {
        self.rounds.repeats = runs;
        self
    }

    /// Sets the seed of the order of runs; 0 by default.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.rounds.seed = seed;
        self
    }

    /// Runs `work` in rounds. Each round runs every setting once, in an order drawn from the seed, so that
    /// drift affects all settings alike.
    ///
    /// # Errors
    /// The first error of `work`.
    pub fn run<R, E>(self, mut work: impl FnMut(usize) -> Result<R, E>) -> Result<SweepResult<R>, E> {
        let Self { name, settings, rounds } = self;
        let mut results: Vec<Option<R>> = settings.iter().map(|_| None).collect();
        let (measurements, conditions) = rounds.run(
            settings.len(),
            |variant| work(settings[variant]),
            |variant, result| results[variant] = Some(result),
        )?;
        let results = results.into_iter().flatten().collect();
        Ok(SweepResult { name, settings, measurements, results, conditions })
    }
}

/// The result of a sweep. As a cell's last expression it shows as a table.
#[derive(Debug, Clone)]
pub struct SweepResult<R> {
    name: String,
    settings: Vec<usize>,
    measurements: Vec<Measurement>,
    results: Vec<R>,
    conditions: Conditions,
}

impl<R> SweepResult<R> {
    /// The work's last result at each setting, to check that they agree.
    pub fn results(&self) -> &[R] {
        &self.results
    }

    /// The name of the setting.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The settings, in the order given.
    pub fn settings(&self) -> &[usize] {
        &self.settings
    }

    /// The times at each setting.
    pub fn measurements(&self) -> &[Measurement] {
        &self.measurements
    }

    /// The conditions of the measurement.
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// The setting with the lowest median time; 0 for an empty sweep.
    pub fn fastest(&self) -> usize {
        let times = self.settings.iter().zip(&self.measurements);
        let fastest = times.min_by(|a, b| a.1.median_ms().total_cmp(&b.1.median_ms()));
        fastest.map_or(0, |(setting, _)| *setting)
    }

    /// One row per setting: the setting, `median_ms`, the quartiles `low_ms` and `high_ms`, `runs`, and how
    /// many of them are `outliers`.
    pub fn data_frame(&self) -> DataFrame {
        table::summary(self.variants(), &self.measurements)
    }

    /// One row per run: the setting, `round`, `ms`, and whether it is an `outlier`
    /// ([`Measurement::outliers`]).
    pub fn runs(&self) -> DataFrame {
        table::runs(&self.variants(), &self.measurements)
    }

    /// A plot of the medians over the settings, with the quartiles as bars and outliers as crosses.
    pub fn plot(&self) -> Plot<Line> {
        let frame = table::with_outliers(&self.data_frame(), &self.runs(), &self.name);
        plot::line(&frame, &self.name, "median_ms")
            .error_bars("low_ms", "high_ms")
            .marks("outlier_ms")
            .log_x()
            .x_label(&self.name)
            .y_label("time, ms")
    }

    /// Fits the Universal Scalability Law to the medians: see [`UslFit`].
    ///
    /// # Errors
    /// When there are fewer than four different settings from 1 up, or a time is zero.
    pub fn fit_usl(&self) -> Result<UslFit, FitError> {
        UslFit::of(&self.name, &self.settings, &self.measurements, self.conditions.seed)
    }

    /// Fits the two costs of a partition count on this many slots to the medians of a sweep over partition
    /// counts: see [`CostFit`].
    ///
    /// # Errors
    /// As [`fit_usl`](Self::fit_usl); also when there are no slots.
    pub fn fit_costs(&self, slots: usize) -> Result<CostFit, FitError> {
        CostFit::of(&self.name, &self.settings, &self.measurements, slots, self.conditions.seed)
    }

    fn variants(&self) -> Column {
        Column::new(self.name.as_str().into(), self.settings.iter().map(|&n| n as u32).collect::<Vec<_>>())
    }
}

impl<R> MimeDisplay for SweepResult<R> {
    fn mime_bundle(&self) -> MimeBundle {
        table::shown(&self.data_frame(), &[table::note(&self.conditions)])
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::experiment::{AdviceKind, Advise, repeat};

    /// Three runs of this time at each setting.
    fn swept(ms: impl Fn(f64) -> f64) -> SweepResult<()> {
        let settings = vec![1, 2, 4, 8, 16];
        let run = |n: &usize| Duration::from_secs_f64(ms(*n as f64) / 1e3);
        let measurements = settings.iter().map(|n| Measurement { runs: vec![run(n); 3] }).collect();
        let conditions = repeat(1, || Ok::<_, ()>(())).unwrap().conditions().clone();
        SweepResult { name: "partitions".into(), results: vec![(); 5], settings, measurements, conditions }
    }

    #[test]
    fn advice_is_the_best_by_the_law_against_the_first_where_that_gains() {
        let result = swept(|n| 96.0 / n + 6.0 * n);
        let advice = result.advice();
        let [count] = &*advice else { panic!("{advice}") };
        assert_eq!((count.kind, count.code.as_str()), (AdviceKind::PartitionCount, "let partitions = 4;"));
        assert!((count.expected - 102.0 / 48.0).abs() < 0.01, "{advice}");
        assert_eq!(result.fastest(), 4);
        assert!(swept(|_| 100.0).advice().is_empty());
        assert!(swept(|n| if n == 4.0 { 1.0 } else { 100.0 }).advice().is_empty(), "the law fits badly");
    }

    #[test]
    fn outliers_are_counted_in_the_table_and_drawn() {
        let mut result = swept(|n| n);
        let ms = |ms| Duration::from_millis(ms);
        result.measurements[2].runs = vec![ms(4), ms(5), ms(4), ms(5), ms(90)];
        let counted = result.data_frame();
        let counted: Vec<_> = counted.column("outliers").unwrap().u32().unwrap().iter().flatten().collect();
        assert_eq!(counted, [0, 0, 1, 0, 0]);
        let runs = result.runs();
        assert_eq!(runs.height(), 4 * 3 + 5);
        assert_eq!(runs.column("outlier").unwrap().bool().unwrap().sum(), Some(1));
        let svg = result.plot().svg().unwrap();
        assert!(svg.contains("outlier_ms"), "a legend for the cross");
        assert!(!swept(|n| n).plot().svg().unwrap().contains("outlier_ms"));
    }
}
