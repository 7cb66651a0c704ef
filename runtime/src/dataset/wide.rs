use std::sync::Arc;

use polars::prelude::*;

use super::{Dataset, check};
use crate::error::PartitaError;
use crate::plan::leaf::{Leaf, Source};
use crate::plan::marker::{Step, mark};
use crate::plan::{Partitioning, Plan, check_partitions};

/// Wide steps: rows change partitions, so a stage ends here.
impl Dataset {
    /// Spreads the rows evenly over `n` partitions, whatever they contain. Each partition gives a contiguous
    /// part of its rows to every new one.
    #[must_use]
    pub fn repartition(&self, n: usize) -> Self {
        self.repartition_by(Partitioning::RoundRobin(n))
    }

    /// Brings equal keys together as a hash repartition does, but spreads each key's rows evenly over `salts`
    /// of the `n` partitions, so that a key with many rows does not fill one alone. Steps that need all of a
    /// key's rows in one place cannot follow. A join does its own salting ([`salted`](Self::salted)), and so
    /// does a `group_by` ([`GroupedDataset::salted`](super::GroupedDataset::salted)).
    ///
    /// ```
    /// use partita::prelude::*;
    /// let session = Session::embedded(2)?;
    /// let one_key = session.range(0, 8000, 4).with_columns([(col("id") * lit(0)).alias("key")]);
    /// let sizes = |rows: Dataset| -> Result<Vec<usize>, PartitaError> {
    ///     Ok(rows.collect_partitions()?.iter().map(DataFrame::height).filter(|rows| *rows > 0).collect())
    /// };
    /// let by_hash = one_key.repartition_by(Partitioning::Hash(vec![col("key")], 8));
    /// assert_eq!(sizes(by_hash)?, [8000]);
    /// assert_eq!(sizes(one_key.repartition_salted([col("key")], 8, 4))?.len(), 4);
    /// # Ok::<(), PartitaError>(())
    /// ```
    #[must_use]
    pub fn repartition_salted(&self, keys: impl AsRef<[Expr]>, n: usize, salts: usize) -> Self {
        self.repartition_by(Partitioning::Salted(keys.as_ref().to_vec(), n, salts))
    }

    /// Moves every row to the partition that `by` chooses.
    #[must_use]
    pub fn repartition_by(&self, by: Partitioning) -> Self {
        self.step("repartition_by", |input| {
            check_partitions("repartition", by.partitions())?;
            let keys = match &by {
                Partitioning::RoundRobin(_) => Vec::new(),
                Partitioning::Hash(keys, _)
                | Partitioning::Range(keys, _)
                | Partitioning::Salted(keys, ..) => keys.clone(),
                Partitioning::Expr(expr, _) => vec![expr.clone()],
            };
            if let Partitioning::Salted(_, _, salts) = &by {
                check::salts("repartition_salted", *salts)?;
            }
            let keys = check::keys("repartition_by", &keys, &input.schema)?;
            if keys.is_empty() && !matches!(by, Partitioning::RoundRobin(_)) {
                let remedy = "name at least one column, or use repartition(n)";
                return Err(PartitaError::argument("repartition_by", "there are no keys", remedy));
            }
            if let (Partitioning::Expr(expr, n), Some((_, dtype))) = (&by, keys.first())
                && !dtype.is_integer()
            {
                return Err(PartitaError::argument(
                    "repartition_by",
                    format!("{expr} is of type {dtype}, but a partition must be a number from 0 up to {n}"),
                    format!("cast it to an integer, such as (…).cast(DataType::UInt32) % lit({n})"),
                ));
            }
            let exprs = || keys.iter().map(|(key, _)| key.clone()).collect();
            let by = match by {
                Partitioning::Hash(_, n) => Partitioning::Hash(exprs(), n),
                Partitioning::Range(_, n) => Partitioning::Range(exprs(), n),
                Partitioning::Salted(_, n, salts) => Partitioning::Salted(exprs(), n, salts),
                other => other,
            };
            Ok(repartitioned(input, by, &keys))
        })
    }

    /// Merges neighbouring partitions until at most `n` are left. Nothing is shuffled; the stage before also
    /// runs with at most `n` tasks.
    #[must_use]
    pub fn coalesce(&self, n: usize) -> Self {
        self.step("coalesce", |input| {
            check_partitions("coalesce", n)?;
            let lazy = mark(input.lazy.clone(), Step::Coalesce(n));
            Ok(Plan { lazy, schema: input.schema.clone(), cache: None, dealt: input.dealt })
        })
    }

    /// Sorts by columns, ascending, nulls first, as Polars does.
    #[must_use]
    pub fn sort(&self, by: impl AsRef<[Expr]>) -> Self {
        self.sort_with(by, SortMultipleOptions::default())
    }

