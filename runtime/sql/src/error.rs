//! What can be wrong with a text.

use std::fmt::{Display, Formatter, Result as Formatted};

use sqlparser::ast::Spanned;
use sqlparser::tokenizer::Span;

/// Line and column of a text, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The character in the line.
    pub column: u64,
}

impl Place {
    /// Returns where a piece of syntax begins; `None` if the rewriting made it.
    pub(crate) fn of(syntax: &impl Spanned) -> Option<Self> {
        Self::at(syntax.span())
    }

    pub(crate) fn at(span: Span) -> Option<Self> {
        let start = span.start;
        (start.line > 0).then_some(Self { line: start.line, column: start.column })
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> Formatted {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a text cannot be rewritten.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// It is no SQL; the message has line and column.
    #[error("{message}")]
    Syntax {
        /// The parser's message.
        message: String,
    },
    /// An interval that has no equal in Polars.
    #[error("`{text}`{} is no interval that can be used here; write one number and one unit, as in interval '3' month", at(.place))]
    Interval {
        /// The interval.
        text: String,
        /// Where it is.
        place: Option<Place>,
    },
    /// A column that more than one table has.
    #[error("`{column}`{} is a column of {}; name the table, as in `{}.{column}`", at(.place), .tables.join(" and "), .tables[0])]
    Ambiguous {
        /// The column.
        column: String,
        /// The tables that have it, two or more.
        tables: Vec<String>,
        /// Where it is.
        place: Option<Place>,
    },
    /// SQL that is right, but that can neither be run nor be rewritten.
    #[error("{what}{} is not supported; {instead}", at(.place))]
    Unsupported {
        /// What it is.
        what: &'static str,
        /// Where it is.
        place: Option<Place>,
        /// What to write in its place.
        instead: &'static str,
    },
}

fn at(place: &Option<Place>) -> String {
    place.map(|place| format!(" at {place}")).unwrap_or_default()
}

pub(crate) type Result<T> = std::result::Result<T, SqlError>;

/// Returns the error for SQL that is right but not supported.
pub(crate) fn unsupported(what: &'static str, syntax: &impl Spanned, instead: &'static str) -> SqlError {
    SqlError::Unsupported { what, place: Place::of(syntax), instead }
}
