//! SQL, rewritten into the part of it that Polars' SQL takes.
//!
//! Polars' `SQLContext` takes text. [`rewrite`] reads a text as Polars does, changes what Polars refuses or gets wrong,
//! and prints it again: intervals, arithmetic of numbers with a point, products and divisions of decimals, equalities
//! between types, subqueries, views, columns of equal names, the order of joins, conditions of outer joins. One file
//! does one of these. A statement without them stays as it is written.
//!
//! Nothing here runs a query, knows Polars, or chooses an order of joins for speed: that is the planner's work, after
//! Polars has read the text. This crate goes when Polars' SQL takes these texts by itself.

#![warn(missing_docs)]

mod aggregate;
mod build;
mod calendar;
mod catalog;
mod correlation;
mod division;
mod equality;
mod error;
mod exists;
mod interval;
mod joins;
mod literal;
mod membership;
mod names;
mod nulls;
mod outer;
mod outputs;
mod product;
mod query;
mod scalar;
mod scope;
mod statement;
mod subquery;
mod types;
mod walk;

#[cfg(test)]
mod tests;

pub use catalog::{Catalog, Column, Type};
pub use error::{Place, SqlError};

/// A view that a text has created and not dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Its name.
    pub name: String,
    /// The query that it stands for, rewritten.
    pub query: String,
}

/// What a text has become.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// The statements to run one after another. CREATE VIEW and DROP VIEW are not among them.
    pub statements: Vec<String>,
    /// The views that are left, in the order in which they were created. Later texts know them if they are registered
    /// as tables.
    pub views: Vec<View>,
}

/// Rewrites a text of one or more statements.
///
/// ```
/// use std::collections::HashMap;
/// use partita_sql::{Column, Type, rewrite};
///
/// let tables = HashMap::from([
///     ("part".to_owned(), vec![Column::new("p_key", Type::Integer)]),
///     ("line".to_owned(), vec![Column::new("l_part", Type::Integer), Column::new("l_day", Type::Date)]),
/// ]);
/// let done = rewrite(
///     "select p_key from part, line where l_part = p_key and l_day < date '1994-01-01' + interval '1' year",
///     &tables,
/// )?;
/// assert_eq!(
///     done.statements,
///     ["SELECT p_key FROM part JOIN line ON l_part = p_key WHERE l_day < DATE '1995-01-01'"]
/// );
/// # Ok::<(), partita_sql::SqlError>(())
/// ```
///
/// # Errors
///
/// If the text is no SQL, or has something that can neither be run nor be rewritten. The error says where, and what to
/// write in its place.
pub fn rewrite(sql: &str, tables: &dyn Catalog) -> Result<Rewritten, SqlError> {
    statement::rewrite(sql, tables)
}
