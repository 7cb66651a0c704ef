//! Joins with the right table, and of a plan with itself.

use std::rc::Rc;

use partita::prelude::*;
use proptest::prelude::*;

use super::exprs::{Test, row_tests};
use super::next::Next;
use super::shape::*;

/// A join on equal keys.
#[derive(Debug, Clone)]
pub struct Join {
    pub how: At,
    pub on: Vec<(At, At)>,
    /// The left key is an expression.
    pub shifted: bool,
    pub nulls_equal: bool,
    /// Whether both keys stay.
    pub keep: bool,
    pub in_order: bool,
    /// The right side is checked to have each key once.
    pub checked: bool,
    /// The right side is one row per key.
    pub per_key: bool,
    pub only: Option<Test>,
}

pub fn joins() -> impl Strategy<Value = Join> {
    let on = prop::collection::vec(any::<(At, At)>(), 1..3);
    let flags = any::<(bool, bool, bool, bool)>();
    let per_key = prop::bool::weighted(0.3);
    let shifted = prop::bool::weighted(0.1);
    (any::<At>(), on, flags, per_key, shifted, prop::option::weighted(0.3, row_tests())).prop_map(
        |(how, on, (nulls_equal, keep, in_order, checked), per_key, shifted, only)| Join {
            how,
            on,
            shifted,
            nulls_equal,
            keep,
            in_order,
            checked,
            per_key,
            only,
        },
    )
}

impl Join {
    pub fn next(&self, left: &Shape, right: &Shape) -> Option<Next> {
        use JoinType::{Anti, Full, Inner, Left, Right, Semi};
        let how = [Inner, Left, Right, Full, Semi, Anti][usize::from(self.how % 6)].clone();
        let (mut left_on, mut right_on): (Vec<PlSmallStr>, Vec<PlSmallStr>) = Default::default();
        for (at_left, at_right) in &self.on {
            let Some(other) = right.pick(*at_right, is_key) else { continue };
            let dtype = right.dtype(&other);
            let Some(one) = left.pick(*at_left, |left| *left == dtype) else { continue };
            if !left_on.contains(&one) && !right_on.contains(&other) {
                left_on.push(one);
                right_on.push(other);
            }
        }
        if left_on.is_empty() {
            return None;
        }
        let product = left.most * right.most;
        let per_key = self.per_key || product > MOST_ROWS;
        let most = match how {
            Semi | Anti => left.most,
            _ if per_key => left.most + right.most,
            _ => product + left.most + right.most,
        };
        let only = self.only.as_ref().and_then(|test| test.expr(right));
        let in_order = self.in_order && left.ordered && !per_key && matches!(how, Inner | Left);
        let (keep, nulls_equal) = (self.keep, self.nulls_equal);
        let validation = match self.checked && per_key && matches!(how, Inner | Left) {
            true => JoinValidation::ManyToOne,
            false => JoinValidation::ManyToMany,
        };
        let shifted = self.shifted && left_on.len() == 1 && is_int(&left.dtype(&left_on[0]));
        let suffix = suffix(left, right);
        let build = move |left: LazyFrame, right: LazyFrame| {
            let right = match &only {
                Some(only) => right.filter(only.clone()),
                None => right,
            };
            let keys: Vec<Expr> = right_on.iter().cloned().map(col).collect();
            let right = match per_key {
                true => right.group_by(keys.clone()).agg([
                    len().alias("n"),
                    col("v").sum().alias("total"),
                    col("id").max().alias("last"),
                ]),
                false => right,
            };
            let shift = |key: Expr| if shifted { key + lit(1) } else { key };
            let coalesce = match how {
                Inner | Left | Right if keep => JoinCoalesce::KeepColumns,
                Full if keep => JoinCoalesce::CoalesceColumns,
                _ => JoinCoalesce::JoinSpecific,
            };
            left.join_builder()
                .with(right)
                .left_on(left_on.iter().cloned().map(col).map(shift).collect::<Vec<_>>())
                .right_on(keys)
                .how(how.clone())
                .join_nulls(nulls_equal)
                .coalesce(coalesce)
                .validate(validation)
                .suffix(suffix.clone())
                .maintain_order(if in_order { MaintainOrderJoin::LeftRight } else { MaintainOrderJoin::None })
                .finish()
        };
        Some(Next { ordered: in_order, shown: false, most, ..Next::of(left, "join", build) })
    }
}

