use std::sync::Arc;

use polars::prelude::*;

use super::{Dataset, check};
use crate::engine::task::{JoinStep, Step};
use crate::error::{PartitaError, Result};
use crate::plan::{JoinStrategy, Node, NodeRef, Op, Partitioning, can_broadcast, schema_after};

/// Wide steps: rows change partitions, so a stage ends here.
impl Dataset {
    /// Spreads the rows evenly over `n` partitions, whatever they hold: each partition gives a run of
    /// its rows to every new one.
    #[must_use]
    pub fn repartition(&self, n: usize) -> Self {
        self.repartition_by(Partitioning::RoundRobin(n))
    }

    /// Moves every row to the partition that `by` says.
    #[must_use]
    pub fn repartition_by(&self, by: Partitioning) -> Self {
        self.step("repartition_by", |input| {
            check::partitions("repartition", by.partitions())?;
            let keys = match &by {
                Partitioning::RoundRobin(_) => Vec::new(),
                Partitioning::Hash(keys, _) | Partitioning::Range(keys, _) => keys.clone(),
                Partitioning::Expr(expr, _) => vec![expr.clone()],
            };
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
                    format!("{expr} is of type {dtype}, and a partition is a number from 0 up to {n}"),
                    format!("cast it to an integer, such as (…).cast(DataType::UInt32) % lit({n})"),
                ));
            }
            let exprs = || keys.iter().map(|(key, _)| key.clone()).collect();
            let by = match by {
                Partitioning::Hash(_, n) => Partitioning::Hash(exprs(), n),
                Partitioning::Range(_, n) => Partitioning::Range(exprs(), n),
                other => other,
            };
            Ok(Node { op: Op::Repartition { input: input.clone(), by }, schema: input.schema.clone() })
        })
    }

    /// Joins neighbouring partitions until at most `n` are left. Nothing is shuffled; the stage
    /// before runs with `n` tasks.
    #[must_use]
    pub fn coalesce(&self, n: usize) -> Self {
        self.step("coalesce", |input| {
            check::partitions("coalesce", n)?;
            let schema = input.schema.clone();
            Ok(Node { op: Op::Coalesce { input: input.clone(), partitions: n }, schema })
        })
    }

    /// Groups rows by keys, for [`agg`](GroupedDataset::agg).
    pub fn group_by(&self, keys: impl AsRef<[Expr]>) -> GroupedDataset {
        GroupedDataset { input: self.clone(), keys: keys.as_ref().to_vec(), combine: true }
    }

    /// Aggregates all rows into one.
    #[must_use]
    pub fn agg(&self, aggs: impl AsRef<[Expr]>) -> Self {
        self.group_by([]).agg(aggs)
    }

    /// Joins on columns of the same name on both sides, choosing broadcast or shuffle by size.
    #[must_use]
    pub fn join(&self, right: &Dataset, on: impl AsRef<[Expr]>, how: JoinType) -> Self {
        let on = on.as_ref().to_vec();
        self.join_on(right, JoinOn { left: on.clone(), right: on, how, strategy: JoinStrategy::Auto })
    }

    /// Joins with other keys on each side, or a strategy of your choice.
    #[must_use]
    pub fn join_on(&self, right: &Dataset, on: JoinOn) -> Self {
        self.step("join", |left| {
            self.same_session(right, "join")?;
            let right = right.node()?;
            let (left_on, right_on) = on.checked(left, right)?;
            let strategy = on.strategy;
            let join = Arc::new(JoinStep { left_on, right_on, how: on.how });
            let other = DataFrame::empty_with_schema(&right.schema).lazy();
            let schema = schema_after(&left.schema, |lf| join.apply(lf, other))
                .map_err(|cause| PartitaError::plan("join", cause, &left.schema))?;
            let (left, right) = (left.clone(), right.clone());
            let partitions = self.session.shuffle_partitions();
            Ok(Node { op: Op::Join { left, right, join, strategy, partitions }, schema })
        })
    }

    /// Sorts by columns, ascending, nulls first, as Polars does.
    #[must_use]
    pub fn sort(&self, by: impl AsRef<[Expr]>) -> Self {
        self.sort_with(by, SortMultipleOptions::default())
    }

    /// Sorts with Polars' own options for direction and nulls (one for all columns). Partition 0
    /// holds the first rows; equal rows come in any order.
    #[must_use]
    pub fn sort_with(&self, by: impl AsRef<[Expr]>, options: SortMultipleOptions) -> Self {
        let by = by.as_ref().to_vec();
        self.step("sort", |input| {
            let by: Vec<Expr> =
                check::keys("sort", &by, &input.schema)?.into_iter().map(|(key, _)| key).collect();
            if by.is_empty() {
                return Err(PartitaError::argument("sort", "there are no columns", "name at least one"));
            }
            let Some(descending) = one_or_each(&options.descending, by.len()) else {
                let problem = format!("{} directions for {} columns", options.descending.len(), by.len());
                return Err(PartitaError::argument("sort", problem, "give one, or one a column"));
            };
            let nulls_last = options.nulls_last.first().copied().unwrap_or(false);
            if options.nulls_last.iter().any(|last| *last != nulls_last) {
                let remedy = "give one nulls_last for all columns";
                return Err(PartitaError::argument("sort", "nulls_last differs between columns", remedy));
            }
            let (input, schema) = (input.clone(), input.schema.clone());
            let partitions = self.session.shuffle_partitions();
            Ok(Node { op: Op::Sort { input, by, descending, nulls_last, partitions }, schema })
        })
    }

    /// Keeps one of each set of equal rows.
    #[must_use]
    pub fn distinct(&self) -> Self {
        self.distinct_rows(None)
    }

    /// Keeps one (any) row for each combination of these columns.
    #[must_use]
    pub fn distinct_by<S: Into<String>>(&self, columns: impl IntoIterator<Item = S>) -> Self {
        self.distinct_rows(Some(columns.into_iter().map(Into::into).collect()))
    }

    fn distinct_rows(&self, columns: Option<Vec<String>>) -> Self {
        self.step("distinct", |input| {
            let keys: Vec<Expr> = columns.iter().flatten().map(|name| col(name.as_str())).collect();
            check::keys("distinct", &keys, &input.schema)?;
            if columns.as_ref().is_some_and(Vec::is_empty) {
                let remedy = "name at least one, or use distinct() for whole rows";
                return Err(PartitaError::argument("distinct_by", "there are no columns", remedy));
            }
            let partitions = self.session.shuffle_partitions();
            let schema = input.schema.clone();
            Ok(Node { op: Op::Distinct { input: input.clone(), columns, partitions }, schema })
        })
    }

    /// The rows of both, partitions side by side; columns must be the same, in order.
    #[must_use]
    pub fn union(&self, other: &Dataset) -> Self {
        self.step("union", |first| {
            self.same_session(other, "union")?;
            let second = other.node()?;
            if first.schema != second.schema {
                return Err(PartitaError::argument(
                    "union",
                    format!("the columns differ: {:?} and {:?}", first.schema, second.schema),
                    "select the same columns, in one order and of one type, on both sides",
                ));
            }
            let schema = first.schema.clone();
            Ok(Node { op: Op::Union(vec![first.clone(), second.clone()]), schema })
        })
    }

    /// The first `n` rows in partition order, as one partition.
    #[must_use]
    pub fn limit(&self, n: usize) -> Self {
        self.step("limit", |input| {
            let schema = input.schema.clone();
            Ok(Node { op: Op::Limit { input: input.clone(), rows: n }, schema })
        })
    }
}

