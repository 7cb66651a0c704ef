//! What ties a subquery to the query around it.
//!
//! Conditions that compare one column of each side for equality become keys of a join. If there are others, the
//! subquery is joined with the distinct values of the outer columns in them; these columns are then the keys.

use sqlparser::ast::{
    BinaryOperator, Distinct, Expr, LimitClause, Query, Select, SetExpr, TableWithJoins, Visit,
};

use crate::catalog::Column;
use crate::error::{Result, unsupported};
use crate::query::Rewriter;
use crate::scope::Scope;
use crate::{build, equality, nulls, types, walk};

/// The query around a subquery.
pub struct Outer<'s> {
    /// Its tables, and before them those of the queries around it.
    pub scopes: &'s [Scope],
    /// Its FROM clause.
    pub from: Vec<TableWithJoins>,
    /// Its conditions without subqueries.
    pub conditions: Vec<Expr>,
}

/// A subquery without what ties it to the outer query.
#[derive(Clone)]
pub struct Inner {
    pub select: Select,
    pub scope: Scope,
    /// Pairs of an outer and an inner expression that have to be equal.
    pub keys: Vec<(Expr, Expr)>,
    /// The other conditions with outer columns.
    pub others: Vec<Expr>,
    /// Whether it has LIMIT, OFFSET or FETCH.
    pub limited: bool,
}

/// A subquery.
pub enum Subquery {
    /// It needs nothing of the query around it, and is rewritten. With its columns.
    Alone(Box<Query>, Option<Vec<Column>>),
    /// It does.
    Tied(Box<Inner>),
}

/// Takes from a subquery what ties it to the query around it. `lists` says that its SELECT list and number of rows
/// matter.
pub fn detach(
    rewriter: &mut Rewriter<'_>,
    mut query: Query,
    outer: &Outer<'_>,
    lists: bool,
) -> Result<Subquery> {
    let visible = rewriter.visible.len();
    rewriter.with(&mut query, outer.scopes)?;
    let Query { body, limit_clause, fetch, order_by, .. } = &mut query;
    let limited = limit_clause.as_ref().is_some_and(|limit| lists || !is_some_rows(limit)) || fetch.is_some();
    let SetExpr::Select(select) = body.as_mut() else {
        let columns = rewriter.query(&mut query, outer.scopes)?;
        rewriter.visible.truncate(visible);
        return Ok(Subquery::Alone(Box::new(query), columns));
    };
    let scope = rewriter.open(select)?;
    let mut keys = Vec::new();
    let mut others = Vec::new();
    let mut local = Vec::new();
    let mut scopes = outer.scopes.to_vec();
    scopes.push(scope.clone());
    for mut condition in select.selection.take().into_iter().flat_map(walk::conjuncts) {
        equality::unify(&mut condition, &scopes);
        match sides(&condition, &scope, outer.scopes)? {
            Sides { outer: false, .. } => local.push(condition),
            Sides { outer: true, .. } => match pair(&condition, &scope, outer.scopes)? {
                Some(pair) => local.extend(add_key(&mut keys, pair)),
                None => others.push(condition),
            },
        }
    }
    select.selection = walk::conjunction(local);
    let tied = !keys.is_empty()
        || !others.is_empty()
        || (lists && leak(&select.projection, &scope, outer.scopes)?.is_some());
    if tied {
        rewriter.visible.truncate(visible);
        let select = (**select).clone();
        return Ok(Subquery::Tied(Box::new(Inner { select, scope, keys, others, limited })));
    }
    check(select, &scope, outer)?;
    let columns = rewriter.close(select, order_by, &mut scopes)?;
    rewriter.visible.truncate(visible);
    Ok(Subquery::Alone(Box::new(query), columns))
}

