//! The order of joins.
//!
//! Polars reads `FROM a, b, c` as joins from left to right, and crosswise where it finds no condition between tables that
//! are named in it. Here each table is joined with those before it by the equalities of WHERE. The order stays as written,
//! but for a table that has no equality with one before it: it waits until there is one.

use std::collections::BTreeSet;

use sqlparser::ast::{
    BinaryOperator, Expr, Join, JoinConstraint, JoinOperator, Select, TableFactor, TableWithJoins,
};

use crate::error::Result;
use crate::names::Owners;
use crate::query::Rewriter;
use crate::{build, outer, walk};

/// A table, or several that an outer join holds together.
struct Unit {
    tables: BTreeSet<usize>,
    item: TableWithJoins,
}

/// Writes the FROM of a SELECT as joins, with `added` after them.
pub fn arrange(
    rewriter: &mut Rewriter<'_>,
    select: &mut Select,
    owners: &Owners,
    added: Vec<Join>,
) -> Result<()> {
    let mut conditions = Vec::new();
    let mut units = Vec::new();
    let mut table = 0;
    for item in std::mem::take(&mut select.from) {
        take_apart(item, &mut table, &mut units, &mut conditions);
    }
    conditions.extend(select.selection.take().into_iter().flat_map(walk::conjuncts));
    let mut conditions = distinct(conditions.into_iter().flat_map(common));
    for unit in &mut units {
        conditions.extend(outer::conditions(rewriter, &mut unit.item, &unit.tables, owners)?);
    }

    let mut units = units.into_iter().collect::<Vec<_>>();
    let mut from = if units.is_empty() { None } else { Some(units.remove(0)) };
    while let Some(placed) = from.as_mut().filter(|_| !units.is_empty()) {
        let linked = units
            .iter()
            .position(|unit| conditions.iter().any(|c| links(c, &placed.tables, &unit.tables, owners)));
        let mut next = units.remove(linked.unwrap_or(0));
        let mut on: Vec<Expr> = Vec::new();
        for condition in
            conditions.extract_if(.., |c| links(c, &placed.tables, &next.tables, owners)).collect::<Vec<_>>()
        {
            // Polars refuses to join by the same columns twice, whatever is done with them.
            let again = on.iter().any(|known| columns(known) == columns(&condition));
            if again { conditions.push(condition) } else { on.push(condition) }
        }
        placed.tables.append(&mut next.tables);
        let relation = alone(rewriter, next.item);
        placed.item.joins.push(match walk::conjunction(on) {
            Some(on) => build::join(relation, JoinOperator::Join, Some(on)),
            None => build::join(relation, JoinOperator::CrossJoin, None),
        });
    }
    let mut added = added.into_iter();
    let mut from = from.map(|unit| unit.item).or_else(|| added.next().map(|join| build::from(join.relation)));
    if let Some(from) = &mut from {
        from.joins.extend(added);
    }
    select.from.extend(from);
    select.selection = walk::conjunction(conditions);
    Ok(())
}

/// Takes the tables of inner joins apart, and their conditions.
fn take_apart(
    mut item: TableWithJoins,
    table: &mut usize,
    units: &mut Vec<Unit>,
    conditions: &mut Vec<Expr>,
) {
    let first = *table;
    *table += 1 + item.joins.len();
    let outer = item.joins.iter().rposition(|join| !is_inner(&join.join_operator));
    // What follows the last outer join is joined with its result.
    let rest = item.joins.split_off(outer.map_or(0, |outer| outer + 1));
    let from_rest = first + 1 + item.joins.len();
    units.push(Unit { tables: (first..from_rest).collect(), item });
    for (at, join) in rest.into_iter().enumerate() {
        units.push(Unit { tables: BTreeSet::from([from_rest + at]), item: build::from(join.relation) });
        if let JoinOperator::Join(JoinConstraint::On(on)) | JoinOperator::Inner(JoinConstraint::On(on)) =
            join.join_operator
        {
            conditions.extend(walk::conjuncts(on));
        }
    }
}

fn is_inner(operator: &JoinOperator) -> bool {
    matches!(operator, JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_))
}

/// Puts the tables of outer joins into a query if they are to stand at the right of a join.
fn alone(rewriter: &mut Rewriter<'_>, item: TableWithJoins) -> TableFactor {
    if item.joins.is_empty() {
        return item.relation;
    }
    let select = build::select(vec![build::star()], vec![item], None);
    build::derived(build::select_query(select), &rewriter.fresh())
}

/// Returns the tables whose columns an expression has.
pub fn tables(expr: &Expr, owners: &Owners) -> BTreeSet<usize> {
    let mut tables = BTreeSet::new();
    walk::any(expr, |expr| {
        let name = match expr {
            Expr::Identifier(name) => Some(name),
            Expr::CompoundIdentifier(parts) => parts.first(),
            _ => None,
        };
        tables.extend(name.and_then(|name| owners.get(&name.value)));
        false
    });
    tables
}