/// What is put behind names of the right side that the left side has too.
fn suffix(left: &Shape, right: &Shape) -> PlSmallStr {
    let clashes = |suffix: &str| {
        let mut names = right.schema.iter_names().map(|name| name.as_str()).chain(["n", "total", "last"]);
        names.any(|name| left.has(&format!("{name}{suffix}")))
    };
    (1..).map(|n| "_r".repeat(n)).find(|suffix| !clashes(suffix)).unwrap_or_default().into()
}

/// A join on floats, among which NaN equals NaN. Polars loses those where a column is marked as sorted, so
/// the answer is that of a join on their text.
pub fn by_float(how: At, at: At, left: &Shape, right: &Shape) -> Option<Next> {
    const TEXT: &str = "the float as text";
    use JoinType::{Anti, Inner, Left, Semi};
    let how = [Inner, Left, Semi, Anti][usize::from(how % 4)].clone();
    let name = left.pick(at, is_float)?;
    if left.most * right.most > MOST_ROWS {
        return None;
    }
    let (suffix, id) = (suffix(left, right), left.free("right"));
    let side = move |right: LazyFrame| right.select([col("f"), col("id").alias(id.clone())]);
    let args = JoinArgs { suffix: Some(suffix), ..JoinArgs::new(how) };
    let natural = {
        let (name, args, side) = (name.clone(), args.clone(), side.clone());
        move |left: LazyFrame, right: LazyFrame| {
            left.join(side(right), [col(name.clone())], [col("f")], args.clone())
        }
    };
    let plain = natural.clone();
    let oracle = move |left: LazyFrame, right: LazyFrame| {
        let schema = plain(left.clone(), right.clone()).collect_schema().unwrap();
        let text = |name: PlSmallStr| {
            // -0.0 equals 0.0.
            let value = when(col(name.clone()).eq(lit(0.0))).then(lit(0.0)).otherwise(col(name));
            value.cast(DataType::String).alias(TEXT)
        };
        let right = side(right).with_columns([text("f".into())]);
        let names: Vec<Expr> = schema.iter_names_cloned().map(col).collect();
        left.with_columns([text(name.clone())])
            .join(right, [col(TEXT)], [col(TEXT)], args.clone())
            .select(names)
    };
    let most = left.most + left.most * right.most;
    let next = Next::of(left, "join on floats", natural);
    Some(Next { ordered: false, shown: false, most, oracle: Some(Rc::new(oracle)), ..next })
}

/// A join with the groups of the same rows.
pub fn with_itself(how: At, at: At, left: &Shape) -> Option<Next> {
    use JoinType::{Inner, Left, Semi};
    let how = [Inner, Left, Semi][usize::from(how % 3)].clone();
    let key = left.pick(at, is_key)?;
    let (number, least) = (left.free("n"), left.free("least"));
    let value = left.pick(at, is_int);
    let build = move |left: LazyFrame, _: LazyFrame| {
        let mut aggs = vec![len().alias(number.clone())];
        aggs.extend(value.iter().map(|value| col(value.clone()).min().alias(least.clone())));
        let groups = left.clone().group_by([col(key.clone())]).agg(aggs);
        left.join(groups, [col(key.clone())], [col(key.clone())], JoinArgs::new(how.clone()))
    };
    Some(Next { ordered: false, shown: false, ..Next::of(left, "join with itself", build) })
}