/// Adds a key. If its outer expression is one already, the two inner ones have to be equal instead: a join by one column
/// twice is more than Polars' optimiser takes.
fn add_key(keys: &mut Vec<(Expr, Expr)>, (outside, inside): (Expr, Expr)) -> Option<Expr> {
    match keys.iter().find(|(known, _)| *known == outside) {
        Some((_, known)) => Some(build::equal(known.clone(), inside)),
        None => {
            keys.push((outside, inside));
            None
        }
    }
}

/// Returns whether a LIMIT leaves at least one row if there is one.
fn is_some_rows(limit: &LimitClause) -> bool {
    match limit {
        LimitClause::LimitOffset { limit: Some(limit), offset: None, limit_by } => {
            limit_by.is_empty() && limit.to_string().parse::<u64>().is_ok_and(|rows| rows > 0)
        }
        _ => false,
    }
}

/// Refuses a subquery that still has a column of the outer query.
pub fn check(select: &Select, scope: &Scope, outer: &Outer<'_>) -> Result<()> {
    match leak(select, scope, outer.scopes)? {
        Some(column) => Err(unsupported(
            "a column of the outer query in another part of a subquery than its WHERE",
            &column,
            "compare it in WHERE",
        )),
        None => Ok(()),
    }
}

fn leak(syntax: &impl Visit, scope: &Scope, outer: &[Scope]) -> Result<Option<Expr>> {
    let mut found = Ok(None);
    walk::any(syntax, |expr| {
        match is_outer(expr, scope, outer) {
            Ok(false) => return false,
            Ok(true) => found = Ok(Some(expr.clone())),
            Err(error) => found = Err(error),
        }
        true
    });
    found
}

/// Whose columns an expression has.
#[derive(Default)]
struct Sides {
    inner: bool,
    outer: bool,
}

fn sides(expr: &Expr, scope: &Scope, outer: &[Scope]) -> Result<Sides> {
    let mut sides = Sides::default();
    let mut wrong = None;
    walk::any(expr, |expr| {
        match is_outer(expr, scope, outer) {
            Ok(true) => sides.outer = true,
            Ok(false) => {
                sides.inner |= matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
                // A query inside belongs to the subquery.
                sides.inner |=
                    matches!(expr, Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. });
            }
            Err(error) => wrong = Some(error),
        }
        wrong.is_some()
    });
    wrong.map_or(Ok(sides), Err)
}

/// Returns whether an expression is a column of the outer query.
pub fn is_outer(expr: &Expr, scope: &Scope, outer: &[Scope]) -> Result<bool> {
    if scope.has(expr)? {
        return Ok(false);
    }
    match outer.iter().rev().position(|scope| scope.has(expr).unwrap_or(true)) {
        None => Ok(false),
        Some(0) => outer[outer.len() - 1].has(expr),
        Some(_) => Err(unsupported(
            "a column of a query two levels further out",
            expr,
            "compare it in the WHERE of the subquery between them",
        )),
    }
}

fn pair(condition: &Expr, scope: &Scope, outer: &[Scope]) -> Result<Option<(Expr, Expr)>> {
    let condition = match condition {
        Expr::Nested(inner) => inner,
        other => other,
    };
    let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = condition else { return Ok(None) };
    if walk::has_subquery(condition) {
        return Ok(None);
    }
    Ok(match (sides(left, scope, outer)?, sides(right, scope, outer)?) {
        (Sides { inner: true, outer: false }, Sides { inner: false, outer: true }) => {
            Some(((**right).clone(), (**left).clone()))
        }
        (Sides { inner: false, outer: true }, Sides { inner: true, outer: false }) => {
            Some(((**left).clone(), (**right).clone()))
        }
        _ => None,
    })
}

impl Inner {
    /// Returns whether an expression has columns of the outer query only (`true`) or of the subquery only (`false`).
    pub fn owner(&self, expr: &Expr, outer: &Outer<'_>) -> Result<Option<bool>> {
        Ok(match sides(expr, &self.scope, outer.scopes)? {
            Sides { inner: false, outer: true } => Some(true),
            Sides { inner: true, outer: false } => Some(false),
            _ => None,
        })
    }

