//! The way through a query: its WITH, its tables, then the rewrites of each SELECT in the order in which they need one another.

use std::collections::HashMap;

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    Cte, Expr, Join, JoinConstraint, JoinOperator, ObjectName, OrderBy, Query, Select, SetExpr, TableAlias,
    TableFactor,
};

use crate::catalog::{Catalog, Column, Type};
use crate::error::{Result, unsupported};
use crate::scope::{Relation, Scope};
use crate::subquery::Pulled;
use crate::{aggregate, build, division, equality, joins, names, outputs, product, subquery, walk};

/// What is known while one text is rewritten.
pub struct Rewriter<'a> {
    pub catalog: &'a dyn Catalog,
    /// What made names begin with. No name of the text contains it.
    prefix: String,
    made: usize,
    /// The queries of the WITH to be, each after those it reads. Polars drops a WITH that is not at the top.
    pub ctes: Vec<Cte>,
    /// Their columns.
    tables: HashMap<String, Option<Vec<Column>>>,
    /// Names of views and of WITH: as they are in the text, and as they are written. The last one counts.
    pub visible: Vec<(String, String)>,
}

impl<'a> Rewriter<'a> {
    pub fn new(text: &str, catalog: &'a dyn Catalog) -> Self {
        let mut prefix = "_sql".to_owned();
        while text.contains(&prefix) {
            prefix.push('l');
        }
        Self { catalog, prefix, made: 0, ctes: Vec::new(), tables: HashMap::new(), visible: Vec::new() }
    }

    /// Returns a name that nothing has.
    pub fn fresh(&mut self) -> String {
        self.made += 1;
        format!("{}{}", self.prefix, self.made)
    }

    /// Adds a query to the WITH.
    pub fn add(&mut self, name: &str, query: Query, columns: Option<Vec<Column>>) {
        self.ctes.push(Cte {
            alias: TableAlias { explicit: false, ..build::alias(name) },
            query: Box::new(query),
            from: None,
            materialized: None,
            closing_paren_token: AttachedToken::empty(),
        });
        self.tables.insert(name.to_owned(), columns);
    }

    /// Adds a query to the WITH under a name of the text, which queries can use from now on.
    pub fn define(
        &mut self,
        name: &str,
        mut query: Query,
        columns: &[String],
        outer: &[Scope],
    ) -> Result<()> {
        let renamed = outputs::rename(&mut query, columns);
        let mut known = self.query(&mut query, outer)?;
        if !columns.is_empty() && !renamed {
            let alias = self.fresh();
            query = outputs::wrap(query, &alias, columns);
            known = Some(columns.iter().map(|name| Column::new(name, Type::Unknown)).collect());
        }
        // Polars prefers a table to a WITH of the same name.
        let taken = self.catalog.columns(name).is_some() || self.tables.contains_key(name);
        let written = if taken { self.fresh() } else { name.to_owned() };
        self.add(&written, query, known);
        self.visible.push((name.to_owned(), written));
        Ok(())
    }

    /// Rewrites a query and returns its columns. What it takes from a query around it has been taken out before.
    pub fn query(&mut self, query: &mut Query, outer: &[Scope]) -> Result<Option<Vec<Column>>> {
        let visible = self.visible.len();
        self.with(query, outer)?;
        let columns = self.body(&mut query.body, &mut query.order_by, outer)?;
        self.visible.truncate(visible);
        Ok(columns)
    }

    /// Moves the WITH of a query to the one at the top.
    pub fn with(&mut self, query: &mut Query, outer: &[Scope]) -> Result<()> {
        let Some(with) = query.with.take() else { return Ok(()) };
        if with.recursive {
            return Err(unsupported(
                "WITH RECURSIVE",
                &with,
                "Polars' SQL has no loops, write one around the query",
            ));
        }
        for cte in with.cte_tables {
            let columns: Vec<String> =
                cte.alias.columns.into_iter().map(|column| column.name.value).collect();
            self.define(&cte.alias.name.value, *cte.query, &columns, outer)?;
        }
        Ok(())
    }

