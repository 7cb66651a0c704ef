use std::fmt;

use polars::prelude::*;

use super::Advice;
use crate::display::{MimeBundle, MimeDisplay};
use crate::experiment::{Comparison, SpeedUp, compare, table};

/// The names of the two variants.
const BEFORE: &str = "before";
const AFTER: &str = "after";

impl Advice {
    /// Runs the work as it was and as advised, five rounds of both after one to warm up, and compares the
    /// prediction with the measurement.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::experiment::{Advice, AdviceKind};
    /// let session = Session::embedded(2)?;
    /// let (message, code) = ("one partition".to_owned(), "session.range(0, 1000, 2)".to_owned());
    /// let kind = AdviceKind::TooFewPartitions;
    /// let advice = Advice { kind, stage: Some(0), message, code, expected: 2.0 };
    /// let check = advice.check(|| session.range(0, 1000, 1).count(), || session.range(0, 1000, 2).count())?;
    /// assert_eq!((check.predicted(), check.measured().pairs), (2.0, 5));
    /// # Ok::<(), partita::PartitaError>(())
    /// ```
    ///
    /// # Errors
    /// The first error of the work.
    pub fn check<R, E>(
        &self,
        before: impl FnMut() -> Result<R, E>,
        after: impl FnMut() -> Result<R, E>,
    ) -> Result<Check<R>, E> {
        let comparison = compare(BEFORE, before).with(AFTER, after).warmup(1).repeats(5).run()?;
        let measured = comparison.speed_up(AFTER).expect("both have run");
        Ok(Check { predicted: self.expected, measured, comparison })
    }
}

/// A prediction and its measurement. As a cell's last expression it shows as a table.
#[derive(Debug, Clone)]
pub struct Check<R> {
    predicted: f64,
    measured: SpeedUp,
    comparison: Comparison<R>,
}

impl<R> Check<R> {
    /// The expected speed-up.
    pub fn predicted(&self) -> f64 {
        self.predicted
    }

    /// The measured speed-up.
    pub fn measured(&self) -> SpeedUp {
        self.measured
    }

    /// The runs of `before` and `after`, with their results.
    pub fn comparison(&self) -> &Comparison<R> {
        &self.comparison
    }

    /// One row: `predicted`, `measured` and its quartiles `low` and `high`, and the medians `before_ms`
    /// and `after_ms`.
    pub fn data_frame(&self) -> DataFrame {
        let medians: Vec<f64> = self.comparison.measurements().iter().map(|m| m.median_ms()).collect();
        df!(
            "predicted" => [self.predicted],
            "measured" => [self.measured.median],
            "low" => [self.measured.low],
            "high" => [self.measured.high],
            "before_ms" => [medians[0]],
            "after_ms" => [medians[1]],
        )
        .expect("columns of one length")
    }
}

impl<R> fmt::Display for Check<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "predicted {:.2}x, measured {}", self.predicted, self.measured)
    }
}

impl<R> MimeDisplay for Check<R> {
    fn mime_bundle(&self) -> MimeBundle {
        let notes = [self.to_string(), table::note(self.comparison.conditions())];
        table::shown(&self.data_frame(), &notes)
    }
}