/// Returns whether a condition makes something of some tables equal to something of others.
pub fn links(condition: &Expr, some: &BTreeSet<usize>, others: &BTreeSet<usize>, owners: &Owners) -> bool {
    let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = condition else { return false };
    let (left, right) = (tables(left, owners), tables(right, owners));
    let within = |all: &BTreeSet<usize>, part: &BTreeSet<usize>| !part.is_empty() && part.is_subset(all);
    !walk::has_subquery(condition)
        && ((within(some, &left) && within(others, &right))
            || (within(others, &left) && within(some, &right)))
}

/// Keeps one of equal conditions.
fn distinct(conditions: impl Iterator<Item = Expr>) -> Vec<Expr> {
    let mut once: Vec<Expr> = Vec::new();
    for condition in conditions {
        if !once.contains(&condition) {
            once.push(condition);
        }
    }
    once
}

/// Returns the names of an expression's columns.
fn columns(expr: &Expr) -> BTreeSet<String> {
    let mut columns = BTreeSet::new();
    walk::any(expr, |expr| {
        if let Expr::Identifier(_) | Expr::CompoundIdentifier(_) = expr {
            columns.insert(expr.to_string());
        }
        false
    });
    columns
}

/// Takes out of an OR what all of its branches have in common, so that it can join tables.
fn common(condition: Expr) -> Vec<Expr> {
    let branches: Vec<Vec<Expr>> = branches(&condition).into_iter().map(walk::conjuncts).collect();
    let [first, others @ ..] = &branches[..] else { return vec![condition] };
    let shared: Vec<Expr> =
        first.iter().filter(|part| others.iter().all(|branch| branch.contains(part))).cloned().collect();
    if others.is_empty() || shared.is_empty() {
        return vec![condition];
    }
    let rest = branches
        .into_iter()
        .map(|branch| walk::conjunction(branch.into_iter().filter(|part| !shared.contains(part)).collect()));
    let rest: Option<Vec<Expr>> = rest.collect();
    let rest = rest.and_then(|rest| {
        rest.into_iter().reduce(|left, right| build::binary(left, BinaryOperator::Or, right))
    });
    shared.into_iter().chain(rest).collect()
}

fn branches(condition: &Expr) -> Vec<Expr> {
    match condition {
        Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
            let mut all = branches(left);
            all.extend(branches(right));
            all
        }
        Expr::Nested(inner) => branches(inner),
        other => vec![other.clone()],
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::rewritten;

    #[test]
    fn each_table_is_joined_with_one_before_it() {
        assert_eq!(
            rewritten("select i from t, s, r where i = k and k = a and b < 3"),
            "SELECT i FROM t JOIN r ON i = k JOIN s ON k = a WHERE b < 3"
        );
        assert_eq!(
            rewritten("select i from t join r on i = k and s like 'x%' cross join s where k = b"),
            "SELECT i FROM t JOIN r ON i = k JOIN s ON k = b WHERE s LIKE 'x%'"
        );
    }

    #[test]
    fn tables_without_an_equality_are_joined_crosswise() {
        assert_eq!(rewritten("select i from t, s where i < a"), "SELECT i FROM t CROSS JOIN s WHERE i < a");
    }

    #[test]
    fn all_equalities_with_the_tables_before_join() {
        assert_eq!(
            rewritten("select i from t, r, s where i = k and a = i and b = k"),
            "SELECT i FROM t JOIN r ON i = k JOIN s ON a = i AND b = k"
        );
    }

    #[test]
    fn what_the_branches_of_an_or_share_joins() {
        assert_eq!(
            rewritten("select i from t, s where (i = a and b = 1) or (i = a and b = 2 and f = 3)"),
            "SELECT i FROM t JOIN s ON i = a WHERE b = 1 OR b = 2 AND f = 3"
        );
    }

    #[test]
    fn an_outer_join_stays_together() {
        assert_eq!(
            rewritten("select i from s, t left join r on i = k where a = i"),
            "SELECT i FROM s JOIN (SELECT * FROM t LEFT JOIN r ON i = k) AS _sql1 ON a = i"
        );
        assert_eq!(
            rewritten("select i from t left join r on i = k join s on a = k"),
            "select i from t left join r on i = k join s on a = k"
        );
    }

    #[test]
    fn another_order_keeps_that_of_the_columns() {
        assert_eq!(
            rewritten("select * from s, t, r where a = k and i = k"),
            "SELECT a, b, i, d, f, s, k, lo, hi FROM s JOIN r ON a = k JOIN t ON i = k"
        );
    }

    #[test]
    fn a_condition_joins_once() {
        assert_eq!(
            rewritten("select lo from t, r where i = k and (i = k or i = k) and k + 1 = i"),
            "SELECT lo FROM t JOIN r ON i = k WHERE k + 1 = i"
        );
    }
}
