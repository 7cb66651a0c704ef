//! Conditions of outer joins.
//!
//! Polars takes nothing but equalities of both sides there. A condition on the side that may be missing filters it before
//! the join. Another one makes the key null where it does not hold: the row is kept and finds no partner.

use std::collections::BTreeSet;

use sqlparser::ast::{BinaryOperator, Expr, JoinConstraint, JoinOperator, TableFactor, TableWithJoins};

use crate::error::{Result, unsupported};
use crate::joins::{links, tables};
use crate::names::Owners;
use crate::query::Rewriter;
use crate::{build, walk};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
    Full,
}

/// Rewrites the conditions of joins and returns those of inner ones that belong into WHERE.
pub fn conditions(
    rewriter: &mut Rewriter<'_>,
    item: &mut TableWithJoins,
    own: &BTreeSet<usize>,
    owners: &Owners,
) -> Result<Vec<Expr>> {
    let mut moved = Vec::new();
    let mut own = own.iter().copied();
    let mut left: BTreeSet<usize> = own.next().into_iter().collect();
    let keeps_right: Vec<bool> =
        item.joins.iter().map(|join| side(&join.join_operator).is_some_and(|s| s != Side::Left)).collect();
    for (at, (join, table)) in item.joins.iter_mut().zip(own).enumerate() {
        let right = BTreeSet::from([table]);
        let side = side(&join.join_operator);
        if let Some(on) = on(&mut join.join_operator) {
            let parts = walk::conjuncts(std::mem::replace(on, build::null()));
            let (mut keys, others): (Vec<Expr>, Vec<Expr>) =
                parts.into_iter().partition(|c| links(c, &left, &right, owners));
            match side {
                // An outer join to come would turn the rows that it adds into null, and WHERE would drop them.
                None if !others.is_empty() && keeps_right[at + 1..].contains(&true) => {
                    return Err(unsupported(
                        "a condition of an inner join other than an equality, before a RIGHT or FULL JOIN",
                        &others[0],
                        "put the inner join into a subquery of FROM",
                    ));
                }
                None => moved.extend(others),
                Some(side) => {
                    for other in others {
                        restrict(
                            rewriter,
                            other,
                            side,
                            &mut keys,
                            &mut join.relation,
                            [&left, &right],
                            owners,
                        )?;
                    }
                    if keys.is_empty() {
                        return Err(unsupported(
                            "an outer join without an equality of both sides",
                            on,
                            "compare a column of each side by `=`",
                        ));
                    }
                }
            }
            match walk::conjunction(keys) {
                Some(keys) => *on = keys,
                None => join.join_operator = JoinOperator::CrossJoin(JoinConstraint::None),
            }
        }
        left.insert(table);
    }
    Ok(moved)
}

fn side(operator: &JoinOperator) -> Option<Side> {
    match operator {
        JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => Some(Side::Left),
        JoinOperator::Right(_) | JoinOperator::RightOuter(_) => Some(Side::Right),
        JoinOperator::FullOuter(_) => Some(Side::Full),
        _ => None,
    }
}

fn on(operator: &mut JoinOperator) -> Option<&mut Expr> {
    match operator {
        JoinOperator::Join(JoinConstraint::On(on))
        | JoinOperator::Inner(JoinConstraint::On(on))
        | JoinOperator::Left(JoinConstraint::On(on))
        | JoinOperator::LeftOuter(JoinConstraint::On(on))
        | JoinOperator::Right(JoinConstraint::On(on))
        | JoinOperator::RightOuter(JoinConstraint::On(on))
        | JoinOperator::FullOuter(JoinConstraint::On(on)) => Some(on),
        _ => None,
    }
}

/// Takes a condition of one side into account.
fn restrict(
    rewriter: &mut Rewriter<'_>,
    condition: Expr,
    outer: Side,
    keys: &mut [Expr],
    relation: &mut TableFactor,
    [left, right]: [&BTreeSet<usize>; 2],
    owners: &Owners,
) -> Result<()> {
    let of = tables(&condition, owners);
    if of.is_subset(right) && !of.is_empty() && outer == Side::Left {
        let table = std::mem::replace(relation, build::table(""));
        let filtered = build::select(vec![build::star()], vec![build::from(table)], Some(condition));
        *relation = build::derived(build::select_query(filtered), &rewriter.fresh());
        return Ok(());
    }
    let on_left = of.is_subset(left);
    if !on_left && !of.is_subset(right) {
        return Err(unsupported(
            "a condition of an outer join that compares both sides by other than `=`",
            &condition,
            "compare in WHERE, or in a subquery of FROM",
        ));
    }
    let Some(Expr::BinaryOp { left: one, op: BinaryOperator::Eq, right: other }) = keys.first_mut() else {
        return Err(unsupported(
            "an outer join without an equality of both sides",
            &condition,
            "compare a column of each side by `=`",
        ));
    };
    let one_is_left = tables(one, owners).is_subset(left);
    let key = if one_is_left == on_left { one } else { other };
    let plain = std::mem::replace(&mut **key, build::null());
    **key = build::case(vec![(condition, plain)], None);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::tests::{refused, rewritten};

    #[test]
    fn a_condition_on_the_side_that_may_be_missing_filters_it() {
        assert_eq!(
            rewritten("select i, lo from t left outer join r on i = k and s not like 'x%' and hi > 3"),
            "SELECT i, lo FROM t LEFT OUTER JOIN (SELECT * FROM r WHERE hi > 3) AS _sql1 \
             ON CASE WHEN s NOT LIKE 'x%' THEN i END = k"
        );
    }

    #[test]
    fn a_condition_on_the_other_side_makes_the_key_null() {
        assert_eq!(
            rewritten("select i, lo from t full join r on k = i and f > 1 and hi > 3"),
            "SELECT i, lo FROM t FULL JOIN r ON CASE WHEN hi > 3 THEN k END = CASE WHEN f > 1 THEN i END"
        );
        assert_eq!(
            rewritten("select i, lo from t right join r on i = k and hi > 3"),
            "SELECT i, lo FROM t RIGHT JOIN r ON i = CASE WHEN hi > 3 THEN k END"
        );
    }

    #[test]
    fn what_cannot_be_a_key_is_refused() {
        assert!(
            refused("select i from t left join r on i = k and f < lo")
                .starts_with("a condition of an outer join that compares both sides")
        );
        assert!(
            refused("select i from t left join r on hi > 3").starts_with("an outer join without an equality")
        );
        assert!(
            refused("select i from t join r on i = k and f > 1 full join s on a = i")
                .starts_with("a condition of an inner join")
        );
    }
}