    /// Adds the condition that an outer expression is equal to one of the subquery's list.
    pub fn compare(&mut self, mut outside: Expr, mut inside: Expr, outer: &Outer<'_>) -> Result<()> {
        let kinds =
            (types::of(&outside, outer.scopes), types::of(&inside, std::slice::from_ref(&self.scope)));
        equality::align((&mut outside, kinds.0), (&mut inside, kinds.1));
        // A name of the outer expression may be one of the subquery's, too: it was written outside.
        let mut shadowed = Ok(false);
        walk::any(&outside, |expr| {
            shadowed = self.scope.has(expr);
            !matches!(shadowed, Ok(false))
        });
        match (shadowed, self.owner(&inside, outer)?) {
            (_, Some(false)) => {
                let mut local: Vec<Expr> = self.select.selection.take().into_iter().collect();
                local.extend(add_key(&mut self.keys, (outside, inside)));
                self.select.selection = walk::conjunction(local);
            }
            (Ok(false), _) => self.others.push(build::equal(inside, outside)),
            _ => {
                return Err(unsupported(
                    "IN of an outer column, compared with a column whose name is in the subquery, too",
                    &outside,
                    "give the outer table an alias and write it before the column",
                ));
            }
        }
        Ok(())
    }

    /// Makes keys of all conditions: joins the subquery with the distinct values of their outer columns.
    pub fn bind(&mut self, rewriter: &mut Rewriter<'_>, outer: &Outer<'_>) -> Result<()> {
        if self.others.is_empty() {
            return Ok(());
        }
        let mut keys = std::mem::take(&mut self.keys);
        let mut others = std::mem::take(&mut self.others);
        let mut columns: Vec<Expr> = Vec::new();
        let mut keep = |expr: &Expr, outside: bool| {
            if outside && !columns.contains(expr) {
                columns.push(expr.clone());
            }
            false
        };
        let here = outer.scopes.last();
        for (outside, _) in &keys {
            walk::any(outside, |expr| {
                keep(expr, here.is_some_and(|scope| matches!(scope.has(expr), Ok(true))))
            });
        }
        for other in &others {
            walk::any(other, |expr| {
                keep(expr, matches!(is_outer(expr, &self.scope, outer.scopes), Ok(true)))
            });
        }
        let equal = |(outside, inside): &(Expr, Expr)| build::equal(inside.clone(), outside.clone());
        let conditions: Vec<Expr> = keys.iter().map(equal).chain(others.iter().cloned()).collect();
        if let Some(column) =
            columns.iter().find(|column| !conditions.iter().any(|c| nulls::reject(c, column)))
        {
            return Err(unsupported(
                "a condition of a subquery that can be true where the outer column is null",
                column,
                "compare the column in one more condition, or use a join",
            ));
        }
        let name = rewriter.fresh();
        let made: Vec<String> = (1..=columns.len()).map(|at| format!("{name}_o{at}")).collect();
        let projection =
            columns.iter().zip(&made).map(|(column, name)| build::aliased(column.clone(), name)).collect();
        let mut distinct =
            build::select(projection, outer.from.clone(), walk::conjunction(outer.conditions.clone()));
        distinct.distinct = Some(Distinct::Distinct);
        let mut query = build::select_query(distinct);
        let around = outer.scopes.len().saturating_sub(1);
        rewriter.query(&mut query, &outer.scopes[..around])?;
        let known: Vec<Column> = columns
            .iter()
            .zip(&made)
            .map(|(column, name)| Column::new(name, types::of(column, outer.scopes)))
            .collect();
        rewriter.add(&name, query, Some(known.clone()));
        let place = |expr: &mut Expr| {
            if let Some(at) = columns.iter().position(|column| column == expr) {
                *expr = build::column(&made[at]);
            }
        };
        for (outside, _) in &mut keys {
            walk::change(outside, |expr| {
                place(expr);
                Ok(())
            })?;
        }
        for other in &mut others {
            walk::change(other, |expr| {
                if is_outer(expr, &self.scope, outer.scopes)? {
                    place(expr);
                }
                Ok(())
            })?;
        }
        let mut conditions: Vec<Expr> = keys.iter().map(equal).chain(others).collect();
        conditions.extend(self.select.selection.take().into_iter().flat_map(walk::conjuncts));
        self.select.selection = walk::conjunction(conditions);
        self.select.from.push(build::from(build::table(&name)));
        self.scope.add(&name, known);
        self.keys = columns.into_iter().zip(made.iter().map(|name| build::column(name))).collect();
        Ok(())
    }

