//! Subqueries that are one value.
//!
//! Each becomes a query of one row, joined crosswise, or of one row for each key, joined from the left, so that a key
//! without rows has the value null. More than one row is an error when the query runs.

use sqlparser::ast::{BinaryOperator, DataType, Expr, JoinOperator, Query, Select, SelectItem, SetExpr};

use crate::correlation::{self, Inner, Outer, Subquery};
use crate::error::{Result, unsupported};
use crate::query::Rewriter;
use crate::subquery::Pulled;
use crate::{aggregate, build, outputs, walk};

/// Takes out a subquery and returns the expression for its value.
pub fn value(
    rewriter: &mut Rewriter<'_>,
    query: Query,
    outer: &Outer<'_>,
    pulled: &mut Pulled,
) -> Result<Expr> {
    match correlation::detach(rewriter, query, outer, true)? {
        Subquery::Alone(query, columns) => {
            let kind = columns.as_ref().and_then(|columns| columns.first()).map(|column| column.kind);
            if columns.is_some_and(|columns| columns.len() != 1) {
                return Err(unsupported(
                    "a scalar subquery of several columns",
                    query.as_ref(),
                    "select one of them",
                ));
            }
            let name = rewriter.fresh();
            let value = format!("{name}_value");
            let query = one_row(rewriter, *query, &value);
            let known = kind.map(|kind| vec![crate::Column::new(&value, kind)]);
            rewriter.add(&name, query, known);
            pulled.joins.push(build::join(build::table(&name), JoinOperator::CrossJoin, None));
            pulled.widened = true;
            Ok(build::column(&value))
        }
        Subquery::Tied(inner) => tied(rewriter, *inner, outer, pulled),
    }
}

/// Makes a query have one row in any case: an empty one becomes null.
fn one_row(rewriter: &mut Rewriter<'_>, mut query: Query, value: &str) -> Query {
    let simple = query.limit_clause.is_none() && query.fetch.is_none() && query.order_by.is_none();
    if let SetExpr::Select(select) = query.body.as_mut()
        && simple
        && aggregate::is_one_row(select)
        && let [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] =
            &select.projection[..]
    {
        select.projection = vec![build::aliased(expr.clone(), value)];
        return query;
    }
    let (rows, checked) = (rewriter.fresh(), rewriter.fresh());
    let rows = outputs::wrap(query, &rows, &[value.to_owned()]);
    let SetExpr::Select(mut select) = *rows.body else { return rows };
    select.projection = vec![
        build::aliased(build::call("max", vec![build::column(value)]), value),
        build::aliased(more_than_one(build::count_rows()), &format!("{checked}_more")),
    ];
    only_checked(*select, &checked, vec![build::aliased(build::column(value), value)])
}

/// Returns an expression that is null for up to one row and fails for more: the text is no number.
fn more_than_one(count: Expr) -> Expr {
    let more = build::binary(count, BinaryOperator::Gt, build::number("1"));
    let message = build::text("a scalar subquery has more than one row");
    build::cast(build::case(vec![(more, message)], None), DataType::BigInt(None))
}

/// Returns `SELECT projection FROM (select) AS checked WHERE checked_more IS NULL`.
fn only_checked(select: Select, checked: &str, projection: Vec<SelectItem>) -> Query {
    let more = Expr::IsNull(Box::new(build::column(&format!("{checked}_more"))));
    let from = build::from(build::derived(build::select_query(select), checked));
    build::select_query(build::select(projection, vec![from], Some(more)))
}

/// Takes out a subquery that is tied to the query around it.
pub fn tied(
    rewriter: &mut Rewriter<'_>,
    mut inner: Inner,
    outer: &Outer<'_>,
    pulled: &mut Pulled,
) -> Result<Expr> {
    if aggregate::is_grouped(&inner.select) || inner.select.distinct.is_some() || inner.limited {
        return Err(unsupported(
            "GROUP BY, DISTINCT or LIMIT in a scalar subquery with columns of the outer query",
            &inner.select,
            "use an aggregate such as max, which is one value",
        ));
    }
    let [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] =
        &inner.select.projection[..]
    else {
        return Err(unsupported("a scalar subquery of several columns", &inner.select, "select one of them"));
    };
    let mut expr = expr.clone();
    inner.bind(rewriter, outer)?;
    let name = rewriter.fresh();
    let mut having = inner.select.having.take();
    let mut calls = Vec::new();
    aggregate::take(&mut expr, &mut calls)?;
    aggregate::take(&mut having, &mut calls)?;
    let crosswise = inner.keys.is_empty();
    let on = if calls.is_empty() {
        let value = format!("{name}_value");
        let checked = rewriter.fresh();
        let shown = std::mem::replace(&mut expr, build::column(&value));
        inner.select.projection = vec![build::aliased(shown.clone(), &value)];
        inner.finish(rewriter, outer, &name, |mut select, keys| {
            let mut projection = grouping(&mut select, keys);
            let mut shown_keys: Vec<SelectItem> =
                keys.iter().map(|(_, key)| build::aliased(build::column(key), key)).collect();
            projection.push(build::aliased(build::call("max", vec![shown]), &value));
            projection.push(build::aliased(more_than_one(build::count_rows()), &format!("{checked}_more")));
            select.projection = projection;
            shown_keys.push(build::aliased(build::column(&value), &value));
            only_checked(select, &checked, shown_keys)
        })?
    } else {
        let made: Vec<String> = (1..=calls.len()).map(|at| format!("{name}_a{at}")).collect();
        let mut place = |expr: &mut Expr| {
            aggregate::put(expr, &calls, |at| {
                let column = build::column(&made[at]);
                // No row is a count of 0, and null for other aggregates.
                if aggregate::is_count(&calls[at]) {
                    build::call("coalesce", vec![column, build::number("0")])
                } else {
                    column
                }
            });
            Ok(())
        };
        walk::change(&mut expr, &mut place)?;
        if let Some(mut having) = having {
            walk::change(&mut having, &mut place)?;
            expr = build::case(vec![(having, expr)], None);
        }
        inner.select.projection =
            calls.iter().zip(&made).map(|(call, name)| build::aliased(call.clone(), name)).collect();
        inner.finish(rewriter, outer, &name, |mut select, keys| {
            let mut projection = grouping(&mut select, keys);
            projection.append(&mut select.projection);
            select.projection = projection;
            build::select_query(select)
        })?
    };
    let kind = if crosswise { JoinOperator::CrossJoin } else { JoinOperator::Left };
    pulled.joins.push(build::join(build::table(&name), kind, on));
    pulled.widened = true;
    Ok(build::nested(expr))
}