/// Every left row with every right one, or those for which comparisons hold.
pub fn by_comparison(on: &[(At, At, At)], left: &Shape, right: &Shape) -> Option<Next> {
    if left.most * right.most > MOST_ROWS {
        return None;
    }
    let of_right = ["id", "k", "v"].map(|name| (name, left.free(&format!("{name}_"))));
    let mut predicates = Vec::new();
    for (one, other, op) in on {
        let (name, renamed) = &of_right[usize::from(other % 3)];
        let dtype = right.dtype(name);
        let one = col(left.pick(*one, |left| *left == dtype)?);
        let other = col(renamed.clone());
        predicates.push(match op % 5 {
            0 => one.lt(other),
            1 => one.lt_eq(other),
            2 => one.gt(other),
            3 => one.gt_eq(other),
            _ => one.eq(other),
        });
    }
    let build = move |left: LazyFrame, right: LazyFrame| {
        let right = right
            .select(of_right.iter().map(|(name, new)| col(*name).alias(new.clone())).collect::<Vec<_>>());
        match predicates.is_empty() {
            true => left.cross_join(right, None),
            false => left.join_builder().with(right).join_where(predicates.clone()),
        }
    };
    let most = left.most * right.most;
    Some(Next { ordered: false, shown: false, most, ..Next::of(left, "join by comparison", build) })
}

/// A join with the nearest key rather than an equal one.
#[derive(Debug, Clone)]
pub struct Nearest {
    pub on: (At, At),
    pub by: Option<(At, At)>,
    pub strategy: At,
    pub tolerance: Option<u8>,
    pub allow_eq: bool,
}

pub fn nearest() -> impl Strategy<Value = Nearest> {
    let by = prop::option::of(any::<(At, At)>());
    (any::<(At, At)>(), by, any::<At>(), prop::option::of(0u8..4), any::<bool>())
        .prop_map(|(on, by, strategy, tolerance, allow_eq)| Nearest { on, by, strategy, tolerance, allow_eq })
}

impl Nearest {
    pub fn next(&self, left: &Shape, right: &Shape) -> Option<Next> {
        use AsofStrategy::{Backward, Forward, Nearest};
        let fits = |dtype: &DataType| *dtype == DataType::Int64 || is_date(dtype);
        let other = right.pick(self.on.1, fits)?;
        let dtype = right.dtype(&other);
        let one = left.pick(self.on.0, |left| *left == dtype)?;
        let is_group = |dtype: &DataType| *dtype == DataType::Int64 || is_text(dtype);
        let by = self.by.and_then(|(at_left, at_right)| {
            let by = right.pick(at_right, is_group)?;
            let dtype = right.dtype(&by);
            let of_left = left.pick(at_left, |left| *left == dtype)?;
            (by != other && of_left != one).then_some((of_left, by))
        });
        let tolerance = self.tolerance.filter(|_| dtype == DataType::Int64);
        let options = AsOfOptions {
            strategy: [Backward, Forward, Nearest][usize::from(self.strategy % 3)],
            tolerance: tolerance.map(|tolerance| Scalar::from(i64::from(tolerance))),
            tolerance_str: None,
            left_by: by.clone().map(|(by, _)| vec![by]),
            right_by: by.clone().map(|(_, by)| vec![by]),
            allow_eq: self.allow_eq,
            check_sortedness: true,
        };
        let (near, suffix) = (left.free("near"), suffix(left, right));
        let build = move |left: LazyFrame, right: LazyFrame| {
            // Of right rows with equal keys it would be undefined which one is met.
            let groups: Vec<Expr> =
                by.iter().map(|(_, by)| by.clone()).chain([other.clone()]).map(col).collect();
            let right = right
                .filter(col(other.clone()).is_not_null())
                .group_by(groups)
                .agg([col("v").sum().alias(near.clone())])
                .sort([other.clone()], SortMultipleOptions::default());
            left.filter(col(one.clone()).is_not_null())
                .sort([one.clone()], SortMultipleOptions::default())
                .join_builder()
                .with(right)
                .left_on([col(one.clone())])
                .right_on([col(other.clone())])
                .how(JoinType::AsOf(Box::new(options.clone())))
                .suffix(suffix.clone())
                .finish()
        };
        Some(Next { ordered: false, shown: false, ..Next::of(left, "as-of join", build) })
    }
}