    fn body(
        &mut self,
        body: &mut SetExpr,
        order_by: &mut Option<OrderBy>,
        outer: &[Scope],
    ) -> Result<Option<Vec<Column>>> {
        match body {
            SetExpr::Select(select) => {
                let mut scopes = outer.to_vec();
                scopes.push(self.open(select)?);
                self.close(select, order_by, &mut scopes)
            }
            SetExpr::Query(query) => self.query(query, outer),
            SetExpr::SetOperation { left, right, .. } => {
                let columns = self.body(left, &mut None, outer)?;
                self.body(right, &mut None, outer)?;
                Ok(columns)
            }
            _ => Ok(None),
        }
    }

    /// Rewrites the tables of a FROM clause and returns them.
    pub fn open(&mut self, select: &mut Select) -> Result<Scope> {
        let mut scope = Scope { plain: select.lateral_views.is_empty(), ..Scope::default() };
        for item in &mut select.from {
            self.factor(&mut item.relation, &mut scope)?;
            for join in &mut item.joins {
                self.factor(&mut join.relation, &mut scope)?;
                scope.plain &= is_plain(&join.join_operator);
            }
        }
        scope.plain &= scope.relations.iter().all(|relation| relation.columns.is_some());
        Ok(scope)
    }

    fn factor(&mut self, factor: &mut TableFactor, scope: &mut Scope) -> Result<()> {
        match factor {
            TableFactor::Table { name, alias, args: None, .. } if name.0.len() == 1 => {
                let Some(table) = name.0[0].as_ident().map(|ident| ident.value.clone()) else {
                    scope.plain = false;
                    return Ok(());
                };
                let known = self.visible.iter().rev().find(|(visible, _)| *visible == table);
                let written = known.map_or_else(|| table.clone(), |(_, written)| written.clone());
                if written != table {
                    *name = ObjectName::from(vec![build::ident(&written)]);
                    alias.get_or_insert_with(|| build::alias(&table));
                }
                let columns = match self.tables.get(&written) {
                    Some(columns) => columns.clone(),
                    None => self.catalog.columns(&written),
                };
                let called = alias.as_ref().map_or(table, |alias| alias.name.value.clone());
                // Polars ignores the columns in `t AS a (x, y)`.
                let renamed =
                    alias.as_mut().map(|alias| std::mem::take(&mut alias.columns)).unwrap_or_default();
                if renamed.is_empty() {
                    scope.relations.push(Relation { name: called, columns });
                    return Ok(());
                }
                alias.take();
                let inner = build::from(std::mem::replace(factor, build::table(&called)));
                *factor = build::derived(
                    build::select_query(build::select(vec![build::star()], vec![inner], None)),
                    &called,
                );
                if let TableFactor::Derived { alias: Some(alias), .. } = factor {
                    alias.columns = renamed;
                }
                self.factor(factor, scope)
            }
            TableFactor::Derived { lateral: false, subquery, alias, .. } => {
                let names: Vec<String> =
                    alias.iter().flat_map(|a| &a.columns).map(|c| c.name.value.clone()).collect();
                let renamed = outputs::rename(subquery, &names);
                let mut columns = self.query(subquery, &[])?;
                if let Some(alias) = alias.as_mut().filter(|_| renamed) {
                    alias.columns.clear();
                } else if !names.is_empty() {
                    columns = columns.filter(|columns| columns.len() == names.len()).map_or_else(
                        || Some(names.iter().map(|name| Column::new(name, Type::Unknown)).collect()),
                        |columns| {
                            Some(
                                columns
                                    .iter()
                                    .zip(&names)
                                    .map(|(c, name)| Column::new(name, c.kind))
                                    .collect(),
                            )
                        },
                    );
                }
                let name = alias.as_ref().map(|alias| alias.name.value.clone()).unwrap_or_default();
                scope.relations.push(Relation { name, columns });
                Ok(())
            }
            TableFactor::NestedJoin { table_with_joins, .. } => {
                scope.plain = false;
                self.factor(&mut table_with_joins.relation, scope)?;
                table_with_joins.joins.iter_mut().try_for_each(|join| self.factor(&mut join.relation, scope))
            }
            TableFactor::Table { name, alias, .. } => {
                scope.plain = false;
                let name = alias.as_ref().map_or_else(|| name.to_string(), |alias| alias.name.value.clone());
                scope.relations.push(Relation { name, columns: None });
                Ok(())
            }
            _ => {
                scope.plain = false;
                scope.relations.push(Relation { name: String::new(), columns: None });
                Ok(())
            }
        }
    }