    /// Rewrites the subquery, adds it to the WITH, and returns the condition that joins it, by columns `name_k1` and
    /// so on.
    ///
    /// `select` turns the subquery and the columns of its keys into what is added.
    pub fn finish(
        self,
        rewriter: &mut Rewriter<'_>,
        outer: &Outer<'_>,
        name: &str,
        select: impl FnOnce(Select, &[(Expr, String)]) -> Query,
    ) -> Result<Option<Expr>> {
        let (outside, inside): (Vec<Expr>, Vec<Expr>) = self.keys.into_iter().unzip();
        let keys: Vec<(Expr, String)> =
            inside.into_iter().enumerate().map(|(at, key)| (key, format!("{name}_k{}", at + 1))).collect();
        check(&self.select, &self.scope, outer)?;
        let on =
            outside.into_iter().zip(&keys).map(|(outer, (_, key))| build::equal(outer, build::column(key)));
        let on = walk::conjunction(on.collect());
        let mut query = select(self.select, &keys);
        let columns = rewriter.query(&mut query, outer.scopes)?;
        rewriter.add(name, query, columns);
        Ok(on)
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::{refused, rewritten};

    #[test]
    fn other_conditions_are_joined_with_the_outer_values() {
        assert_eq!(
            rewritten(
                "select i from t where f > 0 and exists (select * from r where k = i and d between lo and hi)"
            ),
            "WITH _sql1 AS (SELECT DISTINCT i AS _sql1_o1, d AS _sql1_o2 FROM t WHERE f > 0), \
             _sql2 AS (SELECT _sql1_o1 AS _sql2_k1, _sql1_o2 AS _sql2_k2 FROM r JOIN _sql1 ON k = _sql1_o1 WHERE _sql1_o2 BETWEEN lo AND hi) \
             SELECT i FROM t LEFT SEMI JOIN _sql2 ON i = _sql2_k1 AND d = _sql2_k2 WHERE f > 0"
        );
    }

    #[test]
    fn one_outer_column_is_one_key() {
        assert_eq!(
            rewritten("select i from t where exists (select * from r where k = i and i = k + 1)"),
            "WITH _sql1 AS (SELECT k AS _sql1_k1 FROM r WHERE k = k + 1) SELECT i FROM t LEFT SEMI JOIN _sql1 ON i = _sql1_k1"
        );
    }

    #[test]
    fn a_condition_that_can_hold_for_null_is_refused() {
        let error =
            refused("select i from t where exists (select * from r where k = 1 and (lo > 1 or d is null))");
        assert!(error.starts_with("a condition of a subquery that can be true where the outer column is null at line 1, column 74"), "{error}");
    }

    #[test]
    fn a_column_from_two_levels_out_is_refused() {
        let error = refused(
            "select i from t where exists (select * from r where k = i and exists (select * from s where a = k and b = f))",
        );
        assert!(error.starts_with("a column of a query two levels further out"), "{error}");
    }

    #[test]
    fn an_outer_column_in_a_list_is_refused() {
        let error = refused("select i from t where i in (select lo from r where k = i group by lo, f)");
        assert!(error.starts_with("a column of the outer query in another part"), "{error}");
    }
}
