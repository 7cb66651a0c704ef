//! Which table a column belongs to.

use sqlparser::ast::{Expr, Ident};

use crate::catalog::{Column, Type};
use crate::error::{Place, Result, SqlError};

/// A table of a FROM clause.
#[derive(Debug, Clone)]
pub struct Relation {
    /// The name that columns are qualified with.
    pub name: String,
    /// Its columns; `None` if nobody knows them.
    pub columns: Option<Vec<Column>>,
}

/// The tables of a FROM clause.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// In the order in which they are written.
    pub relations: Vec<Relation>,
    /// Whether all of them are joined by ON, crosswise or by commas, and all their columns are known.
    pub plain: bool,
}

/// Where a column was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// In this table, at this position.
    At(usize, usize),
    /// Probably in a table whose columns are not known.
    Hidden,
    /// Nowhere.
    Nowhere,
}

/// Returns qualifier and name of what may be a column.
fn reference(expr: &Expr) -> Option<(Option<&Ident>, &Ident)> {
    match expr {
        Expr::Identifier(name) => Some((None, name)),
        Expr::CompoundIdentifier(parts) => Some((parts.first(), parts.get(1)?)),
        _ => None,
    }
}

impl Scope {
    /// Returns where a column is; nowhere if `expr` is no column.
    ///
    /// # Errors
    ///
    /// If a plain scope has more than one column of this name.
    pub fn find(&self, expr: &Expr) -> Result<Found> {
        let Some((qualifier, name)) = reference(expr) else { return Ok(Found::Nowhere) };
        let Some(qualifier) = qualifier else { return self.unqualified(name) };
        let Some(at) = self.relations.iter().position(|relation| relation.name == qualifier.value) else {
            // `column.field` of a struct.
            return self.unqualified(qualifier);
        };
        Ok(match &self.relations[at].columns {
            None => Found::Hidden,
            Some(columns) => columns
                .iter()
                .position(|column| column.name == name.value)
                .map_or(Found::Nowhere, |column| Found::At(at, column)),
        })
    }

    fn unqualified(&self, name: &Ident) -> Result<Found> {
        let mut found = Vec::new();
        for (at, relation) in self.relations.iter().enumerate() {
            let columns = relation.columns.as_deref().unwrap_or_default();
            found.extend(
                columns.iter().position(|column| column.name == name.value).map(|column| (at, column)),
            );
        }
        match found[..] {
            [] if self.relations.iter().any(|relation| relation.columns.is_none()) => Ok(Found::Hidden),
            [] => Ok(Found::Nowhere),
            [(_, _), (_, _), ..] if self.plain => Err(SqlError::Ambiguous {
                column: name.value.clone(),
                tables: found.iter().map(|(at, _)| self.relations[*at].name.clone()).collect(),
                place: Place::at(name.span),
            }),
            [(at, column), ..] => Ok(Found::At(at, column)),
        }
    }

    /// Returns the column at a place.
    pub fn column(&self, relation: usize, column: usize) -> Option<&Column> {
        self.relations.get(relation)?.columns.as_ref()?.get(column)
    }

    /// Returns whether a column is one of these tables'.
    pub fn has(&self, expr: &Expr) -> Result<bool> {
        Ok(self.find(expr)? != Found::Nowhere)
    }

    /// Returns the type of a column; unknown if it is not here.
    pub fn kind(&self, expr: &Expr) -> Type {
        match self.find(expr) {
            Ok(Found::At(relation, column)) => {
                self.column(relation, column).map_or(Type::Unknown, |c| c.kind)
            }
            _ => Type::Unknown,
        }
    }

    /// Adds a table of which all columns are known.
    pub fn add(&mut self, name: &str, columns: Vec<Column>) {
        self.relations.push(Relation { name: name.to_owned(), columns: Some(columns) });
    }
}

/// Returns the type of a column in the innermost scope that has it.
pub fn kind(expr: &Expr, scopes: &[Scope]) -> Type {
    let found = scopes.iter().rev().find(|scope| scope.has(expr).unwrap_or(false));
    found.map_or(Type::Unknown, |scope| scope.kind(expr))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::expr;

    fn scope() -> Scope {
        let columns = |names: &[&str]| names.iter().map(|name| Column::new(*name, Type::Text)).collect();
        let mut scope = Scope { plain: true, ..Scope::default() };
        scope.add("a", columns(&["x", "y"]));
        scope.add("b", columns(&["y", "z"]));
        scope
    }

    #[test]
    fn columns_are_found_with_and_without_their_table() {
        let scope = scope();
        assert_eq!(scope.find(&expr("z")), Ok(Found::At(1, 1)));
        assert_eq!(scope.find(&expr("b.y")), Ok(Found::At(1, 0)));
        assert_eq!(scope.find(&expr("x.field")), Ok(Found::At(0, 0)));
        assert_eq!(scope.find(&expr("c.y")), Ok(Found::Nowhere));
    }

    #[test]
    fn a_column_of_two_tables_needs_a_table() {
        let error = scope().find(&expr("y")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`y` at line 1, column 1 is a column of a and b; name the table, as in `a.y`"
        );
    }
}
