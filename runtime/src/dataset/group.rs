use polars::prelude::*;

use super::{Dataset, check, extended};
use crate::error::PartitaError;
use crate::plan::aggregate::decompose;
use crate::plan::marker::{Advice, Step, mark};

/// Grouping.
impl Dataset {
    /// Groups rows by keys, for [`agg`](GroupedDataset::agg).
    pub fn group_by(&self, keys: impl AsRef<[Expr]>) -> GroupedDataset {
        GroupedDataset { input: self.clone(), keys: keys.as_ref().to_vec(), combine: true, salts: None }
    }

    /// Aggregates all rows into one.
    #[must_use]
    pub fn agg(&self, aggs: impl AsRef<[Expr]>) -> Self {
        self.group_by([]).agg(aggs)
    }
}

/// A dataset with keys to group by, from [`Dataset::group_by`].
#[derive(Clone)]
pub struct GroupedDataset {
    input: Dataset,
    keys: Vec<Expr>,
    combine: bool,
    salts: Option<usize>,
}

impl GroupedDataset {
    /// Sets whether each partition aggregates its own rows before the shuffle (map-side combine), where the
    /// aggregations allow it. On by default; switch it off to see what it saves.
    #[must_use]
    pub fn map_side_combine(mut self, on: bool) -> Self {
        self.combine = on;
        self
    }

    /// Aggregates in two halves through a salted shuffle. The rows of each key go to `salts` partitions and
    /// are aggregated there. The partial results are then shuffled by key and merged. So no partition has all
    /// rows of a hot key.
    ///
    /// Map-side combine, which is on by default, does the first half even before the shuffle and so removes
    /// the skew at no cost. Salting replaces it. Use salting to see what skew does, or when there are so many
    /// keys that combining saves nothing. Aggregations that cannot be done in two halves, such as `median`,
    /// need all of a key's rows in one place, so salting them is an error.
    #[must_use]
    pub fn salted(mut self, salts: usize) -> Self {
        self.salts = Some(salts);
        self
    }

    /// Aggregates each group. `sum`, `min`, `max`, `mean`, `count` and `len`, and arithmetic on them, are
    /// combined map-side; others, such as `median`, shuffle the rows first.
    #[must_use]
    pub fn agg(self, aggs: impl AsRef<[Expr]>) -> Dataset {
        let (keys, aggs, combine, salts) = (self.keys, aggs.as_ref().to_vec(), self.combine, self.salts);
        let name = if keys.is_empty() { "agg" } else { "group_by" };
        self.input.step(name, |input| {
            if aggs.is_empty() {
                let remedy = "name at least one, such as col(…).sum() or len()";
                return Err(PartitaError::argument("agg", "there are no aggregations", remedy));
            }
            if let Some(salts) = salts {
                check::salts("salted", salts)?;
                if keys.is_empty() {
                    let remedy = "omit salted: without keys there is one row per partition to merge";
                    return Err(PartitaError::argument("salted", "there are no keys to salt", remedy));
                }
                if decompose(&keys, &aggs, &input.schema).is_none() {
                    return Err(PartitaError::argument(
                        "salted",
                        "these aggregations cannot be done in two halves: some need all rows of a key in one place",
                        "omit salted, or use only sum, min, max, mean, count, len, var, std and what is \
                         computed from them",
                    ));
                }
            }
            let advice = Advice { combine: (!combine).then_some(false), salts, ..Advice::default() };
            extended(name, input, |rows| {
                let rows =
                    if advice == Advice::default() { rows } else { mark(rows, Step::Advice(advice)) };
                rows.group_by(&keys).agg(&aggs)
            })
        })
    }
}
