//! IN and NOT IN of a subquery.
//!
//! As a condition of WHERE, a subquery of its own is left in place under a name: Polars makes a semi or an anti join of it, and
//! heeds nulls. One that is tied to the outer query is EXISTS with one more equality. Elsewhere, and for NOT IN
//! of a tied one, the answer is put together from whether the value was found, how many rows there are and how
//! many of them are not null.

use sqlparser::ast::{BinaryOperator, Expr, JoinOperator, Query, SelectItem, SetExpr};

use crate::correlation::{self, Inner, Outer, Subquery};
use crate::error::{Result, unsupported};
use crate::query::Rewriter;
use crate::scope::Scope;
use crate::subquery::Pulled;
use crate::{Column, Type, aggregate, build, equality, exists, outputs, scalar, types};

/// Takes out IN as a condition of WHERE; `None` if a join says all of it.
pub fn condition(
    rewriter: &mut Rewriter<'_>,
    mut value: Expr,
    query: Query,
    negated: bool,
    outer: &Outer<'_>,
    pulled: &mut Pulled,
) -> Result<Option<Expr>> {
    match correlation::detach(rewriter, query, outer, true)? {
        Subquery::Alone(query, columns) => {
            let kind = kind(&columns);
            let (name, shown) = list(rewriter, *query, columns)?;
            let from = vec![build::from(build::table(&name))];
            let mut item = build::column(&shown);
            let kinds = (types::of(&value, outer.scopes), kind);
            equality::align((&mut value, kinds.0), (&mut item, kinds.1));
            let subquery =
                build::select_query(build::select(vec![SelectItem::UnnamedExpr(item)], from, None));
            Ok(Some(Expr::InSubquery { expr: Box::new(value), subquery: Box::new(subquery), negated }))
        }
        Subquery::Tied(inner) if negated || aggregate::is_one_row(&inner.select) => {
            tied(rewriter, value, *inner, negated, outer, pulled).map(Some)
        }
        Subquery::Tied(mut inner) => {
            let item = item(&inner)?;
            inner.compare(value, item, outer)?;
            exists::tied(rewriter, *inner, false, outer, pulled)
        }
    }
}

/// Takes out IN in any other place and returns the expression for it.
pub fn value(
    rewriter: &mut Rewriter<'_>,
    value: Expr,
    query: Query,
    negated: bool,
    outer: &Outer<'_>,
    pulled: &mut Pulled,
) -> Result<Expr> {
    match correlation::detach(rewriter, query, outer, true)? {
        Subquery::Alone(query, columns) => {
            let kind = columns
                .as_ref()
                .and_then(|columns| columns.first())
                .map(|column| column.kind)
                .unwrap_or_default();
            let (name, shown) = list(rewriter, *query, columns)?;
            let mut scope = Scope { plain: true, ..Scope::default() };
            scope.add(&name, vec![Column::new(&shown, kind)]);
            let item = build::column(&shown);
            let select = build::select(
                vec![build::aliased(item, &shown)],
                vec![build::from(build::table(&name))],
                None,
            );
            let inner = Inner { select, scope, keys: Vec::new(), others: Vec::new(), limited: false };
            tied(rewriter, value, inner, negated, outer, pulled)
        }
        Subquery::Tied(inner) => tied(rewriter, value, *inner, negated, outer, pulled),
    }
}

/// Returns the type of the first column.
fn kind(columns: &Option<Vec<Column>>) -> Type {
    columns.as_ref().and_then(|columns| columns.first()).map(|column| column.kind).unwrap_or_default()
}

/// Adds a query of one column to the WITH and returns its name and that of the column.
fn list(
    rewriter: &mut Rewriter<'_>,
    mut query: Query,
    columns: Option<Vec<Column>>,
) -> Result<(String, String)> {
    if columns.as_ref().is_some_and(|columns| columns.len() != 1) {
        return Err(unsupported("IN of a subquery of several columns", &query, "select one of them"));
    }
    let name = rewriter.fresh();
    let shown = format!("{name}_value");
    match query.body.as_mut() {
        SetExpr::Select(select) if !outputs::has_wildcard(select) && query.order_by.is_none() => {
            if let [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] =
                &select.projection[..]
            {
                select.projection = vec![build::aliased(expr.clone(), &shown)];
            }
        }
        _ => {
            let alias = rewriter.fresh();
            query = outputs::wrap(query, &alias, std::slice::from_ref(&shown));
        }
    }
    let kind = kind(&columns);
    rewriter.add(&name, query, Some(vec![Column::new(&shown, kind)]));
    Ok((name, shown))
}

/// Returns the one expression of a subquery's list.
fn item(inner: &Inner) -> Result<Expr> {
    match &inner.select.projection[..] {
        [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }]
            if !(inner.limited || aggregate::is_grouped(&inner.select) && aggregate::is_in(expr)) =>
        {
            Ok(expr.clone())
        }
        _ => Err(unsupported(
            "IN of a subquery with columns of the outer query and LIMIT, an aggregate or several columns",
            &inner.select,
            "use EXISTS",
        )),
    }
}