    /// Sorts with Polars' options for direction and nulls (one `nulls_last` for all columns). Partition 0
    /// gets the first rows; the order of equal rows is unspecified.
    #[must_use]
    pub fn sort_with(&self, by: impl AsRef<[Expr]>, options: SortMultipleOptions) -> Self {
        let by = by.as_ref();
        if by.is_empty() {
            return self.step("sort", |_| {
                Err(PartitaError::argument("sort", "there are no columns", "name at least one"))
            });
        }
        if options.descending.len() > 1 && options.descending.len() != by.len() {
            return self.step("sort", |_| {
                let problem = format!("{} directions for {} columns", options.descending.len(), by.len());
                Err(PartitaError::argument("sort", problem, "use one, or one per column"))
            });
        }
        self.wide("sort", |lf| lf.sort_by_exprs(by, options.clone()))
    }

    /// Keeps one of each set of equal rows.
    #[must_use]
    pub fn distinct(&self) -> Self {
        self.distinct_rows(None)
    }

    /// Keeps one row, any of them, for each combination of values of these columns.
    #[must_use]
    pub fn distinct_by<S: Into<String>>(&self, columns: impl IntoIterator<Item = S>) -> Self {
        self.distinct_rows(Some(columns.into_iter().map(Into::into).collect()))
    }

    fn distinct_rows(&self, columns: Option<Vec<String>>) -> Self {
        if columns.as_ref().is_some_and(Vec::is_empty) {
            return self.step("distinct_by", |_| {
                let remedy = "name at least one, or use distinct() for whole rows";
                Err(PartitaError::argument("distinct_by", "there are no columns", remedy))
            });
        }
        let subset = columns.map(|names| by_name(names, true, false));
        self.wide("distinct", |lf| lf.unique(subset.clone(), UniqueKeepStrategy::Any))
    }

    /// The rows of both datasets; their partitions are kept. The columns must be the same, in the same order.
    #[must_use]
    pub fn union(&self, other: &Dataset) -> Self {
        self.step("union", |first| {
            self.same_session(other, "union")?;
            let second = other.plan()?;
            if first.schema != second.schema {
                return Err(PartitaError::argument(
                    "union",
                    format!("the columns differ: {:?} and {:?}", first.schema, second.schema),
                    "select the same columns, with the same types and order, on both sides",
                ));
            }
            let lazy = concat([first.lazy.clone(), second.lazy.clone()], UnionArgs::default())?;
            Ok(Plan { lazy, schema: first.schema.clone(), cache: None, dealt: false })
        })
    }

    /// The first `n` rows in partition order, as one partition.
    #[must_use]
    pub fn limit(&self, n: usize) -> Self {
        let n = IdxSize::try_from(n).unwrap_or(IdxSize::MAX);
        self.step("limit", |input| {
            // Which rows are the first depends on how they were dealt.
            let rows = input.lazy.clone();
            let rows = if input.dealt { mark(rows, Step::Fence) } else { rows };
            Ok(Plan { lazy: rows.limit(n), schema: input.schema.clone(), cache: None, dealt: false })
        })
    }
}

/// The plan with rows moved to other partitions. Keys are the right side of a semi join that is never
/// run: the optimiser sees in it that the keys are needed and that the order of rows is lost.
fn repartitioned(input: &Plan, by: Partitioning, keys: &[(Expr, DataType)]) -> Plan {
    let schema = input.schema.clone();
    if let Partitioning::RoundRobin(n) = by {
        let lazy = mark(input.lazy.clone(), Step::RoundRobin(n));
        return Plan { lazy, schema, cache: None, dealt: true };
    }
    let named = |at: usize| PlSmallStr::from_string(at.to_string());
    let keys: Vec<(Expr, DataType)> = keys.iter().map(typed).collect();
    let fields = keys.iter().enumerate().map(|(at, (_, dtype))| Field::new(named(at), dtype.clone()));
    let leaf = Leaf::scan(Source::Keys(by), &Arc::new(Schema::from_iter(fields)));
    let left: Vec<Expr> = keys.iter().map(|(key, _)| key.clone()).collect();
    let right: Vec<Expr> = (0..keys.len()).map(|at| col(named(at))).collect();
    let lazy = input
        .lazy
        .clone()
        .join_builder()
        .with(leaf)
        .left_on(left)
        .right_on(right)
        .how(JoinType::Semi)
        .join_nulls(true)
        .finish();
    Plan { lazy, schema, cache: None, dealt: false }
}

/// A key of a type that both sides of a join can have. That of literals is not settled yet.
fn typed((key, dtype): &(Expr, DataType)) -> (Expr, DataType) {
    let has_literals = key.into_iter().any(|part| matches!(part, Expr::Literal(_)));
    let key = if has_literals { key.clone().cast(dtype.clone()) } else { key.clone() };
    (key, dtype.clone())
}
