use std::sync::Arc;

use polars::prelude::*;
use polars_plan::dsl::DslPlan;

use super::{Dataset, check};
use crate::error::{PartitaError, Result};
use crate::plan::marker::{Advice, Step, mark};
use crate::plan::{JoinStrategy, Plan, can_broadcast, schema_after};

/// Joins and their strategies.
impl Dataset {
    /// Joins on columns with the same names on both sides. The size decides between broadcast and shuffle.
    #[must_use]
    pub fn join(&self, right: &Dataset, on: impl AsRef<[Expr]>, how: JoinType) -> Self {
        let on = on.as_ref().to_vec();
        self.join_on(right, JoinOn { left: on.clone(), right: on, how, strategy: JoinStrategy::Auto })
    }

    /// Joins with different keys on each side, or with a strategy of your choice.
    #[must_use]
    pub fn join_on(&self, right: &Dataset, on: JoinOn) -> Self {
        self.step("join", |left| {
            self.same_session(right, "join")?;
            let right = right.plan()?;
            let (left_on, right_on) = on.checked(left, right)?;
            let join = |left: LazyFrame, right: LazyFrame| {
                left.join_builder()
                    .with(right)
                    .left_on(&left_on)
                    .right_on(&right_on)
                    .how(on.how.clone())
                    .finish()
            };
            let other = DataFrame::empty_with_schema(&right.schema).lazy();
            let schema = schema_after(&left.schema, |lf| join(lf, other))
                .map_err(|cause| PartitaError::plan("join", cause, &left.schema))?;
            let lazy = join(advised(left.lazy.clone(), on.strategy), right.lazy.clone());
            Ok(Plan { lazy, schema, cache: None, dealt: false })
        })
    }

    /// Makes the join that is the last step broadcast its right side, however large. The right side is sent
    /// whole to every task of the left, and nothing is shuffled. For inner, left, semi and anti joins.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let session = Session::embedded(2)?;
    /// let zones = session.range(0, 10, 2);
    /// let joined = session.range(0, 100, 4).join(&zones, [col("id")], JoinType::Inner).broadcast();
    /// assert_eq!(joined.count()?, 10);
    /// # Ok::<(), partita::PartitaError>(())
    /// ```
    #[must_use]
    pub fn broadcast(&self) -> Self {
        self.rejoin("broadcast", JoinStrategy::Broadcast)
    }

    /// Makes the join that is the last step spread the left rows of hot keys over `salts` partitions, and
    /// copy the right rows of those keys to each of them. A key is hot if it fills a partition by itself. A
    /// sample of the left side finds hot keys; it reads the left side's keys once more. For inner, left, semi
    /// and anti joins.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let session = Session::embedded(2)?;
    /// let one_key = session.range(0, 1000, 4).select([(col("id") * lit(0)).alias("id")]);
    /// let joined = one_key.join(&session.range(0, 10, 2), [col("id")], JoinType::Inner).salted(2);
    /// assert_eq!(joined.count()?, 1000);
    /// # Ok::<(), partita::PartitaError>(())
    /// ```
    #[must_use]
    pub fn salted(&self, salts: usize) -> Self {
        self.rejoin("salted", JoinStrategy::Salted(salts))
    }

    /// The join that is the last step, with another strategy.
    fn rejoin(&self, name: &'static str, strategy: JoinStrategy) -> Self {
        self.step(name, |plan| {
            let mut lazy = plan.lazy.clone();
            let DslPlan::Join { input_left, options, .. } = &mut lazy.logical_plan else {
                let remedy =
                    "call it directly after join(…): left.join(&right, […], JoinType::Inner).broadcast()";
                return Err(PartitaError::argument(name, "the last step is not a join", remedy));
            };
            can_join(&options.args.how, strategy)?;
            let left = LazyFrame::from((**input_left).clone());
            *input_left = Arc::new(advised(left, strategy).logical_plan);
            Ok(Plan {
                lazy: LazyFrame::from(lazy.logical_plan),
                schema: plan.schema.clone(),
                cache: None,
                dealt: false,
            })
        })
    }
}

/// The left side of a join of which a strategy was said.
fn advised(left: LazyFrame, strategy: JoinStrategy) -> LazyFrame {
    if strategy == JoinStrategy::Auto {
        return left;
    }
    mark(left, Step::Advice(Advice { strategy: Some(strategy), ..Advice::default() }))
}

/// The keys, type and strategy of a join.
#[derive(Debug, Clone)]
pub struct JoinOn {
    /// Keys on the left side.
    pub left: Vec<Expr>,
    /// Keys on the right side, in the same order.
    pub right: Vec<Expr>,
    /// Inner, left, right, full, semi, anti or cross, as in Polars.
    pub how: JoinType,
    /// How rows with equal keys get into one task.
    pub strategy: JoinStrategy,
}

impl JoinOn {
    /// The keys of both sides, one column each, if they can be joined.
    fn checked(&self, left: &Plan, right: &Plan) -> Result<(Vec<Expr>, Vec<Expr>)> {
        use JoinType::{Anti, Cross, Full, Inner, Left, Right, Semi};
        let error = |problem: String, remedy: &str| Err(PartitaError::argument("join", problem, remedy));
        if !matches!(self.how, Inner | Left | Right | Full | Semi | Anti | Cross) {
            let problem = format!("a {} join does not join equal keys", self.how);
            return error(problem, "use one of inner, left, right, full, semi, anti and cross");
        }
        if self.left.len() != self.right.len() || (self.left.is_empty() != (self.how == JoinType::Cross)) {
            let problem = format!(
                "{} keys on the left and {} on the right for a {} join",
                self.left.len(),
                self.right.len(),
                self.how
            );
            return error(problem, "use the same number on both sides, and none for a cross join");
        }
        can_join(&self.how, self.strategy)?;
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

/// Returns an error unless this strategy supports this type of join.
fn can_join(how: &JoinType, strategy: JoinStrategy) -> Result<()> {
    let error = |problem: String, remedy: &str| Err(PartitaError::argument("join", problem, remedy));
    match strategy {
        JoinStrategy::Broadcast | JoinStrategy::Salted(_) if !can_broadcast(how) => {
            let problem = format!("a {how} join must see all left rows to find right rows without a match");
            error(problem, "use JoinStrategy::Shuffle")
        }
        JoinStrategy::Salted(_) if *how == JoinType::Cross => {
            error("a cross join has no keys to salt".into(), "omit salted: its right side is broadcast")
        }
        JoinStrategy::Salted(salts) => check::salts("salted", salts),
        JoinStrategy::Auto | JoinStrategy::Broadcast | JoinStrategy::Shuffle => Ok(()),
    }
}