    /// Rewrites the rest of a SELECT, whose tables are the last of the scopes, and returns its columns.
    pub fn close(
        &mut self,
        select: &mut Select,
        order_by: &mut Option<OrderBy>,
        scopes: &mut Vec<Scope>,
    ) -> Result<Option<Vec<Column>>> {
        let decimals = |expr: &mut Expr| {
            product::widen(expr, scopes);
            division::in_floats(expr, scopes);
            equality::unify(expr, scopes);
            Ok(())
        };
        walk::change(select, decimals)?;
        walk::change(order_by, decimals)?;
        let columns = outputs::of(select, scopes);
        if aggregate::comes_first(select, order_by) {
            aggregate::split(self, select, order_by, scopes)?;
        }
        let pulled = subquery::pull(self, select, order_by, scopes)?;
        self.unify_pulled(select, &pulled, scopes)?;
        let scope = scopes.last().cloned().unwrap_or_default();
        let hides = matches!(&select.from[..], [item] if names::hides_a_table(&item.relation, self) && !scope.relations[0].name.is_empty());
        if scope.plain && (scope.relations.len() > 1 || hides || !pulled.joins.is_empty()) {
            let mut added = pulled.joins;
            let owners = names::flatten(self, select, order_by, &scope, &mut added, pulled.widened)?;
            joins::arrange(self, select, &owners, added)?;
        } else if !pulled.joins.is_empty() {
            append(select, pulled.joins, pulled.widened)?;
        }
        Ok(columns)
    }

    /// Gives the values of subqueries, which are columns now, the type of what they are compared with.
    fn unify_pulled(&self, select: &mut Select, pulled: &Pulled, scopes: &[Scope]) -> Result<()> {
        if pulled.joins.is_empty() {
            return Ok(());
        }
        let mut added = Scope::default();
        for join in &pulled.joins {
            if let TableFactor::Table { name, .. } = &join.relation {
                let name = name.to_string();
                let columns = self.tables.get(&name).cloned().flatten();
                added.relations.push(Relation { name, columns });
            }
        }
        let mut around = vec![added];
        around.extend_from_slice(scopes);
        walk::change(&mut select.selection, |expr| {
            equality::unify(expr, &around);
            Ok(())
        })
    }
}

fn is_plain(operator: &JoinOperator) -> bool {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint) => matches!(constraint, JoinConstraint::On(_)),
        JoinOperator::CrossJoin(constraint) => *constraint == JoinConstraint::None,
        _ => false,
    }
}

/// Adds joins to tables of which not all columns are known, or that are joined by USING.
fn append(select: &mut Select, joins: Vec<Join>, widened: bool) -> Result<()> {
    let wildcard = widened && outputs::has_wildcard(select);
    let [item] = &mut select.from[..] else {
        return Err(unsupported(
            "a subquery beside tables whose columns are not known",
            select,
            "join the tables by JOIN and ON",
        ));
    };
    if wildcard {
        return Err(unsupported(
            "`*` beside a subquery and USING or a table whose columns are not known",
            select,
            "name the columns",
        ));
    }
    item.joins.extend(joins);
    Ok(())
}
