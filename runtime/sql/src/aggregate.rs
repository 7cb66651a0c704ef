//! Aggregates, and queries that compute them before the rest.
//!
//! A SELECT that aggregates and has a subquery in its list, HAVING or ORDER BY is split: a query inside computes groups and
//! aggregates, and the one around it joins the subquery. So is one with HAVING and without GROUP BY, which Polars refuses.

use std::collections::HashSet;

use sqlparser::ast::{Expr, GroupByExpr, OrderBy, Select, SelectItem, Visit, VisitMut};

use crate::catalog::Column;
use crate::error::{Result, unsupported};
use crate::query::Rewriter;
use crate::scope::Scope;
use crate::{build, outputs, types, walk};

const NAMES: [&str; 28] = [
    "sum",
    "avg",
    "mean",
    "min",
    "max",
    "count",
    "stddev",
    "stddev_samp",
    "stddev_pop",
    "stdev",
    "variance",
    "var",
    "var_samp",
    "var_pop",
    "median",
    "quantile_cont",
    "quantile_disc",
    "first",
    "last",
    "corr",
    "covar",
    "covar_samp",
    "covar_pop",
    "array_agg",
    "string_agg",
    "bool_and",
    "bool_or",
    "any_value",
];

fn is_call(expr: &Expr) -> bool {
    match expr {
        Expr::Function(call) => {
            call.over.is_none() && NAMES.contains(&call.name.to_string().to_ascii_lowercase().as_str())
        }
        _ => false,
    }
}

/// Returns whether a call is `count`, which is 0 and not null without rows.
pub fn is_count(call: &Expr) -> bool {
    matches!(call, Expr::Function(call) if call.name.to_string().eq_ignore_ascii_case("count"))
}

fn keys(select: &Select) -> &[Expr] {
    match &select.group_by {
        GroupByExpr::Expressions(keys, _) => keys,
        GroupByExpr::All(_) => &[],
    }
}

/// Returns whether a SELECT has GROUP BY.
pub fn is_grouped(select: &Select) -> bool {
    !matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty())
}

/// Groups by keys with the names that they have in the list. Polars tells keys apart by name, and calls one that is no
/// column after the first column in it.
pub fn group_by(keys: &[(Expr, String)]) -> GroupByExpr {
    let mut columns: Vec<Expr> = keys.iter().map(|(key, _)| key.clone()).collect();
    let plain = keys.iter().all(|(key, _)| matches!(key, Expr::Identifier(_) | Expr::CompoundIdentifier(_)));
    let distinct = columns.iter().filter_map(last).collect::<HashSet<_>>().len() == columns.len();
    if !(plain && distinct) {
        columns = keys.iter().map(|(_, name)| build::column(name)).collect();
    }
    GroupByExpr::Expressions(columns, Vec::new())
}

/// Returns whether an aggregate is computed in `syntax`.
pub fn is_in(syntax: &impl Visit) -> bool {
    walk::any(syntax, is_call)
}

/// Returns whether a SELECT has exactly one row whatever it reads.
pub fn is_one_row(select: &Select) -> bool {
    !is_grouped(select) && select.having.is_none() && is_in(&select.projection)
}

/// Adds the aggregate calls of `syntax` to `calls`, each once.
pub fn take(syntax: &mut impl VisitMut, calls: &mut Vec<Expr>) -> Result<()> {
    walk::change(syntax, |expr| {
        if is_call(expr) && !calls.contains(expr) {
            calls.push(expr.clone());
        }
        Ok(())
    })
}

/// Replaces an expression that is one of `calls`.
pub fn put(expr: &mut Expr, calls: &[Expr], with: impl Fn(usize) -> Expr) {
    if let Some(at) = calls.iter().position(|call| call == expr) {
        *expr = with(at);
    }
}

/// Returns whether a subquery is somewhere else than in an aggregate, whose subqueries are taken out before it.
fn has_subquery<S: VisitMut + Visit + Clone>(syntax: &S) -> bool {
    let mut rest = syntax.clone();
    let _ = walk::change(&mut rest, |expr| {
        if is_call(expr) {
            *expr = build::null();
        }
        Ok(())
    });
    walk::has_subquery(&rest)
}