/// Takes out a subquery whose rows have to be counted.
fn tied(
    rewriter: &mut Rewriter<'_>,
    value: Expr,
    mut inner: Inner,
    negated: bool,
    outer: &Outer<'_>,
    pulled: &mut Pulled,
) -> Result<Expr> {
    if aggregate::is_one_row(&inner.select) {
        let op = if negated { BinaryOperator::NotEq } else { BinaryOperator::Eq };
        let other = scalar::tied(rewriter, inner, outer, pulled)?;
        return Ok(build::nested(build::binary(value, op, other)));
    }
    let item = item(&inner)?;
    if aggregate::is_grouped(&inner.select) {
        return Err(unsupported(
            "NOT IN, or IN inside an expression, of a subquery with GROUP BY and columns of the outer query",
            &inner.select,
            "use EXISTS",
        ));
    }
    inner.bind(rewriter, outer)?;
    let mut found = inner.clone();
    found.compare(value.clone(), item.clone(), outer)?;
    if !found.others.is_empty() {
        return Err(unsupported(
            "NOT IN, or IN inside an expression, of an outer column",
            &found.select,
            "use EXISTS",
        ));
    }
    let hit = exists::flagged(rewriter, found, outer, pulled)?;

    let name = rewriter.fresh();
    let (rows, values) = (format!("{name}_rows"), format!("{name}_values"));
    let counts = vec![
        build::aliased(build::count_rows(), &rows),
        build::aliased(build::call("count", vec![item]), &values),
    ];
    let kind = if inner.keys.is_empty() { JoinOperator::CrossJoin } else { JoinOperator::Left };
    inner.select.projection = Vec::new();
    inner.select.distinct = None;
    let on = inner.finish(rewriter, outer, &name, |mut select, keys| {
        select.group_by = aggregate::group_by(keys);
        select.projection = keys.iter().map(|(key, name)| build::aliased(key.clone(), name)).collect();
        select.projection.extend(counts);
        build::select_query(select)
    })?;
    pulled.joins.push(build::join(build::table(&name), kind, on));
    pulled.widened = true;

    let none = build::equal(
        build::call("coalesce", vec![build::column(&rows), build::number("0")]),
        build::number("0"),
    );
    let unknown = build::binary(
        Expr::IsNull(Box::new(value)),
        BinaryOperator::Or,
        build::binary(build::column(&values), BinaryOperator::Lt, build::column(&rows)),
    );
    let branches = vec![
        (none, build::boolean(negated)),
        (Expr::IsNotNull(Box::new(hit)), build::boolean(!negated)),
        (unknown, build::null()),
    ];
    Ok(build::case(branches, Some(build::boolean(negated))))
}

#[cfg(test)]
mod tests {
    use crate::tests::{refused, rewritten};

    #[test]
    fn a_grouped_subquery_gets_a_name() {
        assert_eq!(
            rewritten("select i from t where i in (select k from r group by k having sum(lo) > 300)"),
            "WITH _sql1 AS (SELECT k AS _sql1_value FROM r GROUP BY k HAVING sum(lo) > 300) \
             SELECT i FROM t WHERE i IN (SELECT _sql1_value FROM _sql1)"
        );
        assert_eq!(
            rewritten("select i from t where not (i in (select k from r order by lo limit 3))"),
            "WITH _sql1 AS (SELECT * FROM (SELECT k FROM r ORDER BY lo LIMIT 3) AS _sql2 (_sql1_value)) \
             SELECT i FROM t WHERE i NOT IN (SELECT _sql1_value FROM _sql1)"
        );
    }

    #[test]
    fn a_tied_subquery_is_a_semi_join() {
        assert_eq!(
            rewritten("select i from t where f in (select lo from r where k = i)"),
            "WITH _sql1 AS (SELECT k AS _sql1_k1, lo AS _sql1_k2 FROM r) \
             SELECT i FROM t LEFT SEMI JOIN _sql1 ON i = _sql1_k1 AND f = _sql1_k2"
        );
    }

    #[test]
    fn not_in_of_a_tied_subquery_heeds_nulls() {
        assert_eq!(
            rewritten("select i from t where f not in (select lo from r where k = i)"),
            "WITH _sql1 AS (SELECT DISTINCT k AS _sql1_k1, lo AS _sql1_k2, true AS _sql1_hit FROM r), \
             _sql2 AS (SELECT k AS _sql2_k1, count(*) AS _sql2_rows, count(lo) AS _sql2_values FROM r GROUP BY k) \
             SELECT i FROM t LEFT JOIN _sql1 ON i = _sql1_k1 AND f = _sql1_k2 LEFT JOIN _sql2 ON i = _sql2_k1 \
             WHERE CASE WHEN coalesce(_sql2_rows, 0) = 0 THEN true WHEN _sql1_hit IS NOT NULL THEN false \
             WHEN f IS NULL OR _sql2_values < _sql2_rows THEN NULL ELSE true END"
        );
    }

    #[test]
    fn in_a_list_it_is_true_false_or_null() {
        assert_eq!(
            rewritten("select i in (select k from r) as known from t"),
            "WITH _sql1 AS (SELECT k AS _sql1_value FROM r), \
             _sql2 AS (SELECT DISTINCT _sql1_value AS _sql2_k1, true AS _sql2_hit FROM _sql1), \
             _sql3 AS (SELECT count(*) AS _sql3_rows, count(_sql1_value) AS _sql3_values FROM _sql1) \
             SELECT CASE WHEN coalesce(_sql3_rows, 0) = 0 THEN false WHEN _sql2_hit IS NOT NULL THEN true \
             WHEN i IS NULL OR _sql3_values < _sql3_rows THEN NULL ELSE false END AS known \
             FROM t LEFT JOIN _sql2 ON i = _sql2_k1 CROSS JOIN _sql3"
        );
    }

    #[test]
    fn an_aggregate_is_compared() {
        assert_eq!(
            rewritten("select i from t where f in (select max(lo) from r where k = i)"),
            "WITH _sql1 AS (SELECT k AS _sql1_k1, max(lo) AS _sql1_a1 FROM r GROUP BY k) \
             SELECT i FROM t LEFT JOIN _sql1 ON i = _sql1_k1 WHERE (f = _sql1_a1)"
        );
    }

    #[test]
    fn several_columns_are_refused() {
        assert!(
            refused("select i from t where i in (select k, lo from r)")
                .starts_with("IN of a subquery of several columns")
        );
    }
}
