//! Arithmetic of numbers with a point, done exactly.
//!
//! Polars reads such a number as a float, so `0.06 + 0.01` is less than 0.07. The sum is therefore done here and written
//! as one number. That number stays a float: the closest one to 0.07, which is also what Polars makes of a decimal
//! column's 0.07 to compare the two. This holds for decimals of up to 15 digits.

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Value};

use crate::build;

/// A decimal: `digits` divided by ten to the power of `scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Exact {
    digits: i128,
    scale: u32,
}

/// Writes arithmetic of two numbers as its result, and a number with an exponent in digits.
///
/// Whole numbers among themselves are left to Polars, which computes them exactly.
pub fn fold(expr: &mut Expr) {
    let folded = match expr {
        Expr::BinaryOp { left, op, right } if has_point(left) || has_point(right) => {
            exact(left).zip(exact(right)).and_then(|(left, right)| compute(left, op, right))
        }
        Expr::Value(value) => match &value.value {
            // Polars looks for a point to tell floats from whole numbers, and `1e3` has none.
            Value::Number(digits, _) if digits.contains(['e', 'E']) => parse(digits),
            _ => None,
        },
        _ => None,
    };
    if let Some(value) = folded {
        *expr = write(value);
    }
}

/// Returns whether the expression is a number with a point.
fn has_point(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner)
        | Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr: inner } => has_point(inner),
        Expr::Value(value) => matches!(&value.value, Value::Number(digits, _) if digits.contains('.')),
        _ => false,
    }
}

fn exact(expr: &Expr) -> Option<Exact> {
    match expr {
        Expr::Nested(inner) | Expr::UnaryOp { op: UnaryOperator::Plus, expr: inner } => exact(inner),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner } => {
            exact(inner).map(|value| Exact { digits: -value.digits, ..value })
        }
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => parse(digits),
            _ => None,
        },
        _ => None,
    }
}

fn parse(text: &str) -> Option<Exact> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    match u32::try_from(scale) {
        // More digits than a float can hold a number of.
        Ok(scale) if scale > 30 => None,
        Ok(scale) => Some(Exact { digits, scale }),
        Err(_) => Some(Exact { digits: digits.checked_mul(power(scale.unsigned_abs())?)?, scale: 0 }),
    }
}

fn power(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

fn compute(left: Exact, op: &BinaryOperator, right: Exact) -> Option<Exact> {
    let scale = left.scale.max(right.scale);
    let widen = |value: Exact| value.digits.checked_mul(power(scale - value.scale)?);
    let (digits, scale) = match op {
        BinaryOperator::Plus => (widen(left)?.checked_add(widen(right)?)?, scale),
        BinaryOperator::Minus => (widen(left)?.checked_sub(widen(right)?)?, scale),
        BinaryOperator::Multiply => (left.digits.checked_mul(right.digits)?, left.scale + right.scale),
        _ => return None,
    };
    Some(Exact { digits, scale })
}

fn write(value: Exact) -> Expr {
    let width = usize::try_from(value.scale).unwrap_or_default() + 1;
    let digits = format!("{:0width$}", value.digits.unsigned_abs());
    let (whole, fraction) = digits.split_at(digits.len() + 1 - width);
    let fraction = match fraction.trim_end_matches('0') {
        "" => "0",
        some => some,
    };
    let number = build::number(format!("{whole}.{fraction}"));
    if value.digits < 0 { Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(number) } } else { number }
}

#[cfg(test)]
mod tests {
    use crate::tests::{expr, folded};

    #[test]
    fn sums_and_products_of_numbers_with_a_point_are_exact() {
        assert_eq!(folded("0.06 + 0.01"), "0.07");
        assert_eq!(folded("0.06 - 0.01"), "0.05");
        assert_eq!(folded("(1 - 0.05) * 1.10"), "1.045");
        assert_eq!(folded("0.01 - 0.5"), "-0.49");
        assert_eq!(folded("x between 0.06 - 0.01 and 0.06 + 0.01"), "x BETWEEN 0.05 AND 0.07");
        assert_eq!(folded("0.5 + 0.5"), "1.0");
    }

    #[test]
    fn a_number_with_an_exponent_gets_a_point() {
        assert_eq!(folded("1e3"), "1000.0");
        assert_eq!(folded("1.5e-3"), "0.0015");
        assert_eq!(folded("1e-9 + 1"), "1.000000001");
    }

    #[test]
    fn other_arithmetic_stays() {
        for text in ["1 + 10", "1.0 / 3", "x + 0.06 + 0.01", "0.5 * sum(x)", "1e300"] {
            assert_eq!(folded(text), expr(text).to_string());
        }
    }
}