/// Returns whether a SELECT has to be split.
pub fn comes_first(select: &Select, order_by: &Option<OrderBy>) -> bool {
    let grouped = is_grouped(select);
    let aggregates = grouped || select.having.is_some() || is_in(&select.projection);
    let subquery = has_subquery(&select.projection) || has_subquery(&select.having) || has_subquery(order_by);
    aggregates && (subquery || (select.having.is_some() && !grouped))
}

/// Puts a query that computes groups and aggregates below a SELECT.
pub fn split(
    rewriter: &mut Rewriter<'_>,
    select: &mut Select,
    order_by: &mut Option<OrderBy>,
    scopes: &mut Vec<Scope>,
) -> Result<()> {
    if matches!(select.group_by, GroupByExpr::All(_))
        || outputs::has_wildcard(select)
        || select.qualify.is_some()
    {
        return Err(unsupported(
            "GROUP BY ALL, `*` or QUALIFY in a query that aggregates and has a subquery in its list or HAVING",
            select,
            "name the columns",
        ));
    }
    // What the groups and aggregates are called below.
    let name = rewriter.fresh();
    let mut parts: Vec<Expr> = keys(select).iter().map(|key| key_of(select, key, scopes)).collect();
    let groups = parts.clone();
    // An output keeps its name when its column gets another.
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr @ (Expr::Identifier(_) | Expr::CompoundIdentifier(_))) = item
            && let Some(alias) = last(expr)
        {
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: build::ident(&alias) };
        }
    }
    take(&mut select.projection, &mut parts)?;
    take(&mut select.having, &mut parts)?;
    take(order_by, &mut parts)?;
    // A group that is a column keeps its name, by which a subquery knows it.
    let own = |at: usize| {
        let column = groups.get(at).and_then(last);
        column.filter(|column| groups[..at].iter().all(|group| last(group).as_ref() != Some(column)))
    };
    let made: Vec<String> =
        (0..parts.len()).map(|at| own(at).unwrap_or_else(|| format!("{name}_{}", at + 1))).collect();
    let columns: Vec<Column> =
        parts.iter().zip(&made).map(|(part, name)| Column::new(name, types::of(part, scopes))).collect();

    let mut below = select.clone();
    below.projection =
        parts.iter().zip(&made).map(|(part, name)| build::aliased(part.clone(), name)).collect();
    below.group_by = group_by(&groups.iter().cloned().zip(made.iter().cloned()).collect::<Vec<_>>());
    below.having = None;
    below.distinct = None;
    let mut below = build::select_query(below);
    let around = scopes.len().saturating_sub(1);
    rewriter.query(&mut below, &scopes[..around])?;

    let mut rename = |expr: &mut Expr| {
        put(expr, &parts, |at| build::column(&made[at]));
        Ok(())
    };
    walk::change(&mut select.projection, &mut rename)?;
    walk::change(&mut select.having, &mut rename)?;
    unqualify(select, &groups, &made)?;
    let aliases: Vec<Expr> = select.projection.iter().filter_map(alias_of).collect();
    walk::change(order_by, |expr| if aliases.contains(expr) { Ok(()) } else { rename(expr) })?;
    select.selection = select.having.take();
    select.group_by = GroupByExpr::Expressions(Vec::new(), Vec::new());
    select.from = vec![build::from(build::derived(below, &name))];
    let mut scope = Scope { plain: true, ..Scope::default() };
    scope.add(&name, columns);
    scopes.truncate(around);
    scopes.push(scope);
    Ok(())
}

/// Writes groups as they are called below in the subqueries of a SELECT, too, where they have their table: that is no
/// more there. A subquery with a table of that name means its own.
fn unqualify(select: &mut Select, groups: &[Expr], made: &[String]) -> Result<()> {
    let mut tables = HashSet::new();
    walk::tables(&select.projection, &mut tables);
    walk::tables(&select.having, &mut tables);
    let write = |expr: &mut Expr| {
        if let Expr::CompoundIdentifier(parts) = expr
            && !tables.contains(&parts[0].value)
            && let Some(at) = groups.iter().position(|group| group == expr)
        {
            *expr = build::column(&made[at]);
        }
        Ok(())
    };
    walk::change_all(&mut select.projection, write)?;
    walk::change_all(&mut select.having, write)
}

