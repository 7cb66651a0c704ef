//! Divisions of decimals.
//!
//! Polars gives a decimal divided by a decimal the scale of the first one: `0.0344` becomes `0.03`. A division whose
//! operands may be decimals is therefore done in floats.

use sqlparser::ast::{BinaryOperator, DataType, ExactNumberInfo, Expr};

use crate::catalog::Type;
use crate::scope::Scope;
use crate::{build, types};

/// Casts the first operand of a division if it and the second may be decimals.
pub fn in_floats(expr: &mut Expr, scopes: &[Scope]) {
    let Expr::BinaryOp { left, op: BinaryOperator::Divide, right } = expr else { return };
    let kinds = [types::of(left, scopes), types::of(right, scopes)];
    let number = |kind: &Type| matches!(kind, Type::Integer | Type::Decimal { .. } | Type::Unknown);
    if kinds.iter().all(number) && kinds != [Type::Integer; 2] {
        let dividend = std::mem::replace(&mut **left, build::null());
        let dividend = match dividend {
            Expr::Nested(inner) => *inner,
            other => other,
        };
        **left = build::cast(dividend, DataType::Double(ExactNumberInfo::None));
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::rewritten;

    #[test]
    fn decimals_are_divided_as_floats() {
        assert_eq!(
            rewritten("select sum(d) / sum(d) as x from t"),
            "SELECT CAST(sum(d) AS DOUBLE) / sum(d) AS x FROM t"
        );
        assert_eq!(
            rewritten("select (d + i) / i as x from t"),
            "SELECT CAST(d + i AS DOUBLE) / i AS x FROM t"
        );
    }

    #[test]
    fn floats_and_whole_numbers_are_divided_as_they_are() {
        for text in
            ["select i / i as x from t", "select sum(d) / 7.0 as x from t", "select f / d as x from t"]
        {
            assert_eq!(rewritten(text), text);
        }
    }

    #[test]
    fn the_types_of_a_query_inside_are_known() {
        assert_eq!(
            rewritten("select x / y as z from (select d * i as x, sum(f) over () as y from t) as u"),
            "select x / y as z from (select d * i as x, sum(f) over () as y from t) as u"
        );
        assert_eq!(
            rewritten("select x / x as z from (select d * i as x from t) as u"),
            "SELECT CAST(x AS DOUBLE) / x AS z FROM (SELECT d * i AS x FROM t) AS u"
        );
    }
}
