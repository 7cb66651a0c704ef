//! One name for each column of a FROM clause.
//!
//! Polars gives the second of two columns of a name a suffix, and does not find it again in every place: a subquery gets
//! the first one. So a table with a column that an earlier one has is read with its columns renamed, and all columns are
//! then written without their table.

use std::collections::HashMap;

use sqlparser::ast::{Expr, Ident, Join, OrderBy, Select, SelectItem, TableFactor, TableWithJoins};

use crate::error::{Result, SqlError};
use crate::query::Rewriter;
use crate::scope::{Found, Scope};
use crate::{build, outputs, walk};

/// The table, counted from 0, that has the column of a name.
pub type Owners = HashMap<String, usize>;

/// Writes the columns of a SELECT over a plain scope, and of joins to be added to it, without their tables.
pub fn flatten(
    rewriter: &mut Rewriter<'_>,
    select: &mut Select,
    order_by: &mut Option<OrderBy>,
    scope: &Scope,
    added: &mut [Join],
    widened: bool,
) -> Result<Owners> {
    let mut owners = Owners::new();
    let mut renamed: HashMap<usize, Vec<usize>> = HashMap::new();
    for (at, relation) in scope.relations.iter().enumerate() {
        let columns = relation.columns.as_deref().unwrap_or_default();
        if columns.iter().any(|column| owners.contains_key(&column.name)) {
            renamed.insert(at, Vec::new());
        } else {
            owners.extend(columns.iter().map(|column| (column.name.clone(), at)));
        }
    }
    // The order of three tables may change, and that of the columns of `*` must not.
    if widened || !renamed.is_empty() || scope.relations.len() > 2 {
        outputs::expand(select, scope);
    }
    for item in &mut select.projection {
        // The result keeps the column's own name.
        if let SelectItem::UnnamedExpr(expr @ (Expr::Identifier(_) | Expr::CompoundIdentifier(_))) = item
            && let Found::At(relation, column) = scope.find(expr)?
            && renamed.contains_key(&relation)
            && let Some(column) = scope.column(relation, column)
        {
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: build::ident(&column.name) };
        }
    }
    let aliases: Vec<Ident> = select.projection.iter().filter_map(alias).cloned().collect();
    let mut write = |expr: &mut Expr| {
        let alias = matches!(expr, Expr::Identifier(name) if aliases.contains(name));
        let found = match scope.find(expr) {
            // An alias of the list, in GROUP BY and HAVING.
            Err(SqlError::Ambiguous { .. }) if alias => return Ok(()),
            found => found?,
        };
        let Found::At(relation, at) = found else { return Ok(()) };
        let Some(column) = scope.column(relation, at) else { return Ok(()) };
        let used = renamed.get_mut(&relation);
        let name = match &used {
            Some(_) => build::ident(&unique(&column.name, &scope.relations[relation].name)),
            None => original(expr, &column.name),
        };
        if let Some(used) = used.filter(|used| !used.contains(&at)) {
            used.push(at);
        }
        replace(expr, &scope.relations[relation].name, name);
        Ok(())
    };
    walk::change(select, &mut write)?;
    for join in added {
        walk::change(join, &mut write)?;
    }
    walk::change(order_by, |expr| match expr {
        Expr::Identifier(name) if aliases.contains(name) => Ok(()),
        _ => write(expr),
    })?;
    for (at, factor) in factors(&mut select.from).enumerate() {
        let columns = scope.relations[at].columns.as_deref().unwrap_or_default();
        if let Some(used) = renamed.get_mut(&at) {
            used.sort_unstable();
            if used.is_empty() {
                used.push(0);
            }
            let name = &scope.relations[at].name;
            let names = used.iter().filter_map(|used| columns.get(*used)).map(|column| &column.name);
            let projection: Vec<SelectItem> = names
                .clone()
                .map(|column| build::aliased(build::column(column), &unique(column, name)))
                .collect();
            owners.extend(names.map(|column| (unique(column, name), at)));
            let table = std::mem::replace(factor, build::table(name));
            let inner = build::select(projection, vec![build::from(table)], None);
            *factor = build::derived(build::select_query(inner), &rewriter.fresh());
        } else if hides_a_table(factor, rewriter)
            && let TableFactor::Derived { alias, .. } = factor
        {
            let name = build::alias(&rewriter.fresh());
            let columns = alias.take().map(|alias| alias.columns).unwrap_or_default();
            *alias = Some(sqlparser::ast::TableAlias { columns, ..name });
        }
    }
    for item in &mut select.projection {
        if let SelectItem::ExprWithAlias { expr: Expr::Identifier(name), alias } = item
            && name.value == alias.value
        {
            *item = SelectItem::UnnamedExpr(Expr::Identifier(name.clone()));
        }
    }
    Ok(owners)
}