/// Returns the expression that a key of GROUP BY stands for: a column, one of the list by number or by alias, or itself.
fn key_of(select: &Select, key: &Expr, scopes: &[Scope]) -> Expr {
    let scope = scopes.last();
    let item = match key {
        Expr::Value(_) => {
            key.to_string().parse().ok().and_then(|at: usize| select.projection.get(at.checked_sub(1)?))
        }
        Expr::Identifier(name) if scope.is_none_or(|scope| !scope.has(key).unwrap_or(true)) => {
            select.projection.iter().find(
                |item| matches!(item, SelectItem::ExprWithAlias { alias, .. } if alias.value == name.value),
            )
        }
        _ => None,
    };
    match item {
        Some(SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) => expr.clone(),
        _ => key.clone(),
    }
}

fn alias_of(item: &SelectItem) -> Option<Expr> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(Expr::Identifier(alias.clone())),
        _ => None,
    }
}

fn last(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(name) => Some(name.value.clone()),
        Expr::CompoundIdentifier(parts) => parts.last().map(|name| name.value.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::rewritten;

    #[test]
    fn groups_are_computed_before_a_subquery_in_having() {
        assert_eq!(
            rewritten(
                "select i, sum(d) as total from t group by i having sum(d) > (select avg(lo) from r) order by total desc, i"
            ),
            "WITH _sql2 AS (SELECT avg(lo) AS _sql2_value FROM r) \
             SELECT i, _sql1_2 AS total FROM (SELECT i, sum(d) AS _sql1_2 FROM t GROUP BY i) AS _sql1 \
             CROSS JOIN _sql2 WHERE _sql1_2 > _sql2_value ORDER BY total DESC, i"
        );
    }

    #[test]
    fn having_needs_no_group_by() {
        assert_eq!(
            rewritten("select max(d) as most from t having count(*) > 3"),
            "SELECT _sql1_1 AS most FROM (SELECT max(d) AS _sql1_1, count(*) AS _sql1_2 FROM t) AS _sql1 WHERE _sql1_2 > 3"
        );
    }

    #[test]
    fn a_share_of_a_total_is_computed_after_the_groups() {
        assert_eq!(
            rewritten("select s as name, sum(f) / (select sum(f) from t) as share from t group by name"),
            "WITH _sql2 AS (SELECT sum(f) AS _sql2_value FROM t) \
             SELECT s AS name, _sql1_2 / _sql2_value AS share FROM (SELECT s, sum(f) AS _sql1_2 FROM t GROUP BY s) AS _sql1 \
             CROSS JOIN _sql2"
        );
    }

    #[test]
    fn a_subquery_for_each_group_knows_the_groups() {
        assert_eq!(
            rewritten(
                "select t.i, sum(f) as x, (select max(lo) from r where k = t.i) as m from t group by t.i"
            ),
            "WITH _sql2 AS (SELECT k AS _sql2_k1, max(lo) AS _sql2_a1 FROM r GROUP BY k) \
             SELECT i, _sql1_2 AS x, _sql2_a1 AS m FROM (SELECT t.i AS i, sum(f) AS _sql1_2 FROM t GROUP BY t.i) AS _sql1 \
             LEFT JOIN _sql2 ON i = _sql2_k1"
        );
    }

    #[test]
    fn a_subquery_in_an_aggregate_is_taken_out_before() {
        assert_eq!(
            rewritten("select sum(f * (select max(lo) from r where k = i)) as x from t"),
            "WITH _sql1 AS (SELECT k AS _sql1_k1, max(lo) AS _sql1_a1 FROM r GROUP BY k) \
             SELECT sum(f * _sql1_a1) AS x FROM t LEFT JOIN _sql1 ON i = _sql1_k1"
        );
    }
}