/// The keys and manner of a join.
#[derive(Debug, Clone)]
pub struct JoinOn {
    /// Keys on the left side.
    pub left: Vec<Expr>,
    /// Keys on the right side, in the same order.
    pub right: Vec<Expr>,
    /// Inner, left, right, full, semi, anti or cross, as Polars has them.
    pub how: JoinType,
    /// How the keys are brought together.
    pub strategy: JoinStrategy,
}

impl JoinOn {
    /// The keys of both sides, one column each, if they can be brought together.
    fn checked(&self, left: &NodeRef, right: &NodeRef) -> Result<(Vec<Expr>, Vec<Expr>)> {
        use JoinType::{Anti, Cross, Full, Inner, Left, Right, Semi};
        let error = |problem: String, remedy: &str| Err(PartitaError::argument("join", problem, remedy));
        if !matches!(self.how, Inner | Left | Right | Full | Semi | Anti | Cross) {
            let problem = format!("a {} join does not bring equal keys together", self.how);
            return error(problem, "use one of inner, left, right, full, semi, anti and cross");
        }
        if self.left.len() != self.right.len() || (self.left.is_empty() != (self.how == JoinType::Cross)) {
            let problem =
                format!("{} keys left, {} right for a {} join", self.left.len(), self.right.len(), self.how);
            return error(problem, "give the same number on both sides; none for a cross join only");
        }
        if self.strategy == JoinStrategy::Broadcast && !can_broadcast(&self.how) {
            let problem = format!("a {} join must see all left rows to know what the right lacks", self.how);
            return error(problem, "use JoinStrategy::Shuffle");
        }
        let left = check::keys("join", &self.left, &left.schema)?;
        let right = check::keys("join", &self.right, &right.schema)?;
        for ((key, left), (_, right)) in left.iter().zip(&right) {
            if left != right {
                let problem = format!("key {key} is {left} on the left and {right} on the right");
                return error(problem, "cast one side, such as col(…).cast(DataType::Int64)");
            }
        }
        let exprs = |keys: Vec<(Expr, DataType)>| keys.into_iter().map(|(key, _)| key).collect();
        Ok((exprs(left), exprs(right)))
    }
}

