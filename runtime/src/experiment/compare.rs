use std::fmt;

use polars::prelude::*;

use super::rounds::Rounds;
use super::{Conditions, Measurement, table};
use crate::display::{MimeBundle, MimeDisplay};
use crate::plot::{self, Bars, Line, Plot};

type Work<'a, R, E> = Box<dyn FnMut() -> Result<R, E> + 'a>;

/// Compares named variants of the same work with the first of them.
///
/// The variants run in rounds. Each round runs every variant once, so that drift affects all alike. Speed-ups
/// are computed from the pairs within a round.
///
/// ```
/// use partita::prelude::*;
/// let session = Session::embedded(2)?;
/// let rows = session.range(0, 10_000, 4).with_columns([(col("id") % lit(10)).alias("key")]);
/// let sums = |combine| {
///     rows.group_by([col("key")]).map_side_combine(combine).agg([col("id").sum()]).sort([col("key")])
/// };
/// let result = compare("rows shuffled", || sums(false).collect())
///     .with("sums shuffled", || sums(true).collect())
///     .repeats(3)
///     .run()?;
/// assert_eq!(result.results()[0], result.results()[1]);
/// assert_eq!(result.speed_up("sums shuffled").unwrap().pairs, 3);
/// # Ok::<(), partita::PartitaError>(())
/// ```
pub fn compare<'a, R, E>(name: &str, work: impl FnMut() -> Result<R, E> + 'a) -> Compare<'a, R, E> {
    let rounds = Rounds { warmup: 2, repeats: 9, seed: 0 };
    Compare { names: Vec::new(), works: Vec::new(), rounds }.with(name, work)
}

/// A comparison that has not run yet; created by [`compare`].
pub struct Compare<'a, R, E> {
    names: Vec<String>,
    works: Vec<Work<'a, R, E>>,
    rounds: Rounds,
}

impl<'a, R, E> Compare<'a, R, E> {
    /// Adds a variant. A number is appended to a name that is already used.
    #[must_use]
    pub fn with(mut self, name: &str, work: impl FnMut() -> Result<R, E> + 'a) -> Self {
        let mut free = name.to_owned();
        let mut number = 2;
        while self.names.contains(&free) {
            free = format!("{name} {number}");
            number += 1;
        }
        self.names.push(free);
        self.works.push(Box::new(work));
        self
    }

    /// Sets the number of unmeasured rounds before the measured ones; 2 by default.
    #[must_use]
    pub fn warmup(mut self, rounds: usize) -> Self {
        self.rounds.warmup = rounds;
        self
    }

    /// Sets the number of measured rounds, each of which runs every variant once; 9 by default, at least 1.
    #[must_use]
    pub fn repeats(mut self, rounds: usize) -> Self {
        self.rounds.repeats = rounds;
        self
    }

    /// Sets the seed of the order of runs; 0 by default.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.rounds.seed = seed;
        self
    }

    /// Runs the comparison.
    ///
    /// # Errors
    /// The first error of a variant.
    pub fn run(self) -> Result<Comparison<R>, E> {
        let Self { names, mut works, rounds } = self;
        let mut results: Vec<Option<R>> = names.iter().map(|_| None).collect();
        let (measurements, conditions) = rounds.run(
            names.len(),
            |variant| works[variant](),
            |variant, result| results[variant] = Some(result),
        )?;
        let results = results.into_iter().flatten().collect();
        Ok(Comparison { names, measurements, results, conditions })
    }
}

impl<R, E> fmt::Debug for Compare<'_, R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compare").field("names", &self.names).field("rounds", &self.rounds).finish()
    }
}

/// How many times as fast one variant is as another, from pairs of runs in the same round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpeedUp {
    /// The median of the pairs' ratios.
    pub median: f64,
    /// Their first quartile.
    pub low: f64,
    /// Their third quartile.
    pub high: f64,
    /// The number of pairs in which the variant was faster.
    pub won: usize,
    /// The number of pairs.
    pub pairs: usize,
}

impl SpeedUp {
    /// The speed-up of `after` against `before`, whose runs form pairs in order; `None` without a pair.
    pub fn of(before: &Measurement, after: &Measurement) -> Option<Self> {
        let pairs = before.runs.iter().zip(&after.runs);
        // A run too short for the clock counts as one nanosecond.
        let ratio = |(b, a): (&std::time::Duration, &std::time::Duration)| {
            b.as_nanos().max(1) as f64 / a.as_nanos().max(1) as f64
        };
        let ratios: Vec<f64> = pairs.map(ratio).collect();
        let won = ratios.iter().filter(|ratio| **ratio > 1.0).count();
        let quantile = |q| super::measurement::quantile(&ratios, q);
        Some(Self {
            median: quantile(0.5)?,
            low: quantile(0.25)?,
            high: quantile(0.75)?,
            won,
            pairs: ratios.len(),
        })
    }
}

impl fmt::Display for SpeedUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, low, high, won, pairs } = self;
        write!(f, "{median:.2}x ({low:.2} to {high:.2}), faster in {won} of {pairs} pairs")
    }
}

