//! Tables and shorthands for the tests of all files.

use std::collections::HashMap;

use sqlparser::ast::Expr;
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;

use crate::{Column, Rewritten, SqlError, Type, statement};

/// `t (i, d, f, s)`, `r (k, lo, hi)`, `s (a, b)` and a table whose column has a point in its name.
pub fn tables() -> HashMap<String, Vec<Column>> {
    let table = |name: &str, columns: &[(&str, Type)]| {
        (name.to_owned(), columns.iter().map(|(name, kind)| Column::new(*name, *kind)).collect())
    };
    HashMap::from([
        table(
            "t",
            &[("i", Type::Integer), ("d", Type::Decimal { scale: 2 }), ("f", Type::Float), ("s", Type::Text)],
        ),
        table("r", &[("k", Type::Integer), ("lo", Type::Float), ("hi", Type::Float)]),
        table("s", &[("a", Type::Integer), ("b", Type::Integer)]),
        table("dotted", &[("a.b", Type::Integer)]),
    ])
}

pub fn run(text: &str) -> Result<Rewritten, SqlError> {
    let done = crate::rewrite(text, &tables())?;
    for statement in &done.statements {
        let again = Parser::parse_sql(&GenericDialect, statement);
        assert!(again.is_ok(), "{statement}: {again:?}");
    }
    Ok(done)
}

/// Rewrites a text and returns its last statement.
pub fn rewritten(text: &str) -> String {
    run(text).unwrap().statements.pop().unwrap()
}

/// Returns why a text cannot be rewritten.
pub fn refused(text: &str) -> String {
    run(text).unwrap_err().to_string()
}

pub fn expr(text: &str) -> Expr {
    Parser::new(&GenericDialect).try_with_sql(text).unwrap().parse_expr().unwrap()
}

/// Computes what is constant in an expression.
pub fn folded(text: &str) -> String {
    let mut expr = expr(text);
    statement::fold(&mut expr).unwrap();
    expr.to_string()
}

pub fn fold_error(text: &str) -> String {
    statement::fold(&mut expr(text)).unwrap_err().to_string()
}