/// A dataset with keys to group by, from [`Dataset::group_by`].
#[derive(Clone)]
pub struct GroupedDataset {
    input: Dataset,
    keys: Vec<Expr>,
    combine: bool,
}

impl GroupedDataset {
    /// Whether each partition aggregates its own rows before the shuffle (map-side combine), where
    /// the aggregations allow it. On unless switched off, to see what it saves.
    #[must_use]
    pub fn map_side_combine(mut self, on: bool) -> Self {
        self.combine = on;
        self
    }

    /// Aggregates each group. `sum`, `min`, `max`, `mean`, `count` and `len`, and arithmetic on
    /// them, are combined map-side; others, such as `median`, shuffle the rows first.
    #[must_use]
    pub fn agg(self, aggs: impl AsRef<[Expr]>) -> Dataset {
        let (keys, aggs, combine) = (self.keys, aggs.as_ref().to_vec(), self.combine);
        self.input.step(if keys.is_empty() { "agg" } else { "group_by" }, |input| {
            let keys: Vec<Expr> =
                check::keys("group_by", &keys, &input.schema)?.into_iter().map(|(key, _)| key).collect();
            if aggs.is_empty() {
                let remedy = "name at least one, such as col(…).sum() or len()";
                return Err(PartitaError::argument("agg", "there are no aggregations", remedy));
            }
            let whole = Step::Aggregate { keys: keys.clone(), aggs: aggs.clone() };
            let schema = schema_after(&input.schema, |lf| whole.apply(lf))
                .map_err(|cause| PartitaError::plan("agg", cause, &input.schema))?;
            let partitions = self.input.session.shuffle_partitions();
            Ok(Node { op: Op::GroupBy { input: input.clone(), keys, aggs, partitions, combine }, schema })
        })
    }
}

fn one_or_each(flags: &[bool], n: usize) -> Option<Vec<bool>> {
    match flags {
        [] => Some(vec![false; n]),
        [one] => Some(vec![*one; n]),
        each => (each.len() == n).then(|| each.to_vec()),
    }
}
