//! EXISTS and NOT EXISTS.
//!
//! As a condition of WHERE it is a semi or an anti join; elsewhere a join from the left with the distinct keys, and a
//! column that is null where no key was found. One more condition that compares two columns by `<>`, `<` and the like needs
//! no join of rows: one of a group's values differs from x if its least or its greatest one does.

use sqlparser::ast::{
    BinaryOperator, Distinct, Expr, GroupByExpr, JoinOperator, LimitClause, Query, Select, SelectItem,
};

use crate::correlation::{self, Inner, Outer, Subquery};
use crate::error::{Result, unsupported};
use crate::query::Rewriter;
use crate::subquery::Pulled;
use crate::{aggregate, build, walk};

/// Takes out EXISTS as a condition of WHERE; `None` if the join says all of it.
pub fn condition(
    rewriter: &mut Rewriter<'_>,
    query: Query,
    negated: bool,
    outer: &Outer<'_>,
    pulled: &mut Pulled,
) -> Result<Option<Expr>> {
    match correlation::detach(rewriter, query, outer, false)? {
        Subquery::Alone(query, _) => Ok(Some(alone(rewriter, *query, negated, pulled))),
        Subquery::Tied(inner) => tied(rewriter, *inner, negated, outer, pulled),
    }
}

/// Takes out EXISTS in any other place and returns the expression for it.
pub fn value(
    rewriter: &mut Rewriter<'_>,
    query: Query,
    negated: bool,
    outer: &Outer<'_>,
    pulled: &mut Pulled,
) -> Result<Expr> {
    let mut inner = match correlation::detach(rewriter, query, outer, false)? {
        Subquery::Alone(query, _) => return Ok(alone(rewriter, *query, negated, pulled)),
        Subquery::Tied(inner) => *inner,
    };
    if let Some(known) = constant(&inner, negated)? {
        return Ok(known);
    }
    if let Some(compared) = Compared::of(&inner, outer)? {
        return extremes(rewriter, inner, &compared, true, negated, outer, pulled);
    }
    inner.bind(rewriter, outer)?;
    let hit = flagged(rewriter, inner, outer, pulled)?;
    Ok(build::nested(if negated { Expr::IsNull(Box::new(hit)) } else { Expr::IsNotNull(Box::new(hit)) }))
}

/// Joins a subquery from the left and returns the column that is null where no key was found.
pub fn flagged(
    rewriter: &mut Rewriter<'_>,
    mut inner: Inner,
    outer: &Outer<'_>,
    pulled: &mut Pulled,
) -> Result<Expr> {
    let name = rewriter.fresh();
    let hit = format!("{name}_hit");
    inner.select.projection = Vec::new();
    let on = inner.finish(rewriter, outer, &name, |select, keys| {
        let grouped = aggregate::is_grouped(&select);
        let mut select = keyed(select, keys);
        if grouped {
            let shown = keys.iter().map(|(_, key)| build::aliased(build::column(key), key)).collect();
            let below = build::derived(build::select_query(select), &format!("{name}_groups"));
            select = build::select(shown, vec![build::from(below)], None);
        }
        select.projection.push(build::aliased(build::boolean(true), &hit));
        select.distinct = Some(Distinct::Distinct);
        build::select_query(select)
    })?;
    pulled.joins.push(build::join(build::table(&name), JoinOperator::Left, on));
    pulled.widened = true;
    Ok(build::column(&hit))
}

/// Rewrites EXISTS of a query that is not tied to the outer one: whether it has a first row.
fn alone(rewriter: &mut Rewriter<'_>, query: Query, negated: bool, pulled: &mut Pulled) -> Expr {
    let (name, all, first) = (rewriter.fresh(), rewriter.fresh(), rewriter.fresh());
    let rows = format!("{name}_rows");
    let mut limited = build::select_query(build::select(
        vec![build::star()],
        vec![build::from(build::derived(query, &all))],
        None,
    ));
    limited.limit_clause = Some(LimitClause::LimitOffset {
        limit: Some(build::number("1")),
        offset: None,
        limit_by: Vec::new(),
    });
    let from = vec![build::from(build::derived(limited, &first))];
    let counted = build::select(vec![build::aliased(build::count_rows(), &rows)], from, None);
    let columns = vec![crate::Column::new(&rows, crate::Type::Integer)];
    rewriter.add(&name, build::select_query(counted), Some(columns));
    pulled.joins.push(build::join(build::table(&name), JoinOperator::CrossJoin, None));
    pulled.widened = true;
    let op = if negated { BinaryOperator::Eq } else { BinaryOperator::Gt };
    build::nested(build::binary(build::column(&rows), op, build::number("0")))
}