/// Returns whether a query in FROM has the name of a table, or none. Polars would take it for that table from now on.
pub fn hides_a_table(factor: &TableFactor, rewriter: &Rewriter<'_>) -> bool {
    match factor {
        TableFactor::Derived { alias: Some(alias), .. } => {
            rewriter.catalog.columns(&alias.name.value).is_some()
        }
        TableFactor::Derived { alias: None, .. } => true,
        _ => false,
    }
}

/// Returns the name that Polars, too, gives the second of two columns of a name.
fn unique(column: &str, table: &str) -> String {
    format!("{column}:{table}")
}

/// Returns a column's name as it is written.
fn original(expr: &Expr, column: &str) -> Ident {
    let written = match expr {
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(parts) => parts.iter().find(|part| part.value == column),
        _ => None,
    };
    written.cloned().unwrap_or_else(|| build::ident(column))
}

/// Writes a column without its table; fields of a struct stay.
fn replace(expr: &mut Expr, table: &str, name: Ident) {
    let fields = match expr {
        Expr::CompoundIdentifier(parts) => {
            let qualified = parts[0].value == table && parts.len() > 1;
            parts.split_off(if qualified { 2 } else { 1 })
        }
        _ => Vec::new(),
    };
    *expr = if fields.is_empty() {
        Expr::Identifier(name)
    } else {
        Expr::CompoundIdentifier(std::iter::once(name).chain(fields).collect())
    };
}

fn alias(item: &SelectItem) -> Option<&Ident> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias),
        _ => None,
    }
}

/// Returns the tables in the order of their scope.
fn factors(from: &mut [TableWithJoins]) -> impl Iterator<Item = &mut TableFactor> {
    from.iter_mut().flat_map(|item| {
        std::iter::once(&mut item.relation).chain(item.joins.iter_mut().map(|join| &mut join.relation))
    })
}

#[cfg(test)]
mod tests {
    use crate::tests::{refused, rewritten};

    #[test]
    fn a_table_read_twice_has_its_columns_renamed() {
        assert_eq!(
            rewritten(
                "select one.k, two.lo as low, two.hi from r one, r two where one.k = two.k order by two.hi, low"
            ),
            "SELECT k, \"lo:two\" AS low, \"hi:two\" AS hi FROM r one \
             JOIN (SELECT k AS \"k:two\", lo AS \"lo:two\", hi AS \"hi:two\" FROM r two) AS _sql1 ON k = \"k:two\" \
             ORDER BY \"hi:two\", low"
        );
    }

    #[test]
    fn a_wildcard_names_second_columns_as_polars_does() {
        assert_eq!(
            rewritten("select * from s x join s y on x.a = y.b"),
            "SELECT a, b, \"a:y\", \"b:y\" FROM s x JOIN (SELECT a AS \"a:y\", b AS \"b:y\" FROM s y) AS _sql1 ON a = \"b:y\""
        );
    }

    #[test]
    fn quotes_and_points_in_names_stay() {
        assert_eq!(
            rewritten("select \"a.b\" from dotted, t where dotted.\"a.b\" = t.i"),
            "SELECT \"a.b\" FROM dotted JOIN t ON \"a.b\" = i"
        );
    }

    #[test]
    fn an_inner_query_is_not_called_like_a_table() {
        assert_eq!(
            rewritten("select s.j, b from (select i as j from t) as s, s as u where j = b"),
            "SELECT j, b FROM (SELECT i AS j FROM t) AS _sql1 JOIN s AS u ON j = b"
        );
    }

    #[test]
    fn a_column_of_two_tables_is_refused() {
        assert!(
            refused("select k from r one, r two where one.k = two.k")
                .starts_with("`k` at line 1, column 8 is a column of one and two")
        );
    }

    #[test]
    fn a_query_with_the_name_of_a_table_does_not_replace_it() {
        assert_eq!(
            rewritten("select r.x from (select k as x from r) as r where r.x > 1"),
            "SELECT x FROM (SELECT k AS x FROM r) AS _sql1 WHERE x > 1"
        );
    }
}