/// Groups a SELECT by keys and returns them as columns.
fn grouping(select: &mut Select, keys: &[(Expr, String)]) -> Vec<SelectItem> {
    select.group_by = aggregate::group_by(keys);
    keys.iter().map(|(key, name)| build::aliased(key.clone(), name)).collect()
}

#[cfg(test)]
mod tests {
    use crate::tests::{refused, rewritten};

    #[test]
    fn an_aggregate_is_joined_crosswise() {
        assert_eq!(
            rewritten("select i from t where f > (select avg(lo) from r) and i = 1"),
            "WITH _sql1 AS (SELECT avg(lo) AS _sql1_value FROM r) SELECT i FROM t CROSS JOIN _sql1 WHERE i = 1 AND f > _sql1_value"
        );
        assert_eq!(
            rewritten("select *, (select max(lo) from r) as most from t order by i"),
            "WITH _sql1 AS (SELECT max(lo) AS _sql1_value FROM r) \
             SELECT i, d, f, s, _sql1_value AS most FROM t CROSS JOIN _sql1 ORDER BY i"
        );
    }

    #[test]
    fn other_queries_are_one_row_or_an_error() {
        assert_eq!(
            rewritten("select i from t where f = (select lo from r where k = 1)"),
            "WITH _sql1 AS (SELECT _sql1_value FROM (SELECT max(_sql1_value) AS _sql1_value, \
             CAST(CASE WHEN count(*) > 1 THEN 'a scalar subquery has more than one row' END AS BIGINT) AS _sql3_more \
             FROM (SELECT lo FROM r WHERE k = 1) AS _sql2 (_sql1_value)) AS _sql3 WHERE _sql3_more IS NULL) \
             SELECT i FROM t CROSS JOIN _sql1 WHERE f = _sql1_value"
        );
    }

    #[test]
    fn an_aggregate_for_each_row_is_a_group_joined_from_the_left() {
        assert_eq!(
            rewritten("select i from t where f < (select 0.2 * avg(lo) from r where k = i and hi > 3)"),
            "WITH _sql1 AS (SELECT k AS _sql1_k1, avg(lo) AS _sql1_a1 FROM r WHERE hi > 3 GROUP BY k) \
             SELECT i FROM t LEFT JOIN _sql1 ON i = _sql1_k1 WHERE f < (0.2 * _sql1_a1)"
        );
    }

    #[test]
    fn the_count_of_nothing_is_zero() {
        assert_eq!(
            rewritten("select i, (select count(*) + 1 from r where k = i) as n from t"),
            "WITH _sql1 AS (SELECT k AS _sql1_k1, count(*) AS _sql1_a1 FROM r GROUP BY k) \
             SELECT i, (coalesce(_sql1_a1, 0) + 1) AS n FROM t LEFT JOIN _sql1 ON i = _sql1_k1"
        );
    }

    #[test]
    fn a_row_for_each_key_is_looked_up() {
        let done = rewritten("select i, (select lo from r where k = t.i) as lo from t");
        assert!(
            done.starts_with(
                "WITH _sql1 AS (SELECT _sql1_k1, _sql1_value FROM (SELECT k AS _sql1_k1, max(lo) AS _sql1_value, CAST("
            ),
            "{done}"
        );
        assert!(
            done.ends_with("SELECT i, _sql1_value AS lo FROM t LEFT JOIN _sql1 ON i = _sql1_k1"),
            "{done}"
        );
    }

    #[test]
    fn groups_for_each_row_are_refused() {
        let error = refused("select i from t where f = (select max(lo) from r where k = i group by hi)");
        assert!(error.starts_with("GROUP BY, DISTINCT or LIMIT in a scalar subquery with columns of the outer query at line 1, column 28"), "{error}");
        assert!(
            refused("select (select k, lo from r) from t")
                .starts_with("a scalar subquery of several columns")
        );
    }
}