/// Takes out EXISTS of a subquery that is tied to the query around it.
pub fn tied(
    rewriter: &mut Rewriter<'_>,
    mut inner: Inner,
    negated: bool,
    outer: &Outer<'_>,
    pulled: &mut Pulled,
) -> Result<Option<Expr>> {
    if let Some(known) = constant(&inner, negated)? {
        return Ok(Some(known));
    }
    if let Some(compared) = Compared::of(&inner, outer)? {
        return extremes(rewriter, inner, &compared, negated, negated, outer, pulled).map(Some);
    }
    inner.bind(rewriter, outer)?;
    let name = rewriter.fresh();
    inner.select.projection = Vec::new();
    let on = inner.finish(rewriter, outer, &name, |select, keys| build::select_query(keyed(select, keys)))?;
    let kind = if negated { JoinOperator::LeftAnti } else { JoinOperator::LeftSemi };
    pulled.joins.push(build::join(build::table(&name), kind, on));
    Ok(None)
}

/// Returns the answer if it does not depend on rows: an aggregate without GROUP BY is always one.
fn constant(inner: &Inner, negated: bool) -> Result<Option<Expr>> {
    if inner.limited || (inner.select.having.is_some() && !aggregate::is_grouped(&inner.select)) {
        return Err(unsupported(
            "LIMIT, or HAVING without GROUP BY, in EXISTS with columns of the outer query",
            &inner.select,
            "compare with a scalar subquery",
        ));
    }
    Ok(aggregate::is_one_row(&inner.select).then(|| build::boolean(!negated)))
}

/// Selects the keys; of a grouped subquery, of the groups that HAVING leaves.
fn keyed(mut select: Select, keys: &[(Expr, String)]) -> Select {
    if let GroupByExpr::Expressions(groups, _) = &mut select.group_by
        && !groups.is_empty()
    {
        groups.extend(keys.iter().map(|(_, name)| build::column(name)));
    }
    select.distinct = None;
    select.projection = keys.iter().map(|(key, name)| build::aliased(key.clone(), name)).collect();
    select
}

/// One condition that compares a subquery's expression with one of the outer query.
struct Compared {
    inner: Expr,
    op: BinaryOperator,
    outer: Expr,
}

impl Compared {
    fn of(inner: &Inner, outer: &Outer<'_>) -> Result<Option<Self>> {
        let [condition] = &inner.others[..] else { return Ok(None) };
        let condition = match condition {
            Expr::Nested(inside) => inside,
            other => other,
        };
        let Expr::BinaryOp { left, op, right } = condition else { return Ok(None) };
        if aggregate::is_grouped(&inner.select) || walk::has_subquery(condition) {
            return Ok(None);
        }
        let mirrored = match op {
            BinaryOperator::NotEq => BinaryOperator::NotEq,
            BinaryOperator::Lt => BinaryOperator::Gt,
            BinaryOperator::LtEq => BinaryOperator::GtEq,
            BinaryOperator::Gt => BinaryOperator::Lt,
            BinaryOperator::GtEq => BinaryOperator::LtEq,
            _ => return Ok(None),
        };
        let (left, right) = (left.as_ref().clone(), right.as_ref().clone());
        Ok(match (inner.owner(&left, outer)?, inner.owner(&right, outer)?) {
            (Some(false), Some(true)) => Some(Self { inner: left, op: op.clone(), outer: right }),
            (Some(true), Some(false)) => Some(Self { inner: right, op: mirrored, outer: left }),
            _ => None,
        })
    }
}

/// Compares with the least and the greatest value of each key.
fn extremes(
    rewriter: &mut Rewriter<'_>,
    mut inner: Inner,
    compared: &Compared,
    keeps_all: bool,
    negated: bool,
    outer: &Outer<'_>,
    pulled: &mut Pulled,
) -> Result<Expr> {
    inner.others.clear();
    let name = rewriter.fresh();
    let (least, most) = (format!("{name}_min"), format!("{name}_max"));
    let with =
        |column: &str| build::binary(build::column(column), compared.op.clone(), compared.outer.clone());
    let (wanted, found) = match compared.op {
        BinaryOperator::NotEq => (
            vec![("min", &least), ("max", &most)],
            build::binary(with(&least), BinaryOperator::Or, with(&most)),
        ),
        BinaryOperator::Lt | BinaryOperator::LtEq => (vec![("min", &least)], with(&least)),
        _ => (vec![("max", &most)], with(&most)),
    };
    let extremes: Vec<SelectItem> = wanted
        .into_iter()
        .map(|(function, column)| build::aliased(build::call(function, vec![compared.inner.clone()]), column))
        .collect();
    let crosswise = inner.keys.is_empty();
    inner.select.projection = Vec::new();
    let on = inner.finish(rewriter, outer, &name, |mut select, keys| {
        select.distinct = None;
        select.group_by = aggregate::group_by(keys);
        select.projection = keys.iter().map(|(key, name)| build::aliased(key.clone(), name)).collect();
        select.projection.extend(extremes);
        build::select_query(select)
    })?;
    let kind = match (crosswise, keeps_all) {
        (true, _) => JoinOperator::CrossJoin,
        (false, true) => JoinOperator::Left,
        (false, false) => JoinOperator::Join,
    };
    pulled.joins.push(build::join(build::table(&name), kind, on));
    pulled.widened = true;
    if !keeps_all {
        return Ok(build::nested(found));
    }
    // Without rows, or with nulls alone, the comparison is null: nothing was found.
    let found = build::call("coalesce", vec![found, build::boolean(false)]);
    Ok(if negated { build::not(found) } else { found })
}

