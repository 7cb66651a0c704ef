//! Subqueries in expressions: each becomes a join of the query around it.

use sqlparser::ast::{BinaryOperator, Expr, Join, OrderBy, Query, Select, UnaryOperator};

use crate::correlation::Outer;
use crate::error::{Result, unsupported};
use crate::query::Rewriter;
use crate::scope::Scope;
use crate::{build, exists, membership, scalar, walk};

/// Joins in place of subqueries.
#[derive(Default)]
pub struct Pulled {
    /// In their order, after all other tables.
    pub joins: Vec<Join>,
    /// Whether they add columns.
    pub widened: bool,
}

/// Takes the subqueries out of a SELECT and returns the joins that stand for them.
pub fn pull(
    rewriter: &mut Rewriter<'_>,
    select: &mut Select,
    order_by: &mut Option<OrderBy>,
    scopes: &[Scope],
) -> Result<Pulled> {
    let mut pulled = Pulled::default();
    if !walk::has_subquery(select) && !walk::has_subquery(order_by) {
        return Ok(pulled);
    }
    walk::change(select, membership)?;
    walk::change(order_by, membership)?;
    if select.from.iter().any(|item| item.joins.iter().any(|join| walk::has_subquery(&join.join_operator))) {
        return Err(unsupported(
            "a subquery in ON",
            select,
            "move the condition to WHERE, or the subquery to FROM",
        ));
    }
    let (conditions, with_queries): (Vec<Expr>, Vec<Expr>) =
        select.selection.take().into_iter().flat_map(walk::conjuncts).partition(|c| !walk::has_subquery(c));
    let outer = Outer { scopes, from: select.from.clone(), conditions: conditions.clone() };
    let mut left = conditions;
    for condition in with_queries {
        left.extend(condition_of(rewriter, positive(condition), &outer, &mut pulled)?);
    }
    let mut replace = |expr: &mut Expr| value_of(rewriter, expr, &outer, &mut pulled);
    walk::change(select, &mut replace)?;
    walk::change(order_by, &mut replace)?;
    select.selection = walk::conjunction(left);
    Ok(pulled)
}

/// Moves a NOT into the subquery's predicate.
fn positive(condition: Expr) -> Expr {
    match condition {
        Expr::Nested(inner) => positive(*inner),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => match positive(*expr) {
            Expr::Exists { subquery, negated } => Expr::Exists { subquery, negated: !negated },
            Expr::InSubquery { expr, subquery, negated } => {
                Expr::InSubquery { expr, subquery, negated: !negated }
            }
            other => build::not(other),
        },
        other => other,
    }
}

/// Rewrites one of the conditions of WHERE; `None` if the joins say all of it.
fn condition_of(
    rewriter: &mut Rewriter<'_>,
    mut condition: Expr,
    outer: &Outer<'_>,
    pulled: &mut Pulled,
) -> Result<Option<Expr>> {
    match condition {
        Expr::Exists { subquery, negated } => exists::condition(rewriter, *subquery, negated, outer, pulled),
        Expr::InSubquery { expr, subquery, negated } if !walk::has_subquery(&expr) => {
            membership::condition(rewriter, *expr, *subquery, negated, outer, pulled)
        }
        _ => {
            walk::change(&mut condition, |expr| value_of(rewriter, expr, outer, pulled))?;
            Ok(Some(condition))
        }
    }
}

/// Rewrites an expression if it is a subquery or a predicate of one.
fn value_of(
    rewriter: &mut Rewriter<'_>,
    expr: &mut Expr,
    outer: &Outer<'_>,
    pulled: &mut Pulled,
) -> Result<()> {
    *expr = match std::mem::replace(expr, build::null()) {
        Expr::Subquery(query) => scalar::value(rewriter, *query, outer, pulled)?,
        Expr::Exists { subquery, negated } => exists::value(rewriter, *subquery, negated, outer, pulled)?,
        Expr::InSubquery { expr, subquery, negated } => {
            membership::value(rewriter, *expr, *subquery, negated, outer, pulled)?
        }
        other => other,
    };
    Ok(())
}

/// Writes `= ANY (SELECT …)` as IN and `<> ALL (SELECT …)` as NOT IN.
fn membership(expr: &mut Expr) -> Result<()> {
    let (left, right, wanted, negated) = match expr {
        Expr::AnyOp { left, compare_op, right, .. } => {
            (left, right, *compare_op == BinaryOperator::Eq, false)
        }
        Expr::AllOp { left, compare_op, right } => (left, right, *compare_op == BinaryOperator::NotEq, true),
        _ => return Ok(()),
    };
    let Some(query) = query_of(right) else { return Ok(()) };
    if !wanted {
        let instead = "compare with min or max of the subquery";
        return Err(unsupported(
            "a comparison with ANY or ALL other than `= ANY` and `<> ALL`",
            left.as_ref(),
            instead,
        ));
    }
    let subquery = Box::new(query.clone());
    *expr = Expr::InSubquery { expr: left.clone(), subquery, negated };
    Ok(())
}

fn query_of(expr: &Expr) -> Option<&Query> {
    match expr {
        Expr::Subquery(query) => Some(query),
        Expr::Nested(inner) => query_of(inner),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::{refused, rewritten};

    #[test]
    fn any_and_all_are_in_and_not_in() {
        assert_eq!(
            rewritten("select i from t where i = any (select k from r) and f <> all (select lo from r)"),
            rewritten("select i from t where i in (select k from r) and f not in (select lo from r)")
        );
        assert!(
            refused("select i from t where i > all (select k from r)")
                .starts_with("a comparison with ANY or ALL")
        );
    }

    #[test]
    fn a_subquery_in_on_is_refused() {
        let error = refused("select i from t join r on i = k and lo > (select max(lo) from r)");
        assert!(error.starts_with("a subquery in ON"), "{error}");
    }

    #[test]
    fn a_with_of_a_subquery_is_seen_in_all_of_it() {
        assert_eq!(
            rewritten(
                "select i from t where i in (with w as (select a from s) select k from r where k in (select a from w))"
            ),
            "WITH w AS (SELECT a FROM s), _sql1 AS (SELECT a AS _sql1_value FROM w), \
             _sql2 AS (SELECT k AS _sql2_value FROM r WHERE k IN (SELECT _sql1_value FROM _sql1)) \
             SELECT i FROM t WHERE i IN (SELECT _sql2_value FROM _sql2)"
        );
    }

    #[test]
    fn subqueries_stand_in_subqueries() {
        assert_eq!(
            rewritten(
                "select a from s where b in (select k from r where lo > (select 0.5 * sum(f) from t where i = k) \
                 and hi in (select f from t))"
            ),
            "WITH _sql1 AS (SELECT i AS _sql1_k1, sum(f) AS _sql1_a1 FROM t GROUP BY i), \
             _sql2 AS (SELECT f AS _sql2_value FROM t), \
             _sql3 AS (SELECT k AS _sql3_value FROM r LEFT JOIN _sql1 ON k = _sql1_k1 \
             WHERE lo > (0.5 * _sql1_a1) AND hi IN (SELECT _sql2_value FROM _sql2)) \
             SELECT a FROM s WHERE b IN (SELECT _sql3_value FROM _sql3)"
        );
    }
}
