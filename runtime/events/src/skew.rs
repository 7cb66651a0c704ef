/// How unevenly something (time, rows, bytes) is spread over a stage's partitions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Skew {
    /// The largest share.
    pub max: f64,
    /// The median share (the mean of the middle two, if the number is even).
    pub median: f64,
    /// `max / median`: 1 when even; infinite when more than half have nothing and one has something.
    pub ratio: f64,
    /// Gini coefficient: 0 when even, towards 1 when one partition has it all.
    pub gini: f64,
    /// The partition with the largest share.
    pub worst: usize,
}

impl Skew {
    /// From so many times the median on, a partition counts as skewed.
    pub const SKEWED: f64 = 2.0;

    /// Whether the largest share is at least [`SKEWED`](Self::SKEWED) times the median.
    pub fn is_skewed(&self) -> bool {
        self.ratio >= Self::SKEWED
    }

    /// Skew of `values`, one a partition; `None` if there are none.
    ///
    /// Gini is computed from the sorted values `x_1 ≤ … ≤ x_n` as
    /// `(2 Σ i·x_i) / (n Σ x_i) − (n + 1) / n`.
    ///
    /// ```
    /// use partita_events::Skew;
    /// let skew = Skew::of(&[10.0, 10.0, 10.0, 130.0]).unwrap();
    /// assert_eq!((skew.ratio, skew.worst), (13.0, 3));
    /// assert_eq!(Skew::of(&[5.0, 5.0]).unwrap().gini, 0.0);
    /// ```
    pub fn of(values: &[f64]) -> Option<Self> {
        let worst = (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b]))?;
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let n = sorted.len();
        let median = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0;
        let max = sorted[n - 1];
        let total: f64 = sorted.iter().sum();
        let weighted: f64 = sorted.iter().enumerate().map(|(i, x)| (i + 1) as f64 * x).sum();
        let gini = if total == 0.0 {
            0.0
        } else {
            2.0 * weighted / (n as f64 * total) - (n as f64 + 1.0) / n as f64
        };
        let ratio = if max == 0.0 { 1.0 } else { max / median };
        Some(Self { max, median, ratio, gini: gini.max(0.0), worst })
    }
}
