//! What the rewriting has to know about tables.

use std::collections::{BTreeMap, HashMap};

/// The type of a column, as far as it decides how SQL is rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Type {
    /// Whole numbers of any width.
    Integer,
    /// Binary floating point.
    Float,
    /// Decimals of any precision.
    Decimal {
        /// The number of digits after the point.
        scale: u32,
    },
    /// Text, and categories.
    Text,
    /// Days without a time.
    Date,
    /// Any other known type.
    Other,
    /// A type that nobody knows.
    #[default]
    Unknown,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Type,
}

impl Column {
    /// Returns a column.
    pub fn new(name: impl Into<String>, kind: Type) -> Self {
        Self { name: name.into(), kind }
    }
}

/// The tables that a text can name.
///
/// ```
/// use std::collections::HashMap;
/// use partita_sql::{Catalog, Column, Type};
///
/// let tables = HashMap::from([("t".to_owned(), vec![Column::new("price", Type::Decimal { scale: 2 })])]);
/// assert_eq!(tables.columns("t").unwrap()[0].kind, Type::Decimal { scale: 2 });
/// assert_eq!(tables.columns("u"), None);
/// ```
pub trait Catalog {
    /// Returns the columns of a table in their order; `None` if there is no such table.
    fn columns(&self, table: &str) -> Option<Vec<Column>>;
}

impl Catalog for HashMap<String, Vec<Column>> {
    fn columns(&self, table: &str) -> Option<Vec<Column>> {
        self.get(table).cloned()
    }
}

impl Catalog for BTreeMap<String, Vec<Column>> {
    fn columns(&self, table: &str) -> Option<Vec<Column>> {
        self.get(table).cloned()
    }
}