/// The result of [`Compare::run`]. As a cell's last expression it shows as a table.
#[derive(Debug, Clone)]
pub struct Comparison<R> {
    names: Vec<String>,
    measurements: Vec<Measurement>,
    results: Vec<R>,
    conditions: Conditions,
}

impl<R> Comparison<R> {
    /// The variants' names, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The times of each variant, by round.
    pub fn measurements(&self) -> &[Measurement] {
        &self.measurements
    }

    /// The last result of each variant, to check that they agree.
    pub fn results(&self) -> &[R] {
        &self.results
    }

    /// The last result of one variant.
    pub fn result(&self, name: &str) -> Option<&R> {
        self.results.get(self.place(name)?)
    }

    /// How many times as fast this variant is as the first one; `None` if there is no variant of that name.
    pub fn speed_up(&self, name: &str) -> Option<SpeedUp> {
        SpeedUp::of(self.measurements.first()?, &self.measurements[self.place(name)?])
    }

    /// The conditions of the measurement.
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// One row per variant: `variant`, `median_ms`, the quartiles `low_ms` and `high_ms`, `runs`, and how
    /// many of them are `outliers`. Against the first variant: `speed_up` (the median of the rounds' ratios),
    /// its quartiles `speed_up_low` and `speed_up_high`, and `faster_in`, the number of rounds in which it
    /// was faster.
    pub fn data_frame(&self) -> DataFrame {
        let mut frame = table::summary(self.variants(), &self.measurements);
        let first = &self.measurements[0];
        let speed_ups: Vec<_> = self.measurements.iter().map(|m| SpeedUp::of(first, m)).collect();
        let figure = |name: &str, of: fn(&SpeedUp) -> f64| {
            Column::new(name.into(), speed_ups.iter().map(|s| s.as_ref().map(of)).collect::<Vec<_>>())
        };
        let won = |name: &str| {
            let won = speed_ups.iter().enumerate().map(|(variant, speed_up)| {
                speed_up.as_ref().filter(|_| variant > 0).map(|s| format!("{} of {}", s.won, s.pairs))
            });
            Column::new(name.into(), won.collect::<Vec<_>>())
        };
        let columns = [
            figure("speed_up", |s| s.median),
            figure("speed_up_low", |s| s.low),
            figure("speed_up_high", |s| s.high),
            won("faster_in"),
        ];
        frame.hstack_mut(&columns).expect("columns of one length");
        frame
    }

    /// One row per run: `variant`, `round`, `ms`, and whether it is an `outlier` ([`Measurement::outliers`]).
    pub fn runs(&self) -> DataFrame {
        table::runs(&self.variants(), &self.measurements)
    }

    /// A plot of the medians side by side, with the quartiles as bars.
    pub fn plot(&self) -> Plot<Bars> {
        plot::bar(&self.data_frame(), "variant", "median_ms")
            .error_bars("low_ms", "high_ms")
            .horizontal()
            .x_label("time, ms")
            .y_label("")
    }

    /// A plot of the time of every run by round, one line per variant. It shows drift and outliers.
    pub fn plot_runs(&self) -> Plot<Line> {
        plot::line(&self.runs(), "round", "ms").by("variant").x_label("round").y_label("time, ms")
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| other == name)
    }

    fn variants(&self) -> Column {
        Column::new("variant".into(), self.names.as_slice())
    }
}

impl<R> MimeDisplay for Comparison<R> {
    fn mime_bundle(&self) -> MimeBundle {
        let mut notes: Vec<String> = Vec::new();
        for name in self.names.iter().skip(1) {
            if let Some(speed_up) = self.speed_up(name) {
                notes.push(format!("{name} against {}: {speed_up}", self.names[0]));
            }
        }
        notes.push(table::note(&self.conditions));
        table::shown(&self.data_frame(), &notes)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn measured(ms: [u64; 4]) -> Measurement {
        Measurement { runs: ms.map(Duration::from_millis).to_vec() }
    }

    #[test]
    fn a_speed_up_is_taken_pair_by_pair_so_that_drift_drops_out() {
        // Everything gets slower with each round; the second variant is twice as fast in each.
        let speed_up = SpeedUp::of(&measured([10, 20, 40, 80]), &measured([5, 10, 20, 40])).unwrap();
        assert_eq!(speed_up, SpeedUp { median: 2.0, low: 2.0, high: 2.0, won: 4, pairs: 4 });
        let mixed = SpeedUp::of(&measured([10, 20, 10, 20]), &measured([20, 10, 20, 10])).unwrap();
        assert_eq!((mixed.won, mixed.pairs, mixed.median), (2, 4, 1.25));
        assert_eq!(SpeedUp::of(&Measurement { runs: vec![] }, &measured([1; 4])), None);
    }

    #[test]
    fn variants_of_one_name_stay_apart() {
        let run = || Ok::<_, ()>(());
        let result = compare("a", run).with("a", run).warmup(0).repeats(2).run().unwrap();
        assert_eq!(result.names(), ["a", "a 2"]);
        assert_eq!(result.data_frame().height(), 2);
        assert_eq!(result.runs().height(), 4);
    }
}
