//! The columns of a query's result.

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, TableAliasColumnDef, TableFactor, WildcardAdditionalOptions,
};

use crate::catalog::Column;
use crate::scope::Scope;
use crate::{build, types};

/// Returns the columns of a SELECT over the last of the scopes, under the names that Polars gives them.
pub fn of(select: &Select, scopes: &[Scope]) -> Option<Vec<Column>> {
    let scope = scopes.last()?;
    let mut columns = Vec::new();
    for item in &select.projection {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                columns.push(Column::new(natural(expr)?, types::of(expr, scopes)))
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                columns.push(Column::new(alias.value.clone(), types::of(expr, scopes)));
            }
            other => columns.extend(expanded(other, scope)?.into_iter().map(|(_, column)| column)),
        }
    }
    Some(columns)
}

/// Returns the name that Polars gives an expression without an alias: mostly that of its first column.
fn natural(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(name) => Some(name.value.clone()),
        Expr::CompoundIdentifier(parts) => parts.last().map(|name| name.value.clone()),
        Expr::Nested(inner)
        | Expr::Cast { expr: inner, .. }
        | Expr::Extract { expr: inner, .. }
        | Expr::Substring { expr: inner, .. } => natural(inner),
        Expr::BinaryOp { left, .. } => natural(left),
        Expr::Function(call) => {
            let FunctionArguments::List(list) = &call.args else { return None };
            match list.args.first()? {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(first)) => natural(first),
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => Some("len".to_owned()),
                _ => None,
            }
        }
        Expr::Value(_) => Some("literal".to_owned()),
        _ => None,
    }
}

/// Returns the columns that a wildcard stands for, each with its table's name. `None` if they are not known.
fn expanded(item: &SelectItem, scope: &Scope) -> Option<Vec<(String, Column)>> {
    let (table, options) = match item {
        SelectItem::Wildcard(options) => (None, options),
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
            (Some(name.0.last()?.as_ident()?.value.as_str()), options)
        }
        _ => return None,
    };
    if *options != WildcardAdditionalOptions::default() {
        return None;
    }
    let mut columns = Vec::new();
    for relation in scope.relations.iter().filter(|relation| table.is_none_or(|table| table == relation.name))
    {
        columns
            .extend(relation.columns.as_ref()?.iter().map(|column| (relation.name.clone(), column.clone())));
    }
    Some(columns)
}

/// Writes wildcards as the columns they stand for. A second column of a name becomes `name:table`, as Polars calls it.
pub fn expand(select: &mut Select, scope: &Scope) {
    let mut items: Vec<SelectItem> = Vec::new();
    for item in std::mem::take(&mut select.projection) {
        let Some(columns) = expanded(&item, scope) else {
            items.push(item);
            continue;
        };
        for (table, column) in columns {
            let expr = Expr::CompoundIdentifier(vec![build::ident(&table), build::ident(&column.name)]);
            let taken = items.iter().any(|item| name(item).is_some_and(|name| name == column.name));
            let alias = if taken { format!("{}:{table}", column.name) } else { column.name };
            items.push(SelectItem::ExprWithAlias { expr, alias: build::ident(&alias) });
        }
    }
    select.projection = items;
}

fn name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
        SelectItem::UnnamedExpr(expr) => natural(expr),
        _ => None,
    }
}

/// Returns whether a SELECT has `*` or `table.*`.
pub fn has_wildcard(select: &Select) -> bool {
    let is = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
    select.projection.iter().any(is)
}

/// Returns whether a name is that of an expression in the SELECT list.
pub fn is_alias(select: &Select, wanted: &str) -> bool {
    let is =
        |item: &SelectItem| matches!(item, SelectItem::ExprWithAlias { alias, .. } if alias.value == wanted);
    select.projection.iter().any(is)
}

/// Gives the columns of a query these names and returns whether it could: only of a plain SELECT of as many expressions.
pub fn rename(query: &mut Query, names: &[String]) -> bool {
    let SetExpr::Select(select) = query.body.as_mut() else { return false };
    // An alias might be meant by ORDER BY or GROUP BY.
    let by_alias = match &select.group_by {
        GroupByExpr::Expressions(keys, _) => keys.iter().any(|key| is_alias_key(select, key)),
        GroupByExpr::All(_) => false,
    };
    if select.projection.len() != names.len()
        || has_wildcard(select)
        || query.order_by.is_some()
        || by_alias
        || select.having.is_some()
    {
        return false;
    }
    for (item, name) in select.projection.iter_mut().zip(names) {
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
            *item = build::aliased(expr.clone(), name);
        }
    }
    true
}

fn is_alias_key(select: &Select, key: &Expr) -> bool {
    matches!(key, Expr::Identifier(name) if is_alias(select, &name.value))
}

/// Returns `SELECT * FROM (query) AS alias (names)`.
pub fn wrap(query: Query, alias: &str, names: &[String]) -> Query {
    let mut factor = build::derived(query, alias);
    if let TableFactor::Derived { alias: Some(alias), .. } = &mut factor {
        alias.columns = names
            .iter()
            .map(|name| TableAliasColumnDef { name: build::ident(name), data_type: None })
            .collect();
    }
    build::select_query(build::select(vec![build::star()], vec![build::from(factor)], None))
}

#[cfg(test)]
mod tests {
    use crate::tests::rewritten;

    #[test]
    fn columns_of_a_table_alias_become_aliases() {
        assert_eq!(
            rewritten("select x from (select i, count(d) from t group by i) as u (x, n)"),
            "SELECT x FROM (SELECT i AS x, count(d) AS n FROM t GROUP BY i) AS u"
        );
        assert_eq!(rewritten("select x from r as u (x, y)"), "SELECT x FROM (SELECT * FROM r) AS u (x, y)");
    }

    #[test]
    fn a_union_keeps_the_columns_of_its_alias() {
        let text = "select x from (select i from t union all select i from t) as u (x)";
        assert_eq!(rewritten(text), text);
    }
}