#[cfg(test)]
mod tests {
    use crate::tests::{refused, rewritten};

    #[test]
    fn equalities_become_semi_and_anti_joins() {
        assert_eq!(
            rewritten("select i from t where exists (select * from r where k = i and lo < hi) and f > 1"),
            "WITH _sql1 AS (SELECT k AS _sql1_k1 FROM r WHERE lo < hi) \
             SELECT i FROM t LEFT SEMI JOIN _sql1 ON i = _sql1_k1 WHERE f > 1"
        );
        assert_eq!(
            rewritten(
                "select i from t where not exists (select 1 from r where t.i = r.k and s = 'x' limit 1)"
            ),
            "WITH _sql1 AS (SELECT DISTINCT t.i AS _sql1_o1, s AS _sql1_o2 FROM t), \
             _sql2 AS (SELECT _sql1_o1 AS _sql2_k1, _sql1_o2 AS _sql2_k2 FROM r JOIN _sql1 ON k = _sql1_o1 WHERE _sql1_o2 = 'x') \
             SELECT i FROM t LEFT ANTI JOIN _sql2 ON i = _sql2_k1 AND s = _sql2_k2"
        );
    }

    #[test]
    fn one_more_comparison_looks_at_the_extremes() {
        assert_eq!(
            rewritten("select i from t where exists (select * from r where k = i and lo <> f)"),
            "WITH _sql1 AS (SELECT k AS _sql1_k1, min(lo) AS _sql1_min, max(lo) AS _sql1_max FROM r GROUP BY k) \
             SELECT i FROM t JOIN _sql1 ON i = _sql1_k1 WHERE (_sql1_min <> f OR _sql1_max <> f)"
        );
        assert_eq!(
            rewritten("select i from t where not exists (select * from r where k = i and f < lo)"),
            "WITH _sql1 AS (SELECT k AS _sql1_k1, max(lo) AS _sql1_max FROM r GROUP BY k) \
             SELECT i FROM t LEFT JOIN _sql1 ON i = _sql1_k1 WHERE NOT coalesce(_sql1_max > f, false)"
        );
    }

    #[test]
    fn groups_that_having_leaves_are_found() {
        assert_eq!(
            rewritten(
                "select i from t where exists (select k from r where k = i group by lo having count(*) > 2)"
            ),
            "WITH _sql1 AS (SELECT k AS _sql1_k1 FROM r GROUP BY lo, _sql1_k1 HAVING count(*) > 2) \
             SELECT i FROM t LEFT SEMI JOIN _sql1 ON i = _sql1_k1"
        );
    }

    #[test]
    fn in_an_or_it_is_a_column() {
        assert_eq!(
            rewritten("select i from t where f > 1 or not exists (select * from r where k = i)"),
            "WITH _sql1 AS (SELECT DISTINCT k AS _sql1_k1, true AS _sql1_hit FROM r) \
             SELECT i FROM t LEFT JOIN _sql1 ON i = _sql1_k1 WHERE f > 1 OR (_sql1_hit IS NULL)"
        );
    }

    #[test]
    fn a_query_of_its_own_is_asked_once() {
        assert_eq!(
            rewritten("select i from t where exists (select * from r where lo > 5)"),
            "WITH _sql1 AS (SELECT count(*) AS _sql1_rows FROM (SELECT * FROM (SELECT * FROM r WHERE lo > 5) AS _sql2 LIMIT 1) AS _sql3) \
             SELECT i FROM t CROSS JOIN _sql1 WHERE (_sql1_rows > 0)"
        );
    }

    #[test]
    fn an_aggregate_always_exists() {
        assert_eq!(
            rewritten("select i from t where exists (select max(lo) from r where k = i) or f > 1"),
            "SELECT i FROM t WHERE true OR f > 1"
        );
        assert!(
            refused("select i from t where exists (select 1 from r where k = i limit 0)")
                .starts_with("LIMIT, or HAVING")
        );
    }
}
