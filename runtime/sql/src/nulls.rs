//! What conditions say about null.

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator};

/// Returns whether a condition cannot be true where this column is null.
pub fn reject(condition: &Expr, column: &Expr) -> bool {
    match condition {
        Expr::Nested(inner) => reject(inner, column),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            reject(left, column) || reject(right, column)
        }
        Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
            reject(left, column) && reject(right, column)
        }
        Expr::UnaryOp { op: UnaryOperator::Not, expr } if !logical(expr) => reject(expr, column),
        Expr::BinaryOp {
            left,
            op:
                BinaryOperator::Eq
                | BinaryOperator::NotEq
                | BinaryOperator::Lt
                | BinaryOperator::LtEq
                | BinaryOperator::Gt
                | BinaryOperator::GtEq,
            right,
        } => strict(left, column) || strict(right, column),
        Expr::Between { expr, negated: false, low, high } => {
            strict(expr, column) || strict(low, column) || strict(high, column)
        }
        Expr::Between { expr, .. } | Expr::Like { expr, .. } | Expr::InList { expr, .. } => {
            strict(expr, column)
        }
        _ => false,
    }
}

fn logical(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => logical(inner),
        Expr::BinaryOp { op, .. } => matches!(op, BinaryOperator::And | BinaryOperator::Or),
        _ => false,
    }
}

/// Returns whether an expression is null where this column is.
fn strict(expr: &Expr, column: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } | Expr::Extract { expr: inner, .. } => {
            strict(inner, column)
        }
        Expr::BinaryOp {
            left,
            op:
                BinaryOperator::Plus | BinaryOperator::Minus | BinaryOperator::Multiply | BinaryOperator::Divide,
            right,
        } => strict(left, column) || strict(right, column),
        other => other == column,
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::expr;

    #[test]
    fn a_comparison_is_not_true_for_null() {
        let reject = |condition: &str| super::reject(&expr(condition), &expr("x"));
        assert!(
            reject("x + 1 < y")
                && reject("not (x = y)")
                && reject("x = 1 and z is null")
                && reject("x = 1 or x = 2")
        );
        assert!(
            !reject("x is null")
                && !reject("x = 1 or y = 2")
                && !reject("coalesce(x, 1) = 1")
                && !reject("not (x = 1 and y = 2)")
        );
    }
}
